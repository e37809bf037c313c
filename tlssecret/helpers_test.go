package tlssecret_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world returns a server that stands in for AWS, and a client of it.
func world(t testing.TB, opts ...secrets.Option) (*secretstest.Server, *secrets.Client) {
	t.Helper()
	server := secretstest.NewServer(t, secretstest.InProcess())
	cfg := server.Config()
	client, err := secrets.New(append(opts, secrets.WithLogger(slog.New(slog.DiscardHandler)),
		secrets.WithProvider(sm.New(cfg)), secrets.WithProvider(ssm.New(cfg)))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return server, client
}

func bind[T any](t testing.TB, c *secrets.Client, ref string, decode func(secrets.Value) (T, error)) *secrets.Handle[T] {
	t.Helper()
	h, err := secrets.Bind(t.Context(), c, ref, decode)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	return h
}

// refresh makes handles of the bubble follow what is in the store by now.
func refresh(t testing.TB, c *secrets.Client) {
	t.Helper()
	require.NoError(t, c.Refresh(t.Context()))
	synctest.Wait()
}

// logged returns what is logged by slog.Default from now on.
func logged(t testing.TB) *syncBuffer {
	before, buffer := slog.Default(), new(syncBuffer)
	slog.SetDefault(slog.New(slog.NewTextHandler(buffer, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return buffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(10000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// pair is a certificate and its key in PEM.
type pair struct{ cert, key string }

func (p pair) json() string {
	text, _ := json.Marshal(map[string]string{"certificate": p.cert, "private_key": p.key})
	return string(text)
}

func (p pair) tls(t testing.TB) tls.Certificate {
	cert, err := tls.X509KeyPair([]byte(p.cert), []byte(p.key))
	require.NoError(t, err)
	return cert
}

// issue issues a certificate that is valid for a while from now, 1000 hours
// unless something else is said.
func (a *authority) issue(t testing.TB, serial int64, names []string, validity ...time.Duration) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	from, to := -time.Hour, 1000*time.Hour
	if len(validity) > 0 {
		from, to = validity[0], validity[1]
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(from), NotAfter: time.Now().Add(to)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pair{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))}
}

var api = []string{"api.internal"}

// connect connects a client to a server and returns what each saw of the
// handshake and the exchange of a byte after it.
func connect(server, client *tls.Config) (seen, served tls.ConnectionState, clientErr, serverErr error) {
	a, b := pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := tls.Server(a, server)
		defer conn.Close()
		if serverErr = conn.Handshake(); serverErr == nil {
			served = conn.ConnectionState()
			_, serverErr = conn.Write([]byte("."))
		}
	}()
	conn := tls.Client(b, client)
	if clientErr = conn.Handshake(); clientErr == nil {
		_, clientErr = io.ReadAll(conn)
		seen = conn.ConnectionState()
	}
	_ = conn.Close()
	<-done
	return seen, served, clientErr, serverErr
}

// pipe is a net.Pipe whose writes do not wait for a reader: both sides of a
// handshake may be writing when it fails.
func pipe() (a, b net.Conn) {
	a, b = net.Pipe()
	return newQueued(a), newQueued(b)
}

type queued struct {
	net.Conn
	writes  chan []byte
	written chan struct{}
}

func newQueued(conn net.Conn) *queued {
	q := &queued{conn, make(chan []byte, 100), make(chan struct{})}
	go func() {
		defer close(q.written)
		for p := range q.writes {
			_, _ = q.Conn.Write(p)
		}
	}()
	return q
}

func (q *queued) Write(p []byte) (int, error) {
	q.writes <- bytes.Clone(p)
	return len(p), nil
}

// SetWriteDeadline does nothing: tls.Conn.Close would end writes by it that are queued.
func (q *queued) SetWriteDeadline(time.Time) error { return nil }

func (q *queued) Close() error {
	close(q.writes)
	<-q.written
	return q.Conn.Close()
}

// serial returns the serial number of the certificate that a client sees.
func serial(t testing.TB, server, client *tls.Config) int64 {
	t.Helper()
	seen, _, err, serverErr := connect(server, client)
	require.NoError(t, err)
	require.NoError(t, serverErr)
	return seen.PeerCertificates[0].SerialNumber.Int64()
}
