package httpsecret

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// Transport is an [http.RoundTripper] that puts a secret on requests; see the
// package's documentation for which. It is safe for concurrent use. Make it with
// [New]; its fields may be set until the first request.
type Transport struct {
	// Base sends the requests; nil is [http.DefaultTransport].
	Base http.RoundTripper

	// Refused reports whether a response says that the credentials are wrong;
	// nil is that its status is 401. It must not read the body.
	Refused func(*http.Response) bool

	client  *secrets.Client
	ref     string
	put     Credential
	origins []origin
	instead atomic.Pointer[substitute]
}

// substitute is what to send instead of a version that was refused, while the
// store still has that as the current one.
type substitute struct {
	of    provider.Version
	value secrets.Value
}

// New returns a transport that puts what ref names on requests to the origins,
// such as "https://api.example.com" or "http://127.0.0.1:8080", at least one. It
// makes no network call: the secret is read through the client's cache with each
// request. An error names a ref or an origin that is malformed.
func New(client *secrets.Client, ref string, put Credential, origins ...string) (*Transport, error) {
	if _, err := provider.ParseRef(ref); err != nil {
		return nil, err
	}
	if put == nil {
		return nil, fmt.Errorf("httpsecret: %s: there is no Credential to say how it goes on a request: Bearer, Basic or Header make one", ref)
	}
	if len(origins) == 0 {
		return nil, fmt.Errorf("httpsecret: %s: name the servers that get it, such as https://api.example.com", ref)
	}
	t := &Transport{client: client, ref: ref, put: put}
	for _, s := range origins {
		o, err := parseOrigin(s)
		if err != nil {
			return nil, err
		}
		t.origins = append(t.origins, o)
	}
	return t, nil
}

// RoundTrip implements [http.RoundTripper]. Where the secret cannot be read the
// request is not sent, and the error is that of [secrets.Client.Get] or of the
// [Credential]. The header that holds the secret replaces one of the request's;
// the request itself is not changed, and the response's Request is without the
// secret.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.trusts(req) {
		return t.base().RoundTrip(req)
	}
	ctx := req.Context()
	current, used, sent, err := t.prepare(ctx, req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.send(sent, req)
	if err != nil || !t.refused(resp) {
		return resp, err
	}

	next, err := t.reject(ctx, current, used)
	if ctx.Err() != nil {
		_ = resp.Body.Close()
		return nil, ctx.Err()
	}
	if err != nil {
		return resp, nil
	}
	again := t.replay(req, next)
	if again == nil {
		return resp, nil
	}
	drain(resp)
	return t.send(again, req)
}

// CloseIdleConnections closes those of Base, for [http.Client.CloseIdleConnections].
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// prepare returns the current value, the one to use, and the request with it.
func (t *Transport) prepare(ctx context.Context, req *http.Request) (current, used secrets.Value, sent *http.Request, err error) {
	if current, err = t.client.Get(ctx, t.ref); err != nil {
		return current, used, nil, err
	}
	used = current
	if s := t.instead.Load(); s != nil && s.of == current.Version() {
		used = s.value
	}
	sent, err = t.with(req, used)
	return current, used, sent, err
}

// with returns a copy of a request with a value on it.
func (t *Transport) with(req *http.Request, v secrets.Value) (*http.Request, error) {
	sent := req.Clone(req.Context())
	if sent.Header == nil {
		sent.Header = make(http.Header)
	}
	return sent, t.put(sent.Header, v)
}

// send sends a copy of a request.
func (t *Transport) send(sent, req *http.Request) (*http.Response, error) {
	resp, err := t.base().RoundTrip(sent)
	if resp != nil {
		resp.Request = req // sent holds the secret
	}
	return resp, err
}

// reject says that a value was refused and returns the one to try next, which
// is also what requests are sent with from then on.
func (t *Transport) reject(ctx context.Context, current, used secrets.Value) (secrets.Value, error) {
	before := t.instead.Load()
	next, err := t.client.Reject(ctx, used)
	switch {
	case err == nil:
		t.instead.Store(&substitute{current.Version(), next})
	case ctx.Err() == nil && before != nil && before.value.Version() == used.Version():
		t.instead.CompareAndSwap(before, nil)
	}
	return next, err
}

// replay returns a copy of a request that was sent before, with another value on
// it; nil if it cannot be sent again.
func (t *Transport) replay(req *http.Request, v secrets.Value) *http.Request {
	hasBody := req.Body != nil && req.Body != http.NoBody
	if hasBody && req.GetBody == nil {
		return nil
	}
	again, err := t.with(req, v)
	if err != nil {
		return nil
	}
	if hasBody {
		if again.Body, err = req.GetBody(); err != nil {
			return nil
		}
	}
	return again
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}

func (t *Transport) refused(resp *http.Response) bool {
	if t.Refused != nil {
		return t.Refused(resp)
	}
	return resp.StatusCode == http.StatusUnauthorized
}

// drain reads what little a refusal says, so that the connection can be used
// again, and closes it.
func drain(resp *http.Response) {
	const most = 4 << 10
	if resp.ContentLength <= most {
		_, _ = io.CopyN(io.Discard, resp.Body, most)
	}
	_ = resp.Body.Close()
}
