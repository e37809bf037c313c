// Tls serves HTTPS on loopback with a certificate that is a secret, and replaces
// it while clients keep connecting: first by another of the same authority, then
// by one of a new authority, whose root the clients get to know before. Every
// request is a connection and a handshake of its own, and none may fail.
//
//	go run ./examples/tls
//
// needs no AWS account: an embedded server stands in for AWS. It takes about two
// seconds and exits with status 1 if anything failed.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/tlssecret"
)

// ttl is short, so that there is something to see.
const ttl = 200 * time.Millisecond

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	if err := run(ctx, server); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, server *secretstest.Server) error {
	old, err := newAuthority("old authority")
	if err != nil {
		return err
	}
	young, err := newAuthority("new authority")
	if err != nil {
		return err
	}
	store := func(a *authority, name string) error {
		pair, err := a.issue(name)
		if err == nil {
			server.SetSecret("prod/tls", pair)
		}
		return err
	}
	server.SetParameter("/prod/roots", old.pem)
	if err := store(old, "first"); err != nil {
		return err
	}

	web, err := serve(ctx, server.Config())
	if err != nil {
		return err
	}
	defer web.close()
	clients, err := connect(ctx, server.Config(), web.url)
	if err != nil {
		return err
	}
	defer clients.close()

	if err := clients.see(ctx, "first"); err != nil {
		return err
	}
	if err := store(old, "second"); err != nil {
		return err
	}
	if err := clients.see(ctx, "second"); err != nil {
		return err
	}
	// The new root first, so that clients know it when its certificate comes.
	if err := clients.learn(ctx, func() { server.SetParameter("/prod/roots", old.pem+young.pem) }); err != nil {
		return err
	}
	if err := store(young, "third"); err != nil {
		return err
	}
	if err := clients.see(ctx, "third"); err != nil {
		return err
	}
	// Nothing is served any more that the old root is needed for.
	if err := clients.learn(ctx, func() { server.SetParameter("/prod/roots", young.pem) }); err != nil {
		return err
	}

	clients.close()
	seen, failed := clients.result()
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		fmt.Printf("%6d handshakes with the %s certificate\n", seen[name], name)
	}
	fmt.Printf("%6d failed\n", len(failed))
	return errors.Join(failed...)
}

// web is the service: the secret is read once, and followed.
type web struct {
	url   string
	close func()
}

func serve(ctx context.Context, cfg aws.Config) (*web, error) {
	client, err := secrets.New(secrets.WithProvider(sm.New(cfg)), secrets.WithTTL(ttl))
	if err != nil {
		return nil, err
	}
	handle, err := secrets.Bind(ctx, client, "sm://prod/tls", secrets.KeyPair)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	cert, err := tlssecret.Follow(handle)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	server := &http.Server{
		TLSConfig: &tls.Config{GetCertificate: cert.GetCertificate},
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return &web{"https://" + listener.Addr().String(), func() {
		_ = server.Close()
		_ = client.Close()
	}}, nil
}

// clients connect again and again, and note whose certificate they see.
type clients struct {
	roots *secrets.Handle[*x509.CertPool]
	close func()

	mu     sync.Mutex
	seen   map[string]int
	failed []error
	rounds [4]int // requests that each has ended
}

func connect(ctx context.Context, cfg aws.Config, url string) (*clients, error) {
	client, err := secrets.New(secrets.WithProvider(ssm.New(cfg)), secrets.WithTTL(ttl))
	if err != nil {
		return nil, err
	}
	roots, err := secrets.Bind(ctx, client, "ssm:///prod/roots", secrets.CertPool)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	// Without keep-alive each request needs a handshake.
	transport, err := tlssecret.NewTransport(&http.Transport{DisableKeepAlives: true}, roots)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	c := &clients{roots: roots, seen: make(map[string]int)}
	stop := make(chan struct{})
	var connecting sync.WaitGroup
	for i := range c.rounds {
		connecting.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-ctx.Done():
					return
				default:
					cert, err := get(&http.Client{Transport: transport, Timeout: 10 * time.Second}, url)
					c.note(i, cert, err)
				}
			}
		})
	}
	c.close = sync.OnceFunc(func() {
		close(stop)
		connecting.Wait()
		_ = client.Close()
	})
	return c, nil
}

func get(client *http.Client, url string) (*x509.Certificate, error) {
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	return resp.TLS.PeerCertificates[0], nil
}

func (c *clients) note(i int, cert *x509.Certificate, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds[i]++
	if err != nil {
		c.failed = append(c.failed, err)
		return
	}
	c.seen[cert.Subject.CommonName]++
}

func (c *clients) result() (map[string]int, []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen), slices.Clone(c.failed)
}

// learn waits until clients know the roots of a change, and no request is under
// way that began before.
func (c *clients) learn(ctx context.Context, change func()) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	changes := c.roots.Changes(ctx)
	change()
	for range changes {
		for before := c.count(); !c.anew(before); {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
		return nil
	}
	return fmt.Errorf("the clients do not learn of the roots: %w", errors.Join(ctx.Err(), c.roots.Err()))
}

func (c *clients) count() [4]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rounds
}

// anew reports whether each client has ended a request since the count.
func (c *clients) anew(before [4]int) bool {
	for i, n := range c.count() {
		if n == before[i] {
			return false
		}
	}
	return true
}

// see waits until clients have seen a certificate a hundred times.
func (c *clients) see(ctx context.Context, name string) error {
	const enough = 100
	timeout := time.After(20 * time.Second)
	for {
		seen, failed := c.result()
		switch {
		case len(failed) > 0:
			return errors.Join(failed...)
		case seen[name] >= enough:
			return nil
		}
		select {
		case <-timeout:
			return fmt.Errorf("the clients do not see the %s certificate", name)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
