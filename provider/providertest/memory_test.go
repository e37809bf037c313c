package providertest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/provider/providertest"
)

// memory is a store and its provider in one.
type memory struct {
	mu     sync.Mutex
	values map[string][]entry
	serial int64 // dates versions

	blocked chan struct{} // closed when a call arrives; nil where none is to wait
}

type entry struct {
	content string
	typ     provider.Type
	created time.Time
	token   string // of the Put that wrote it
}

func newMemory() *memory { return &memory{values: make(map[string][]entry)} }

func (m *memory) harness() providertest.Harness {
	return providertest.Harness{
		New: func(testing.TB) provider.Provider { return m },
		Put: func(_ testing.TB, name, text string) provider.Version {
			return m.put(name, entry{content: text, typ: provider.SecretString})
		},
		PutBinary: func(_ testing.TB, name string, data []byte) provider.Version {
			return m.put(name, entry{content: string(data), typ: provider.SecretBinary})
		},
		Delete: func(_ testing.TB, name string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.values, name)
		},
		Recreate: func(_ testing.TB, name, text string) {
			m.mu.Lock()
			delete(m.values, name)
			m.mu.Unlock()
			m.put(name, entry{content: text, typ: provider.SecretString})
		},
		MissingVersion: "999",
		CompareAndSwap: true,
		Block: func(t testing.TB) <-chan struct{} {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.blocked = make(chan struct{})
			t.Cleanup(func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.blocked = nil
			})
			return m.blocked
		},
	}
}

func (m *memory) put(name string, e entry) provider.Version {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serial++
	e.created = time.Unix(m.serial, 0)
	m.values[name] = append(m.values[name], e)
	return version(len(m.values[name]), e)
}

func version(n int, e entry) provider.Version { return provider.NewVersion(fmt.Sprint(n), e.created) }

func (m *memory) Scheme() string { return "mem" }

func (m *memory) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	m.mu.Lock()
	blocked := m.blocked
	m.mu.Unlock()
	if blocked != nil {
		close(blocked)
		<-ctx.Done()
	}
	results := make([]provider.Result, len(refs))
	for i, ref := range refs {
		n, e, err := m.find(ctx, ref)
		if err != nil {
			results[i].Err = err
			continue
		}
		results[i].Value = provider.NewValue(ref, version(n, e), e.typ, e.content)
	}
	return results
}

func (m *memory) find(ctx context.Context, ref provider.Ref) (n int, e entry, err error) {
	fail := func(kind, err error) (int, entry, error) {
		return 0, entry{}, &provider.Error{Ref: ref, Kind: kind, Err: err}
	}
	if ctx.Err() != nil {
		return fail(provider.ErrUnavailable, ctx.Err())
	}
	if ref.Scheme != "mem" || ref.Name == "" {
		return fail(provider.ErrInvalidRef, nil)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	versions := m.values[ref.Name]
	if len(versions) == 0 {
		return fail(provider.ErrNotFound, nil)
	}
	n = len(versions)
	if ref.Version != "" {
		if _, err := fmt.Sscan(ref.Version, &n); err != nil || n < 1 || n > len(versions) {
			return fail(provider.ErrVersionNotFound, err)
		}
	}
	return n, versions[n-1], nil
}

func (m *memory) Refetch(ctx context.Context, known ...provider.Known) []provider.Result {
	refs := make([]provider.Ref, len(known))
	for i, k := range known {
		refs[i] = k.Ref
	}
	results := m.Fetch(ctx, refs...)
	for i, r := range results {
		if v := r.Value.Version(); r.Err == nil && v == known[i].Version {
			results[i] = provider.Result{Unchanged: true}
		}
	}
	return results
}

func (m *memory) Probe(ctx context.Context, refs ...provider.Ref) []provider.ProbeResult {
	results := make([]provider.ProbeResult, len(refs))
	for i, ref := range refs {
		n, e, err := m.find(ctx, ref)
		if err != nil {
			results[i].Err = err
			continue
		}
		results[i].Version = version(n, e)
	}
	return results
}

func (m *memory) List(ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
	return func(yield func(provider.Value, error) bool) {
		fail := func(kind, err error) {
			yield(provider.Value{}, &provider.Error{Ref: prefix, Kind: kind, Err: err})
		}
		if prefix.Scheme != "mem" {
			fail(provider.ErrInvalidRef, errors.New("want mem://"))
			return
		}
		m.mu.Lock()
		names := slices.Sorted(maps.Keys(m.values))
		m.mu.Unlock()
		for _, name := range names {
			if ctx.Err() != nil {
				fail(provider.ErrUnavailable, ctx.Err())
				return
			}
			if !strings.HasPrefix(name, prefix.Name) {
				continue
			}
			r := m.Fetch(ctx, provider.Ref{Scheme: "mem", Name: name})[0]
			if !yield(r.Value, r.Err) {
				return
			}
		}
	}
}
