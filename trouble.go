package secrets

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/c0629bfc/secrets/internal/schedule"
	"github.com/c0629bfc/secrets/provider"
)

// What the cache does when a store does not give a value: it serves the one it
// has for a while, and asks again ever more seldom.

// trouble is how a store is doing. Its methods are safe for concurrent use.
type trouble struct {
	failures atomic.Int64 // calls in a row that failed for the store's sake
	retry    atomic.Int64 // when to ask again; 0 if all is well
	since    atomic.Int64 // when the first of them failed
	well     atomic.Int64 // when the last call began that was answered
}

// note takes the outcome of a call that began and ended at the given times, and
// reports whether trouble began with it, or how long what it ended had lasted.
// One ref that was answered shows that the store is there; what was throttled
// beside it is asked for again by itself, after a backoff of its own and at the
// rate that the bucket has been lowered to. A failure of a call that another one
// overtook and was answered is old news, and a ref that is refused for its form
// is no news at all.
func (t *trouble) note(results []error, start, now int64, ttl time.Duration) (began bool, lasted time.Duration) {
	if slices.ContainsFunc(results, answered) {
		t.retry.Store(0)
		t.well.Store(max(start, t.well.Load()))
		if t.failures.Swap(0) > 0 {
			lasted = max(time.Duration(now-t.since.Load()), 1)
		}
		return false, lasted
	}
	if start < t.well.Load() || !slices.ContainsFunc(results, storewide) {
		return false, 0
	}
	n := t.failures.Add(1)
	if n == 1 {
		t.since.Store(now)
	}
	t.retry.Store(now + int64(schedule.Backoff(int(n), ttl)))
	return n == 1, 0
}

// backoffs draws one wait for each number of failures in a row, so that what
// failed in one call is asked for again in one call.
type backoffs struct{ drawn map[int]int64 }

func (b *backoffs) after(failures int, ttl time.Duration) int64 {
	wait, ok := b.drawn[failures]
	if !ok {
		wait = int64(schedule.Backoff(failures, ttl))
		if b.drawn == nil {
			b.drawn = make(map[int]int64)
		}
		b.drawn[failures] = wait
	}
	return wait
}

// storewide reports whether an error is of the store and not of one value.
func storewide(err error) bool {
	return !answered(err) && !errors.Is(err, provider.ErrInvalidRef)
}

// answered reports whether an outcome shows that the store is there.
func answered(err error) bool {
	return err == nil || refusal(err) || errors.Is(err, provider.ErrDecryption)
}

// refusal reports whether the store answered, and its answer is that it does
// not give the value.
func refusal(err error) bool {
	for _, kind := range []error{provider.ErrNotFound, provider.ErrVersionNotFound, provider.ErrAccessDenied, provider.ErrDeleted} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// overdue answers a read whose context has ended: by the context's error, but
// by what is found in the cache, a stale value, where a deadline has ended it
// while the store lets wait. Who cancels wants no value any more.
func (c *Client) overdue(ctx context.Context, s string, r provider.Ref) (v Value, found bool, err error) {
	l := c.lanes[r.Scheme]
	if c.ctx.Err() == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && l.hangs(r.Base()) {
		if v, found, err := c.cached(ctx, s, r, l); found {
			return v, true, err
		}
	}
	return Value{}, false, ctx.Err()
}

// hangs reports whether some call has been under way for longer than [patience],
// and if so notes for a key that its store does not answer, so that what there is
// of it is served. A reader with less time than that says nothing of the store.
func (l *lane) hangs(key provider.Ref) bool {
	now := l.client.clock.read()
	if left, any := l.longest(); !any || now-left < int64(patience) {
		return false
	}
	err := &provider.Error{Ref: key, Kind: provider.ErrUnavailable, Hint: "no answer yet", Err: context.DeadlineExceeded}
	if !l.client.cache.late(key, err, now) {
		l.fallBack(key, err, now, new(backoffs))
	}
	return true
}

// putOff has the refresher turn to an entry at the given time.
func (c *cache) putOff(key provider.Ref, until int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(key); e != nil && e.place >= 0 {
		c.plan(e, until)
	}
}

// late notes that a value is not refreshed in time, and reports whether there is
// one that may be served.
func (c *cache) late(key provider.Ref, err error, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.find(key)
	if !e.full() {
		return false
	}
	if now < e.lease.expires.Load() {
		return true
	}
	if e.err == nil && now < c.times.deadline(e, err) {
		e.err, e.since, e.failures = err, time.Now(), e.failures+1
		e.retry = now + int64(schedule.MinBackoff)
		c.plan(e, e.retry)
	}
	return now < c.times.deadline(e, e.err)
}

// deadline returns until when the entry's value is served though err, at most.
func (t times) deadline(e *entry, err error) int64 {
	past := t.stale
	if refusal(err) {
		past = t.denied
	}
	return e.read + int64(t.ttl) + int64(past)
}

// failed notes that a call brought an error for a key and returns the value to
// serve all the same, if there is one, and whether the store refuses it for the
// first time. Retry is when to ask again, where the whole store is in trouble; else 0.
// Awaited says that somebody reads the value: it is in use.
func (c *cache) failed(key provider.Ref, err error, now, retry int64, awaited bool, waits *backoffs) (v provider.Value, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(key); e != nil {
		stands := err
		if refusal(e.err) && storewide(err) {
			stands = e.err // until the store takes it back
		}
		deadline := c.times.deadline(e, stands)
		watched := c.watched(key)
		if now >= deadline && watched {
			c.empty(e)
			deadline = never
		}
		if now < deadline {
			if e.err == nil {
				e.since = time.Now()
			}
			if !storewide(err) {
				first, e.told = !e.told, true
			}
			e.err = stands
			e.failures++
			if retry == 0 {
				retry = now + waits.after(e.failures, c.times.ttl)
			}
			if !watched {
				retry = min(retry, deadline)
			}
			if e.retry = retry; awaited {
				e.lease.used.Store(1)
			}
			c.plan(e, retry)
			v = e.value
		} else {
			c.lru.Remove(key)
		}
	}
	if v == (provider.Value{}) && refusal(err) && c.times.negative > 0 {
		c.absent.Add(key, absence{err, now + int64(c.times.negative)})
	}
	return v, first
}

// look returns what the cache has for a key: a value to serve, or the error
// that the store gave a moment ago. Due says that nobody has asked the store
// since it was time to; a value is served in the meantime.
func (c *cache) look(key provider.Ref, now int64, t *trouble) (v provider.Value, request string, isStale, due bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.find(key)
	if !e.full() {
		if a, ok := c.absent.Peek(key); ok && now < a.until {
			return v, "", false, false, a.err
		}
		return v, "", false, false, nil
	}
	expires := e.lease.expires.Load()
	if now >= expires {
		deadline := c.times.deadline(e, e.err)
		if e.err == nil && t.failures.Load() == 0 || now >= deadline {
			return v, "", false, false, nil
		}
		// Until it is time to ask again, and for a second while somebody does,
		// reads are hits.
		retry := t.retry.Load()
		if e.err != nil {
			retry = max(retry, e.retry)
		}
		expires = min(max(retry, now+int64(time.Second)), deadline) | stale
		e.lease.expires.Store(expires)
		due = now >= retry+int64(time.Second) // where the refresher runs, it is before readers
	}
	c.lru.Get(key)
	e.lease.used.Store(1)
	c.front.Store(e.lease)
	return e.value, e.lease.request, expires&stale != 0, due, nil
}
