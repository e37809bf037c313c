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

	blocked chan struct{} // closed when a call arrives; nil where none is to wait
}

type entry struct {
	content string
	typ     provider.Type
}

func newMemory() *memory { return &memory{values: make(map[string][]entry)} }

func (m *memory) harness() providertest.Harness {
	return providertest.Harness{
		New: func(testing.TB) provider.Provider { return m },
		Put: func(_ testing.TB, name, text string) provider.Version {
			return m.put(name, entry{text, provider.SecretString})
		},
		PutBinary: func(_ testing.TB, name string, data []byte) provider.Version {
			return m.put(name, entry{string(data), provider.SecretBinary})
		},
		Delete: func(_ testing.TB, name string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.values, name)
		},
		MissingVersion: "999",
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
	m.values[name] = append(m.values[name], e)
	return version(len(m.values[name]))
}

func version(n int) provider.Version {
	return provider.NewVersion(fmt.Sprint(n), time.Unix(int64(n), 0))
}

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
		results[i].Value = provider.NewValue(ref, version(n), e.typ, e.content)
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

func (m *memory) Probe(ctx context.Context, refs ...provider.Ref) []provider.ProbeResult {
	results := make([]provider.ProbeResult, len(refs))
	for i, ref := range refs {
		n, _, err := m.find(ctx, ref)
		if err != nil {
			results[i].Err = err
			continue
		}
		results[i].Version = version(n)
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
