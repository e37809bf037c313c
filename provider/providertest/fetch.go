package providertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

func (s *suite) scheme(t *testing.T) {
	p := s.New(t)
	ref, err := provider.ParseRef(p.Scheme() + "://" + s.name("scheme"))
	require.NoError(t, err, "the scheme is one that ParseRef knows")
	require.Equal(t, p.Scheme(), ref.Scheme)
	require.Equal(t, p.Scheme(), p.Scheme(), "the scheme never changes")
	require.Equal(t, p.Scheme(), s.New(t).Scheme(), "the scheme never changes")
}

func (s *suite) noRefs(t *testing.T) {
	require.Empty(t, s.New(t).Fetch(t.Context()))
}

// sizes reads around the sizes of batches that stores have.
func (s *suite) sizes(t *testing.T) {
	p := s.New(t)
	refs := s.fill(t, p, 101, "sizes")
	for _, n := range []int{1, 2, 9, 10, 11, 19, 20, 21, 40, 41, 100, 101} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			// Backwards too: the order is that of the refs, not the store's.
			for _, reverse := range []bool{false, true} {
				some, text := slices.Clone(refs[:n]), func(i int) string { return s.value(i) }
				if reverse {
					slices.Reverse(some)
					text = func(i int) string { return s.value(n - 1 - i) }
				}
				for i, r := range s.fetch(t, p, some...) {
					s.requireValue(t, some[i], r, text(i))
				}
			}
		})
	}
}

// mixed reads what is there, what is missing and what cannot be, in one call.
func (s *suite) mixed(t *testing.T) {
	p := s.New(t)
	found := s.fill(t, p, 8, "mixed")
	var refs []provider.Ref
	for i, ref := range found {
		refs = append(refs, ref, s.ref(t, p, s.name("mixed", "missing")))
		if i%3 == 0 {
			refs = append(refs, provider.Ref{Scheme: p.Scheme()})
		}
	}
	read := 0
	for i, r := range s.fetch(t, p, refs...) {
		switch {
		case refs[i].Name == "":
			s.requireError(t, refs[i], r.Err, provider.ErrInvalidRef)
		case slices.Contains(found, refs[i]):
			s.requireValue(t, refs[i], r, s.value(read))
			read++
		default:
			s.requireError(t, refs[i], r.Err, provider.ErrNotFound)
			require.Zero(t, r.Value.Ref(), "an error comes without a value")
		}
	}
}

func (s *suite) duplicates(t *testing.T) {
	p := s.New(t)
	there := s.fill(t, p, 2, "duplicates")
	missing := s.ref(t, p, s.name("duplicates", "missing"))
	refs := []provider.Ref{there[0], missing, there[1], there[0], missing, there[0]}
	results := s.fetch(t, p, refs...)
	for _, i := range []int{0, 3, 5} {
		s.requireValue(t, there[0], results[i], s.value(0))
	}
	s.requireValue(t, there[1], results[2], s.value(1))
	for _, i := range []int{1, 4} {
		s.requireError(t, missing, results[i].Err, provider.ErrNotFound)
	}
}

func (s *suite) missing(t *testing.T) {
	p := s.New(t)
	ref := s.ref(t, p, s.name("missing"))
	s.requireError(t, ref, s.fetch(t, p, ref)[0].Err, provider.ErrNotFound)

	// A name is the whole name.
	s.put(t, p, ref.Name+"-longer", s.value("longer"))
	s.put(t, p, s.fixedName("missing", "below", "x"), s.value("below"))
	below := s.ref(t, p, s.fixedName("missing", "below"))
	results := s.fetch(t, p, ref, below)
	s.requireError(t, ref, results[0].Err, provider.ErrNotFound)
	s.requireError(t, below, results[1].Err, provider.ErrNotFound)

	// It is looked for again each time.
	s.put(t, p, ref.Name, s.value("now"))
	s.requireValue(t, ref, s.fetch(t, p, ref)[0], s.value("now"))
}

// malformed reads refs that were put together by hand and that no provider
// can mean anything by.
func (s *suite) malformed(t *testing.T) {
	p := s.New(t)
	there, _ := s.put(t, p, s.name("malformed"), s.value(0))
	other := there
	other.Scheme = "x" + there.Scheme
	refs := []provider.Ref{{Scheme: p.Scheme()}, there, other}
	results := s.fetch(t, p, refs...)
	s.requireError(t, refs[0], results[0].Err, provider.ErrInvalidRef)
	s.requireValue(t, refs[1], results[1], s.value(0))
	s.requireError(t, refs[2], results[2].Err, provider.ErrInvalidRef)
}

func (s *suite) fieldIsIgnored(t *testing.T) {
	p := s.New(t)
	ref, _ := s.put(t, p, s.name("field"), s.value(0))
	ref.Field = "user"
	require.Equal(t, s.value(0), s.fetch(t, p, ref)[0].Value.Text())
}

func (s *suite) text(t *testing.T) {
	for name, text := range map[string]string{
		"JSON":       `{"user":"app","password":"p\"w\\","port":5432}`,
		"Quotes":     `'single' "double" ` + "`back` \\",
		"Newlines":   "first\nsecond\r\nthird\n",
		"Spaces":     "  both ends\t ",
		"Percent":    "100%d %s %% %v",
		"Unicode":    "ünï¢ödé ß 漢字 \u00a0\u2028",
		"FourByte":   "🔑🧨𝔘",
		"Combining":  "e\u0301 is not \u00e9",
		"HTML":       "<b>&amp;</b>",
		"LooksOther": "null",
	} {
		t.Run(name, func(t *testing.T) {
			p := s.New(t)
			ref, put := s.put(t, p, s.name("text"), text)
			other, _ := s.put(t, p, s.name("text"), s.value("other"))
			// Alone and in company: these may be different calls to the store.
			for _, r := range []provider.Result{s.fetch(t, p, ref)[0], s.fetch(t, p, other, ref)[1]} {
				v := s.requireValue(t, ref, r, text)
				require.Equal(t, []byte(text), v.Bytes())
				require.False(t, v.Binary(), "a text is not binary")
				if put.ID != "" {
					require.Equal(t, put.ID, v.Version().ID, "the version that Put made")
				}
			}
		})
	}
}

func (s *suite) binary(t *testing.T) {
	if s.PutBinary == nil {
		return
	}
	p := s.New(t)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, data := range [][]byte{every, {0}, []byte("looks like text"), {0xff, 0xfe, '\n'}} {
		name := s.name("binary")
		put := s.PutBinary(t, name, data)
		ref := s.ref(t, p, name)
		other, _ := s.put(t, p, s.name("binary"), s.value("other"))
		for _, r := range []provider.Result{s.fetch(t, p, ref)[0], s.fetch(t, p, other, ref)[1]} {
			v := s.requireValue(t, ref, r, string(data))
			require.Equal(t, data, v.Bytes())
			require.True(t, v.Binary(), "bytes are binary")
			if put.ID != "" {
				require.Equal(t, put.ID, v.Version().ID, "the version that PutBinary made")
			}
		}
	}
}

func (s *suite) newVersionIsSeen(t *testing.T) {
	p := s.New(t)
	refs := s.fill(t, p, 2, "versions")
	first := s.fetch(t, p, refs...)
	again := s.fetch(t, p, refs...)
	alone := s.fetch(t, p, refs[0])
	require.Equal(t, first[0].Value.Version().ID, again[0].Value.Version().ID, "an unchanged value keeps its version")
	require.Equal(t, first[0].Value.Version().ID, alone[0].Value.Version().ID, "however it is read")

	_, put := s.put(t, p, refs[0].Name, s.value("second"))
	for _, r := range []provider.Result{s.fetch(t, p, refs[0])[0], s.fetch(t, p, refs...)[0]} {
		v := s.requireValue(t, refs[0], r, s.value("second"))
		require.NotEqual(t, first[0].Value.Version().ID, v.Version().ID, "a new version has a new ID")
		if put.ID != "" {
			require.Equal(t, put.ID, v.Version().ID, "the version that Put made")
		}
	}
	require.Equal(t, s.value(0), first[0].Value.Text(), "a value never changes")
}

func (s *suite) pinnedVersionStays(t *testing.T) {
	if s.MissingVersion == "" {
		return
	}
	p := s.New(t)
	ref, _ := s.put(t, p, s.name("pinned"), s.value("first"))
	pinned := ref
	pinned.Version = s.fetch(t, p, ref)[0].Value.Version().ID
	s.put(t, p, ref.Name, s.value("second"))
	// Both of one value in one call, too.
	for _, refs := range [][]provider.Ref{{pinned, ref}, {ref, pinned}} {
		for i, r := range s.fetch(t, p, refs...) {
			if refs[i] == pinned {
				v := s.requireValue(t, pinned, r, s.value("first"))
				require.Equal(t, pinned.Version, v.Version().ID)
			} else {
				s.requireValue(t, ref, r, s.value("second"))
			}
		}
	}
	s.requireValue(t, pinned, s.fetch(t, p, pinned)[0], s.value("first"))
}

func (s *suite) unknownVersion(t *testing.T) {
	if s.MissingVersion == "" {
		return
	}
	p := s.New(t)
	ref, _ := s.put(t, p, s.name("unknown-version"), s.value(0))
	unknown := ref
	unknown.Version = s.MissingVersion
	s.requireError(t, unknown, s.fetch(t, p, unknown)[0].Err, provider.ErrVersionNotFound)

	nothing := s.ref(t, p, s.name("unknown-version", "missing"))
	nothing.Version = s.MissingVersion
	results := s.fetch(t, p, unknown, ref, nothing)
	s.requireError(t, unknown, results[0].Err, provider.ErrVersionNotFound)
	s.requireValue(t, ref, results[1], s.value(0))
	s.requireError(t, nothing, results[2].Err, provider.ErrNotFound)
}

func (s *suite) deleted(t *testing.T) {
	if s.Delete == nil {
		return
	}
	p := s.New(t)
	refs := s.fill(t, p, 3, "deleted")
	s.Delete(t, refs[1].Name)
	gone := []error{provider.ErrNotFound, provider.ErrDeleted}
	s.requireError(t, refs[1], s.fetch(t, p, refs[1])[0].Err, gone...)
	results := s.fetch(t, p, refs...)
	s.requireValue(t, refs[0], results[0], s.value(0))
	s.requireError(t, refs[1], results[1].Err, gone...)
	s.requireValue(t, refs[2], results[2], s.value(2))
}

func (s *suite) endedContext(t *testing.T) {
	p := s.New(t)
	refs := s.fill(t, p, 21, "ended")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for _, ctx := range []context.Context{canceled, late} {
		for _, n := range []int{1, 2, 21} {
			results := p.Fetch(ctx, refs[:n]...)
			require.Len(t, results, n, "Fetch returns one result for each ref")
			for i, r := range results {
				s.requireError(t, refs[i], r.Err, provider.ErrUnavailable)
				require.ErrorIs(t, r.Err, ctx.Err(), "the error wraps that of the context")
			}
		}
	}
	s.requireValue(t, refs[0], s.fetch(t, p, refs[0])[0], s.value(0)) // and is soon forgotten
}

func (s *suite) contextEndsMidCall(t *testing.T) {
	if s.Block == nil {
		return
	}
	for _, n := range []int{1, 2, 101} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p := s.New(t)
			refs := s.fill(t, p, n, "mid-call")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			arrived := s.Block(t)
			go func() {
				<-arrived
				cancel()
			}()
			results := p.Fetch(ctx, refs...)
			require.Len(t, results, n, "Fetch returns one result for each ref")
			for i, r := range results {
				s.requireError(t, refs[i], r.Err, provider.ErrUnavailable)
				require.ErrorIs(t, r.Err, context.Canceled, "the error wraps that of the context")
			}
		})
	}
}

// concurrent is for the race detector as much as for what it asserts.
func (s *suite) concurrent(t *testing.T) {
	p := s.New(t)
	refs := s.fill(t, p, 25, "concurrent")
	missing := s.ref(t, p, s.name("concurrent", "missing"))
	var wg sync.WaitGroup
	outcomes := make([][]provider.Result, 8)
	for i := range outcomes {
		wg.Go(func() {
			outcomes[i] = p.Fetch(t.Context(), append(slices.Clone(refs[i:]), missing)...)
		})
	}
	wg.Wait()
	for n, results := range outcomes {
		some := refs[n:]
		require.Len(t, results, len(some)+1)
		for i, ref := range some {
			s.requireValue(t, ref, results[i], s.value(n+i))
		}
		s.requireError(t, missing, results[len(some)].Err, provider.ErrNotFound)
	}
}
