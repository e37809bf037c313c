package secrets

import (
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// Fallback keeps the last known good values outside the process, so that one
// that starts while a store cannot be reached has something to begin with; see
// [WithFallback]. Its methods are called from many goroutines, on the path of
// reads: they must not wait for a disk or a network.
type Fallback interface {
	// Keep takes a whole value that a store brought, or confirmed, just now.
	Keep(v Value)
	// Last returns what was kept for the ref of a whole value, and when, if it
	// may still be used.
	Last(ref provider.Ref) (v Value, kept time.Time, ok bool)
	// Forget drops it: the store refuses it, or it was deleted.
	Forget(ref provider.Ref)
}

// WithFallback has f keep what is read. Where a value is not cached and its
// store cannot be reached, throttles, or cannot decrypt it, or does not answer
// before the reader's deadline ([Client.Get]), the one that was kept is served as
// a stale one: [Stats] says so, and the store is asked again as in any outage. A
// value that the store refuses is not served, and forgotten.
func WithFallback(f Fallback) Option {
	return func(o *options) { o.fallback = f }
}

// keep hands on what a store said of a value.
func (c *Client) keep(ref provider.Ref, v Value, err error) {
	switch {
	case c.fallback == nil:
	case err == nil:
		c.fallback.Keep(v)
	case refusal(err):
		c.fallback.Forget(ref)
	}
}

// fallBack caches the value that was kept for a key for which the store has just
// failed, as one whose time was over when it failed. It returns the zero Value
// if there is none.
func (l *lane) fallBack(key provider.Ref, err error, now int64, waits *backoffs) Value {
	c := l.client
	if c.fallback == nil || refusal(err) {
		return Value{}
	}
	v, kept, ok := c.fallback.Last(key)
	if !ok {
		return Value{}
	}
	v = v.WithRef(key)
	expired := now - int64(c.cache.times.ttl)
	if left, any := l.longest(); any {
		expired = min(expired, left-1) // what is on its way is newer
	}
	stored := false
	v, _ = c.cache.put(key, arrival{value: v, began: expired, until: now, next: now}, func(bool) bool {
		stored = c.cache.unknown(key, now)
		return stored
	})
	if !stored {
		return c.cache.has(key) // a call has landed meanwhile
	}
	c.cache.failed(key, err, now, l.trouble.retry.Load(), true, waits)
	c.cache.staleSince(key, kept)
	c.log().Warn("secrets: a value that was kept earlier is served", "ref", key.String(), "kept", kept, "error", err)
	return v
}

// unknown reports whether the cache neither has a value for a key nor knows that
// its store refuses it. The mutex is held.
func (c *cache) unknown(key provider.Ref, now int64) bool {
	a, refused := c.absent.Peek(key)
	return !c.find(key).full() && !(refused && now < a.until)
}

// staleSince says since when a value in trouble is what it is.
func (c *cache) staleSince(key provider.Ref, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(key); e != nil && e.err != nil {
		e.since = since
	}
}
