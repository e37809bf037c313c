package tlssecret_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/tlssecret"
)

func TestServerVerifiesClientsByTheRootsOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		old, young := newAuthority(t, "old"), newAuthority(t, "young")
		server.SetParameter("/roots", old.pem)
		base := &tls.Config{Certificates: []tls.Certificate{old.issue(t, 9, api).tls(t)}}
		config, err := tlssecret.ServerConfig(base, bind(t, c, "ssm:///roots", secrets.CertPool))
		require.NoError(t, err)
		require.Equal(t, tls.NoClientCert, base.ClientAuth, "base is not changed")

		client := func(a *authority) *tls.Config {
			return &tls.Config{RootCAs: old.pool(), ServerName: api[0], ClientSessionCache: tls.NewLRUClientSessionCache(1),
				Certificates: []tls.Certificate{a.issue(t, 1, nil).tls(t)}}
		}
		of := map[*authority]*tls.Config{old: client(old), young: client(young)}
		accepts := func(a *authority, want bool) (resumed bool) {
			t.Helper()
			_, served, err, serverErr := connect(config, of[a])
			if want {
				require.NoError(t, errors.Join(err, serverErr))
				require.NotEmpty(t, served.VerifiedChains)
			} else {
				require.Error(t, serverErr)
			}
			return served.DidResume
		}
		accepts(old, true)
		require.True(t, accepts(old, true), "sessions are resumed")
		accepts(young, false)
		server.SetParameter("/roots", old.pem+young.pem)
		refresh(t, c)
		require.True(t, accepts(old, true), "sessions outlive a change")
		accepts(young, true)
		require.True(t, accepts(young, true))
		server.SetParameter("/roots", young.pem)
		refresh(t, c)
		accepts(old, false) // although it has a session to resume
		require.True(t, accepts(young, true))

		_, _, err, serverErr := connect(config, &tls.Config{RootCAs: old.pool(), ServerName: api[0]})
		require.Error(t, errors.Join(err, serverErr), "a client without a certificate")
	})
}

func TestServerConfigRefusesWhatVerifiesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetParameter("/roots", newAuthority(t, "ca").pem)
		roots := bind(t, c, "ssm:///roots", secrets.CertPool)
		for _, base := range []*tls.Config{
			{ClientAuth: tls.RequestClientCert}, {ClientAuth: tls.RequireAnyClientCert},
			{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }},
		} {
			_, err := tlssecret.ServerConfig(base, roots)
			require.Error(t, err)
		}
		config, err := tlssecret.ServerConfig(&tls.Config{ClientAuth: tls.VerifyClientCertIfGiven}, roots)
		require.NoError(t, err)
		require.Equal(t, tls.VerifyClientCertIfGiven, config.ClientAuth)
		config, err = tlssecret.ServerConfig(nil, roots)
		require.NoError(t, err)
		require.Equal(t, tls.RequireAndVerifyClientCert, config.ClientAuth)
	})
}

func TestClientVerifiesServersByTheRootsOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		old, young := newAuthority(t, "old"), newAuthority(t, "young")
		server.SetParameter("/roots", old.pem)
		roots := bind(t, c, "ssm:///roots", secrets.CertPool)
		config, err := tlssecret.ClientConfig(&tls.Config{ServerName: api[0], ClientSessionCache: tls.NewLRUClientSessionCache(1)}, roots)
		require.NoError(t, err)
		ofOld := &tls.Config{Certificates: []tls.Certificate{old.issue(t, 1, api).tls(t)}}
		ofYoung := &tls.Config{Certificates: []tls.Certificate{young.issue(t, 2, api).tls(t)}}
		require.EqualValues(t, 1, serial(t, ofOld, config()))
		_, _, err, _ = connect(ofYoung, config())
		require.ErrorContains(t, err, "unknown authority")

		require.EqualValues(t, 1, serial(t, ofOld, config()))
		seen, _, err, _ := connect(ofOld, config())
		require.NoError(t, err)
		require.True(t, seen.DidResume)
		server.SetParameter("/roots", young.pem)
		refresh(t, c)
		_, _, err, _ = connect(ofOld, config())
		require.ErrorContains(t, err, "unknown authority", "although there was a session to resume")
		require.EqualValues(t, 2, serial(t, ofYoung, config()))

		// Names are verified as ever.
		wrong := config()
		wrong.ServerName = "other.internal"
		_, _, err, _ = connect(ofYoung, wrong)
		require.ErrorContains(t, err, "not other.internal")

		_, err = tlssecret.ClientConfig(&tls.Config{InsecureSkipVerify: true}, roots)
		require.ErrorContains(t, err, "InsecureSkipVerify")
		_, err = tlssecret.ClientConfig(nil, roots)
		require.NoError(t, err)
	})
}

// serveTLS returns a server of HTTPS on loopback with a certificate for 127.0.0.1.
func serveTLS(t *testing.T, cert func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{GetCertificate: cert}
	t.Cleanup(server.Close)
	return server
}

// start begins to serve.
func start(server *httptest.Server) {
	server.StartTLS()
	// httptest adds a certificate of its own, which would be preferred for addresses.
	server.TLS.Certificates = nil
}

func TestTransportFollowsItsRoots(t *testing.T) {
	server, c := world(t)
	old, young := newAuthority(t, "old"), newAuthority(t, "young")
	server.SetParameter("/roots", old.pem)
	roots := bind(t, c, "ssm:///roots", secrets.CertPool)
	cert := old.issue(t, 1, nil).tls(t)
	web := serveTLS(t, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil })
	start(web)
	for _, test := range []struct {
		name, proto string
		base        *http.Transport
	}{
		{"the default", "HTTP/2.0", nil},
		{"a zero one", "HTTP/2.0", new(http.Transport)},
		{"a configured one", "HTTP/2.0", &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: new(tls.Config)}},
		{"one without HTTP/2", "HTTP/1.1", &http.Transport{TLSClientConfig: new(tls.Config)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server.SetParameter("/roots", old.pem)
			change(t, c, roots)
			transport, err := tlssecret.NewTransport(test.base, roots)
			require.NoError(t, err)
			client := &http.Client{Transport: transport}
			defer client.CloseIdleConnections()
			get := func() error {
				resp, err := client.Get(web.URL)
				if err != nil {
					return err
				}
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, test.proto, string(body))
				return nil
			}
			require.NoError(t, get())
			require.NoError(t, get())
			server.SetParameter("/roots", young.pem)
			change(t, c, roots)
			require.ErrorContains(t, get(), "unknown authority", "the connection that was verified by the old root is not used again")
			server.SetParameter("/roots", young.pem+old.pem)
			change(t, c, roots)
			require.NoError(t, get())
		})
	}
}

// change waits until a handle has what is in the store.
func change[T any](t *testing.T, c *secrets.Client, h *secrets.Handle[T]) {
	t.Helper()
	ref := h.Value().Ref().String()
	require.NoError(t, c.Refresh(t.Context(), ref))
	_, err := h.Get(t.Context())
	require.NoError(t, err)
}

func TestTransportRefusesWhatVerifiesOtherwise(t *testing.T) {
	server, c := world(t)
	server.SetParameter("/roots", newAuthority(t, "ca").pem)
	roots := bind(t, c, "ssm:///roots", secrets.CertPool)
	for _, base := range []*http.Transport{
		{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		{DialTLSContext: (&tls.Dialer{}).DialContext},
		{DialTLS: func(network, addr string) (net.Conn, error) { return nil, nil }},
	} {
		_, err := tlssecret.NewTransport(base, roots)
		require.Error(t, err)
	}
}

// net/http adds HTTP/2 to the configuration that it is given.
func TestServerConfigSpeaksHTTP2(t *testing.T) {
	server, c := world(t)
	ca := newAuthority(t, "ca")
	server.SetParameter("/roots", ca.pem)
	config, err := tlssecret.ServerConfig(&tls.Config{Certificates: []tls.Certificate{ca.issue(t, 1, api).tls(t)}}, bind(t, c, "ssm:///roots", secrets.CertPool))
	require.NoError(t, err)
	web := &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- web.ServeTLS(listener, "", "") }()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		RootCAs: ca.pool(), Certificates: []tls.Certificate{ca.issue(t, 2, nil).tls(t)}}}}
	resp, err := client.Get("https://" + listener.Addr().String())
	require.NoError(t, err)
	require.Equal(t, 2, resp.ProtoMajor)
	require.NoError(t, resp.Body.Close())
	client.CloseIdleConnections()
	require.NoError(t, web.Close())
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}

// A connection that was verified by roots of before is closed when it is idle:
// one that was idle when they changed, and one that a slow request opened later.
func TestTransportKeepsNoOldConnections(t *testing.T) {
	server, c := world(t)
	old, young := newAuthority(t, "old"), newAuthority(t, "young")
	server.SetParameter("/roots", old.pem)
	roots := bind(t, c, "ssm:///roots", secrets.CertPool)
	cert := old.issue(t, 1, nil).tls(t)
	web := serveTLS(t, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil })
	var open atomic.Int64
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	start(web)
	slow, begun, proceed := "/slow", make(chan struct{}), make(chan struct{})
	transport, err := tlssecret.NewTransport(&http.Transport{TLSClientConfig: new(tls.Config), Proxy: func(req *http.Request) (*url.URL, error) {
		if req.URL.Path == slow { // before it looks for a connection
			close(begun)
			<-proceed
		}
		return nil, nil
	}}, roots)
	require.NoError(t, err)
	client := &http.Client{Transport: transport}
	defer client.CloseIdleConnections()
	get := func(path string) error {
		resp, err := client.Get(web.URL + path)
		if err != nil {
			return err
		}
		_, err = io.ReadAll(resp.Body)
		return errors.Join(err, resp.Body.Close())
	}
	// At most: net/http also closes one whose goroutines were not scheduled for 50 ms.
	one := func() bool { return open.Load() <= 1 }
	require.NoError(t, get(""))

	server.SetParameter("/roots", old.pem+young.pem)
	change(t, c, roots)
	require.NoError(t, get(""))
	require.Eventually(t, one, time.Minute, time.Millisecond)

	done := make(chan error, 1)
	go func() { done <- get(slow) }()
	<-begun
	server.SetParameter("/roots", young.pem+old.pem)
	change(t, c, roots)
	require.NoError(t, get(""))
	close(proceed)
	require.NoError(t, <-done)
	require.Eventually(t, one, time.Minute, time.Millisecond)
}

// One with a response under way when the roots change is closed once that ends.
func TestTransportClosesTheConnectionOfAStreamThatEnds(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		server, c := world(t)
		old, young := newAuthority(t, "old"), newAuthority(t, "young")
		server.SetParameter("/roots", old.pem)
		roots := bind(t, c, "ssm:///roots", secrets.CertPool)
		cert := old.issue(t, 1, nil).tls(t)
		web := serveTLS(t, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil })
		proceed := make(chan struct{})
		web.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Proto)
			_ = http.NewResponseController(w).Flush()
			if r.URL.Path == "/stream" {
				<-proceed
			}
		})
		var open atomic.Int64
		web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Add(-1)
			}
		}
		start(web)
		transport, err := tlssecret.NewTransport(&http.Transport{ForceAttemptHTTP2: http2, TLSClientConfig: new(tls.Config)}, roots)
		require.NoError(t, err)
		client := &http.Client{Transport: transport}
		resp, err := client.Get(web.URL + "/stream")
		require.NoError(t, err)
		require.Equal(t, http2, resp.ProtoMajor == 2)

		server.SetParameter("/roots", old.pem+young.pem)
		change(t, c, roots)
		other, err := client.Get(web.URL)
		require.NoError(t, err)
		_, err = io.ReadAll(other.Body)
		require.NoError(t, errors.Join(err, other.Body.Close()))
		close(proceed)
		_, err = io.ReadAll(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		require.Eventually(t, func() bool { return open.Load() <= 1 }, time.Minute, time.Millisecond)
		client.CloseIdleConnections()
	}
}
