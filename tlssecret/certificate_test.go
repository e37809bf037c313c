package tlssecret_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/tlssecret"
)

func follow(t testing.TB, c *secrets.Client, ref string) *tlssecret.Certificate {
	t.Helper()
	cert, err := tlssecret.Follow(bind(t, c, ref, secrets.KeyPair))
	require.NoError(t, err)
	t.Cleanup(cert.Close)
	return cert
}

func TestServerFollowsItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		ca := newAuthority(t, "ca")
		server.SetSecret("tls", ca.issue(t, 1, api).json())
		cert := follow(t, c, "sm://tls")
		serving := &tls.Config{GetCertificate: cert.GetCertificate}
		client := &tls.Config{RootCAs: ca.pool(), ServerName: api[0]}
		require.EqualValues(t, 1, serial(t, serving, client))
		require.NoError(t, cert.Err())

		server.SetSecret("tls", ca.issue(t, 2, api).json())
		refresh(t, c)
		require.EqualValues(t, 2, serial(t, serving, client))

		server.SetSecret("tls", "nonsense")
		refresh(t, c)
		require.EqualValues(t, 2, serial(t, serving, client), "a version that is no certificate changes nothing")
		require.ErrorContains(t, cert.Err(), "sm://tls")

		cert.Close()
		cert.Close()
		server.SetSecret("tls", ca.issue(t, 3, api).json())
		refresh(t, c)
		require.EqualValues(t, 2, serial(t, serving, client), "a closed certificate serves what it has")
	})
}

func TestClientFollowsItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
		server.SetSecret("tls", ca.issue(t, 1, nil).json())
		cert := follow(t, c, "sm://tls")
		serving := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, 9, api).tls(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool()}
		client := &tls.Config{RootCAs: ca.pool(), ServerName: api[0], GetClientCertificate: cert.GetClientCertificate}
		for n := range int64(2) {
			server.SetSecret("tls", ca.issue(t, n, nil).json())
			refresh(t, c)
			_, served, err, serverErr := connect(serving, client)
			require.NoError(t, errors.Join(err, serverErr))
			require.Equal(t, n, served.PeerCertificates[0].SerialNumber.Int64())
		}

		// To who accepts another issuer it shows none.
		serving.ClientCAs, serving.ClientAuth = other.pool(), tls.RequestClientCert
		_, served, err, serverErr := connect(serving, client)
		require.NoError(t, errors.Join(err, serverErr))
		require.Empty(t, served.PeerCertificates)
	})
}

// What is served when certificates are stored before they are valid, or after.
func TestCertificateThatIsNotValidNow(t *testing.T) {
	const minute = time.Minute
	synctest.Test(t, func(t *testing.T) {
		log := logged(t)
		server, c := world(t)
		ca := newAuthority(t, "ca")
		set := func(serial int64, from, to time.Duration) {
			server.SetSecret("tls", ca.issue(t, serial, api, from, to).json())
			refresh(t, c)
		}
		server.SetSecret("tls", ca.issue(t, 1, api, -minute, 100*minute).json())
		cert := follow(t, c, "sm://tls")
		serving := func() int64 { return cert.Load().Leaf.SerialNumber.Int64() }

		set(2, 10*minute, 200*minute)
		require.EqualValues(t, 1, serving(), "not yet valid: the one before is served")
		require.ErrorContains(t, cert.Err(), "sm://tls: the certificate is not valid before")
		require.ErrorContains(t, cert.Err(), "the one before is served")
		require.Contains(t, log.String(), "is not valid before")
		set(3, 20*minute, 200*minute)
		require.EqualValues(t, 1, serving(), "the one before is the last that was valid")
		time.Sleep(20*minute - time.Second)
		require.EqualValues(t, 1, serving())
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 3, serving(), "it is served as soon as it is valid, with nothing read")
		require.NoError(t, cert.Err())

		set(4, -minute, -time.Second)
		require.EqualValues(t, 3, serving(), "expired: the one before is served")
		require.ErrorContains(t, cert.Err(), "expired")
		time.Sleep(300 * minute)
		require.EqualValues(t, 4, serving(), "all have expired: the newest is served, and peers refuse it")
		require.ErrorContains(t, cert.Err(), "for lack of a better one")
		_, _, err, _ := connect(&tls.Config{GetCertificate: cert.GetCertificate}, &tls.Config{RootCAs: ca.pool(), ServerName: api[0]})
		require.ErrorContains(t, err, "expired")

		set(5, -minute, 1000*minute)
		require.EqualValues(t, 5, serving())
		require.NoError(t, cert.Err())
	})
}

func TestExpiredCertificateIsNoErrorAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged(t)
		server, c := world(t)
		server.SetSecret("tls", newAuthority(t, "ca").issue(t, 1, api, -2*time.Hour, -time.Hour).json())
		cert := follow(t, c, "sm://tls")
		require.EqualValues(t, 1, cert.Load().Leaf.SerialNumber.Int64())
		require.ErrorContains(t, cert.Err(), "expired")
	})
}

func TestFollowWantsACertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("tls", "x")
		_, err := tlssecret.Follow(bind(t, c, "sm://tls", func(secrets.Value) (tls.Certificate, error) { return tls.Certificate{}, nil }))
		require.ErrorContains(t, err, "no certificate")
		_, err = tlssecret.Follow(bind(t, c, "sm://tls", func(secrets.Value) (tls.Certificate, error) {
			return tls.Certificate{Certificate: [][]byte{[]byte("x")}}, nil
		}))
		require.ErrorContains(t, err, "X.509")

		pair := newAuthority(t, "ca").issue(t, 7, api).tls(t)
		pair.Leaf = nil
		cert, err := tlssecret.Follow(bind(t, c, "sm://tls", func(secrets.Value) (tls.Certificate, error) { return pair, nil }))
		require.NoError(t, err)
		require.EqualValues(t, 7, cert.Load().Leaf.SerialNumber.Int64(), "the leaf is parsed")
	})
}

func TestPairIsNeverMixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logged(t)
		server, c := world(t)
		ca := newAuthority(t, "ca")
		one, two, three := ca.issue(t, 1, api), ca.issue(t, 2, api), ca.issue(t, 3, api)
		server.SetParameter("/tls/cert", one.cert)
		server.SetSecret("tls/key", one.key)
		cert, err := tlssecret.BindPair(t.Context(), c, "ssm:///tls/cert", "sm://tls/key")
		require.NoError(t, err)
		defer cert.Close()
		serving := &tls.Config{GetCertificate: cert.GetCertificate}
		client := &tls.Config{RootCAs: ca.pool(), ServerName: api[0]}
		require.EqualValues(t, 1, serial(t, serving, client))

		// The certificate first, then the key.
		server.SetParameter("/tls/cert", two.cert)
		refresh(t, c)
		require.EqualValues(t, 1, serial(t, serving, client))
		require.ErrorContains(t, cert.Err(), "the private key does not belong to the first certificate of ssm:///tls/cert")
		require.Contains(t, log.String(), "cannot be used")
		server.SetSecret("tls/key", two.key)
		refresh(t, c)
		require.EqualValues(t, 2, serial(t, serving, client))
		require.NoError(t, cert.Err())

		// The key first, then the certificate.
		server.SetSecret("tls/key", three.key)
		refresh(t, c)
		require.EqualValues(t, 2, serial(t, serving, client))
		require.ErrorContains(t, cert.Err(), "sm://tls/key")
		server.SetParameter("/tls/cert", three.cert)
		refresh(t, c)
		require.EqualValues(t, 3, serial(t, serving, client))
		require.NoError(t, cert.Err())
		require.NotContains(t, log.String(), "PRIVATE KEY")

		// A change back takes the pair that was.
		server.SetSecret("tls/key", two.key)
		refresh(t, c)
		server.SetSecret("tls/key", three.key)
		refresh(t, c)
		require.NoError(t, cert.Err())
		require.EqualValues(t, 3, serial(t, serving, client))
	})
}

// When one of two that were replaced is seen, the other is read at once.
func TestPairReadsTheOtherAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logged(t)
		server, c := world(t)
		ca := newAuthority(t, "ca")
		one, two := ca.issue(t, 1, api), ca.issue(t, 2, api)
		server.SetSecret("cert", one.cert)
		server.SetSecret("key", one.key)
		cert, err := tlssecret.BindPair(t.Context(), c, "sm://cert", "sm://key")
		require.NoError(t, err)
		defer cert.Close()
		server.SetSecret("cert", two.cert)
		server.SetSecret("key", two.key)
		require.NoError(t, c.Refresh(t.Context(), "sm://cert"))
		synctest.Wait()
		require.EqualValues(t, 2, cert.Load().Leaf.SerialNumber.Int64())
		require.NoError(t, cert.Err())
		require.Empty(t, log.String())

		// Both tell of the change; it is one all the same.
		later := ca.issue(t, 3, api, time.Hour, 2*time.Hour)
		server.SetSecret("cert", later.cert)
		server.SetSecret("key", later.key)
		refresh(t, c)
		require.EqualValues(t, 2, cert.Load().Leaf.SerialNumber.Int64())
		require.Equal(t, 1, strings.Count(log.String(), "is not valid before"), log.String())
	})
}

func TestBindPairFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		ca := newAuthority(t, "ca")
		one, two := ca.issue(t, 1, api), ca.issue(t, 2, api)
		server.SetSecret("cert", one.cert)
		server.SetSecret("key", one.key)
		server.SetSecret("other", two.key)
		for _, refs := range [][2]string{{"sm://cert", "sm://other"}, {"sm://nowhere", "sm://key"}, {"sm://cert", "sm://nowhere"}, {"sm://key", "sm://cert"}, {"", "sm://key"}} {
			cert, err := tlssecret.BindPair(t.Context(), c, refs[0], refs[1])
			require.Error(t, err)
			require.Nil(t, cert)
			require.NotContains(t, err.Error(), "BEGIN")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c.Invalidate()
		_, err := tlssecret.BindPair(ctx, c, "sm://cert", "sm://key")
		require.ErrorIs(t, err, context.Canceled)
		time.Sleep(24 * time.Hour)
		require.Zero(t, c.Stats().Entries, "nothing is held")
	})
}

func TestClosedPairHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		one := newAuthority(t, "ca").issue(t, 1, api)
		server.SetSecret("cert", one.cert)
		server.SetSecret("key", one.key)
		cert, err := tlssecret.BindPair(t.Context(), c, "sm://cert", "sm://key")
		require.NoError(t, err)
		cert.Close()
		cert.Close()
		time.Sleep(24 * time.Hour)
		require.Zero(t, c.Stats().Entries)
		require.EqualValues(t, 1, cert.Load().Leaf.SerialNumber.Int64())
	})
}

// Neither Err nor a handshake waits while a pair is read.
func TestNothingWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged(t)
		server, c := world(t)
		ca := newAuthority(t, "ca")
		one, two := ca.issue(t, 1, api), ca.issue(t, 2, api)
		server.SetSecret("cert", one.cert)
		server.SetSecret("key", one.key)
		cert, err := tlssecret.BindPair(t.Context(), c, "sm://cert", "sm://key")
		require.NoError(t, err)
		defer cert.Close()
		server.SetSecret("cert", two.cert)
		defer server.Inject(secretstest.Fault{Name: "key", Delay: time.Minute})()
		require.NoError(t, c.Refresh(t.Context(), "sm://cert"))
		began := time.Now()
		time.Sleep(time.Millisecond) // by now the store is asked for the key
		require.NoError(t, cert.Err())
		require.EqualValues(t, 1, cert.Load().Leaf.SerialNumber.Int64())
		require.Equal(t, time.Millisecond, time.Since(began))
	})
}

func TestByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		ca := newAuthority(t, "ca")
		server.SetSecret("a", ca.issue(t, 1, []string{"a.internal"}).json())
		server.SetSecret("b", ca.issue(t, 2, []string{"b.internal", "*.b.internal"}).json())
		serving := &tls.Config{GetCertificate: tlssecret.ByName(follow(t, c, "sm://a"), follow(t, c, "sm://b"))}
		for name, want := range map[string]int64{"a.internal": 1, "b.internal": 2, "x.b.internal": 2} {
			require.Equal(t, want, serial(t, serving, &tls.Config{RootCAs: ca.pool(), ServerName: name}), name)
		}
		_, _, err, _ := connect(serving, &tls.Config{RootCAs: ca.pool(), ServerName: "c.internal"})
		var mismatch x509.HostnameError
		require.ErrorAs(t, err, &mismatch)
		require.EqualValues(t, 1, mismatch.Certificate.SerialNumber.Int64(), "the first, where none is good")

		server.SetSecret("b", ca.issue(t, 3, []string{"b.internal"}).json())
		refresh(t, c)
		require.EqualValues(t, 3, serial(t, serving, &tls.Config{RootCAs: ca.pool(), ServerName: "b.internal"}))
	})
}

func TestGetCertificateAllocatesNothing(t *testing.T) {
	server, c := world(t)
	server.SetSecret("tls", newAuthority(t, "ca").issue(t, 1, api).json())
	cert := follow(t, c, "sm://tls")
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = cert.GetCertificate(nil) }))
}

// Over real connections, with many clients, no handshake fails while the
// certificate is replaced again and again.
func TestNoHandshakeFailsWhileCertificatesAreReplaced(t *testing.T) {
	server, c := world(t)
	ca := newAuthority(t, "ca")
	one := ca.issue(t, 0, api)
	server.SetSecret("cert", one.cert)
	server.SetSecret("key", one.key)
	cert, err := tlssecret.BindPair(t.Context(), c, "sm://cert", "sm://key")
	require.NoError(t, err)
	defer cert.Close()
	logged(t)

	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: cert.GetCertificate})
	require.NoError(t, err)
	var serving, connecting sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				_ = conn.(*tls.Conn).Handshake()
				_ = conn.Close()
			})
		}
	})
	stop := make(chan struct{})
	var count, latest atomic.Int64
	client := &tls.Config{RootCAs: ca.pool(), ServerName: api[0]}
	for range 4 {
		connecting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := net.Dial("tcp", listener.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				secure := tls.Client(conn, client)
				if err := secure.Handshake(); err != nil {
					t.Error(err)
					return
				}
				latest.Store(secure.ConnectionState().PeerCertificates[0].SerialNumber.Int64())
				count.Add(1)
				_ = secure.Close()
			}
		})
	}
	for n := int64(1); n <= 10; n++ {
		next := ca.issue(t, n, api)
		server.SetSecret("cert", next.cert)
		require.NoError(t, c.Refresh(t.Context(), "sm://cert"))
		server.SetSecret("key", next.key)
		require.NoError(t, c.Refresh(t.Context(), "sm://key"))
		require.Eventually(t, func() bool { return latest.Load() == n }, time.Minute, time.Millisecond)
	}
	close(stop)
	connecting.Wait()
	require.NoError(t, listener.Close())
	serving.Wait()
	require.Greater(t, count.Load(), int64(10))
	require.NoError(t, cert.Err())
}
