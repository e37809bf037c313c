package tlssecret

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/c0629bfc/secrets"
)

// Certificate is a certificate and its private key that follow their secret. It
// is safe for concurrent use.
type Certificate struct {
	current atomic.Pointer[generation]
	behind  func() error // why the handles may be behind
	close   func()
	turn    sync.Mutex // held from reading to use, so that what was read last is used last

	mu  sync.Mutex
	ref string // of the certificate; guarded by mu, as is err
	err error  // why the newest certificate and key could not be used
}

// generation is a certificate and the one to fall back to.
type generation struct{ newest, before *tls.Certificate }

// Follow returns the certificate of a handle, and follows it until the
// certificate or the handle is closed. Until then the handle is not collected. A
// handle whose value has no certificate is an error.
func Follow(h *secrets.Handle[tls.Certificate]) (*Certificate, error) {
	c := &Certificate{behind: h.Err}
	c.close = h.OnChange(func(tls.Certificate) { c.follow(h) })
	if err := c.follow(h); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// BindPair reads a certificate, with its chain, and its private key from two
// refs, both in PEM, and follows both until it is closed. A new certificate is
// never used with an old key, nor an old one with a new key: while the two do not
// match, the pair before is kept. Err says so, and what was found is logged. On a
// change of one the other is read again at once.
//
// Errors are those of [secrets.Client.GetAll] and [secrets.KeyPairOf]. One ref
// with both, see [secrets.KeyPair], has no moment between the two.
func BindPair(ctx context.Context, client *secrets.Client, cert, key string) (*Certificate, error) {
	read := func(ctx context.Context) (pair tls.Certificate, err error) {
		values, err := client.GetAll(ctx, cert, key)
		if err == nil {
			pair, err = secrets.KeyPairOf(values[cert], values[key])
		}
		return pair, err
	}
	readBoth := func(ctx context.Context) (tls.Certificate, error) {
		pair, err := read(ctx)
		if err != nil && client.Refresh(ctx, cert, key) == nil {
			pair, err = read(ctx)
		}
		return pair, err
	}
	certHandle, err := secrets.Bind(ctx, client, cert, present)
	if err != nil {
		return nil, err
	}
	keyHandle, err := secrets.Bind(ctx, client, key, present)
	if err != nil {
		certHandle.Close()
		return nil, err
	}
	following, cancel := context.WithCancel(context.Background())
	c := &Certificate{ref: cert}
	c.behind = func() error { return errors.Join(certHandle.Err(), keyHandle.Err()) }
	c.close = func() {
		cancel()
		certHandle.Close()
		keyHandle.Close()
	}
	follow := func(ctx context.Context) error {
		c.turn.Lock()
		defer c.turn.Unlock()
		pair, err := readBoth(ctx)
		switch {
		case following.Err() != nil:
			return following.Err()
		case err != nil && ctx.Err() != nil, errors.Is(err, secrets.ErrClosed):
			return err
		}
		return c.use(cert, pair, err)
	}
	changed := func(struct{}) { _ = follow(following) }
	certHandle.OnChange(changed)
	keyHandle.OnChange(changed)
	if err = follow(ctx); c.current.Load() == nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// present decodes nothing: what a handle is bound with that only tells of changes.
func present(secrets.Value) (struct{}, error) { return struct{}{}, nil }

// GetCertificate is for [tls.Config.GetCertificate], of servers. It never fails.
func (c *Certificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.Load(), nil
}

// GetClientCertificate is for [tls.Config.GetClientCertificate]. Like crypto/tls
// with a certificate that does not change, it sends none to a server that does
// not accept this one's issuer or algorithm.
func (c *Certificate) GetClientCertificate(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert := c.Load()
	if request.SupportsCertificate(cert) != nil {
		return new(tls.Certificate), nil
	}
	return cert, nil
}

// Load returns the certificate to serve now, which must not be changed. Its Leaf
// is set.
func (c *Certificate) Load() *tls.Certificate { return c.current.Load().at(time.Now()) }

// Err returns why the certificate that is served may not be what the store has,
// or may be refused by peers: the newest could not be used or refreshed, does
// not match its key, is not valid yet or has expired. It is nil if all is well.
func (c *Certificate) Err() error {
	c.mu.Lock()
	err, ref := c.err, c.ref
	c.mu.Unlock()
	return errors.Join(err, c.behind(), c.current.Load().invalid(ref, time.Now()))
}

// Close ends following. What is served is then what was served last. The handle
// of [Follow] stays open. Closing again does nothing.
func (c *Certificate) Close() { c.close() }

// ByName returns a function for [tls.Config.GetCertificate] that serves several
// names: the first certificate that is good for the name that the client asks for
// and for the algorithms it has; the first of all if none is, as crypto/tls does.
func ByName(first *Certificate, others ...*Certificate) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert := first.Load()
		if hello.SupportsCertificate(cert) == nil {
			return cert, nil
		}
		for _, c := range others {
			if other := c.Load(); hello.SupportsCertificate(other) == nil {
				return other, nil
			}
		}
		return cert, nil
	}
}

func (c *Certificate) follow(h *secrets.Handle[tls.Certificate]) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	return c.use(h.Value().Ref().String(), h.Load(), nil)
}

// use takes the newest certificate, or why there is none, and returns why not.
func (c *Certificate) use(ref string, cert tls.Certificate, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ref = ref
	if err == nil {
		err = parse(&cert)
	}
	was := c.current.Load()
	if c.err = err; err != nil {
		if was != nil {
			slog.Error("tlssecret: a new certificate cannot be used: the one before is kept", "ref", c.ref, "error", err)
		}
		return err
	}
	if was != nil && slices.EqualFunc(was.newest.Certificate, cert.Certificate, bytes.Equal) {
		return nil
	}
	now := time.Now()
	next := &generation{newest: &cert}
	if was != nil {
		if next.before = was.before; valid(was.newest, now) {
			next.before = was.newest
		}
	}
	c.current.Store(next)
	if err := next.invalid(c.ref, now); err != nil {
		slog.Error("tlssecret: a new certificate is not valid", "ref", c.ref, "error", err)
	}
	return nil
}

// parse sets the leaf of a certificate.
func parse(cert *tls.Certificate) (err error) {
	if len(cert.Certificate) == 0 || len(cert.Certificate[0]) == 0 {
		return errors.New("tlssecret: there is no certificate in the value")
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return errors.New("tlssecret: the first certificate is not valid X.509")
		}
	}
	return nil
}

func valid(cert *tls.Certificate, now time.Time) bool {
	return !now.Before(cert.Leaf.NotBefore) && !now.After(cert.Leaf.NotAfter)
}

// at returns the certificate to serve.
func (g *generation) at(now time.Time) *tls.Certificate {
	if g.before != nil && !valid(g.newest, now) && valid(g.before, now) {
		return g.before
	}
	return g.newest
}

// invalid returns why the newest certificate is not, or should not be, served.
func (g *generation) invalid(ref string, now time.Time) error {
	if valid(g.newest, now) {
		return nil
	}
	served := "it is served all the same, for lack of a better one"
	if g.at(now) != g.newest {
		served = "the one before is served"
	}
	if leaf := g.newest.Leaf; now.After(leaf.NotAfter) {
		return fmt.Errorf("%s: the certificate expired at %s: %s; store a new one", ref, leaf.NotAfter.Format(time.RFC3339), served)
	}
	return fmt.Errorf("%s: the certificate is not valid before %s: %s", ref, g.newest.Leaf.NotBefore.Format(time.RFC3339), served)
}
