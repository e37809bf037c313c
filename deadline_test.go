package secrets_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// hang answers a call when its context ends.
func hang(ctx context.Context, refs []provider.Ref) []provider.Result {
	<-ctx.Done()
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		results[i].Err = &provider.Error{Ref: r, Kind: provider.ErrUnavailable, Err: ctx.Err()}
	}
	return results
}

// shelved returns a fallback that holds what a client read earlier.
func shelved(t *testing.T, s provider.Provider, refs ...string) *shelf {
	t.Helper()
	kept := newShelf()
	first := open(t, secrets.WithProvider(s), secrets.WithFallback(kept))
	_, err := first.GetAll(t.Context(), refs...)
	require.NoError(t, err)
	require.NoError(t, first.Close())
	return kept
}

// A start with a deadline below the fetch timeout, while the store hangs.
func TestDeadlineOfAStartIsServedByTheFallback(t *testing.T) {
	for _, ttl := range []time.Duration{time.Second, time.Minute} {
		t.Run(ttl.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := &store{}
				var refs []string
				for i := range 20 {
					s.set(fmt.Sprint(i), `{"n":"1"}`)
					refs = append(refs, fmt.Sprintf("mem://%d", i))
				}
				kept, at := shelved(t, s, refs...), time.Now()
				time.Sleep(time.Hour)
				var mu sync.Mutex
				var sources []secrets.Source
				c := open(t, secrets.WithProvider(s), secrets.WithFallback(kept), secrets.WithTTL(ttl), secrets.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
					secrets.WithObserver(secrets.Observer{Read: func(_ context.Context, r secrets.Read) {
						mu.Lock()
						defer mu.Unlock()
						sources = append(sources, r.Source)
					}}))
				s.answer(func(ctx context.Context, refs []provider.Ref) []provider.Result {
					time.Sleep(9 * time.Second)
					return s.read(refs)
				})

				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				values, err := c.GetAll(ctx, refs[:10]...)
				require.NoError(t, err)
				require.Len(t, values, 10)
				require.Equal(t, 2*time.Second, time.Since(began), "the store is given all the time there is")
				mu.Lock()
				require.Equal(t, []secrets.Source{secrets.SourceStale}, slices.Compact(sources))
				mu.Unlock()
				// What comes after it in the same start has no time left at all.
				for _, ref := range refs[10:] {
					h, err := secrets.Bind(ctx, c, ref+"#n", number)
					require.NoError(t, err)
					require.Equal(t, 1, h.Load())
					require.ErrorIs(t, h.Err(), provider.ErrUnavailable)
					defer h.Close()
				}
				require.Equal(t, 2*time.Second, time.Since(began))
				stats := c.Stats()
				require.Len(t, stats.Stale, 20)
				require.Equal(t, at, stats.Stale[0].Since)
				require.ErrorContains(t, stats.Stale[0].Err, "mem://")
				require.EqualValues(t, 20, stats.StaleServed)
				synctest.Wait()
				require.Equal(t, 20, strings.Count(log.String(), "a value that was kept earlier is served"))
				_, err = c.Get(ctx, "mem://never-kept")
				require.Equal(t, context.DeadlineExceeded, err)

				// The call goes on, and what it brings is newer than what was kept.
				for i := range 20 {
					s.set(fmt.Sprint(i), `{"n":"2"}`)
				}
				time.Sleep(8 * time.Second)
				s.answer(nil)
				require.Equal(t, `{"n":"2"}`, get(t, c, refs[0]).Text())
				time.Sleep(20 * time.Second)
				for _, e := range c.Entries() {
					require.False(t, e.Held && e.Stale, e.Ref)
				}
			})
		})
	}
}

// A value past its TTL is served to who has no time to wait for a call that hangs.
func TestDeadlineIsServedByTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithTTL(time.Minute), secrets.WithStaleIfError(time.Hour))
		server.SetSecret("db", "x")
		get(t, c, "sm://db")
		time.Sleep(2 * time.Minute) // nobody used it
		defer server.Inject(secretstest.Fault{Delay: time.Hour})()
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			v, err := c.Get(ctx, "sm://db")
			cancel()
			require.NoError(t, err)
			require.Equal(t, "x", v.Text())
		}
		require.Len(t, c.Stats().Stale, 1)
		time.Sleep(2 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Get(ctx, "sm://db")
		require.Error(t, err, "the window for stale values is over")
	})
}

// Only a deadline is, and only where the store lets wait: who cancels wants
// nothing, and who has five milliseconds says nothing of the store.
func TestCancellationIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "x")
		kept := shelved(t, s, "mem://db")
		c := open(t, secrets.WithProvider(s), secrets.WithFallback(kept))
		s.answer(hang)

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		_, err := c.Get(ctx, "mem://db")
		require.Equal(t, context.DeadlineExceeded, err)
		_, err = c.Get(ctx, "mem://db")
		require.Equal(t, context.DeadlineExceeded, err)

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		_, err = c.Get(ctx, "mem://db")
		require.Equal(t, context.Canceled, err)
		require.Empty(t, c.Stats().Stale)

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.Refresh(ctx, "mem://db"), context.DeadlineExceeded, "news are not what was kept")
		require.Empty(t, c.Stats().Stale)
		require.EqualValues(t, 3, s.calls.Load(), "what was kept, one call for all who wait, and one for news")
	})
}

// What is refused is not served for want of time either.
func TestDeadlineDoesNotHideARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "x")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithStaleIfError(time.Hour), secrets.WithStaleIfDenied(time.Minute))
		get(t, c, "mem://db")
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			return []provider.Result{{Err: &provider.Error{Ref: refs[0], Kind: provider.ErrAccessDenied}}}
		})
		for range 119 {
			time.Sleep(time.Second)
			get(t, c, "mem://db")
		}
		s.answer(hang)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Get(ctx, "mem://db")
		require.Error(t, err)
	})
}

// A hit asks nobody, so a context that has ended is no reason to fail.
func TestBindTakesWhatIsCachedWhateverTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", "1")
		c := open(t, secrets.WithProvider(s))
		get(t, c, "mem://n")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 {
			h, err := secrets.Bind(ended, c, "mem://n", number)
			require.NoError(t, err)
			require.Equal(t, 1, h.Load())
			h.Close()
		}
	})
}

// A read counts once, though it missed before it was served at its deadline.
func TestDeadlineCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "x")
		s.set("other", "x")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		get(t, c, "mem://db")
		get(t, c, "mem://other")
		time.Sleep(2 * time.Minute)
		s.answer(hang)
		before := c.Stats()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for _, want := range []struct {
			read         func() error
			hits, misses uint64
		}{
			{func() error { _, err := c.Get(ctx, "mem://db"); return err }, 0, 1},
			{func() error { _, err := c.Get(ctx, "mem://other"); return err }, 1, 1}, // no time left
			{func() error { _, err := c.GetAll(ctx, "mem://db", "mem://other"); return err }, 3, 1},
		} {
			require.NoError(t, want.read())
			after := c.Stats()
			require.Equal(t, want.hits, after.Hits-before.Hits)
			require.Equal(t, want.misses, after.Misses-before.Misses)
		}
	})
}

// slowShelf takes its time.
type slowShelf struct{ *shelf }

func (s slowShelf) Last(r provider.Ref) (secrets.Value, time.Time, bool) {
	v, kept, ok := s.shelf.Last(r)
	time.Sleep(20 * time.Millisecond)
	return v, kept, ok
}

// A call that lands while the fallback is asked has the last word.
func TestWhatLandsMeanwhileBeatsTheFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, refused := range []error{nil, provider.ErrAccessDenied} {
			s := &store{}
			s.set("db", "1")
			kept := shelved(t, s, "mem://db")
			s.set("db", "2")
			c := open(t, secrets.WithProvider(s), secrets.WithFallback(slowShelf{kept}))
			s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
				time.Sleep(2010 * time.Millisecond)
				if refused != nil {
					return []provider.Result{{Err: &provider.Error{Ref: refs[0], Kind: refused}}}
				}
				return s.read(refs)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			v, err := c.Get(ctx, "mem://db")
			require.Empty(t, c.Stats().Stale)
			if refused != nil {
				require.ErrorIs(t, err, refused)
				_, err = c.Get(t.Context(), "mem://db")
				require.ErrorIs(t, err, refused)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "2", v.Text())
		}
	})
}
