package secrets

import "github.com/c0629bfc/secrets/provider"

// watcher is told when the value of a key changes. While there is one for a key
// its entry is neither evicted nor left to expire.
type watcher struct {
	key     provider.Ref
	changed func() // called under the cache's mutex: it must only take note
}

// watched reports whether a key has a watcher. The mutex is held.
func (c *cache) watched(key provider.Ref) bool { return len(c.watchers[key]) > 0 }

// watch begins to tell w of changes.
func (c *cache) watch(w *watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.watched(w.key) {
		c.watchers[w.key] = make(map[*watcher]struct{})
		if e, ok := c.lru.Peek(w.key); ok {
			c.held[w.key] = e
			c.lru.Remove(w.key)
			if until := e.lease.expires.Load() &^ stale; e.place >= 0 && e.next > until {
				c.plan(e, until) // nobody used it, so it was left to expire
			}
		}
	}
	c.watchers[w.key][w] = struct{}{}
}

// ensure makes the refresher look after a watched key that has no entry.
func (c *cache) ensure(key provider.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched(key) && c.find(key) == nil {
		c.renewHeld(c.add(key))
	}
}

// request returns the ID of the request that brought a value that is cached.
func (c *cache) request(whole provider.Value) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(whole.Ref()); e != nil && e.value == whole {
		return e.lease.request
	}
	return ""
}

// unwatch ends it. An entry that nobody watches any more is as any other. It
// may run in a goroutine of the garbage collector's, twice.
func (c *cache) unwatch(w *watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.watchers[w.key][w]; !ok {
		return
	}
	delete(c.watchers[w.key], w)
	if c.watched(w.key) {
		return
	}
	delete(c.watchers, w.key)
	e := c.held[w.key]
	delete(c.held, w.key)
	switch {
	case !e.full():
		if e != nil {
			c.unplan(e)
		}
	case c.lru.Add(w.key, e):
		c.evictions++
	}
}
