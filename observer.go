package secrets

import (
	"context"

	"github.com/c0629bfc/secrets/provider"
)

// Observer is told what a [Client] does, without any value: metrics, audits and
// cost reports stand on it. A function that is nil costs nothing. Each is called
// from many goroutines at once, on the path of what it tells of, and must
// return fast.
type Observer struct {
	// Read is told of every read, with the context of who reads.
	Read func(context.Context, Read)
	// Called is told of every request that goes to a store.
	Called func(provider.Call)
}

// Read is one value that was read, or could not be.
type Read struct {
	Ref     string // as the reader wrote it
	Version provider.Version
	Source  Source
	Err     error
}

// Source says where the answer to a read came from.
type Source int

// The sources.
const (
	SourceCache   Source = iota // the cache
	SourceStale                 // the cache, past the value's TTL
	SourceRefusal               // the cache's memory of what the store refused
	SourceStore                 // the store
)

// String returns the source's name.
func (s Source) String() string {
	return [...]string{"cache", "stale", "refusal", "store"}[s]
}

func sourceOf(isStale bool) Source {
	if isStale {
		return SourceStale
	}
	return SourceCache
}

// read tells the observer of a read that was no plain hit.
func (c *Client) read(ctx context.Context, r Read) {
	if c.observer.Read != nil {
		c.observer.Read(ctx, r)
	}
}
