package tlssecret

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/c0629bfc/secrets"
)

// Transport is an [http.RoundTripper] that verifies servers by roots that follow
// their secret. When they change, requests under way are left alone, idle
// connections are closed, and every request from then on is sent over a
// connection that was verified by the new roots. It is safe for concurrent use.
type Transport struct {
	config  func() *tls.Config
	base    *http.Transport
	roots   *secrets.Handle[*x509.CertPool]
	mu      sync.Mutex // held to replace current
	current atomic.Pointer[transport]
}

// transport is one for as long as the roots are the same.
type transport struct {
	*http.Transport
	roots *x509.CertPool
}

// NewTransport returns a transport like base, which is cloned; nil is
// [http.DefaultTransport]. It speaks HTTP/2 where base does. A base that verifies
// in a way of its own (DialTLS, DialTLSContext, InsecureSkipVerify) is an error.
func NewTransport(base *http.Transport, roots *secrets.Handle[*x509.CertPool]) (*Transport, error) {
	if base == nil {
		var ok bool
		if base, ok = http.DefaultTransport.(*http.Transport); !ok {
			return nil, errors.New("tlssecret: http.DefaultTransport was replaced: pass an *http.Transport")
		}
	}
	//lint:ignore SA1019 DialTLS is deprecated, and still used where it is set
	if base.DialTLS != nil || base.DialTLSContext != nil {
		return nil, errors.New("tlssecret: the transport has DialTLS or DialTLSContext, which would verify servers instead of the roots")
	}
	t := &Transport{base: base.Clone(), roots: roots}
	// Cloning makes a transport that was to find out about HTTP/2 by itself offer
	// it, and a TLS configuration then keeps it from speaking it.
	if config := t.base.TLSClientConfig; config != nil && slices.Contains(config.NextProtos, "h2") {
		t.base.ForceAttemptHTTP2 = true
	}
	var err error
	if t.config, err = ClientConfig(t.base.TLSClientConfig, roots); err != nil {
		return nil, err
	}
	return t, nil
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	now := t.get()
	resp, err := now.RoundTrip(req)
	t.retire(now)
	if err == nil && resp.Body != http.NoBody {
		if _, upgraded := resp.Body.(io.Writer); !upgraded {
			resp.Body = &body{resp.Body, t, now}
		}
	}
	return resp, err
}

// retire closes the idle connections of a transport that was replaced, and so is
// not used again.
func (t *Transport) retire(was *transport) {
	if t.current.Load() != was {
		was.CloseIdleConnections()
	}
}

// body is that of a response whose connection is idle once it is closed.
type body struct {
	io.ReadCloser
	t   *Transport
	now *transport
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.t.retire(b.now)
	return err
}

// CloseIdleConnections closes the connections that no request is using.
func (t *Transport) CloseIdleConnections() {
	if now := t.current.Load(); now != nil {
		now.CloseIdleConnections()
	}
}

// get returns the transport of the roots that there are now.
func (t *Transport) get() *transport {
	if now := t.current.Load(); now != nil && now.roots == t.roots.Load() {
		return now
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.current.Load()
	config := t.config()
	if was != nil && was.roots == config.RootCAs {
		return was
	}
	next := &transport{t.base.Clone(), config.RootCAs}
	next.TLSClientConfig = config
	t.current.Store(next)
	if was != nil {
		was.CloseIdleConnections()
	}
	return next
}
