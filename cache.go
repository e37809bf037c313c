package secrets

import (
	"container/heap"
	"maps"
	"math"
	"slices"
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
	times times
	max   int // entries

	// What follows keeps the LRU order. A hit of the entry that was used last
	// does nothing; others move their entry to the front, unless that happened
	// too often lately: then each entry moves once a second at most.
	front   atomic.Pointer[lease] // of the entry used last
	resume  atomic.Int64          // until this time touches are rationed
	touches atomic.Int64          // since the ration was last full

	mu        sync.Mutex // guards what follows, and changes of the table
	lru       *simplelru.LRU[provider.Ref, *entry]
	held      map[provider.Ref]*entry // what handles hold: not in the lru
	watchers  map[provider.Ref]map[*watcher]struct{}
	absent    *simplelru.LRU[provider.Ref, absence]
	due       agenda
	wake      func() // tells the refresher that something is due sooner
	evictions uint64
	epoch     uint64 // counts invalidations
	closed    bool   // nothing is stored any more
}

// times is how long things last.
type times struct {
	ttl      time.Duration
	stale    time.Duration // how long past its TTL a value is served in an outage
	denied   time.Duration // and where the store refuses it
	negative time.Duration // how long a refusal is remembered
}

// entry is one cached value and the spellings under which it was asked for. One
// that a handle holds may have no value for the time being.
type entry struct {
	key   provider.Ref
	value provider.Value
	lease *lease
	slots []*slot

	read  int64 // when the call began that last brought or confirmed the value
	next  int64 // when the refresher turns to it
	place int   // in the agenda; -1 if it is not in it

	err      error // why the last refresh failed; nil if it did not
	failures int   // in a row
	retry    int64 // when to ask again after them, whoever does
	since    time.Time
	told     bool // the log: that the store refuses to give it again
}

// lease says until when one version of a value is served. A refresh that finds
// the same version extends it; another version comes with a lease of its own,
// so that no reader can take an old value for fresh.
type lease struct {
	expires atomic.Int64  // by the client's clock; odd if what is served is stale
	used    atomic.Uint32 // whether there was a hit since the last refresh
	touched atomic.Int64  // when a hit last moved the entry to the front
	hits    atomic.Uint64 // about
	entry   *entry
	request string // the ID of the request that brought the version
}

// absence is what the store said of a value that it does not give.
type absence struct {
	err   error
	until int64
}

const (
	never = math.MaxInt64 - 1
	stale = 1 // the bit of lease.expires

	// maxSlots bounds how many spellings of one entry are found by a lookup;
	// further ones are parsed and, for a field, decoded at each read.
	maxSlots = 256
	// touchRation is how many hits may reorder the LRU list within a tick.
	touchRation = 64
	// touchEvery is how often an entry moves while touches are rationed.
	touchEvery = int64(time.Second)
)

func newCache(t times, maxEntries int) (*cache, error) {
	c := &cache{table: newTable(), times: t, max: maxEntries, wake: func() {},
		held: make(map[provider.Ref]*entry), watchers: make(map[provider.Ref]map[*watcher]struct{})}
	var err error
	c.lru, err = simplelru.NewLRU(maxEntries, func(_ provider.Ref, e *entry) {
		if c.held[e.key] != e { // else it only changed places
			c.empty(e)
			c.unplan(e)
		}
	})
	if err == nil {
		c.absent, err = simplelru.NewLRU[provider.Ref, absence](maxEntries, nil)
	}
	return c, err
}

// settled reports whether a hit at this time need not move the entry of a lease.
func (c *cache) settled(l *lease, now int64) bool {
	return c.front.Load() == l || now < c.resume.Load() && now-l.touched.Load() < touchEvery
}

// touch notes that the entry of a lease was used.
func (c *cache) touch(l *lease, now int64) {
	if c.settled(l, now) {
		return
	}
	l.touched.Store(now)
	if c.touches.Add(1) >= touchRation {
		c.touches.Store(0)
		c.resume.Store(now + int64(tick))
	}
	// Recency is advice: whoever holds the mutex is not waited for.
	if c.mu.TryLock() {
		c.lru.Get(l.entry.key)
		c.front.Store(l)
		c.mu.Unlock()
	}
}

// arrival is what a call brought of one value.
type arrival struct {
	value provider.Value
	began int64 // the call
	until int64 // what it brought is fresh until then
	next  int64 // and to be refreshed then

	request string // the ID of the request that brought it
}

// put stores an arrival, if ok still says so under the mutex; it is told
// whether the cache has the entry. Put returns the value that stands for what
// arrived, which is the one already held where nothing changed.
func (c *cache) put(key provider.Ref, a arrival, ok func(known bool) bool) (v provider.Value, changed bool) {
	c.mu.Lock()
	e := c.find(key)
	known := e.full()
	if known && same(e.value, a.value) && dated(e.value, a.value) {
		if ok(true) {
			c.renew(e, a)
		}
		v = e.value
		c.mu.Unlock()
		return v, false
	}
	spellings := make(map[string]provider.Value)
	if known {
		for _, s := range e.slots {
			spellings[s.key] = s.value
		}
	}
	c.mu.Unlock()

	// Fields are decoded anew here, once, so that no reader has to.
	for spelling, old := range spellings {
		if seen, err := view(a.value, old.Ref()); err == nil {
			spellings[spelling] = seen
		} else {
			delete(spellings, spelling)
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	e = c.find(key)
	if known = e.full(); c.closed || !ok(known || c.watched(key)) {
		return a.value, false
	}
	if known && a.began < e.read {
		return e.value, false // what a later call brought stands
	}
	c.absent.Remove(key)
	if e == nil {
		e = c.add(key)
	}
	changed = known && !same(e.value, a.value)
	for _, s := range e.slots {
		if _, stays := spellings[s.key]; !stays {
			c.table.remove(s)
		}
	}
	e.value, e.slots, e.lease = a.value, nil, &lease{entry: e, request: a.request}
	c.renew(e, a)
	for spelling, seen := range spellings {
		c.attach(e, spelling, seen)
	}
	if !known {
		c.front.Store(e.lease)
	}
	for w := range c.watchers[key] {
		w.changed()
	}
	return a.value, changed
}

// renew makes the entry's value fresh, unless a later call did so already.
func (c *cache) renew(e *entry, a arrival) {
	if a.began < e.read {
		return
	}
	e.read, e.err, e.failures, e.told = a.began, nil, 0, false
	if e.key.Pinned() {
		e.lease.expires.Store(never) // a version is immutable
		c.unplan(e)
		return
	}
	e.lease.expires.Store(a.until &^ stale)
	e.lease.used.Store(0)
	c.plan(e, a.next)
}

// offer stores a value that nobody asked for by name, if nothing need make room
// for it and nothing was invalidated since epoch. It returns the value that
// stands for it.
func (c *cache) offer(key provider.Ref, a arrival, epoch uint64) provider.Value {
	v, _ := c.put(key, a, func(known bool) bool {
		return c.epoch == epoch && (known || c.lru.Len() < c.max || c.watched(key))
	})
	return v
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
	if e := c.find(key); e.full() && e.value == whole {
		if s := e.slot(spelling); s != nil {
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
	if e := c.find(key); e.full() && e.value == whole {
		if s := e.slot(spelling); s != nil {
			return s.value, nil
		}
		if len(e.slots) < maxSlots {
			c.attach(e, spelling, v)
		}
	}
	return v, nil
}

func (c *cache) attach(e *entry, spelling string, v provider.Value) {
	s := &slot{key: spelling, value: v, lease: e.lease}
	e.slots = append(e.slots, s)
	c.table.put(s)
}

// slot returns the slot of a spelling, or nil.
func (e *entry) slot(spelling string) *slot {
	for _, s := range e.slots {
		if s.key == spelling {
			return s
		}
	}
	return nil
}

// drop forgets values; with no keys, all of them.
func (c *cache) drop(keys ...provider.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	for _, key := range keys {
		c.absent.Remove(key)
		c.lru.Remove(key)
		c.renewHeld(c.held[key])
	}
	if len(keys) == 0 {
		c.absent.Purge()
		c.lru.Purge()
		for _, e := range c.held {
			c.renewHeld(e)
		}
		c.table.clear()
	}
}

// close forgets all values, for good.
func (c *cache) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.drop()
}

// renewHeld forgets the value of an entry that a handle holds, which has to be
// read again soon: nobody else will.
func (c *cache) renewHeld(e *entry) {
	if e != nil {
		c.empty(e)
		c.plan(e, 0)
	}
}

// keys returns what is cached and can change, the most recently used last.
func (c *cache) keys() []provider.Ref {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []provider.Ref
	for _, e := range c.entries() {
		if !e.key.Pinned() {
			keys = append(keys, e.key)
		}
	}
	return keys
}

// fresh returns the value of a key that need not be read, if there is one.
func (c *cache) fresh(key provider.Ref, now int64) provider.Value {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(key); e != nil && now < e.lease.expires.Load() {
		return e.value
	}
	return provider.Value{}
}

// has returns the value that the cache has of a key, fresh or not.
func (c *cache) has(key provider.Ref) provider.Value {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(key); e != nil {
		return e.value
	}
	return provider.Value{}
}

// The caller of what follows holds the mutex.

// find returns the entry of a key, or nil.
func (c *cache) find(key provider.Ref) *entry {
	if e, ok := c.lru.Peek(key); ok {
		return e
	}
	return c.held[key]
}

// full reports whether there is an entry and it has a value.
func (e *entry) full() bool { return e != nil && e.value != provider.Value{} }

// entries returns all entries, the most recently used last, and then those that
// handles hold.
func (c *cache) entries() []*entry {
	return slices.AppendSeq(c.lru.Values(), maps.Values(c.held))
}

// add makes an entry, without a value.
func (c *cache) add(key provider.Ref) *entry {
	e := &entry{key: key, place: -1}
	e.lease = &lease{entry: e}
	if c.watched(key) {
		c.held[key] = e
	} else if c.lru.Add(key, e) {
		c.evictions++
	}
	return e
}

// empty takes its value from an entry.
func (c *cache) empty(e *entry) {
	for _, s := range e.slots {
		c.table.remove(s)
	}
	e.value, e.slots, e.lease = provider.Value{}, nil, &lease{entry: e}
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
	return a == b || a.Version().ID == b.Version().ID && a.Type() == b.Type() && a.Text() == b.Text()
}

// dated reports whether the date of the value held is that of the same value
// that arrived. What [Client.Put] wrote has none until it is read.
func dated(held, arrived provider.Value) bool {
	return arrived.Version().Created.IsZero() || held.Version().Created.Equal(arrived.Version().Created)
}

// agenda orders entries by when the refresher turns to them.
type agenda []*entry

var _ heap.Interface = (*agenda)(nil)

func (s agenda) Len() int           { return len(s) }
func (s agenda) Less(i, j int) bool { return s[i].next < s[j].next }
func (s agenda) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

// Push implements [heap.Interface].
func (s *agenda) Push(x any) {
	e := x.(*entry)
	e.place = len(*s)
	*s = append(*s, e)
}

// Pop implements [heap.Interface].
func (s *agenda) Pop() any {
	last := len(*s) - 1
	e := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	e.place = -1
	return e
}

// plan sets when the refresher turns to an entry.
func (c *cache) plan(e *entry, next int64) {
	e.next = next
	if e.place >= 0 {
		heap.Fix(&c.due, e.place)
	} else {
		heap.Push(&c.due, e)
	}
	if e.place == 0 {
		c.wake()
	}
}

// unplan takes an entry out of the agenda.
func (c *cache) unplan(e *entry) {
	if e.place >= 0 {
		heap.Remove(&c.due, e.place)
	}
}
