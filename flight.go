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

	mu       sync.Mutex
	flights  map[provider.Ref]*flight // those that a miss may join
	queue    []*flight                // those of them that have not left
	underWay int                      // calls
	overtime *time.Timer
}

// flight is the reading of one value, for all who wait for it.
type flight struct {
	ref  provider.Ref
	done chan struct{} // closed when value and err are set

	value provider.Value
	err   error

	left       bool        // with a call; guarded by the lane's mutex
	superseded atomic.Bool // what it brings is too old for the cache
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

// join returns the flights that bring the refs, in their order: those already
// on the way, and new ones for the rest. A caller that needs to know how things
// are now (after) joins none that left before.
func (l *lane) join(after bool, refs ...provider.Ref) []*flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	flights := make([]*flight, len(refs))
	waiting := len(l.queue) > 0
	for i, ref := range refs {
		f := l.flights[ref]
		switch {
		case f != nil && !(after && f.left):
			l.client.stats.coalesced.Add(1)
		default:
			if f != nil {
				f.superseded.Store(true)
			}
			f = &flight{ref: ref, done: make(chan struct{})}
			l.flights[ref] = f
			l.queue = append(l.queue, f)
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
		l.deliver(batch, nil, 0, ErrClosed)
		l.land(batch)
		return
	}
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

	refs := make([]provider.Ref, len(batch))
	for i, f := range batch {
		refs[i] = f.ref
	}
	c.stats.fetches.Add(1)
	c.stats.fetched.Add(uint64(len(refs)))
	began := c.clock.read()

	// The call lands once: with its results, or without them when the provider
	// ignores its deadline. What it brings after that is nobody's.
	var once sync.Once
	land := func(results []provider.Result, err error) {
		once.Do(func() {
			l.deliver(batch, results, began, err)
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
	results = l.provider.Fetch(ctx, refs...)
	err = nil
	if len(results) != len(refs) {
		results, err = nil, fmt.Errorf("the provider returned %d results for %d refs", len(results), len(refs))
	}
}

// deliver hands out what a call brought, to the cache and to who waits.
func (l *lane) deliver(batch []*flight, results []provider.Result, began int64, err error) {
	for i, f := range batch {
		var r provider.Result
		switch {
		case errors.Is(err, ErrClosed):
			r.Err = err
		case err != nil:
			r.Err = &provider.Error{Ref: f.ref, Kind: provider.ErrUnavailable, Err: err}
		case results[i] == provider.Result{}:
			r.Err = &provider.Error{Ref: f.ref, Kind: provider.ErrUnavailable, Hint: "the provider returned neither a value nor an error"}
		default:
			r = results[i]
		}
		if r.Err != nil {
			f.err = r.Err
			l.client.stats.errors.Add(1)
		} else {
			f.value = l.client.cache.put(f.ref, r.Value.WithRef(f.ref), began, func() bool { return !f.superseded.Load() })
		}
		close(f.done)
	}
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
