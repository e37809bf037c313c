package readtest

import (
	"context"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// Store is what both stores can do.
type Store interface {
	provider.Provider
	provider.Prober
	provider.Lister
}

// Maker makes a store with a bound on its calls in flight, or with 0 the
// default.
type Maker func(cfg aws.Config, bound int) Store

// Bounded checks that a store keeps to the bound on its calls in flight, 4 by
// default, over all its callers. Fill makes values of which reading and probing
// take more calls than that.
func Bounded(t *testing.T, open Maker, fill func(*secretstest.Server) []provider.Ref) {
	for set, bound := range map[int]int{1: 1, 3: 3, 0: 4} {
		srv := secretstest.NewServer(t)
		cfg := srv.Config()
		tap := NewTap(&cfg)
		store, refs := open(cfg, set), fill(srv)
		tap.Meet(bound) // as many as that are in flight together
		done := make(chan struct{})
		go func() { // the bound is the store's, not the call's
			defer close(done)
			store.Fetch(t.Context(), refs...)
		}()
		store.Probe(t.Context(), refs...)
		<-done
		require.Equal(t, bound, tap.Most())
	}
}

// KeepsWhatWasRead checks that what seven calls of size values each brought is
// kept when the context ends with the eighth. The text of each value is its name.
func KeepsWhatWasRead(t *testing.T, open Maker, size int, fill func(*secretstest.Server) []provider.Ref) {
	srv := secretstest.NewServer(t)
	cfg := srv.Config()
	tap := NewTap(&cfg)
	store, refs := open(cfg, 1), fill(srv)
	require.Greater(t, len(refs), 8*size)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := 0 // by one goroutine after the other
	tap.Answer(func(string) *http.Response {
		if calls++; calls == 8 {
			cancel()
		}
		return nil
	})
	for i, r := range store.Fetch(ctx, refs...) {
		if i < 7*size {
			require.NoError(t, r.Err)
			require.Equal(t, refs[i].Name, r.Value.Text())
			continue
		}
		require.ErrorIs(t, r.Err, context.Canceled)
		require.ErrorIs(t, r.Err, provider.ErrUnavailable)
	}
	require.Equal(t, 8, calls, "no call is begun after the end")
}

// Prefix parses the prefix of a listing.
func Prefix(t testing.TB, s string) provider.Ref {
	t.Helper()
	p, err := provider.ParsePrefix(s)
	require.NoError(t, err)
	return p
}

// List returns what is listed: texts by ref, and the kinds of errors by the ref
// that they name.
func List(t testing.TB, store provider.Lister, prefix provider.Ref) (texts map[string]string, failed map[string]error) {
	t.Helper()
	texts, failed = make(map[string]string), make(map[string]error)
	for v, err := range store.List(t.Context(), prefix) {
		if err != nil {
			e, ok := err.(*provider.Error)
			require.True(t, ok)
			failed[e.Ref.String()] = e.Kind
			continue
		}
		require.NotContains(t, texts, v.Ref().String())
		texts[v.Ref().String()] = v.Text()
	}
	return texts, failed
}

// ListStops checks that a listing asks for a page when it is ranged over, and
// for none when its consumer or its context has ended. Fill makes values below
// the prefix that are more than a page of that size.
func ListStops(t *testing.T, open Maker, prefix string, page int, fill func(*secretstest.Server) []provider.Ref) {
	srv := secretstest.NewServer(t)
	store, below := open(srv.Config(), 0), Prefix(t, prefix)
	require.Greater(t, len(fill(srv)), page)
	for range store.List(t.Context(), below) {
		break
	}
	require.Equal(t, 1, srv.Calls(), "the next page is not asked for")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	n := 0
	for _, err := range store.List(ctx, below) {
		cancel()
		last = err
		n++
	}
	require.ErrorIs(t, last, context.Canceled)
	require.Equal(t, page+1, n)

	// A consumer may read while it ranges, even with one call at a time.
	store = open(srv.Config(), 1)
	for v, err := range store.List(t.Context(), below) {
		require.NoError(t, err)
		require.NoError(t, store.Fetch(t.Context(), v.Ref())[0].Err)
	}
}
