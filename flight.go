package secrets

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// lane leads to one provider. At most one call is under way in it: what is
// missed meanwhile queues up and travels together when the call has landed, so
// that a burst of misses costs as few calls as the store's batches allow, while
// a lone miss leaves at once.
type lane struct {
	client   *Client
	provider provider.Provider
	trouble  trouble

	mu       sync.Mutex
	flights  map[provider.Ref]*flight // those that a miss may join
	queue    []*flight                // those of them that have not left
	underWay int                      // calls
	overtime *time.Timer
}

// flight is the reading of one value, for all who wait for it.
type flight struct {
	ref  provider.Ref
	done chan struct{} // closed when what follows is set

	value provider.Value
	err   error // with a value: why it is a stale one

	left       bool           // with a call; guarded by the lane's mutex
	known      provider.Value // what the cache had when it left
	awaited    atomic.Bool    // somebody wants it, and not the refresher alone
	superseded atomic.Bool    // what it brings is too old for the cache
}

const (
	// patience is how long a call may keep those waiting that came after it.
	// Then they leave without it: a call that hangs holds up nobody for long.
	patience = 500 * time.Millisecond
	// grace is how long after its deadline a call may still bring what it has.
	grace = time.Second
)

func newLane(c *Client, p provider.Provider) *lane {
	l := &lane{client: c, provider: p, flights: make(map[provider.Ref]*flight)}
	l.overtime = time.AfterFunc(time.Hour, l.hurry)
	l.overtime.Stop()
	return l
}

// demand is what a caller of join wants.
type demand int

const (
	wantValue   demand = iota // the value, however it comes
	wantNews                  // how things are now: no flight that left before
	wantRenewal               // that the cache be renewed; nobody waits
)

// join returns the flights that bring the refs, in their order: those already
// on the way, and new ones for the rest.
func (l *lane) join(d demand, refs ...provider.Ref) []*flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	flights := make([]*flight, len(refs))
	waiting := len(l.queue) > 0
	for i, ref := range refs {
		f := l.flights[ref]
		switch {
		case f != nil && !(d == wantNews && f.left):
			if d != wantRenewal {
				l.client.stats.coalesced.Add(1)
			}
		default:
			if f != nil {
				f.superseded.Store(true)
			}
			f = &flight{ref: ref, done: make(chan struct{})}
			l.flights[ref] = f
			l.queue = append(l.queue, f)
		}
		if d != wantRenewal {
			f.awaited.Store(true)
		}
		flights[i] = f
	}
	switch {
	case l.underWay == 0:
		l.depart()
	case len(l.queue) > 0 && !waiting:
		l.overtime.Reset(patience)
	}
	return flights
}

// renew starts a flight that nobody waits for, unless some call is under way: a
// store in trouble is asked one thing at a time.
func (l *lane) renew(ref provider.Ref) {
	l.mu.Lock()
	idle := l.underWay == 0
	l.mu.Unlock()
	if idle {
		l.join(wantRenewal, ref)
	}
}

// supersede keeps what is under way for the refs out of the cache, and later
// misses out of those flights; with no refs, all that is under way.
func (l *lane) supersede(refs ...provider.Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(refs) == 0 {
		for ref := range l.flights {
			refs = append(refs, ref)
		}
	}
	for _, ref := range refs {
		// A flight that has not left will bring what is there when it does.
		if f := l.flights[ref]; f != nil && f.left {
			f.superseded.Store(true)
			delete(l.flights, ref)
		}
	}
}

// depart sends off all that is queued. The caller holds the mutex.
func (l *lane) depart() {
	if len(l.queue) == 0 {
		return
	}
	batch := l.queue
	l.queue = nil
	for _, f := range batch {
		f.left = true
	}
	l.overtime.Stop()
	l.underWay++
	if !l.client.begin() {
		for _, f := range batch {
			f.err = ErrClosed
			close(f.done)
		}
		l.land(batch)
		return
	}
	l.client.stats.inFlight.Add(int64(len(batch)))
	go l.fly(batch)
}

// close keeps all that is still under way, with a provider that hangs, out of
// the cache.
func (l *lane) close() {
	l.supersede()
	l.overtime.Stop()
}

// hurry lets those leave who have waited long enough for the call before them.
func (l *lane) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.depart()
}

// fly makes one call to the provider.
func (l *lane) fly(batch []*flight) {
	c := l.client
	defer c.wait.Done()
	ctx, cancel := context.WithTimeout(c.ctx, c.fetchTimeout)
	defer cancel()
	c.stats.fetches.Add(1)
	c.stats.fetched.Add(uint64(len(batch)))
	for _, f := range batch {
		f.known = c.cache.held(f.ref)
	}
	began := c.clock.read()

	// The call lands once: with its results, or without them when the provider
	// ignores its deadline. What it brings after that is nobody's.
	var once sync.Once
	land := func(results []provider.Result, err error) {
		once.Do(func() {
			l.deliver(batch, results, began, err)
			c.stats.inFlight.Add(-int64(len(batch)))
			l.mu.Lock()
			defer l.mu.Unlock()
			l.land(batch)
		})
	}
	watchdog := time.AfterFunc(c.fetchTimeout+grace, func() {
		land(nil, fmt.Errorf("the provider did not return: %w", context.DeadlineExceeded))
	})
	defer watchdog.Stop()

	err := errors.New("the provider ended its goroutine") // runtime.Goexit
	var results []provider.Result
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
		land(results, err)
	}()
	results = l.call(ctx, batch)
	err = nil
	if len(results) != len(batch) {
		results, err = nil, fmt.Errorf("the provider returned %d results for %d refs", len(results), len(batch))
	}
}

// call asks the provider, in the cheaper way where something is known already.
func (l *lane) call(ctx context.Context, batch []*flight) []provider.Result {
	refetcher, ok := l.provider.(provider.Refetcher)
	var any bool
	refs, known := make([]provider.Ref, len(batch)), make([]provider.Known, len(batch))
	for i, f := range batch {
		refs[i] = f.ref
		known[i] = provider.Known{Ref: f.ref, Version: f.known.Version()}
		any = any || f.known != provider.Value{}
	}
	if ok && any {
		return refetcher.Refetch(ctx, known...)
	}
	return l.provider.Fetch(ctx, refs...)
}

// deliver hands out what a call brought, to the cache and to who waits.
func (l *lane) deliver(batch []*flight, results []provider.Result, began int64, err error) {
	c := l.client
	failures := make([]error, len(batch))
	for i, f := range batch {
		switch {
		case err != nil:
			failures[i] = &provider.Error{Ref: f.ref, Kind: provider.ErrUnavailable, Err: err}
		case results[i].Err != nil:
			failures[i] = results[i].Err
		case results[i].Unchanged && f.known != provider.Value{}:
			results[i].Value = f.known
		case results[i].Value == provider.Value{}:
			failures[i] = &provider.Error{Ref: f.ref, Kind: provider.ErrUnavailable, Hint: "the provider returned neither a value nor an error"}
		}
	}
	now := c.clock.read()
	if c.ctx.Err() == nil {
		l.note(failures, now)
	}
	spread := c.spread()
	for i, f := range batch {
		if f.err = failures[i]; f.err == nil {
			var changed bool
			f.value, changed = c.cache.put(f.ref, c.arrival(f, results[i], began, spread), func(known bool) bool {
				return !f.superseded.Load() && (known || f.awaited.Load())
			})
			c.stats.refreshed(f, changed)
		} else {
			c.stats.refreshed(f, false)
			if c.ctx.Err() == nil && !f.superseded.Load() {
				f.value, _ = c.cache.failed(f.ref, f.err, now, l.retry(f.err))
			}
		}
		close(f.done)
	}
}

// note tells the lane how the store is doing, and the log when that changes.
func (l *lane) note(failures []error, now int64) {
	began, ended := l.trouble.note(failures, now, l.client.cache.times.ttl)
	switch {
	case began:
		i := 0
		for !storewide(failures[i]) {
			i++
		}
		l.client.log().Warn("secrets: a store is in trouble: what is cached is served on", "store", l.provider.Scheme(), "error", failures[i])
	case ended:
		l.client.log().Info("secrets: a store is well again", "store", l.provider.Scheme())
	}
}

// retry returns when a failed flight is to be tried again, where that is for
// the store's trouble to say; else 0.
func (l *lane) retry(err error) int64 {
	if storewide(err) {
		return l.trouble.retry.Load()
	}
	return 0
}

// land clears away a call that has delivered and lets the next one leave. The
// caller holds the mutex.
func (l *lane) land(batch []*flight) {
	for _, f := range batch {
		if l.flights[f.ref] == f {
			delete(l.flights, f.ref)
		}
	}
	l.underWay--
	if l.underWay == 0 {
		l.depart()
	}
}

// panicError tells of a panic in a provider without repeating what it was
// called with, which could be anything: only the runtime's own words are known
// to be harmless.
func panicError(p any) error {
	if err, ok := p.(runtime.Error); ok {
		return fmt.Errorf("the provider panicked: %w", err)
	}
	return fmt.Errorf("the provider panicked with a %T", p)
}
