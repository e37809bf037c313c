package providertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

// probe checks a provider that is a [provider.Prober], and passes any other.
func (s *suite) probe(t *testing.T) {
	p := s.New(t)
	prober, ok := p.(provider.Prober)
	if !ok {
		return
	}
	probe := func(t *testing.T, refs ...provider.Ref) []provider.ProbeResult {
		t.Helper()
		results := prober.Probe(t.Context(), refs...)
		require.Len(t, results, len(refs), "Probe returns one result for each ref")
		return results
	}
	t.Run("NoRefs", func(t *testing.T) { require.Empty(t, prober.Probe(t.Context())) })
	t.Run("AgreesWithFetch", func(t *testing.T) {
		refs := s.fill(t, p, 41, "probe")
		for _, n := range []int{1, 2, 10, 11, 20, 21, 41} {
			fetched := s.fetch(t, p, refs[:n]...)
			for i, r := range probe(t, refs[:n]...) {
				require.NoError(t, r.Err)
				require.Equal(t, fetched[i].Value.Version().ID, r.Version.ID, "Probe and Fetch tell the same version of %s", refs[i])
			}
		}
	})
	t.Run("NewVersionIsSeen", func(t *testing.T) {
		refs := s.fill(t, p, 2, "probe")
		before := probe(t, refs...)
		s.put(t, p, refs[1].Name, s.value("second"))
		after := probe(t, refs...)
		require.Equal(t, before[0].Version.ID, after[0].Version.ID, "an unchanged value keeps its version")
		require.NotEqual(t, before[1].Version.ID, after[1].Version.ID, "a new version is seen")
		require.Equal(t, s.fetch(t, p, refs[1])[0].Value.Version().ID, after[1].Version.ID)
		if s.MissingVersion == "" {
			return
		}
		pinned, unknown := refs[1], refs[1]
		pinned.Version, unknown.Version = before[1].Version.ID, s.MissingVersion
		results := probe(t, pinned, refs[1], unknown)
		require.NoError(t, results[0].Err)
		require.Equal(t, pinned.Version, results[0].Version.ID, "a pinned version stays")
		require.Equal(t, after[1].Version.ID, results[1].Version.ID)
		s.requireError(t, unknown, results[2].Err, provider.ErrVersionNotFound)
	})
	t.Run("Mixed", func(t *testing.T) {
		there := s.fill(t, p, 2, "probe")
		missing := s.ref(t, p, s.name("probe", "missing"))
		refs := []provider.Ref{missing, there[0], {Scheme: p.Scheme()}, there[1], there[0]}
		results := probe(t, refs...)
		s.requireError(t, missing, results[0].Err, provider.ErrNotFound)
		s.requireError(t, refs[2], results[2].Err, provider.ErrInvalidRef)
		for _, i := range []int{1, 3, 4} {
			require.NoError(t, results[i].Err)
			require.NotEmpty(t, results[i].Version.ID)
		}
		require.Equal(t, results[1].Version.ID, results[4].Version.ID)
	})
	t.Run("EndedContext", func(t *testing.T) {
		refs := s.fill(t, p, 2, "probe")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		results := prober.Probe(ctx, refs...)
		require.Len(t, results, len(refs))
		for i, r := range results {
			s.requireError(t, refs[i], r.Err, provider.ErrUnavailable)
			require.ErrorIs(t, r.Err, context.Canceled)
		}
	})
}

// list checks a provider that is a [provider.Lister], and passes any other.
func (s *suite) list(t *testing.T) {
	p := s.New(t)
	lister, ok := p.(provider.Lister)
	if !ok {
		return
	}
	const n = 45 // more than two pages in every store so far
	want := make(map[string]string, n)
	for i := range n {
		// At several depths, where the store knows any.
		below := [][]string{{"list", "app"}, {"list", "app", "deep"}, {"list", "app", "deep", "er"}}[i%3]
		name := s.name(below...)
		s.put(t, p, name, s.value(i))
		want[name] = s.value(i)
	}
	for _, alike := range [][]string{{"list", "app2"}, {"list", "ap"}, {"list", "App"}, {"list"}} {
		s.put(t, p, s.name(alike...), s.value("alike"))
	}
	prefix := provider.Ref{Scheme: p.Scheme(), Name: s.fixedName("list", "app") + "/"}
	parsed, err := provider.ParsePrefix(prefix.String())
	require.NoError(t, err)
	require.Equal(t, prefix, parsed)

	t.Run("All", func(t *testing.T) {
		all := lister.List(t.Context(), prefix)
		for range 2 { // it may be ranged over more than once
			got := make(map[string]string, n)
			for v, err := range all {
				require.NoError(t, err)
				require.NotContains(t, got, v.Ref().Name, "each value is yielded once")
				got[v.Ref().Name] = v.Text()
				require.Equal(t, provider.Ref{Scheme: p.Scheme(), Name: v.Ref().Name}, v.Ref(), "a listed value has a plain ref")
				require.NotEmpty(t, v.Version().ID)
			}
			require.Equal(t, want, got)
		}
	})
	t.Run("AgreesWithFetch", func(t *testing.T) {
		for v, err := range lister.List(t.Context(), prefix) {
			require.NoError(t, err)
			again := s.requireValue(t, v.Ref(), s.fetch(t, p, v.Ref())[0], v.Text())
			require.Equal(t, v.Version().ID, again.Version().ID)
		}
	})
	t.Run("Break", func(t *testing.T) {
		for _, after := range []int{1, 21} {
			seen := 0
			for _, err := range lister.List(t.Context(), prefix) {
				require.NoError(t, err)
				if seen++; seen == after {
					break
				}
			}
			require.Equal(t, after, seen)
		}
	})
	t.Run("Nothing", func(t *testing.T) {
		nothing := provider.Ref{Scheme: p.Scheme(), Name: s.fixedName("list", "nothing") + "/"}
		for v, err := range lister.List(t.Context(), nothing) {
			t.Fatalf("nothing is below %s, and yet it yields %v, %v", nothing, v.Ref(), err)
		}
	})
	t.Run("EndedContext", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		yields := 0
		for v, err := range lister.List(ctx, prefix) {
			require.Zero(t, v.Ref(), "nothing is read when the context has ended")
			s.requireError(t, prefix, err, provider.ErrUnavailable)
			require.ErrorIs(t, err, context.Canceled)
			yields++
		}
		require.Equal(t, 1, yields, "the error of the listing is yielded, once")
	})
	t.Run("Malformed", func(t *testing.T) {
		other := provider.Ref{Scheme: "x" + p.Scheme(), Name: prefix.Name}
		yields := 0
		for _, err := range lister.List(t.Context(), other) {
			s.requireError(t, other, err, provider.ErrInvalidRef)
			yields++
		}
		require.Equal(t, 1, yields)
	})
}
