package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// Fetch implements [provider.Provider]: one request for each value, refs that
// mean the same together. The agent asks AWS for it.
func (s *Store) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	return s.fetch(ctx, refs, nil)
}

// Refetch implements [provider.Refetcher]. It is [Store.Fetch], but with
// [WithSharedCache] the agent may answer from its cache as long as that has the
// version that is known.
func (s *Store) Refetch(ctx context.Context, known ...provider.Known) []provider.Result {
	refs, versions := make([]provider.Ref, len(known)), make([]provider.Version, len(known))
	for i, k := range known {
		refs[i], versions[i] = k.Ref, k.Version
	}
	return s.fetch(ctx, refs, versions)
}

// item is one thing to ask for, and the answer once it is there.
type item struct {
	ref   provider.Ref // without a field
	known provider.Version

	done bool
	answer
	err error
}

// patience is how long the requests of one Fetch are repeated while the agent
// is not ready: on Lambda and in a sidecar it may start later than the program
// (README of aws-workload-credentials-provider, AWS Lambda).
const patience = 2 * time.Second

func (s *Store) fetch(ctx context.Context, refs []provider.Ref, known []provider.Version) []provider.Result {
	results := make([]provider.Result, len(refs))
	of := make([]*item, len(refs))
	items := make(map[provider.Ref]*item, len(refs))
	var order []*item
	for i, ref := range refs {
		if err := s.check(ref); err != nil {
			results[i].Err = err
			continue
		}
		var version provider.Version
		if known != nil {
			version = known[i]
		}
		it, again := items[ref.Base()]
		if !again {
			it = &item{ref: ref.Base(), known: version}
			items[it.ref] = it
			order = append(order, it)
		} else if it.known != version { // one of them is to be read in any case
			it.known = provider.Version{}
		}
		of[i] = it
	}
	s.readAll(ctx, order)
	for i, it := range of {
		switch {
		case it == nil:
		case it.err != nil:
			results[i].Err = s.explain(refs[i], it.err)
		default:
			results[i].Value = provider.NewValue(refs[i], it.version, it.typ, it.content)
		}
	}
	return results
}

// check holds a ref that was put together by hand to the rules of
// [provider.ParseRef].
func (s *Store) check(ref provider.Ref) error {
	e := &provider.Error{Ref: ref, Kind: provider.ErrInvalidRef, Hint: "it is not in the form that ParseRef gives it"}
	if ref.Scheme != s.api.scheme {
		e.Hint = "this provider reads " + s.api.scheme + "://"
		return e
	}
	whole := ref
	whole.Field = "" // a provider ignores it
	parsed, err := provider.ParseRef(whole.String())
	if why, ok := errors.AsType[*provider.Error](err); ok {
		e.Hint = why.Hint
	}
	if err == nil && parsed == whole {
		return nil
	}
	return e
}

// readAll settles the items, each in its turn under the limit.
func (s *Store) readAll(ctx context.Context, items []*item) {
	ready := time.Now().Add(patience)
	var started sync.WaitGroup
	for _, it := range items {
		if !s.enter(ctx) {
			break
		}
		started.Go(func() {
			defer func() { <-s.limit }()
			it.answer, it.err = s.read(ctx, it, ready)
			it.done = true
		})
	}
	started.Wait()
	for _, it := range items {
		if !it.done { // ctx ended before its turn came
			it.err = ctx.Err()
		}
	}
}

func (s *Store) enter(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case s.limit <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// read reads one item, past the agent's cache unless that will do.
func (s *Store) read(ctx context.Context, it *item, ready time.Time) (answer, error) {
	if it.ref.Pinned() { // it never changes
		return s.ask(ctx, it.ref, false, ready)
	}
	if s.shared && it.known != (provider.Version{}) {
		cached, err := s.ask(ctx, it.ref, false, ready)
		// Another version may be an older one just as well as a newer.
		if err != nil || cached.version.ID == it.known.ID && cached.version.Created.Equal(it.known.Created) {
			return cached, err
		}
	}
	return s.ask(ctx, it.ref, s.api.refresh, ready)
}

// ask makes a request, with refreshNow where that is known, and again while the
// agent is not ready.
func (s *Store) ask(ctx context.Context, ref provider.Ref, refresh bool, ready time.Time) (answer, error) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		fresh := refresh && !s.noRefresh.Load()
		a, err := s.request(ctx, ref, fresh)
		switch {
		case err == nil:
			return a, nil
		case fresh && refreshRefused(err):
			// An agent from before refreshNow calls it an unknown parameter.
			if a, err = s.request(ctx, ref, false); known(err) && !s.noRefresh.Swap(true) {
				s.log().Warn("agent: it does not know refreshNow, so what it has cached is served for its own TTL: update it, or set that TTL to 0")
			}
			return a, err
		case !notReady(err) || !time.Now().Add(wait).Before(ready):
			return answer{}, err
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return answer{}, ctx.Err()
		}
	}
}
