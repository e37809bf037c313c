// Package readtest is what the tests of sm and ssm have in common.
package readtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// Ref parses a ref.
func Ref(t testing.TB, s string) provider.Ref {
	t.Helper()
	ref, err := provider.ParseRef(s)
	require.NoError(t, err)
	return ref
}

// Refs parses refs.
func Refs(t testing.TB, s ...string) []provider.Ref {
	t.Helper()
	refs := make([]provider.Ref, len(s))
	for i := range s {
		refs[i] = Ref(t, s[i])
	}
	return refs
}

// Texts returns the text of each result, and of a failed one its error's kind.
func Texts(results []provider.Result) []string {
	texts := make([]string, len(results))
	for i, r := range results {
		texts[i] = r.Value.Text()
		if e, ok := r.Err.(*provider.Error); ok {
			texts[i] = e.Kind.Error()
		} else if r.Err != nil {
			texts[i] = r.Err.Error()
		}
	}
	return texts
}

// Known returns the refs with the versions that were read.
func Known(t testing.TB, refs []provider.Ref, results []provider.Result) []provider.Known {
	t.Helper()
	known := make([]provider.Known, len(refs))
	for i, r := range results {
		require.NoError(t, r.Err)
		known[i] = provider.Known{Ref: refs[i], Version: r.Value.Version()}
	}
	return known
}

// Outcomes is Texts, with "=" for what is unchanged.
func Outcomes(results []provider.Result) []string {
	outcomes := Texts(results)
	for i, r := range results {
		if r.Unchanged {
			outcomes[i] = "="
		}
	}
	return outcomes
}

// RequireNoLeak checks that no way of printing err shows the value.
func RequireNoLeak(t testing.TB, err error, value string) {
	t.Helper()
	require.Error(t, err)
	for e := range tree(err) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, e), value, "%T with %s", e, verb)
		}
	}
}

// tree yields err and all that it wraps.
func tree(err error) func(func(error) bool) {
	return func(yield func(error) bool) {
		open := []error{err}
		for len(open) > 0 {
			e := open[0]
			open = open[1:]
			if e == nil {
				continue
			}
			if !yield(e) {
				return
			}
			switch w := e.(type) {
			case interface{ Unwrap() error }:
				open = append(open, w.Unwrap())
			case interface{ Unwrap() []error }:
				open = append(open, w.Unwrap()...)
			}
		}
	}
}

// Tap is an HTTP client that watches the requests which pass through it.
type Tap struct {
	next aws.HTTPClient

	mu       sync.Mutex
	inFlight int
	most     int
	arrived  chan struct{} // closed at the next request
	meet     *meeting      // holds requests until some are in flight
	answer   func(operation string) *http.Response
	alter    func(operation string, body []byte) []byte
}

// meeting is where requests wait for each other.
type meeting struct {
	want int
	full chan struct{}
}

// NewTap puts a tap between cfg and its server.
func NewTap(cfg *aws.Config) *Tap {
	tap := &Tap{next: cfg.HTTPClient}
	cfg.HTTPClient = tap
	return tap
}

// Do implements [aws.HTTPClient].
func (tap *Tap) Do(r *http.Request) (*http.Response, error) {
	tap.mu.Lock()
	tap.inFlight++
	tap.most = max(tap.most, tap.inFlight)
	if tap.arrived != nil {
		close(tap.arrived)
		tap.arrived = nil
	}
	meet := tap.meet
	if meet != nil && tap.inFlight == meet.want {
		close(meet.full)
		tap.meet = nil
	}
	answer, alter := tap.answer, tap.alter
	tap.mu.Unlock()
	defer func() {
		tap.mu.Lock()
		defer tap.mu.Unlock()
		tap.inFlight--
	}()
	if meet != nil {
		select {
		case <-meet.full:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if answer != nil {
		if a := answer(operation); a != nil {
			a.Request = r
			return a, nil
		}
	}
	out, err := tap.next.Do(r)
	if err != nil || alter == nil {
		return out, err
	}
	body, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, err
	}
	body = alter(operation, body)
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.Header.Del("Content-Length")
	return out, nil
}

// Meet makes requests wait until n of them are in flight, once.
func (tap *Tap) Meet(n int) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.meet = &meeting{want: n, full: make(chan struct{})}
}

// Answer sets what answers in the server's place; nil leaves a request to it.
func (tap *Tap) Answer(f func(operation string) *http.Response) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.answer = f
}

// Alter sets what changes the server's answers on their way.
func (tap *Tap) Alter(f func(operation string, body []byte) []byte) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.alter = f
}

// Most returns how many requests were in flight at most.
func (tap *Tap) Most() int {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return tap.most
}

// Block returns the Block of a conformance harness: the server holds every
// answer until the test ends.
func (tap *Tap) Block(srv *secretstest.Server) func(testing.TB) <-chan struct{} {
	return func(t testing.TB) <-chan struct{} {
		t.Cleanup(srv.Inject(secretstest.Fault{Delay: time.Hour}))
		arrived := make(chan struct{})
		tap.mu.Lock()
		defer tap.mu.Unlock()
		tap.arrived = arrived
		return arrived
	}
}

// Answer is an answer that no server of the suite gives.
func Answer(status int, body string) *http.Response {
	return &http.Response{
		StatusCode:    status,
		Header:        http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}
