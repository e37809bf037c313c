package secrets

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/c0629bfc/secrets/provider"
)

// Stats counts what a [Client] did since it was made. The counts are taken one
// after the other while the client works, so they may be of slightly different
// moments.
type Stats struct {
	Hits      uint64 // reads answered from the cache
	Misses    uint64 // reads that waited for a store, those of Refresh included
	Coalesced uint64 // misses that joined a call for the same value
	Fetches   uint64 // calls of a provider's Fetch
	Fetched   uint64 // refs that those calls asked for
	Errors    uint64 // refs that they did not get
	Evictions uint64 // entries that went to make room
	Entries   int    // secrets and parameters in the cache now

	// APICalls is how many requests went to the stores, retries included, and
	// Calls how many of each API operation.
	APICalls uint64
	Calls    map[string]uint64
}

type counters struct {
	hits                                        counter
	misses, coalesced, fetches, fetched, errors atomic.Uint64

	mu    sync.Mutex
	calls map[string]uint64
}

// called counts a request of a provider's.
func (c *counters) called(call provider.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = make(map[string]uint64)
	}
	c.calls[call.Operation]++
}

// Stats returns what the client did so far.
func (c *Client) Stats() Stats {
	s := Stats{
		Hits:      c.stats.hits.load(),
		Misses:    c.stats.misses.Load(),
		Coalesced: c.stats.coalesced.Load(),
		Fetches:   c.stats.fetches.Load(),
		Fetched:   c.stats.fetched.Load(),
		Errors:    c.stats.errors.Load(),
	}
	c.stats.mu.Lock()
	s.Calls = maps.Clone(c.stats.calls)
	c.stats.mu.Unlock()
	for _, n := range s.Calls {
		s.APICalls += n
	}
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	s.Evictions, s.Entries = c.cache.evictions, c.cache.lru.Len()
	return s
}
