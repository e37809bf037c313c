package secrets

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/c0629bfc/secrets/provider"
)

// cache holds whole values by [provider.Ref.Base], in an LRU list, and finds
// them and their fields by the refs as callers spell them, in a table that
// readers share without a lock.
type cache struct {
	table *table
	ttl   time.Duration
	max   int // entries

	// What follows keeps the LRU order. A hit of the entry that was used last
	// does nothing; others move their entry to the front, unless that happened
	// too often lately: then each entry moves once a second at most.
	front   atomic.Pointer[lease] // of the entry used last
	resume  atomic.Int64          // until this time touches are rationed
	touches atomic.Int64          // since the ration was last full

	mu        sync.Mutex // guards what follows, and changes of the table
	lru       *simplelru.LRU[provider.Ref, *entry]
	evictions uint64
	epoch     uint64 // counts invalidations
}

// entry is one cached value and the spellings under which it was asked for.
type entry struct {
	key   provider.Ref
	value provider.Value
	lease *lease
	slots map[string]*slot
}

// lease says until when one version of a value is fresh. A refresh that finds
// the same version extends it; another version comes with a lease of its own,
// so that no reader can take an old value for fresh.
type lease struct {
	expires atomic.Int64 // by the client's clock
	touched atomic.Int64 // when a hit last moved the entry to the front
	key     provider.Ref
}

const (
	// maxSlots bounds how many spellings of one entry are found by a lookup;
	// further ones are parsed and, for a field, decoded at each read.
	maxSlots = 256
	// touchRation is how many hits may reorder the LRU list within a tick.
	touchRation = 64
	// touchEvery is how often an entry moves while touches are rationed.
	touchEvery = int64(time.Second)
)

func newCache(ttl time.Duration, maxEntries int) (*cache, error) {
	c := &cache{table: newTable(), ttl: ttl, max: maxEntries}
	var err error
	c.lru, err = simplelru.NewLRU(maxEntries, func(_ provider.Ref, e *entry) {
		for _, s := range e.slots {
			c.table.remove(s)
		}
	})
	return c, err
}

// touch notes that the entry of a lease was used.
func (c *cache) touch(l *lease, now int64) {
	if c.front.Load() == l {
		return
	}
	if now < c.resume.Load() && now-l.touched.Load() < touchEvery {
		return
	}
	l.touched.Store(now)
	if c.touches.Add(1) >= touchRation {
		c.touches.Store(0)
		c.resume.Store(now + int64(tick))
	}
	// Recency is advice: whoever holds the mutex is not waited for.
	if c.mu.TryLock() {
		c.lru.Get(l.key)
		c.front.Store(l)
		c.mu.Unlock()
	}
}

// fresh returns the value of an entry that has not expired.
func (c *cache) fresh(key provider.Ref, now int64) (provider.Value, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.lru.Peek(key)
	if !ok || now >= e.lease.expires.Load() {
		return provider.Value{}, false
	}
	c.lru.Get(key)
	c.front.Store(e.lease)
	return e.value, true
}

// put stores what a call that began at the given time brought, if ok still says
// so under the mutex. It returns the value that stands for it: the one already
// held where nothing changed.
func (c *cache) put(key provider.Ref, v provider.Value, began int64, ok func() bool) provider.Value {
	expires := began + int64(c.ttl)
	if key.Pinned() {
		expires = math.MaxInt64 // a version is immutable
	}
	c.mu.Lock()
	e, known := c.lru.Peek(key)
	if known && same(e.value, v) {
		if ok() {
			e.lease.expires.Store(max(e.lease.expires.Load(), expires))
		}
		v = e.value
		c.mu.Unlock()
		return v
	}
	spellings := make(map[string]provider.Value)
	if known {
		for spelling, s := range e.slots {
			spellings[spelling] = s.value
		}
	}
	c.mu.Unlock()

	// Fields are decoded anew here, once, so that no reader has to.
	for spelling, old := range spellings {
		if seen, err := view(v, old.Ref()); err == nil {
			spellings[spelling] = seen
		} else {
			delete(spellings, spelling)
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok() {
		return v
	}
	if e, known = c.lru.Peek(key); !known {
		e = &entry{key: key}
		if c.lru.Add(key, e) {
			c.evictions++
		}
	}
	for spelling, s := range e.slots {
		if _, stays := spellings[spelling]; !stays {
			c.table.remove(s)
		}
	}
	e.value, e.slots, e.lease = v, nil, &lease{key: key}
	e.lease.expires.Store(expires)
	for spelling, seen := range spellings {
		c.attach(e, spelling, seen)
	}
	if !known {
		c.front.Store(e.lease)
	}
	return v
}

// offer stores a value that nobody asked for by name, if nothing need make room
// for it and nothing was invalidated since epoch. It returns the value that
// stands for it.
func (c *cache) offer(key provider.Ref, v provider.Value, began int64, epoch uint64) provider.Value {
	return c.put(key, v, began, func() bool {
		return c.epoch == epoch && (c.lru.Contains(key) || c.lru.Len() < c.max)
	})
}

// invalidations returns how often something was invalidated, for offer.
func (c *cache) invalidations() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// spell returns what a ref, spelled so, means of a whole value, and lets
// lookups find it while the cache holds that value.
func (c *cache) spell(spelling string, ref provider.Ref, whole provider.Value) (provider.Value, error) {
	key := ref.Base()
	c.mu.Lock()
	e, ok := c.lru.Peek(key)
	if ok && e.value == whole {
		if s := e.slots[spelling]; s != nil {
			c.mu.Unlock()
			return s.value, nil
		}
	}
	c.mu.Unlock()

	v, err := view(whole, ref) // a JSON document may be large: not under the mutex
	if err != nil {
		return provider.Value{}, err
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.lru.Peek(key); ok && e.value == whole {
		if s := e.slots[spelling]; s != nil {
			return s.value, nil
		}
		if len(e.slots) < maxSlots {
			c.attach(e, spelling, v)
		}
	}
	return v, nil
}

func (c *cache) attach(e *entry, spelling string, v provider.Value) {
	if e.slots == nil {
		e.slots = make(map[string]*slot)
	}
	s := &slot{key: spelling, value: v, lease: e.lease}
	e.slots[spelling] = s
	c.table.put(s)
}

// drop forgets entries; with no keys, all of them.
func (c *cache) drop(keys ...provider.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for _, key := range keys {
		c.lru.Remove(key)
	}
	if len(keys) == 0 {
		c.lru.Purge()
		c.table.clear()
	}
}

// keys returns what is held and can change, the most recently used last.
func (c *cache) keys() []provider.Ref {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []provider.Ref
	for _, key := range c.lru.Keys() {
		if !key.Pinned() {
			keys = append(keys, key)
		}
	}
	return keys
}

// view returns what ref means of the whole value that its base names.
func view(whole provider.Value, ref provider.Ref) (provider.Value, error) {
	if ref.Field == "" {
		return whole.WithRef(ref), nil
	}
	v, err := whole.Field(ref.Field)
	if err != nil {
		return provider.Value{}, err
	}
	return v.WithRef(ref), nil
}

// same reports whether two reads of one ref brought the same value. The content
// counts besides the version: a parameter that was deleted and made anew starts
// again at version 1.
func same(a, b provider.Value) bool {
	return a.Version().ID == b.Version().ID && a.Type() == b.Type() && a.Text() == b.Text()
}
