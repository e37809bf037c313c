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
	// Read is told of every read, with the context of who reads, and of every
	// version that a handle takes up, with the values of the context of Bind: to
	// load a handle is no read.
	Read func(context.Context, Read)
	// Refreshed is told of everything that a store was asked for, with what
	// became of it.
	Refreshed func(Refresh)
	// Rejected is told of every call of [Client.Reject].
	Rejected func(context.Context, Rejection)
	// Wrote is told of every [Client.Put] and [Client.Delete].
	Wrote func(context.Context, Write)
	// Listed is told of every [Client.List] that asks a store, before it does, by
	// its prefix as the caller wrote it. What it yields, Read is told of.
	Listed func(ctx context.Context, prefix string)
	// Called is told of every request that goes to a store.
	Called func(provider.Call)
}

// Write is a value that was written or deleted, or could not be.
type Write struct {
	Ref     string // as the writer wrote it
	Deleted bool
	Version provider.Version // that was made
	Err     error
}

// Refresh is the outcome of asking a store for one value, because somebody
// waited for it or to keep it fresh.
type Refresh struct {
	Ref      string           // of the whole value
	Version  provider.Version // that there is now
	Previous provider.Version // that was cached before; zero if none was
	Changed  bool             // a cached value was replaced
	Probed   bool             // the store compared versions and sent no value
	Err      error
}

// Rejection is a version that a server refused, and what to try next.
type Rejection struct {
	Ref     string
	Version provider.Version
	Next    provider.Version // zero if Err is not nil
	Err     error
}

// Read is one value that was read, or could not be.
type Read struct {
	Ref     string // as the reader wrote it
	Version provider.Version
	Source  Source
	// RequestID is the store's own ID of the request that brought the version,
	// by which its audit log knows it (AWS CloudTrail); empty where it is not
	// known: of what was listed, written, or confirmed by comparing versions.
	RequestID string
	Err       error
}

// Source says where the answer to a read came from.
type Source int

// The sources.
const (
	SourceCache   Source = iota // the cache
	SourceStale                 // the cache, past the value's TTL
	SourceRefusal               // the cache's memory of what the store refused
	SourceStore                 // the store
	SourceHandle                // a handle that took up another version
)

// String returns the source's name.
func (s Source) String() string {
	return [...]string{"cache", "stale", "refusal", "store", "handle"}[s]
}

func sourceOf(isStale bool) Source {
	if isStale {
		return SourceStale
	}
	return SourceCache
}

// and returns an observer that tells both.
func (o Observer) and(p Observer) Observer {
	return Observer{
		Read: both(o.Read, p.Read), Refreshed: then(o.Refreshed, p.Refreshed), Rejected: both(o.Rejected, p.Rejected),
		Wrote: both(o.Wrote, p.Wrote), Listed: both(o.Listed, p.Listed), Called: then(o.Called, p.Called),
	}
}

func both[T any](f, g func(context.Context, T)) func(context.Context, T) {
	switch {
	case f == nil:
		return g
	case g == nil:
		return f
	}
	return func(ctx context.Context, t T) {
		f(ctx, t)
		g(ctx, t)
	}
}

func then[T any](f, g func(T)) func(T) {
	switch {
	case f == nil:
		return g
	case g == nil:
		return f
	}
	return func(t T) {
		f(t)
		g(t)
	}
}

// read tells the observer of a read that was no plain hit.
func (c *Client) read(ctx context.Context, r Read) {
	if c.observer.Read != nil {
		c.observer.Read(ctx, r)
	}
}
