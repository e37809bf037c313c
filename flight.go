package secrets

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/c0629bfc/secrets/internal/schedule"
	"github.com/c0629bfc/secrets/provider"
)

// lane leads to one provider. At most one call is under way in it: what is
// missed meanwhile queues up and travels together when the call has landed, so
// that a burst of misses costs as few calls as the store's batches allow, while
// a lone miss leaves at once.
type lane struct {
	client   *Client
	provider provider.Provider
	bucket   *schedule.Bucket // of requests that read; nil is no limit
	writes   *schedule.Bucket // of those that write
	trouble  trouble
	round    atomic.Int64 // when the values of the store are refreshed next

	mu       sync.Mutex
	flights  map[provider.Ref]*flight // those that a miss may join
	queue    []*flight                // those of them that have not left
	underWay map[*flight]int64        // calls, by the first flight of each: when it left
	overtime *time.Timer

	gathering *time.Timer // runs while a burst of misses is awaited
	gathered  int         // of the queue, when it last ran out; 0 if none is
	gathers   int         // how often it has
}

// flight is the reading of one value, for all who wait for it.
type flight struct {
	ref  provider.Ref
	done chan struct{} // closed when what follows is set

	value provider.Value
	err   error // with a value: why it is a stale one

	request string // the ID of the request that brought the value

	left       bool           // with a call; guarded by the lane's mutex
	news       bool           // somebody wants to know how things are now
	known      provider.Value // what the cache had when it left
	awaited    atomic.Bool    // somebody wants it, and not the refresher alone
	superseded atomic.Bool    // what it brings is too old for the cache
}

// landed reports whether the flight has delivered.
func (f *flight) landed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

const (
	// patience is how long a call may keep those waiting that came after it.
	// Then they leave without it: a call that hangs holds up nobody for long.
	patience = 500 * time.Millisecond
	// quick is a call that may be over before the burst of misses is that it was
	// the first of. Those behind it wait for each other while more keep coming, in
	// steps and for as long at most. AWS is not as quick: this is for stores on
	// loopback, and not for those that answer instantly, from memory.
	quick   = 5 * time.Millisecond
	step    = quick / 10
	instant = 50 * time.Microsecond
	// grace is how long after its timeout a call may still bring what it has.
	grace = time.Second
)

func newLane(c *Client, p provider.Provider, rates map[string]rateLimit) *lane {
	l := &lane{client: c, provider: p, flights: make(map[provider.Ref]*flight), underWay: make(map[*flight]int64)}
	l.round.Store(math.MinInt64 / 2) // never
	limit, ok := rates[p.Scheme()]
	if limited, has := p.(provider.Limited); has && !ok {
		limit.perSecond, limit.burst = limited.RateLimit()
		ok = true
	}
	if ok && !math.IsInf(limit.perSecond, 1) {
		l.bucket = schedule.NewBucket(limit.perSecond, limit.burst)
		l.writes = schedule.NewBucket(limit.perSecond, limit.burst)
	}
	l.overtime = time.AfterFunc(time.Hour, l.hurry)
	l.overtime.Stop()
	l.gathering = time.AfterFunc(time.Hour, l.gather)
	l.gathering.Stop()
	return l
}

// demand is what a caller of join wants.
type demand int

const (
	wantValue   demand = iota // the value, however it comes
	wantNews                  // how things are now: no flight that left before
	wantAside                 // the same, and a new flight's value is not cached
	wantRenewal               // that the cache be renewed; nobody waits
)

func (d demand) news() bool { return d == wantNews || d == wantAside }

// join returns the flights that bring the refs, in their order: those already
// on the way, and new ones for the rest.
func (l *lane) join(d demand, refs ...provider.Ref) []*flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	flights := make([]*flight, len(refs))
	waiting := len(l.queue) > 0
	for i, ref := range refs {
		f := l.flights[ref]
		if f != nil && d != wantRenewal && f.landed() {
			f = nil // it is about to be cleared away, and too old for who comes now
		}
		switch {
		case f != nil && !(d.news() && f.left):
			if d != wantRenewal {
				l.client.stats.coalesced.Add(1)
			}
		case f == nil && d == wantValue && l.arrived(ref, &f):
			l.client.stats.coalesced.Add(1)
		default:
			if f != nil {
				f.superseded.Store(true)
			}
			f = &flight{ref: ref, done: make(chan struct{})}
			f.superseded.Store(d == wantAside)
			l.flights[ref] = f
			l.queue = append(l.queue, f)
		}
		if d != wantRenewal {
			f.awaited.Store(true)
		}
		if !f.left {
			f.news = f.news || d.news()
		}
		flights[i] = f
	}
	switch {
	case l.gathered > 0:
	case len(l.underWay) == 0:
		l.depart()
	case len(l.queue) > 0 && !waiting:
		l.overtime.Reset(patience)
	}
	return flights
}

// arrived finds what a flight has brought since the caller looked for it: the
// caller gets one that has landed.
func (l *lane) arrived(ref provider.Ref, f **flight) bool {
	v := l.client.cache.fresh(ref, l.client.clock.read())
	if v == (provider.Value{}) {
		return false
	}
	*f = &flight{ref: ref, done: make(chan struct{}), left: true, value: v}
	close((*f).done)
	return true
}

// renew starts a flight that nobody waits for, unless some call is under way: a
// store in trouble is asked one thing at a time.
func (l *lane) renew(ref provider.Ref) {
	l.mu.Lock()
	idle := len(l.underWay) == 0
	l.mu.Unlock()
	if idle {
		l.join(wantRenewal, ref)
	}
}

// longest returns when the call left that has been under way for the longest.
func (l *lane) longest() (left int64, any bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.underWay {
		if !any || at < left {
			left, any = at, true
		}
	}
	return left, any
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

// depart sends off all that is queued, but not to a store that is to be left
// alone what nobody waits for. The caller holds the mutex.
func (l *lane) depart() {
	batch, now := l.queue, l.client.clock.read()
	l.queue = nil
	if retry := l.trouble.retry.Load(); now < retry {
		batch = slices.DeleteFunc(batch, func(f *flight) bool {
			if f.awaited.Load() {
				return false
			}
			delete(l.flights, f.ref)
			close(f.done)
			l.client.cache.putOff(f.ref, retry)
			return true
		})
	}
	l.overtime.Stop()
	l.gathering.Stop()
	l.gathered, l.gathers = 0, 0
	if len(batch) == 0 {
		return
	}
	for _, f := range batch {
		f.left = true
	}
	l.underWay[batch[0]] = now
	if !l.client.begin(&l.client.wait) {
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

// gather lets those leave who wait for more of their burst, once no more came in
// a step.
func (l *lane) gather() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.gathered == 0: // they have left
	case len(l.queue) > l.gathered && l.gathers < int(quick/step)-1:
		l.gathers++
		l.gathered = len(l.queue)
		l.gathering.Reset(step)
	default:
		l.depart()
	}
}

// close keeps all that is still under way, with a provider that hangs, out of
// the cache.
func (l *lane) close() {
	l.supersede()
	l.overtime.Stop()
	l.gathering.Stop()
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
	c.stats.fetches.Add(1)
	c.stats.fetched.Add(uint64(len(batch)))
	for _, f := range batch {
		f.known = c.cache.has(f.ref)
	}
	began := c.clock.read()

	// The call lands once: with its results, or without them when the provider
	// ignores its timeout. What it brings after that is nobody's.
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
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(time.Hour, func() {
		land(nil, fmt.Errorf("the provider did not return: %w", context.DeadlineExceeded))
	})
	watchdog.Stop()
	defer watchdog.Stop()
	timeout := time.AfterFunc(c.fetchTimeout, func() {
		cancel(context.DeadlineExceeded)
		watchdog.Reset(grace)
	})
	defer timeout.Stop()
	// A large call goes on for as long as it gets on, and while some request of
	// it waits for its turn.
	var mu sync.Mutex
	var until time.Time
	extend := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		if at := time.Now().Add(d); at.After(until) {
			until = at
			timeout.Reset(d)
		}
	}
	ctx = provider.WithCalls(ctx, func(call provider.Call) {
		if call.Err == nil {
			extend(c.fetchTimeout)
		}
		l.called(l.bucket, call)
	})
	ctx = paced(ctx, l.bucket, func(delay time.Duration) { extend(delay + c.fetchTimeout) })

	var err error
	var results []provider.Result
	returned := false
	defer func() {
		if !returned {
			err = errors.New("the provider " + panicked(recover()))
		}
		land(results, err)
	}()
	results = l.call(ctx, batch)
	returned = true
	if len(results) != len(batch) {
		results, err = nil, fmt.Errorf("the provider returned %d results for %d refs", len(results), len(batch))
	}
	if context.Cause(ctx) == context.DeadlineExceeded {
		late(results, c.fetchTimeout)
	}
}

// account returns the context for a provider's work that a caller waits for
// himself: its requests are counted and held below the rate of a bucket.
func (l *lane) account(ctx context.Context, bucket *schedule.Bucket) context.Context {
	ctx = provider.WithCalls(ctx, func(call provider.Call) { l.called(bucket, call) })
	return paced(ctx, bucket, func(time.Duration) {})
}

// called takes note of a request that has ended.
func (l *lane) called(bucket *schedule.Bucket, call provider.Call) {
	if call.Throttled && bucket != nil {
		bucket.Throttled(time.Now())
	}
	l.client.called(call)
}

// paced has a provider's requests wait for their turn; waits is told for how
// long one will.
func paced(ctx context.Context, bucket *schedule.Bucket, waits func(time.Duration)) context.Context {
	if bucket == nil {
		return ctx
	}
	return provider.WithPace(ctx, func(ctx context.Context, cost float64) error {
		return bucket.Wait(ctx, cost, waits)
	})
}

// late says of results that were given up for lateness that this is why.
func late(results []provider.Result, timeout time.Duration) {
	for i, r := range results {
		if e, ok := errors.AsType[*provider.Error](r.Err); ok && errors.Is(r.Err, context.Canceled) {
			results[i].Err = &provider.Error{Ref: e.Ref, Kind: provider.ErrUnavailable,
				Hint: fmt.Sprintf("no answer within %v: WithFetchTimeout sets the limit", timeout), Err: context.DeadlineExceeded}
		}
	}
}

// call asks the provider, in the cheaper way where something is known already
// and nobody wants to know how things are this very moment.
func (l *lane) call(ctx context.Context, batch []*flight) []provider.Result {
	refetcher, ok := l.provider.(provider.Refetcher)
	var any bool
	refs, known := make([]provider.Ref, len(batch)), make([]provider.Known, len(batch))
	for i, f := range batch {
		refs[i] = f.ref
		known[i] = provider.Known{Ref: f.ref}
		if !f.news && f.known != (provider.Value{}) {
			known[i].Version = f.known.Version()
			any = true
		}
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
			failures[i] = typed(f.ref, results[i].Err)
		case results[i].Unchanged && f.known != provider.Value{}:
			results[i].Value = f.known
		case results[i].Value == provider.Value{}:
			failures[i] = &provider.Error{Ref: f.ref, Kind: provider.ErrUnavailable, Hint: "the provider returned neither a value nor an error"}
		}
	}
	now := c.clock.read()
	if c.ctx.Err() == nil {
		l.note(failures, began, now)
	}
	plan := l.plan(began, now)
	var waits backoffs
	for i, f := range batch {
		if f.err = failures[i]; f.err == nil {
			var changed bool
			results[i].Value = results[i].Value.WithRef(f.ref)
			f.request = results[i].RequestID
			f.value, changed = c.cache.put(f.ref, plan.arrival(results[i], f.known != provider.Value{}), func(known bool) bool {
				return !f.superseded.Load() && (known || f.awaited.Load())
			})
			c.refreshed(f, changed, results[i].Unchanged)
		} else {
			c.refreshed(f, false, false)
			if c.ctx.Err() == nil && !f.superseded.Load() {
				f.value = l.failed(f, now, &waits)
			}
		}
		if !f.superseded.Load() {
			c.keep(f.ref, f.value, f.err)
		}
		close(f.done)
	}
}

// typed makes one of package provider's errors of a provider's plain one.
func typed(ref provider.Ref, err error) error {
	if _, ok := errors.AsType[*provider.Error](err); ok || !storewide(err) || errors.Is(err, provider.ErrThrottled) || errors.Is(err, provider.ErrUnavailable) {
		return err
	}
	return &provider.Error{Ref: ref, Kind: provider.ErrUnavailable, Err: err}
}

// failed notes that a flight brought an error and returns the value to serve
// all the same, if there is one.
func (l *lane) failed(f *flight, now int64, waits *backoffs) provider.Value {
	retry := int64(0)
	if storewide(f.err) {
		retry = l.trouble.retry.Load() // when is for the store's trouble to say
	}
	v, first := l.client.cache.failed(f.ref, f.err, now, retry, f.awaited.Load(), waits)
	if v == (provider.Value{}) && f.awaited.Load() {
		return l.fallBack(f.ref, f.err, now, waits)
	}
	if first {
		then := "the cached one is served on"
		if v == (provider.Value{}) { // it was deleted or invalidated, or there never was one
			then = "handles keep what they have"
		}
		l.client.log().Warn("secrets: a value cannot be refreshed: "+then, "ref", f.ref.String(), "error", f.err)
	}
	return v
}

// note tells the lane how the store is doing, and the log when that changes.
func (l *lane) note(failures []error, start, now int64) {
	began, lasted := l.trouble.note(failures, start, now, l.client.cache.times.ttl)
	switch {
	case began:
		i := 0
		for !storewide(failures[i]) {
			i++
		}
		l.client.log().Warn("secrets: a store is in trouble: what is cached is served on", "store", l.provider.Scheme(), "error", failures[i])
	case lasted > 0:
		l.client.log().Info("secrets: a store is well again", "store", l.provider.Scheme(), "after", lasted.Round(time.Millisecond))
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
	took := l.client.clock.read() - l.underWay[batch[0]]
	delete(l.underWay, batch[0])
	switch {
	case len(l.underWay) > 0:
	case len(l.queue) > 1 && int64(instant) < took && took < int64(quick) && l.client.ctx.Err() == nil:
		l.gathered = len(l.queue)
		l.gathering.Reset(step)
	default:
		l.depart()
	}
}

// panicked tells of a panic, or of runtime.Goexit, without repeating what the
// function was called with, which could be anything: only the runtime's own
// words are known to be harmless.
func panicked(p any) string {
	switch p := p.(type) {
	case nil:
		return "ended its goroutine"
	case runtime.Error:
		return "panicked: " + p.Error()
	default:
		return fmt.Sprintf("panicked with a %T", p)
	}
}
