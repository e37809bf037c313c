package secrets

import (
	"encoding/json"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// Entry is what a [Client] holds of one secret or parameter, without the value.
type Entry struct {
	Ref     string // of the whole value
	Version provider.Version
	Type    provider.Type
	Held    bool // by a handle
	// Read is when the store last brought or confirmed the value, zero if it was
	// invalidated and not read again yet. Next is when the refresher turns to it,
	// to read it again or, if nobody uses it, to forget it; zero for a version
	// that is pinned.
	Read, Next time.Time
	// Stale says that the value is past its TTL or could not be refreshed; Since
	// is when refreshing it first failed and Err why it failed the last time.
	Stale bool
	Since time.Time
	Err   error
	// Hits is about how many reads the version was served for; it is estimated
	// from one in sixty-four.
	Hits uint64
}

// MarshalJSON implements [json.Marshaler]: by the names of the fields, with the
// error as text, empty if there is none.
func (e Entry) MarshalJSON() ([]byte, error) {
	type plain Entry
	return json.Marshal(struct {
		plain
		Err string
	}{plain(e), message(e.Err)})
}

// Entries returns what the client holds, the most recently used last, and then
// what handles hold.
func (c *Client) Entries() []Entry {
	now, at := c.clock.read(), time.Now()
	when := func(t int64) time.Time { return at.Add(time.Duration(t - now)) }
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	held := c.cache.entries()
	entries := make([]Entry, len(held))
	for i, e := range held {
		entries[i] = Entry{Ref: e.key.String(), Version: e.value.Version(), Type: e.value.Type(), Held: c.cache.watched(e.key),
			Err: e.err, Stale: e.err != nil || now >= e.lease.expires.Load(), Hits: e.lease.hits.Load()}
		if e.full() {
			entries[i].Read = when(e.read)
		}
		if e.place >= 0 {
			entries[i].Next = when(e.next)
		}
		if e.err != nil {
			entries[i].Since = e.since
		}
	}
	return entries
}
