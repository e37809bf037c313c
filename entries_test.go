package secrets_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

func TestEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		for _, name := range []string{"a", "b", "held"} {
			s.set(name, "1")
		}
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		began := time.Now()
		h := bind(t, c, "mem://held", number)
		defer h.Close()
		get(t, c, "mem://b?version=7")
		get(t, c, "mem://a")
		for i := range 64 * 1000 {
			get(t, c, "mem://a")
			if i%2 == 0 {
				get(t, c, "mem://b?version=7")
			}
		}
		entries := c.Entries()
		require.Len(t, entries, 3)
		byRef := make(map[string]secrets.Entry)
		for _, e := range entries {
			byRef[e.Ref] = e
			require.Equal(t, "1", e.Version.ID)
			require.Equal(t, provider.SecretString, e.Type)
			require.Equal(t, began, e.Read)
			require.False(t, e.Stale)
		}
		require.True(t, byRef["mem://held"].Held)
		require.False(t, byRef["mem://a"].Held)
		require.Zero(t, byRef["mem://b?version=7"].Next)
		require.WithinRange(t, byRef["mem://a"].Next, began, began.Add(time.Minute))
		require.InEpsilon(t, 64_000, byRef["mem://a"].Hits, 0.1)
		require.InEpsilon(t, 32_000, byRef["mem://b?version=7"].Hits, 0.1)

		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			return make([]provider.Result, len(refs))
		})
		c.Invalidate("mem://held")
		for _, e := range c.Entries() {
			require.Equal(t, e.Held, e.Read.IsZero(), "nothing has been read yet")
			require.Equal(t, e.Held, e.Version == provider.Version{})
		}
		s.answer(nil)
		time.Sleep(time.Second)
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			return make([]provider.Result, len(refs))
		})
		time.Sleep(10 * time.Minute)
		for _, e := range c.Entries() {
			if e.Held {
				require.True(t, e.Stale)
				require.ErrorIs(t, e.Err, provider.ErrUnavailable)
				require.WithinRange(t, e.Since, began, began.Add(2*time.Minute))
			}
		}
	})
}

// What stats and entries say can be served as JSON, also in an outage, when there
// are errors in it.
func TestStatsAndEntriesInJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "hunter2")
		get(t, c, "sm://db")
		stats, err := json.Marshal(c.Stats())
		require.NoError(t, err)
		require.Contains(t, string(stats), `"Stale":null`)
		entries, err := json.Marshal(c.Entries())
		require.NoError(t, err)
		require.Contains(t, string(entries), `"Err":""`)

		defer server.Inject(secretstest.Fault{Err: secretstest.Unavailable()})()
		require.Error(t, c.Refresh(t.Context(), "sm://db"))
		stats, err = json.Marshal(c.Stats())
		require.NoError(t, err)
		entries, err = json.Marshal(c.Entries())
		require.NoError(t, err)
		for _, text := range [][]byte{stats, entries} {
			require.Contains(t, string(text), `"Ref":"sm://db"`)
			require.Contains(t, string(text), `"Err":"sm://db: store unavailable`)
			require.Contains(t, string(text), `"Since":"2000-`)
			require.NotContains(t, string(text), "hunter2")
		}
		var shown struct{ Stale []struct{ Ref, Err string } }
		require.NoError(t, json.Unmarshal(stats, &shown))
		require.Len(t, shown.Stale, 1)
	})
}

// shelf is a fallback in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[provider.Ref]secrets.Value
	at   map[provider.Ref]time.Time
}

func newShelf() *shelf {
	return &shelf{kept: make(map[provider.Ref]secrets.Value), at: make(map[provider.Ref]time.Time)}
}

func (s *shelf) Keep(v secrets.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[v.Ref()], s.at[v.Ref()] = v, time.Now()
}

func (s *shelf) Last(ref provider.Ref) (secrets.Value, time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.kept[ref]
	return v, s.at[ref], ok
}

func (s *shelf) Forget(ref provider.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, ref)
}

func TestFallbackServesAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, kept := &store{}, newShelf()
		s.set("n", `{"a":"1"}`)
		s.set("gone", "x")
		first := open(t, secrets.WithProvider(s), secrets.WithFallback(kept))
		get(t, first, "mem://n#a")
		get(t, first, "mem://gone")
		require.NoError(t, first.Close())
		at := time.Now()
		time.Sleep(time.Hour)

		down := func(_ context.Context, refs []provider.Ref) []provider.Result {
			return make([]provider.Result, len(refs))
		}
		s.answer(down)
		c := open(t, secrets.WithProvider(s), secrets.WithFallback(kept), secrets.WithTTL(time.Minute))
		h := bind(t, c, "mem://n#a", number)
		require.Equal(t, 1, h.Load())
		require.ErrorIs(t, h.Err(), provider.ErrUnavailable)
		require.Equal(t, "1", get(t, c, "mem://n#a").Text())
		_, err := c.Get(t.Context(), "mem://new")
		require.ErrorIs(t, err, provider.ErrUnavailable, "there is nothing to fall back to")
		stats := c.Stats()
		require.NotZero(t, stats.StaleServed)
		require.Equal(t, at, stats.Stale[0].Since, "it is stale since it was kept")
		calls := s.calls.Load()
		reading(t, c, time.Second, 3*time.Hour, "mem://n#a")
		require.Less(t, s.calls.Load()-calls, int64(3*60*3), "the store is asked with backoff")

		s.answer(nil)
		s.set("n", `{"a":"2"}`)
		time.Sleep(2 * time.Minute)
		require.Equal(t, 2, h.Load())
		require.NoError(t, h.Err())
		v, _, _ := kept.Last(get(t, c, "mem://n").Ref())
		require.Equal(t, `{"a":"2"}`, v.Text())

		// What the store refuses is not served, and forgotten.
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			return []provider.Result{{Err: &provider.Error{Ref: refs[0], Kind: provider.ErrAccessDenied}}}
		})
		_, err = c.Get(t.Context(), "mem://gone")
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		s.answer(down)
		time.Sleep(secrets.DefaultNegativeTTL)
		_, err = c.Get(t.Context(), "mem://gone")
		require.ErrorIs(t, err, provider.ErrUnavailable)
	})
}
