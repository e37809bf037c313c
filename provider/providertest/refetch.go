package providertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

// refetch checks a provider that is a [provider.Refetcher], and passes any other.
func (s *suite) refetch(t *testing.T) {
	p := s.New(t)
	refetcher, ok := p.(provider.Refetcher)
	if !ok {
		return
	}
	refetch := func(t *testing.T, known ...provider.Known) []provider.Result {
		t.Helper()
		results := refetcher.Refetch(t.Context(), known...)
		require.Len(t, results, len(known), "Refetch returns one result for each ref")
		return results
	}
	// read reads the refs and returns them as known.
	read := func(t *testing.T, refs ...provider.Ref) []provider.Known {
		t.Helper()
		known := make([]provider.Known, len(refs))
		for i, r := range s.fetch(t, p, refs...) {
			require.NoError(t, r.Err)
			known[i] = provider.Known{Ref: refs[i], Version: r.Value.Version()}
		}
		return known
	}
	// requireStill checks a result of what did not change.
	requireStill := func(t *testing.T, k provider.Known, r provider.Result, text string) {
		t.Helper()
		require.NoError(t, r.Err, "%s", k.Ref)
		if r.Unchanged {
			require.Zero(t, r.Value.Ref(), "what is unchanged comes without a value")
			return
		}
		v := s.requireValue(t, k.Ref, r, text)
		require.Equal(t, k.Version.ID, v.Version().ID, "an unchanged value keeps its version")
	}
	requireRead := func(t *testing.T, k provider.Known, r provider.Result, text string) provider.Value {
		t.Helper()
		require.False(t, r.Unchanged, "%s changed, or is to be read", k.Ref)
		return s.requireValue(t, k.Ref, r, text)
	}

	t.Run("NoRefs", func(t *testing.T) { require.Empty(t, refetcher.Refetch(t.Context())) })
	t.Run("ZeroVersionReads", func(t *testing.T) {
		known := read(t, s.fill(t, p, 41, "refetch")...)
		for i := range known {
			known[i].Version = provider.Version{}
		}
		for _, n := range []int{1, 2, 10, 11, 20, 21, 41} {
			for i, r := range refetch(t, known[:n]...) {
				requireRead(t, known[i], r, s.value(i))
			}
		}
	})
	t.Run("Unchanged", func(t *testing.T) {
		known := read(t, s.fill(t, p, 41, "refetch")...)
		for _, n := range []int{1, 2, 10, 11, 20, 21, 41} {
			for i, r := range refetch(t, known[:n]...) {
				requireStill(t, known[i], r, s.value(i))
			}
		}
	})
	t.Run("NewVersionIsSeen", func(t *testing.T) {
		known := read(t, s.fill(t, p, 23, "refetch")...)
		for _, i := range []int{0, 9, 22} {
			s.put(t, p, known[i].Ref.Name, s.value("second"))
			v := requireRead(t, known[i], refetch(t, known[i])[0], s.value("second"))
			require.NotEqual(t, known[i].Version.ID, v.Version().ID, "a new version has a new ID")
		}
		results := refetch(t, known...)
		for i, r := range results {
			switch i {
			case 0, 9, 22:
				v := requireRead(t, known[i], r, s.value("second"))
				require.Equal(t, s.fetch(t, p, known[i].Ref)[0].Value.Version().ID, v.Version().ID)
				known[i].Version = v.Version()
			default:
				requireStill(t, known[i], r, s.value(i))
			}
		}
		// What Refetch tells is a version that it knows again.
		for _, i := range []int{0, 9, 22} {
			requireStill(t, known[i], refetch(t, known...)[i], s.value("second"))
		}
	})
	t.Run("OtherVersionIsKnown", func(t *testing.T) {
		if s.MissingVersion == "" {
			return
		}
		known := read(t, s.fill(t, p, 3, "refetch")...)
		known[1].Version = provider.NewVersion(s.MissingVersion, known[1].Version.Created)
		requireRead(t, known[1], refetch(t, known[1])[0], s.value(1))
		requireRead(t, known[1], refetch(t, known...)[1], s.value(1))
	})
	t.Run("Pinned", func(t *testing.T) {
		if s.MissingVersion == "" {
			return
		}
		current := read(t, s.fill(t, p, 1, "refetch")...)[0]
		pinned, unknown := current, current
		pinned.Ref.Version = current.Version.ID
		unknown.Ref.Version = s.MissingVersion
		s.put(t, p, current.Ref.Name, s.value("second"))
		results := refetch(t, pinned, current, unknown)
		requireStill(t, pinned, results[0], s.value(0))
		requireRead(t, current, results[1], s.value("second"))
		s.requireError(t, unknown.Ref, results[2].Err, provider.ErrVersionNotFound)
	})
	t.Run("Recreated", func(t *testing.T) {
		if s.Recreate == nil {
			return
		}
		known := read(t, s.fill(t, p, 12, "refetch")...)
		s.Recreate(t, known[5].Ref.Name, s.value("anew"))
		requireRead(t, known[5], refetch(t, known[5])[0], s.value("anew"))
		requireRead(t, known[5], refetch(t, known...)[5], s.value("anew"))
	})
	t.Run("Mixed", func(t *testing.T) {
		known := read(t, s.fill(t, p, 4, "refetch")...)
		missing := provider.Known{Ref: s.ref(t, p, s.name("refetch", "missing")), Version: known[0].Version}
		invalid := provider.Known{Ref: provider.Ref{Scheme: p.Scheme()}, Version: known[0].Version}
		unread := provider.Known{Ref: known[1].Ref}
		field := known[2]
		field.Ref.Field = "user"
		s.put(t, p, known[3].Ref.Name, s.value("second"))
		results := refetch(t, missing, known[0], invalid, known[1], unread, field, known[3], known[0])
		s.requireError(t, missing.Ref, results[0].Err, provider.ErrNotFound)
		requireStill(t, known[0], results[1], s.value(0))
		s.requireError(t, invalid.Ref, results[2].Err, provider.ErrInvalidRef)
		requireStill(t, known[1], results[3], s.value(1))
		requireRead(t, unread, results[4], s.value(1))
		requireStill(t, field, results[5], s.value(2))
		requireRead(t, known[3], results[6], s.value("second"))
		requireStill(t, known[0], results[7], s.value(0))
		for _, r := range []provider.Result{results[0], results[2]} {
			require.False(t, r.Unchanged, "an error is not unchanged")
			require.Zero(t, r.Value.Ref(), "an error comes without a value")
		}
	})
	t.Run("Deleted", func(t *testing.T) {
		if s.Delete == nil {
			return
		}
		known := read(t, s.fill(t, p, 3, "refetch")...)
		s.Delete(t, known[1].Ref.Name)
		gone := []error{provider.ErrNotFound, provider.ErrDeleted}
		s.requireError(t, known[1].Ref, refetch(t, known[1])[0].Err, gone...)
		results := refetch(t, known...)
		requireStill(t, known[0], results[0], s.value(0))
		s.requireError(t, known[1].Ref, results[1].Err, gone...)
		requireStill(t, known[2], results[2], s.value(2))
	})
	t.Run("EndedContext", func(t *testing.T) {
		known := read(t, s.fill(t, p, 21, "refetch")...)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		requireEnded := func(n int, results []provider.Result) {
			require.Len(t, results, n, "Refetch returns one result for each ref")
			for i, r := range results {
				require.False(t, r.Unchanged, "nothing is compared when the context has ended")
				s.requireError(t, known[i].Ref, r.Err, provider.ErrUnavailable)
				require.ErrorIs(t, r.Err, context.Canceled, "the error wraps that of the context")
			}
		}
		for _, n := range []int{1, 2, 21} {
			requireEnded(n, refetcher.Refetch(ctx, known[:n]...))
		}
		if s.Block == nil {
			return
		}
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		arrived := s.Block(t)
		go func() {
			<-arrived
			cancel()
		}()
		requireEnded(len(known), refetcher.Refetch(ctx, known...))
	})
}
