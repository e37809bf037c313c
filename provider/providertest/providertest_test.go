package providertest_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/provider/providertest"
)

func TestSoundProviderPasses(t *testing.T) {
	providertest.Run(t, newMemory().harness())
}

// bare has none of the optional capabilities.
type bare struct{ m *memory }

func (b bare) Scheme() string { return b.m.Scheme() }
func (b bare) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	return b.m.Fetch(ctx, refs...)
}

func TestBareProviderPasses(t *testing.T) {
	m := newMemory()
	providertest.Run(t, providertest.Harness{
		New: func(testing.TB) provider.Provider { return bare{m} },
		Put: m.harness().Put,
	})
}

// broken is the memory provider with one fault.
type broken struct {
	*memory
	fetch   func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result
	refetch func(m *memory, ctx context.Context, known []provider.Known) []provider.Result
	probe   func(m *memory, ctx context.Context, refs []provider.Ref) []provider.ProbeResult
	list    func(m *memory, ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error]
	put     func(m *memory, ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error)
	remove  func(m *memory, ctx context.Context, ref provider.Ref) error
}

func (b broken) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	if b.fetch != nil {
		return b.fetch(b.memory, ctx, refs)
	}
	return b.memory.Fetch(ctx, refs...)
}

func (b broken) Refetch(ctx context.Context, known ...provider.Known) []provider.Result {
	if b.refetch != nil {
		return b.refetch(b.memory, ctx, known)
	}
	return b.memory.Refetch(ctx, known...)
}

func (b broken) Probe(ctx context.Context, refs ...provider.Ref) []provider.ProbeResult {
	if b.probe != nil {
		return b.probe(b.memory, ctx, refs)
	}
	return b.memory.Probe(ctx, refs...)
}

func (b broken) List(ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
	if b.list != nil {
		return b.list(b.memory, ctx, prefix)
	}
	return b.memory.List(ctx, prefix)
}

func (b broken) Put(ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
	if b.put != nil {
		return b.put(b.memory, ctx, v, cond)
	}
	return b.memory.Put(ctx, v, cond)
}

func (b broken) Delete(ctx context.Context, ref provider.Ref) error {
	if b.remove != nil {
		return b.remove(b.memory, ctx, ref)
	}
	return b.memory.Delete(ctx, ref)
}

// each changes the outcome of single refs.
func each(change func(m *memory, ref provider.Ref, r provider.Result) provider.Result) func(*memory, context.Context, []provider.Ref) []provider.Result {
	return func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		results := m.Fetch(ctx, refs...)
		for i := range results {
			results[i] = change(m, refs[i], results[i])
		}
		return results
	}
}

// eachKnown changes the outcome of refetching single refs.
func eachKnown(change func(m *memory, k provider.Known, r provider.Result) provider.Result) func(*memory, context.Context, []provider.Known) []provider.Result {
	return func(m *memory, ctx context.Context, known []provider.Known) []provider.Result {
		results := m.Refetch(ctx, known...)
		for i := range results {
			results[i] = change(m, known[i], results[i])
		}
		return results
	}
}

// faults are what a provider may get wrong, each with a test of the suite that
// must notice.
var faults = map[string]struct {
	broken
	noticed string
}{
	"WrongOrder": {noticed: "Sizes", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		results := m.Fetch(ctx, refs...)
		slices.SortFunc(results, func(a, b provider.Result) int { return strings.Compare(a.Value.Text(), b.Value.Text()) })
		return results
	}}},
	"DropsOne": {noticed: "Sizes", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		return m.Fetch(ctx, refs[:min(len(refs), 100)]...)
	}}},
	"LastOfElevenIsLost": {noticed: "Sizes/11", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		results := m.Fetch(ctx, refs...)
		if len(refs) == 11 {
			results[10] = provider.Result{}
		}
		return results
	}}},
	"InventsOne": {noticed: "NoRefs", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		return append(m.Fetch(ctx, refs...), provider.Result{})
	}}},
	"OneErrorPoisonsAll": {noticed: "Mixed", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		results := m.Fetch(ctx, refs...)
		if i := slices.IndexFunc(results, func(r provider.Result) bool { return r.Err != nil }); i >= 0 {
			for j := range results {
				results[j] = provider.Result{Err: results[i].Err}
			}
		}
		return results
	}}},
	"DuplicateIsMissing": {noticed: "Duplicates", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		results := m.Fetch(ctx, refs...)
		for i, ref := range refs {
			if slices.Contains(refs[:i], ref) {
				results[i] = provider.Result{Err: &provider.Error{Ref: ref, Kind: provider.ErrNotFound}}
			}
		}
		return results
	}}},
	"ErrorLeaksValue": {noticed: "Deleted", broken: broken{fetch: each(func(m *memory, ref provider.Ref, r provider.Result) provider.Result {
		var e *provider.Error
		if errors.As(r.Err, &e) {
			m.mu.Lock()
			defer m.mu.Unlock()
			said := "unexpected token in"
			for _, versions := range m.values { // of some tests the content is not the suite's usual one
				said += " " + versions[0].content
			}
			e.Err = errors.New(said)
		}
		return r
	})}},
	"ResultPrintsValue": {noticed: "Sizes", broken: broken{fetch: each(func(_ *memory, _ provider.Ref, r provider.Result) provider.Result {
		r.Err = errors.New(r.Value.Text())
		return r
	})}},
	"PlainError": {noticed: "Missing", broken: broken{fetch: each(func(_ *memory, _ provider.Ref, r provider.Result) provider.Result {
		if r.Err != nil {
			r.Err = errors.New(r.Err.Error())
		}
		return r
	})}},
	"WrongKind": {noticed: "Missing", broken: broken{fetch: each(func(_ *memory, _ provider.Ref, r provider.Result) provider.Result {
		var e *provider.Error
		if errors.As(r.Err, &e) {
			e.Kind = provider.ErrUnavailable
		}
		return r
	})}},
	"ErrorOfAnotherRef": {noticed: "Missing", broken: broken{fetch: each(func(_ *memory, _ provider.Ref, r provider.Result) provider.Result {
		var e *provider.Error
		if errors.As(r.Err, &e) {
			e.Ref = provider.Ref{Scheme: "mem", Name: "other"}
		}
		return r
	})}},
	"MissingIsEmpty": {noticed: "Missing", broken: broken{fetch: each(func(_ *memory, _ provider.Ref, r provider.Result) provider.Result {
		if errors.Is(r.Err, provider.ErrNotFound) {
			r.Err = nil
		}
		return r
	})}},
	"MatchesPrefix": {noticed: "Missing", broken: broken{fetch: each(func(m *memory, ref provider.Ref, r provider.Result) provider.Result {
		if errors.Is(r.Err, provider.ErrNotFound) {
			for name := range m.values {
				if strings.HasPrefix(name, ref.Name) {
					return m.Fetch(context.Background(), provider.Ref{Scheme: "mem", Name: name})[0]
				}
			}
		}
		return r
	})}},
	"AcceptsOtherSchemes": {noticed: "Malformed", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		refs = slices.Clone(refs)
		for i := range refs {
			refs[i].Scheme = "mem"
		}
		return m.Fetch(ctx, refs...)
	}}},
	"ReadsField": {noticed: "FieldIsIgnored", broken: broken{fetch: each(func(_ *memory, ref provider.Ref, r provider.Result) provider.Result {
		if ref.Field != "" {
			r.Value, r.Err = r.Value.Field(ref.Field)
		}
		return r
	})}},
	"TrimsText": {noticed: "Text/Spaces", broken: broken{fetch: each(func(_ *memory, ref provider.Ref, r provider.Result) provider.Result {
		if r.Err == nil {
			r.Value = provider.NewValue(ref, r.Value.Version(), r.Value.Type(), strings.TrimSpace(r.Value.Text()))
		}
		return r
	})}},
	"BinaryAsText": {noticed: "Binary", broken: broken{fetch: each(func(_ *memory, ref provider.Ref, r provider.Result) provider.Result {
		if r.Err == nil {
			r.Value = provider.NewValue(ref, r.Value.Version(), provider.SecretString, r.Value.Text())
		}
		return r
	})}},
	"NeverSeesNewVersion": {noticed: "NewVersionIsSeen", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		old := slices.Clone(refs)
		for i := range old {
			old[i].Version = "1"
		}
		results := m.Fetch(ctx, old...)
		for i := range results {
			results[i].Value = results[i].Value.WithRef(refs[i])
		}
		return results
	}}},
	"VersionsLookTheSame": {noticed: "NewVersionIsSeen", broken: broken{fetch: each(func(_ *memory, ref provider.Ref, r provider.Result) provider.Result {
		if r.Err == nil {
			r.Value = provider.NewValue(ref, version(1, entry{}), r.Value.Type(), r.Value.Text())
		}
		return r
	})}},
	"PinIsIgnored": {noticed: "PinnedVersionStays", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		newest := slices.Clone(refs)
		for i := range newest {
			newest[i].Version = ""
		}
		results := m.Fetch(ctx, newest...)
		for i := range results {
			results[i].Value = results[i].Value.WithRef(refs[i])
		}
		return results
	}}},
	"UnknownVersionIsNotFound": {noticed: "UnknownVersion", broken: broken{fetch: each(func(_ *memory, ref provider.Ref, r provider.Result) provider.Result {
		if errors.Is(r.Err, provider.ErrVersionNotFound) {
			r.Err = &provider.Error{Ref: ref, Kind: provider.ErrNotFound}
		}
		return r
	})}},
	"IgnoresContext": {noticed: "EndedContext", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		if ctx.Err() != nil { // not when it ends later, which would hang
			ctx = context.WithoutCancel(ctx)
		}
		return m.Fetch(ctx, refs...)
	}}},
	"HidesContextError": {noticed: "EndedContext", broken: broken{fetch: each(func(_ *memory, _ provider.Ref, r provider.Result) provider.Result {
		var e *provider.Error
		if errors.As(r.Err, &e) {
			e.Err = nil
		}
		return r
	})}},
	"NothingAfterCancel": {noticed: "ContextEndsMidCall", broken: broken{fetch: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.Result {
		ended := ctx.Err() != nil
		results := m.Fetch(ctx, refs...)
		if !ended && ctx.Err() != nil {
			return nil
		}
		return results
	}}},
	"RefetchNeverChanges": {noticed: "Refetch/NewVersionIsSeen", broken: broken{refetch: eachKnown(func(_ *memory, k provider.Known, r provider.Result) provider.Result {
		if r.Err == nil && k.Version.ID != "" {
			return provider.Result{Unchanged: true}
		}
		return r
	})}},
	"RefetchTakesAnyVersion": {noticed: "Refetch/OtherVersionIsKnown", broken: broken{refetch: eachKnown(func(_ *memory, k provider.Known, r provider.Result) provider.Result {
		if k.Version.ID == "999" {
			return provider.Result{Unchanged: true}
		}
		return r
	})}},
	"RefetchOfZeroIsUnchanged": {noticed: "Refetch/ZeroVersionReads", broken: broken{refetch: eachKnown(func(_ *memory, k provider.Known, r provider.Result) provider.Result {
		if r.Err == nil && k.Version.ID == "" {
			return provider.Result{Unchanged: true}
		}
		return r
	})}},
	"RefetchComparesNumbers": {noticed: "Refetch/Recreated", broken: broken{refetch: eachKnown(func(_ *memory, k provider.Known, r provider.Result) provider.Result {
		if r.Err == nil && r.Value.Version().ID == k.Version.ID {
			return provider.Result{Unchanged: true}
		}
		return r
	})}},
	"RefetchHidesDeletion": {noticed: "Refetch/Deleted", broken: broken{refetch: eachKnown(func(_ *memory, _ provider.Known, r provider.Result) provider.Result {
		if errors.Is(r.Err, provider.ErrNotFound) {
			return provider.Result{Unchanged: true}
		}
		return r
	})}},
	"RefetchMixesUpDuplicates": {noticed: "Refetch/Mixed", broken: broken{refetch: func(m *memory, ctx context.Context, known []provider.Known) []provider.Result {
		results := m.Refetch(ctx, known...)
		for i, k := range known {
			if first := slices.IndexFunc(known, func(o provider.Known) bool { return o.Ref == k.Ref }); first < i {
				results[i] = results[first]
			}
		}
		return results
	}}},
	"RefetchDropsOne": {noticed: "Refetch/Unchanged", broken: broken{refetch: func(m *memory, ctx context.Context, known []provider.Known) []provider.Result {
		return m.Refetch(ctx, known[:min(len(known), 40)]...)
	}}},
	"RefetchUnpins": {noticed: "Refetch/Pinned", broken: broken{refetch: func(m *memory, ctx context.Context, known []provider.Known) []provider.Result {
		known = slices.Clone(known)
		for i := range known {
			known[i].Ref.Version = ""
		}
		return m.Refetch(ctx, known...)
	}}},
	"RefetchIgnoresContext": {noticed: "Refetch/EndedContext", broken: broken{refetch: func(m *memory, ctx context.Context, known []provider.Known) []provider.Result {
		if ctx.Err() != nil { // not when it ends later, which would hang
			ctx = context.WithoutCancel(ctx)
		}
		return m.Refetch(ctx, known...)
	}}},
	"ProbeNeverChanges": {noticed: "Probe/NewVersionIsSeen", broken: broken{probe: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.ProbeResult {
		results := m.Probe(ctx, refs...)
		for i := range results {
			results[i].Version = version(1, entry{})
		}
		return results
	}}},
	"ProbeTellsAnotherVersion": {noticed: "Probe/AgreesWithFetch", broken: broken{probe: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.ProbeResult {
		results := m.Probe(ctx, refs...)
		for i := range results {
			results[i].Version.ID += "x"
		}
		return results
	}}},
	"ProbeOfMissingIsEmpty": {noticed: "Probe/Mixed", broken: broken{probe: func(m *memory, ctx context.Context, refs []provider.Ref) []provider.ProbeResult {
		results := m.Probe(ctx, refs...)
		for i := range results {
			results[i].Err = nil
		}
		return results
	}}},
	"ListTakesLookAlikes": {noticed: "List/All", broken: broken{list: func(m *memory, ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
		prefix.Name = strings.TrimSuffix(prefix.Name, "/")
		return m.List(ctx, prefix)
	}}},
	"ListStopsAfterAPage": {noticed: "List/All", broken: broken{list: func(m *memory, ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
		return func(yield func(provider.Value, error) bool) {
			n := 0
			for v, err := range m.List(ctx, prefix) {
				if n++; n > 40 || !yield(v, err) {
					return
				}
			}
		}
	}}},
	"ListGoesOnAfterBreak": {noticed: "List/Break", broken: broken{list: func(m *memory, ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
		return func(yield func(provider.Value, error) bool) {
			for v, err := range m.List(ctx, prefix) {
				yield(v, err)
			}
		}
	}}},
	"ListHidesItsError": {noticed: "List/EndedContext", broken: broken{list: func(m *memory, ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
		return func(yield func(provider.Value, error) bool) {
			for v, err := range m.List(ctx, prefix) {
				if err != nil || !yield(v, err) {
					return
				}
			}
		}
	}}},
}

func init() { maps.Copy(faults, writeFaults) }

// faultVar tells the test binary, run as a child, which broken provider to hand
// to the suite.
const faultVar = "PROVIDERTEST_FAULT"

func TestBrokenProviderInChild(t *testing.T) {
	fault, ok := faults[os.Getenv(faultVar)]
	if !ok {
		return // not the child
	}
	m := newMemory()
	h := m.harness()
	fault.memory = m
	h.New = func(testing.TB) provider.Provider { return fault.broken }
	providertest.Run(t, h)
}

func TestBrokenProvidersFail(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenProviderInChild$", "-test.v", "-test.timeout=5m")
			// With one processor, who yields has the others run: what goes wrong
			// among several goroutines goes wrong each time.
			child.Env = append(os.Environ(), faultVar+"="+name, "GOMAXPROCS=1")
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the suite passes it")
			require.Contains(t, string(out), "--- FAIL: TestBrokenProviderInChild/"+fault.noticed)
		})
	}
}
