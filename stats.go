package secrets

import (
	"encoding/json"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// Stats says what a [Client] did since it was made, and how it is. The counts
// are taken one after the other while the client works, so they may be of
// slightly different moments. As JSON it has errors as text, and no value:
//
//	expvar.Publish("secrets", expvar.Func(func() any { return client.Stats() }))
type Stats struct {
	Hits        uint64 // reads answered from the cache, by a value or a remembered refusal
	Misses      uint64 // reads that waited for a store, those of Refresh included
	Coalesced   uint64 // misses that joined a call for the same value
	StaleServed uint64 // reads answered by a value past its TTL
	Rejected    uint64 // calls of Reject
	Evictions   uint64 // entries that went to make room
	Entries     int    // secrets and parameters in the cache now
	InFlight    int    // secrets and parameters being read now

	Fetches   uint64 // calls of a provider's Fetch or Refetch
	Fetched   uint64 // refs that those calls asked for
	Probed    uint64 // refs among them of which the store compared versions and sent no value
	Unchanged uint64 // refs among them whose cached value was confirmed
	Changed   uint64 // refs among them whose cached value was replaced
	Errors    uint64 // refs among them that failed

	// APICalls is how many requests went to the stores, retries included, and
	// Calls how many of each API operation.
	APICalls uint64
	Calls    map[string]uint64

	// Stale is what could not be refreshed the last time, the most recently
	// used last.
	Stale []Staleness
}

// Staleness is a cached value that could not be refreshed.
type Staleness struct {
	Ref   string
	Since time.Time // when refreshing it first failed
	Err   error     // why it failed the last time
}

// MarshalJSON implements [json.Marshaler]: by the names of the fields, with the
// error as text. An error of the SDK cannot be encoded as it is.
func (s Staleness) MarshalJSON() ([]byte, error) {
	type plain Staleness
	return json.Marshal(struct {
		plain
		Err string
	}{plain(s), message(s.Err)})
}

// message is the text of an error, or nothing.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// SavedPerRead returns how many API calls the client saved against a program
// that calls the store at each read.
func (s Stats) SavedPerRead() int64 { return int64(s.Hits+s.Misses) - int64(s.APICalls) }

// SavedPerTTL returns how many API calls the client saved, by batches and by
// asking for versions, against a cache that makes one call for each value and
// TTL.
func (s Stats) SavedPerTTL() int64 { return int64(s.Fetched) - int64(s.APICalls) }

// Stats returns what the client did so far.
func (c *Client) Stats() Stats {
	n := &c.stats
	s := Stats{
		Hits: n.hits.load(), Misses: n.misses.Load(), Coalesced: n.coalesced.Load(), StaleServed: n.stale.Load(), Rejected: n.rejected.Load(),
		Fetches: n.fetches.Load(), Fetched: n.fetched.Load(),
		Probed: n.probed.Load(), Unchanged: n.unchanged.Load(), Changed: n.changed.Load(), Errors: n.errors.Load(),
		InFlight: int(n.inFlight.Load()),
	}
	n.mu.Lock()
	s.Calls = maps.Clone(n.calls)
	n.mu.Unlock()
	for _, n := range s.Calls {
		s.APICalls += n
	}
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	s.Evictions, s.Entries = c.cache.evictions, c.cache.lru.Len()+len(c.cache.held)
	for _, e := range c.cache.entries() {
		if e.err != nil {
			s.Stale = append(s.Stale, Staleness{e.key.String(), e.since, e.err})
		}
	}
	return s
}

type counters struct {
	hits                       counter
	misses, coalesced, stale   atomic.Uint64
	fetches, fetched           atomic.Uint64
	unchanged, changed, errors atomic.Uint64
	probed, rejected           atomic.Uint64
	inFlight                   atomic.Int64

	mu    sync.Mutex
	calls map[string]uint64
}

// refreshed counts the outcome of a flight.
func (c *Client) refreshed(f *flight, changed, probed bool) {
	n := &c.stats
	if probed {
		n.probed.Add(1)
	}
	switch {
	case f.err != nil:
		n.errors.Add(1)
	case changed:
		n.changed.Add(1)
	case f.known != provider.Value{}:
		n.unchanged.Add(1)
	}
	if c.observer.Refreshed != nil {
		r := Refresh{Ref: f.ref.String(), Previous: f.known.Version(), Changed: changed, Probed: probed, Err: f.err}
		if f.err == nil {
			r.Version = f.value.Version()
		}
		c.observer.Refreshed(r)
	}
}

// called counts a request of a provider's.
func (c *Client) called(call provider.Call) {
	n := &c.stats
	n.mu.Lock()
	if n.calls == nil {
		n.calls = make(map[string]uint64)
	}
	n.calls[call.Operation]++
	n.mu.Unlock()
	if c.observer.Called != nil {
		c.observer.Called(call)
	}
}
