package audit

import (
	"context"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"

	"github.com/c0629bfc/secrets"
)

// Sample records each hit with a probability of one in n, and everything else:
// what came from the store, was stale, was refused or taken up by a handle. Less
// than 1 means 1.
func Sample(n int) Option {
	every := uint64(max(n, 1))
	return func(a *auditor) {
		a.skip = func(_ context.Context, r secrets.Read) bool {
			return r.Source == secrets.SourceCache && rand.Uint64N(every) != 0
		}
	}
}

// EveryNth is [Sample] without chance: of the hits it records the first and then
// each nth, counted over all goroutines, which share the counter.
func EveryNth(n int) Option {
	every := uint64(max(n, 1))
	return func(a *auditor) {
		var hits atomic.Uint64
		a.skip = func(_ context.Context, r secrets.Read) bool {
			return r.Source == secrets.SourceCache && (hits.Add(1)-1)%every != 0
		}
	}
}

// FirstRead records a read only if its principal has not read that version by
// that ref before, fresh or stale; refusals and what handles take up are always
// recorded. It remembers about as many reads as remember says, 16 bytes each;
// where there are more, some are forgotten and recorded again. Less than 1,024
// means 1,024.
//
// A read counts as recorded once the sink was given it: if the sink fails, or a
// [Queue] drops it, it is not recorded the next time either.
//
// What is remembered is a hash of 64 bits under a random key: that two reads
// have the same one, and the second is not recorded, has a chance of one in
// 2^64 for each pair.
func FirstRead(remember int) Option {
	return func(a *auditor) {
		s := newSeen(remember)
		a.skip = func(ctx context.Context, r secrets.Read) bool {
			return r.Source != secrets.SourceHandle && !s.first(Principal(ctx), r)
		}
	}
}

// seen is a set of hashes that needs no lock and no allocation. A slot is 0
// while it is empty.
type seen struct {
	seed  maphash.Seed
	slots []atomic.Uint64 // a power of two of them
}

// neighbours is how many slots a hash may be in.
const neighbours = 8

func newSeen(remember int) *seen {
	size := 1 << bits.Len(uint(2*max(remember, 1024)-1))
	return &seen{seed: maphash.MakeSeed(), slots: make([]atomic.Uint64, size)}
}

// first reports whether a read was not there, and adds it.
func (s *seen) first(principal string, r secrets.Read) bool {
	// A version that was deleted and made again may have the same ID.
	h := maphash.String(s.seed, r.Ref) ^
		bits.RotateLeft64(maphash.String(s.seed, r.Version.ID), 21) ^
		bits.RotateLeft64(maphash.String(s.seed, principal), 42) ^
		uint64(r.Version.Created.UnixNano())*0x9e3779b97f4a7c15
	if r.Source == secrets.SourceStale {
		h = ^h
	}
	if h == 0 {
		h = 1
	}
	mask := uint64(len(s.slots) - 1)
	for i := uint64(0); i < neighbours; {
		slot := &s.slots[(h+i)&mask]
		switch was := slot.Load(); {
		case was == h:
			return false
		case was == 0 && !slot.CompareAndSwap(0, h):
			continue // another took it: perhaps with the same hash
		case was == 0:
			return true
		}
		i++
	}
	s.slots[(h+h>>60%neighbours)&mask].Store(h)
	return true
}
