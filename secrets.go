package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// Value is one version of a secret or parameter, or of one field of it; see
// [provider.Value]. Printing it in any way prints a redaction.
type Value = provider.Value

// ErrClosed is the error of every read through a [Client] that was closed.
var ErrClosed = errors.New("secrets: client is closed")

// Client reads secrets and parameters through a cache. It is safe for
// concurrent use; a program needs one, for all its stores. Make it with [New].
type Client struct {
	cache      *cache
	clock      *clock
	lanes      map[string]*lane
	rejections *rejections
	vars       map[string]string
	fallback   Fallback
	logger     *slog.Logger
	observer   Observer
	stats      counters

	fetchTimeout, rejectInterval time.Duration

	start sync.Once     // of the refresher
	wake  chan struct{} // the refresher's

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wait   sync.WaitGroup // every goroutine of the client's, but
	calls  sync.WaitGroup // those that call the program's decoders and callbacks
	mu     sync.Mutex     // guards closed and additions to wait and calls
	closed bool
}

// Format implements [fmt.Formatter]: what is in a client is in use while it would
// be printed. See [Client.Entries].
func (*Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "secrets.Client") }

// New returns a client of the given providers. It makes no network call and
// starts no goroutine; an option that makes no sense is an error.
func New(opts ...Option) (*Client, error) {
	o := options{maxEntries: DefaultMaxEntries, fetchTimeout: DefaultFetchTimeout, rejectInterval: DefaultRejectInterval, times: times{
		ttl: DefaultTTL, stale: DefaultStaleIfError, denied: DefaultStaleIfDenied, negative: DefaultNegativeTTL}}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("secrets: New was given a nil Option")
		}
		opt(&o)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &Client{fetchTimeout: o.fetchTimeout, rejectInterval: o.rejectInterval, rejections: newRejections(o.maxEntries), vars: o.vars, fallback: o.fallback, logger: o.logger, observer: o.observer,
		lanes: make(map[string]*lane), wake: make(chan struct{}, 1)}
	var err error
	if c.cache, err = newCache(o.times, o.maxEntries); err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	c.cache.wake = c.rouse
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.clock = newClock(c.stats.hits.load)
	for _, p := range o.providers {
		c.lanes[p.Scheme()] = newLane(c, p, o.rates)
	}
	return c, nil
}

// Get returns the value that ref names ([provider.ParseRef] lists the forms).
//
// A value that was read less than the TTL ago comes from the cache: no
// allocation, no lock, no network. Otherwise Get waits for the store. All who
// want the same secret or parameter then wait for one call, whatever fields of
// it they want, and what else is missed at the time travels with it or in the
// call after it.
//
// When ctx ends, Get returns at once, with ctx.Err(); the call goes on for the
// others and for the cache, until its own timeout ([WithFetchTimeout]). Where it
// was a deadline that ended ctx, and the store has let a call wait for half a
// second or longer by then, Get returns a stale value instead, if the cache
// ([WithStaleIfError]) or [WithFallback] has one. All other errors name the ref
// and wrap one of package provider's Err values or [ErrClosed]; the error of the
// store's SDK is reachable by [errors.As].
func (c *Client) Get(ctx context.Context, ref string) (Value, error) {
	if s := c.cache.table.find(ref); s != nil {
		if now, expires := c.clock.now(), s.lease.expires.Load(); now < expires {
			c.hit(ctx, s, now, expires)
			return s.value, nil
		}
	}
	return c.miss(ctx, ref)
}

// hit notes that a slot was found fresh: most often, no more than that.
func (c *Client) hit(ctx context.Context, s *slot, now, expires int64) {
	n := c.stats.hits.inc()
	if sampled(n) || s.lease.used.Load() == 0 || expires&stale != 0 || c.observer.Read != nil || !c.cache.settled(s.lease, now) {
		c.note(ctx, s, now, expires, n)
	}
}

// note is the rest of hit, kept apart so that a hit needs little stack.
//
//go:noinline
func (c *Client) note(ctx context.Context, s *slot, now, expires int64, n uint64) {
	if sampled(n) {
		s.lease.hits.Add(sampling)
	}
	s.lease.used.Store(1)
	c.cache.touch(s.lease, now)
	if expires&stale != 0 {
		c.stats.stale.Add(1)
	}
	if c.observer.Read != nil {
		c.observer.Read(ctx, Read{Ref: s.key, Version: s.value.Version(), Source: sourceOf(expires&stale != 0), RequestID: s.lease.request})
	}
}

// Text returns the text of the value that ref names. It is [Client.Get] and
// [provider.Value.Text], but a binary value is an error, [provider.ErrNotText].
func (c *Client) Text(ctx context.Context, ref string) (string, error) {
	v, err := c.Get(ctx, ref)
	if err != nil {
		return "", err
	}
	if v.Binary() {
		return "", named(ref, &provider.Error{Ref: v.Ref(), Kind: provider.ErrNotText, Hint: "read it by Get and Bytes"})
	}
	return v.Text(), nil
}

// GetAll returns the values that the refs name, keyed by the refs as they are
// written. What is not cached is read in as few calls as the stores allow. The
// map holds whatever could be read; the error joins those of the rest (use
// [errors.Is] and [errors.As]), each naming its ref, and is nil if there are
// none. When ctx ends, what has not arrived by then is as [Client.Get] says.
func (c *Client) GetAll(ctx context.Context, refs ...string) (map[string]Value, error) {
	values := make(map[string]Value, len(refs))
	var errs []error
	c.readAll(ctx, refs, wantValue, func(ref string, v Value, err error) {
		if err != nil {
			errs = append(errs, err)
		} else {
			values[ref] = v
		}
	})
	return values, errors.Join(errs...)
}

// Refresh reads the refs from their stores now, in as few calls as the stores
// allow, and returns when the cache holds what they brought; with no refs,
// everything that is cached. It never joins a call that began before it, so
// what was written before Refresh is seen after it, as far as the store itself
// is consistent. A version that is pinned is read only if it is not cached.
//
// Where reading fails the cache keeps what it has. The error joins all that
// went wrong, as in [Client.GetAll].
func (c *Client) Refresh(ctx context.Context, refs ...string) error {
	if len(refs) == 0 {
		for _, key := range c.cache.keys() {
			refs = append(refs, key.String())
		}
	}
	var errs []error
	c.readAll(ctx, refs, wantNews, func(_ string, _ Value, err error) { errs = append(errs, err) })
	return errors.Join(errs...)
}

// Invalidate forgets what is cached for the refs, with no refs everything: the
// next read of each goes to the store. All fields of a secret go with it. A
// call that is under way still serves who waits for it already, and nobody
// else. Refs that are malformed or not cached are passed over.
func (c *Client) Invalidate(refs ...string) {
	if len(refs) == 0 {
		for _, l := range c.lanes {
			l.supersede()
		}
		c.cache.drop()
		return
	}
	for _, s := range refs {
		if r, l, err := c.parse(s); err == nil {
			l.supersede(r.Base())
			c.cache.drop(r.Base())
		}
	}
}

// Close ends all reads, which return [ErrClosed] from then on, forgets every
// value and stops every goroutine that the client started. It returns when they
// have ended, and an error if some provider's Fetch does not return within five
// seconds of being told to. A decoder or a callback that has begun it awaits for
// a tenth of a second only: that may be what calls Close. None begins after
// Close. Closing again does nothing.
func (c *Client) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if again {
		return nil
	}
	c.cancel()
	c.clock.close()
	defer func() {
		for _, l := range c.lanes {
			l.close()
		}
		c.cache.close()
	}()
	if !ended(&c.wait, 5*time.Second) {
		return errors.New("secrets: a provider's Fetch did not return when its context ended")
	}
	ended(&c.calls, 100*time.Millisecond)
	return nil
}

// ended waits until all of a group have ended, and reports whether they had
// within the given time.
func ended(group *sync.WaitGroup, most time.Duration) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	select {
	case <-done:
		return true
	case <-timeout.C:
		return false
	}
}

func (c *Client) log() *slog.Logger {
	if c.logger != nil {
		return c.logger
	}
	return slog.Default()
}

// begin lets a goroutine start, unless the client is closed; it must tell the
// group when it is done.
func (c *Client) begin(group *sync.WaitGroup) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		group.Add(1)
	}
	return !c.closed
}

// parse returns what a ref names and the way to its store.
func (c *Client) parse(s string) (provider.Ref, *lane, error) {
	r, err := provider.ParseRef(s)
	if err != nil {
		return r, nil, err
	}
	l, err := c.lane(s, r)
	return r, l, err
}

func (c *Client) lane(s string, r provider.Ref) (*lane, error) {
	if l := c.lanes[r.Scheme]; l != nil {
		return l, nil
	}
	return nil, named(s, &provider.Error{Ref: r, Kind: provider.ErrInvalidRef,
		Hint: fmt.Sprintf("the client has no provider for %q: pass one to New by WithProvider", r.Scheme)})
}

// miss reads what no lookup found fresh.
func (c *Client) miss(ctx context.Context, s string) (Value, error) {
	if c.ctx.Err() != nil {
		return Value{}, named(s, ErrClosed)
	}
	r, l, err := c.parse(s)
	if err != nil {
		return Value{}, err
	}
	v, found, err := c.cached(ctx, s, r, l)
	ended := ctx.Err() != nil
	if !found && ended {
		v, found, err = c.overdue(ctx, s, r)
	}
	if found {
		c.stats.hits.inc()
	}
	if found || ended {
		return v, err
	}
	c.stats.misses.Add(1)
	return c.arrive(ctx, s, r, l.join(wantValue, r.Base())[0], wantValue)
}

// cached answers a read from the cache where no lookup did: under a spelling,
// or of a field, that was not asked for before, with a stale value while its
// store is in trouble, or with what the store refused a moment ago. That it is a
// hit is for the caller to count.
func (c *Client) cached(ctx context.Context, s string, r provider.Ref, l *lane) (v Value, found bool, err error) {
	key, now := r.Base(), c.clock.now()
	whole, request, isStale, due, err := c.cache.look(key, now, &l.trouble)
	switch {
	case err != nil:
		err = named(s, err)
		c.read(ctx, Read{Ref: s, Source: SourceRefusal, Err: err})
		return v, true, err
	case whole == Value{}:
		return v, false, nil
	}
	if due {
		l.renew(key)
	}
	if isStale {
		c.stats.stale.Add(1)
	}
	v, err = c.cache.spell(s, r, whole)
	err = named(s, err)
	c.read(ctx, Read{Ref: s, Version: whole.Version(), Source: sourceOf(isStale), RequestID: request, Err: err})
	return v, true, err
}

// arrive waits for a flight and takes what s names out of what it brings; a
// stale value, if the caller wants the value and not news.
func (c *Client) arrive(ctx context.Context, s string, r provider.Ref, f *flight, d demand) (v Value, err error) {
	select {
	case <-f.done:
	default:
		select {
		case <-f.done:
		case <-ctx.Done():
			if d != wantValue {
				return Value{}, ctx.Err()
			}
			v, _, err = c.overdue(ctx, s, r)
			return v, err
		case <-c.ctx.Done():
			return Value{}, named(s, ErrClosed)
		}
	}
	source := SourceStore
	switch {
	case f.err == nil:
		v, err = c.cache.spell(s, r, f.value)
	case c.ctx.Err() != nil:
		err = ErrClosed
	case d == wantValue && f.value != Value{}:
		source = SourceStale
		c.stats.stale.Add(1)
		v, err = c.cache.spell(s, r, f.value)
	default:
		err = f.err
	}
	err = named(s, err)
	if d == wantValue {
		c.read(ctx, Read{Ref: s, Version: f.value.Version(), Source: source, RequestID: f.request, Err: err})
	}
	return v, err
}

// readAll reads many refs together: those that are cached at once, unless news
// are wanted, the others in one flight each that leave together. It gives the
// outcome of each.
func (c *Client) readAll(ctx context.Context, refs []string, d demand, give func(ref string, v Value, err error)) {
	type wanted struct {
		s string
		r provider.Ref
		f *flight
	}
	var wants []*wanted
	queued := make(map[*lane][]*wanted)
	for _, s := range refs {
		if slot := c.cache.table.find(s); slot != nil && (d == wantValue || slot.value.Ref().Pinned()) {
			if now, expires := c.clock.now(), slot.lease.expires.Load(); now < expires {
				c.hit(ctx, slot, now, expires)
				give(s, slot.value, nil)
				continue
			}
		}
		if c.ctx.Err() != nil {
			give(s, Value{}, named(s, ErrClosed))
			continue
		}
		r, l, err := c.parse(s)
		if err != nil {
			give(s, Value{}, err)
			continue
		}
		if d == wantValue || r.Pinned() {
			if v, ok, err := c.cached(ctx, s, r, l); ok {
				c.stats.hits.inc()
				give(s, v, err)
				continue
			}
		}
		w := &wanted{s: s, r: r}
		wants = append(wants, w)
		queued[l] = append(queued[l], w)
	}
	if ctx.Err() == nil {
		for l, ws := range queued {
			keys := make([]provider.Ref, len(ws))
			for i, w := range ws {
				keys[i] = w.r.Base()
			}
			c.stats.misses.Add(uint64(len(ws)))
			for i, f := range l.join(d, keys...) {
				ws[i].f = f
			}
		}
	}
	for _, w := range wants {
		var v Value
		err := ctx.Err()
		switch {
		case w.f != nil:
			v, err = c.arrive(ctx, w.s, w.r, w.f, d)
		case d == wantValue:
			var found bool
			if v, found, err = c.overdue(ctx, w.s, w.r); found {
				c.stats.hits.inc()
			}
		}
		give(w.s, v, named(w.s, err))
	}
}

// named makes sure that an error names the ref as the caller wrote it.
func named(ref string, err error) error {
	if err == nil || strings.Contains(err.Error(), ref) {
		return err
	}
	return fmt.Errorf("%s: %w", ref, err)
}
