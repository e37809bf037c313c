package secrets_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a provider whose every call a test directs. What has to do with the
// services themselves is tested through their SDK instead.
type store struct {
	calls atomic.Int64

	mu    sync.Mutex
	delay time.Duration // of each call; ends with its context
	fetch func(ctx context.Context, refs []provider.Ref) []provider.Result
	sizes []int
	texts map[string]string
	vers  map[string]int
}

func (*store) Scheme() string { return "mem" }

// slow sets how long each call takes from now on.
func (s *store) slow(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = delay
}

// answer sets what answers calls from now on; nil is the store itself.
func (s *store) answer(fetch func(ctx context.Context, refs []provider.Ref) []provider.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetch = fetch
}

func (s *store) set(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts, s.vers = make(map[string]string), make(map[string]int)
	}
	s.texts[name] = text
	s.vers[name]++
}

func (s *store) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	s.calls.Add(1)
	s.mu.Lock()
	s.sizes = append(s.sizes, len(refs))
	delay, fetch := s.delay, s.fetch
	s.mu.Unlock()
	if fetch != nil {
		return fetch(ctx, refs)
	}
	results := s.read(refs)
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			for i, r := range refs {
				results[i] = provider.Result{Err: &provider.Error{Ref: r, Kind: provider.ErrUnavailable, Err: ctx.Err()}}
			}
		}
	}
	return results
}

// read returns what is in the store now.
func (s *store) read(refs []provider.Ref) []provider.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		text, ok := s.texts[r.Name]
		if !ok {
			results[i].Err = &provider.Error{Ref: r, Kind: provider.ErrNotFound}
			continue
		}
		results[i].Value = provider.NewValue(r, provider.NewVersion(fmt.Sprint(s.vers[r.Name]), time.Time{}), provider.SecretString, text)
	}
	return results
}

func (s *store) batches() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.sizes...)
}

// open returns a client that is closed with the test, or with its bubble.
func open(t testing.TB, opts ...secrets.Option) *secrets.Client {
	t.Helper()
	c, err := secrets.New(append([]secrets.Option{secrets.WithLogger(slog.New(slog.DiscardHandler))}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func get(t testing.TB, c *secrets.Client, ref string) secrets.Value {
	t.Helper()
	v, err := c.Get(t.Context(), ref)
	require.NoError(t, err)
	return v
}
