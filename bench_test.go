package secrets_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// memory is a provider of whatever is asked for, for what has no network in it.
type memory struct{}

func (memory) Scheme() string { return "mem" }

func (memory) Fetch(_ context.Context, refs ...provider.Ref) []provider.Result {
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		results[i].Value = provider.NewValue(r, provider.NewVersion("1", time.Time{}), provider.SecretString, `{"field":"of `+r.Name+`"}`)
	}
	return results
}

// warm returns a client that holds n secrets, and their refs.
func warm(t testing.TB, n int, field string) (*secrets.Client, []string) {
	c, err := secrets.New(secrets.WithProvider(memory{}), secrets.WithTTL(time.Hour))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	refs := make([]string, n)
	for i := range refs {
		refs[i] = fmt.Sprintf("mem://prod/service-%d/database%s", i, field)
	}
	_, err = c.GetAll(context.Background(), refs...)
	require.NoError(t, err)
	return c, refs
}

func TestHitAllocatesNothing(t *testing.T) {
	c, refs := warm(t, 100, "#field")
	ctx := context.Background()
	i := 0
	require.Zero(t, testing.AllocsPerRun(10_000, func() {
		i++
		if _, err := c.Text(ctx, refs[i%len(refs)]); err != nil {
			t.Error(err)
		}
	}))
}

func TestHandleAllocatesNothing(t *testing.T) {
	c, refs := warm(t, 1, "")
	h, err := secrets.Bind(context.Background(), c, refs[0], secrets.JSON[map[string]string])
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(10_000, func() {
		if h.Load()["field"] == "" {
			t.Error("empty")
		}
	}))
}

// BenchmarkHit compares a hit with what it could cost at least: a bare sync.Map
// and a bare golang-lru, which know of no expiry.
func BenchmarkHit(b *testing.B) {
	ctx := context.Background()
	for _, keys := range []int{1, 1000} {
		c, refs := warm(b, keys, "")
		field, fields := warm(b, keys, "#field")
		var m sync.Map
		cache, _ := lru.New[string, secrets.Value](1024)
		for _, r := range refs {
			v, err := c.Get(ctx, r)
			require.NoError(b, err)
			m.Store(r, v)
			cache.Add(r, v)
		}
		for _, f := range []struct {
			name string
			refs []string
			get  func(string) bool
		}{
			{"client", refs, func(r string) bool { _, err := c.Get(ctx, r); return err == nil }},
			{"client-field", fields, func(r string) bool { _, err := field.Get(ctx, r); return err == nil }},
			{"sync.Map", refs, func(r string) bool { _, ok := m.Load(r); return ok }},
			{"golang-lru", refs, func(r string) bool { _, ok := cache.Get(r); return ok }},
		} {
			b.Run(fmt.Sprintf("keys=%d/single/%s", keys, f.name), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if i++; i == len(f.refs) {
						i = 0
					}
					if !f.get(f.refs[i]) {
						b.Fatal("miss")
					}
				}
			})
			b.Run(fmt.Sprintf("keys=%d/parallel/%s", keys, f.name), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					i := 0
					for pb.Next() {
						if i++; i == len(f.refs) {
							i = 0
						}
						if !f.get(f.refs[i]) {
							b.Error("miss")
						}
					}
				})
			})
		}
	}
}

// BenchmarkHandle compares loading a handle with a bare atomic load.
func BenchmarkHandle(b *testing.B) {
	c, refs := warm(b, 1, "")
	h, err := secrets.Bind(context.Background(), c, refs[0], secrets.Text)
	require.NoError(b, err)
	text := h.Load()
	var bare atomic.Pointer[string]
	bare.Store(&text)
	for name, load := range map[string]func() string{
		"handle":         h.Load,
		"atomic.Pointer": func() string { return *bare.Load() },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if load() == "" {
					b.Fatal("empty")
				}
			}
		})
	}
}
