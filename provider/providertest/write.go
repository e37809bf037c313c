package providertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

// newToken returns a token that no write had before.
func newToken() string { return rand.Text() + rand.Text() }

// write checks a provider that is a [provider.Writer], and passes any other.
func (s *suite) write(t *testing.T) {
	p := s.New(t)
	w, ok := p.(provider.Writer)
	if !ok {
		return
	}
	// missing returns the ref of what is not there, and sees to it that what a
	// test writes there is removed.
	missing := func(t *testing.T) provider.Ref {
		t.Helper()
		ref := s.ref(t, p, s.name("write"))
		t.Cleanup(func() { s.purge(t, w, ref) })
		return ref
	}
	text := func(ref provider.Ref, what any) provider.Value {
		return provider.NewValue(ref, provider.Version{}, "", s.value(what))
	}
	put := func(t *testing.T, v provider.Value, cond provider.Condition) provider.Version {
		t.Helper()
		version, err := w.Put(t.Context(), v, cond)
		require.NoError(t, err, "%s", v.Ref())
		require.NotEmpty(t, version.ID, "the version that was made of %s", v.Ref())
		return version
	}
	requireIs := func(t *testing.T, ref provider.Ref, version provider.Version, what any) {
		t.Helper()
		v := s.requireValue(t, ref, s.fetch(t, p, ref)[0], s.value(what))
		require.Equal(t, version.ID, v.Version().ID, "what Put returned is the current version")
	}
	requireRefused := func(t *testing.T, v provider.Value, cond provider.Condition, kinds ...error) {
		t.Helper()
		version, err := w.Put(t.Context(), v, cond)
		s.requireError(t, v.Ref(), err, kinds...)
		require.Zero(t, version, "an error comes without a version")
	}

	t.Run("Creates", func(t *testing.T) {
		ref := missing(t)
		requireIs(t, ref, put(t, text(ref, 1), provider.Condition{}), 1)
	})
	t.Run("Replaces", func(t *testing.T) {
		ref := missing(t)
		first := put(t, text(ref, 1), provider.Condition{})
		second := put(t, text(ref, 2), provider.Condition{})
		require.NotEqual(t, first.ID, second.ID, "a new version has a new ID")
		requireIs(t, ref, second, 2)
		if s.MissingVersion != "" {
			pinned := ref
			pinned.Version = first.ID
			s.requireValue(t, pinned, s.fetch(t, p, pinned)[0], s.value(1))
		}
	})
	t.Run("KeepsTheType", func(t *testing.T) {
		ref, _ := s.put(t, p, s.name("write"), s.value(1))
		typ := s.fetch(t, p, ref)[0].Value.Type()
		put(t, text(ref, 2), provider.Condition{})
		require.Equal(t, typ, s.fetch(t, p, ref)[0].Value.Type(), "a value without a type has the one that is there")
		if s.PutBinary == nil {
			return
		}
		ref = s.ref(t, p, s.name("write"))
		s.PutBinary(t, ref.Name, []byte{0xff, 0})
		binary := string([]byte{0, 0xfe, 0xff})
		put(t, provider.NewValue(ref, provider.Version{}, "", binary), provider.Condition{})
		v := s.requireValue(t, ref, s.fetch(t, p, ref)[0], binary)
		require.True(t, v.Binary())
	})
	t.Run("Binary", func(t *testing.T) {
		if s.PutBinary == nil {
			return
		}
		ref := missing(t)
		binary := string([]byte{0, 0xfe, 0xff, '\n'})
		put(t, provider.NewValue(ref, provider.Version{}, provider.SecretBinary, binary), provider.Condition{})
		require.True(t, s.requireValue(t, ref, s.fetch(t, p, ref)[0], binary).Binary())
	})
	t.Run("OnlyIfAbsent", func(t *testing.T) {
		ref := missing(t)
		version := put(t, text(ref, 1), provider.Condition{Absent: true})
		requireIs(t, ref, version, 1)
		requireRefused(t, text(ref, 2), provider.Condition{Absent: true}, provider.ErrConflict)
		requireIs(t, ref, version, 1)
	})
	t.Run("OnlyIfVersion", func(t *testing.T) {
		ref := missing(t)
		requireRefused(t, text(ref, 0), provider.Condition{Version: s.someVersion()}, provider.ErrConflict)
		s.requireError(t, ref, s.fetch(t, p, ref)[0].Err, provider.ErrNotFound)

		first := put(t, text(ref, 1), provider.Condition{})
		second := put(t, text(ref, 2), provider.Condition{Version: first.ID})
		requireIs(t, ref, second, 2)
		for _, stale := range []string{first.ID, s.someVersion()} {
			requireRefused(t, text(ref, 3), provider.Condition{Version: stale}, provider.ErrConflict)
			requireIs(t, ref, second, 2)
		}
		requireIs(t, ref, put(t, text(ref, 4), provider.Condition{Version: second.ID}), 4)
	})
	t.Run("RepeatedWithItsToken", func(t *testing.T) {
		repeat := func(v provider.Value, cond provider.Condition, what any) provider.Version {
			cond.Token = newToken()
			version := put(t, v, cond)
			for range 2 {
				require.Equal(t, version.ID, put(t, v, cond).ID, "nothing is written twice")
			}
			requireIs(t, v.Ref(), version, what)
			return version
		}
		ref := missing(t)
		repeat(text(ref, 1), provider.Condition{Absent: true}, 1)
		second := repeat(text(ref, 2), provider.Condition{}, 2)
		repeat(text(ref, 3), provider.Condition{Version: second.ID}, 3)
	})
	t.Run("OneWinner", func(t *testing.T) {
		if !s.CompareAndSwap {
			return
		}
		ref := missing(t)
		first := put(t, text(ref, 0), provider.Condition{})
		for name, cond := range map[string]provider.Condition{"Version": {Version: first.ID}, "Absent": {Absent: true}} {
			ref, n := ref, 8
			if cond.Absent {
				ref = missing(t)
			}
			versions, errs := make([]provider.Version, n), make([]error, n)
			var writers sync.WaitGroup
			for i := range n {
				writers.Go(func() { versions[i], errs[i] = w.Put(t.Context(), text(ref, i), cond) })
			}
			writers.Wait()
			winner := -1
			for i, err := range errs {
				if err == nil {
					require.Equal(t, -1, winner, "%s: one of those who write at once wins", name)
					winner = i
					continue
				}
				s.requireError(t, ref, err, provider.ErrConflict)
			}
			require.NotEqual(t, -1, winner, "%s: one of those who write at once wins", name)
			requireIs(t, ref, versions[winner], winner)
		}
	})
	t.Run("Malformed", func(t *testing.T) {
		ref := missing(t)
		other, field, version := ref, ref, ref
		other.Scheme, field.Field, version.Version = "x"+ref.Scheme, "user", s.someVersion()
		for _, bad := range []provider.Ref{{Scheme: ref.Scheme}, other, field, version} {
			requireRefused(t, text(bad, 1), provider.Condition{}, provider.ErrInvalidRef)
			s.requireError(t, bad, w.Delete(t.Context(), bad), provider.ErrInvalidRef)
		}
		s.requireError(t, ref, s.fetch(t, p, ref)[0].Err, provider.ErrNotFound)
	})
	t.Run("Deletes", func(t *testing.T) {
		ref, _ := s.put(t, p, s.name("write"), s.value(1))
		other, _ := s.put(t, p, s.name("write"), s.value(2))
		require.NoError(t, w.Delete(t.Context(), ref))
		s.requireError(t, ref, s.fetch(t, p, ref)[0].Err, provider.ErrNotFound, provider.ErrDeleted)
		s.requireValue(t, other, s.fetch(t, p, other)[0], s.value(2))
		s.requireError(t, ref, w.Delete(t.Context(), ref), provider.ErrNotFound, provider.ErrDeleted)

		nothing := s.ref(t, p, s.name("write"))
		s.requireError(t, nothing, w.Delete(t.Context(), nothing), provider.ErrNotFound)
	})
	t.Run("EndedContext", func(t *testing.T) {
		ref := missing(t)
		there, version := s.put(t, p, s.name("write"), s.value(1))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, cond := range []provider.Condition{{}, {Absent: true}, {Version: s.someVersion()}, {Token: newToken()}} {
			_, err := w.Put(ctx, text(ref, 2), cond)
			s.requireError(t, ref, err, provider.ErrUnavailable)
			require.ErrorIs(t, err, context.Canceled)
		}
		err := w.Delete(ctx, there)
		s.requireError(t, there, err, provider.ErrUnavailable)
		require.ErrorIs(t, err, context.Canceled)
		s.requireError(t, ref, s.fetch(t, p, ref)[0].Err, provider.ErrNotFound)
		v := s.requireValue(t, there, s.fetch(t, p, there)[0], s.value(1))
		if version.ID != "" {
			require.Equal(t, version.ID, v.Version().ID)
		}
	})
	t.Run("ContextEndsMidCall", func(t *testing.T) {
		if s.Block == nil {
			return
		}
		ref := missing(t)
		for _, write := range []func(context.Context) error{
			func(ctx context.Context) error {
				_, err := w.Put(ctx, text(ref, 1), provider.Condition{})
				return err
			},
			func(ctx context.Context) error { return w.Delete(ctx, ref) },
		} {
			t.Run("", func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				arrived := s.Block(t)
				go func() {
					<-arrived
					cancel()
				}()
				err := write(ctx)
				s.requireError(t, ref, err, provider.ErrUnavailable)
				require.ErrorIs(t, err, context.Canceled)
			})
		}
	})
	t.Run("PrintsNoValue", func(t *testing.T) {
		ref := missing(t)
		v := text(ref, 1)
		version := put(t, v, provider.Condition{})
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if out := fmt.Sprintf(verb, []any{v, version}); strings.Contains(out, s.marker) {
				t.Fatalf("what Put takes and returns prints a value with %s", verb)
			}
		}
	})
}

// someVersion is a well-formed version ID that no value has.
func (s *suite) someVersion() string {
	if s.MissingVersion != "" {
		return s.MissingVersion
	}
	return "999"
}

// purge removes what a test made.
func (s *suite) purge(t testing.TB, w provider.Writer, ref provider.Ref) {
	if s.Purge != nil {
		s.Purge(t, ref.Name)
		return
	}
	// The test's own context has ended when its clean-up runs.
	_ = w.Delete(context.WithoutCancel(t.Context()), ref)
}
