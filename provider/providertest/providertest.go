// Package providertest holds the suite that every provider of secrets must
// pass: what [provider.Provider] and its optional capabilities promise, as
// tests. A provider of your own is tested in one function:
//
//	func TestConformance(t *testing.T) {
//		store := newStore()
//		providertest.Run(t, providertest.Harness{
//			New: func(testing.TB) provider.Provider { return myprovider.New(store) },
//			Put: func(t testing.TB, name, text string) provider.Version { … },
//		})
//	}
package providertest

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

// Harness connects the suite to a store. New and Put are required; of what is
// left nil or empty, the suite takes the store not to have it.
//
// All functions act on one store. It may be shared with other runs of the
// suite: every run names its values anew. What Put creates should be removed
// when the test ends (t.Cleanup).
type Harness struct {
	// New returns a provider that reads the store.
	New func(t testing.TB) provider.Provider

	// Put writes a text value: a new one, or a new version of one that is
	// there. It returns the version that it made; its ID may be left empty if
	// the store does not tell.
	Put func(t testing.TB, name, text string) provider.Version

	// PutBinary writes a binary value, as Put does a text.
	PutBinary func(t testing.TB, name string, data []byte) provider.Version

	// Delete removes a value. Reading it then is provider.ErrNotFound or
	// provider.ErrDeleted.
	Delete func(t testing.TB, name string)

	// Recreate deletes a value for good and makes a new one under its name,
	// which may come to have the version ID of the old one.
	Recreate func(t testing.TB, name, text string)

	// Purge removes for good what a Writer under test made, and says nothing
	// where there is nothing. Where it is nil, the Writer's own Delete is used.
	Purge func(t testing.TB, name string)

	// CompareAndSwap: of several Puts at once on one condition, one wins, as a
	// store can promise that compares and writes in one step.
	CompareAndSwap bool

	// Name makes of one of the suite's names, such as "run-x7/app/url", one
	// that is legal in the store. Below a slash it must keep what is below a
	// slash. Where it is nil, names are used as they are.
	Name func(name string) string

	// MissingVersion is a well-formed version ID that no value has, such as
	// "999". Where it is empty, the suite does not read by version.
	MissingVersion string

	// Block makes the store's answers wait until the test ends, and returns a
	// channel that is sent to, or closed, once a call has arrived.
	Block func(t testing.TB) (arrived <-chan struct{})
}

// Run runs the suite, each promise as a subtest.
func Run(t *testing.T, h Harness) {
	s := &suite{Harness: h, run: "run-" + strings.ToLower(rand.Text()[:8])}
	s.marker = "hunter2-" + s.run
	tests := []struct {
		name string
		test func(*testing.T)
	}{
		{"Scheme", s.scheme},
		{"NoRefs", s.noRefs},
		{"Sizes", s.sizes},
		{"Mixed", s.mixed},
		{"Duplicates", s.duplicates},
		{"Missing", s.missing},
		{"Malformed", s.malformed},
		{"FieldIsIgnored", s.fieldIsIgnored},
		{"Text", s.text},
		{"Binary", s.binary},
		{"NewVersionIsSeen", s.newVersionIsSeen},
		{"PinnedVersionStays", s.pinnedVersionStays},
		{"UnknownVersion", s.unknownVersion},
		{"Deleted", s.deleted},
		{"EndedContext", s.endedContext},
		{"ContextEndsMidCall", s.contextEndsMidCall},
		{"Concurrent", s.concurrent},
		{"Refetch", s.refetch},
		{"Probe", s.probe},
		{"List", s.list},
		{"Write", s.write},
	}
	for _, test := range tests {
		t.Run(test.name, test.test)
	}
}

type suite struct {
	Harness
	run    string // in every name
	marker string // in every value, in no error
	serial int
}

// name returns a name that no test used before, below the given ones.
func (s *suite) name(parts ...string) string {
	s.serial++
	return s.fixedName(append(parts, fmt.Sprintf("n%03d", s.serial))...)
}

// fixedName returns the same name for the same parts.
func (s *suite) fixedName(parts ...string) string {
	name := s.run + "/" + strings.Join(parts, "/")
	if s.Name != nil {
		name = s.Name(name)
	}
	return name
}

// value returns content that no error may contain.
func (s *suite) value(what any) string { return fmt.Sprintf("%s-%v", s.marker, what) }

// put writes a value and returns the ref to read it by, and its version.
func (s *suite) put(t testing.TB, p provider.Provider, name, text string) (provider.Ref, provider.Version) {
	t.Helper()
	v := s.Put(t, name, text)
	return s.ref(t, p, name), v
}

// ref returns the ref of a name, which must be one that can be written down.
func (s *suite) ref(t testing.TB, p provider.Provider, name string) provider.Ref {
	t.Helper()
	ref := provider.Ref{Scheme: p.Scheme(), Name: name}
	parsed, err := provider.ParseRef(ref.String())
	require.NoError(t, err, "the name that the harness made")
	require.Equal(t, ref, parsed, "the name that the harness made")
	return ref
}

// fill writes n values and returns their refs; the text of each is value(i).
func (s *suite) fill(t testing.TB, p provider.Provider, n int, below ...string) []provider.Ref {
	t.Helper()
	refs := make([]provider.Ref, n)
	for i := range refs {
		refs[i], _ = s.put(t, p, s.name(below...), s.value(i))
	}
	return refs
}

// fetch fetches and checks that there is one result for each ref.
func (s *suite) fetch(t testing.TB, p provider.Provider, refs ...provider.Ref) []provider.Result {
	t.Helper()
	results := p.Fetch(t.Context(), refs...)
	require.Len(t, results, len(refs), "Fetch returns one result for each ref")
	return results
}

// requireValue checks a result that must be a value.
func (s *suite) requireValue(t testing.TB, ref provider.Ref, r provider.Result, text string) provider.Value {
	t.Helper()
	require.NoError(t, r.Err, "%s", ref)
	require.Equal(t, text, r.Value.Text(), "the text of %s", ref)
	require.Equal(t, ref, r.Value.Ref(), "a value's ref is the one that it was fetched by")
	require.NotEmpty(t, r.Value.Version().ID, "the version of %s", ref)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", r, r, r), s.marker, "a result prints no value")
	return r.Value
}

// requireError checks an error of one ref, which wraps one of kinds.
func (s *suite) requireError(t testing.TB, ref provider.Ref, err error, kinds ...error) {
	t.Helper()
	require.Error(t, err, "%s", ref)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if strings.Contains(fmt.Sprintf(verb, err), s.marker) {
			t.Fatalf("the error of %s prints a value with %s", ref, verb)
		}
	}
	var e *provider.Error
	require.ErrorAs(t, err, &e, "the error of a ref is a *provider.Error")
	require.Equal(t, ref, e.Ref, "the error names the ref that failed")
	if ref.Name != "" {
		require.ErrorContains(t, err, ref.String(), "the error names the ref that failed")
	}
	for _, kind := range kinds {
		if e.Kind == kind {
			return
		}
	}
	t.Fatalf("the error of %s is of kind %q, not %q: %v", ref, e.Kind, kinds, err)
}
