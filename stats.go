package secrets

import "sync/atomic"

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
}

type counters struct {
	hits                                        counter
	misses, coalesced, fetches, fetched, errors atomic.Uint64
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
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	s.Evictions, s.Entries = c.cache.evictions, c.cache.lru.Len()
	return s
}
