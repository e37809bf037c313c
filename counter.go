package secrets

import (
	"sync/atomic"
	"unsafe"
)

// counter counts what happens on hits. Goroutines count in stripes of their
// own, mostly, so that readers on different cores do not fight over one cache
// line.
type counter struct {
	stripes [stripes]struct {
		n atomic.Uint64
		_ [56]byte // to the end of a cache line
	}
}

const (
	stripes  = 64
	sampling = 64
	// golden scatters a number over all bits: two to the power of 64 by the golden ratio.
	golden = 0x9e3779b97f4a7c15
)

// inc counts one, and returns the count of its stripe.
func (c *counter) inc() uint64 {
	// Where a goroutine's stack lies is the cheapest thing that tells it from
	// others. The address is only hashed, so it need not stay valid.
	var here byte
	at := uint64(uintptr(unsafe.Pointer(&here))) >> 11 * golden
	return c.stripes[at>>58].n.Add(1)
}

// sampled reports whether the n-th of a count is one of the one in sixty-four
// that are looked at more closely. They come in no period of a whole number, so
// that what is read in turns is met evenly.
func sampled(n uint64) bool { return n*golden>>58 == 0 }

func (c *counter) load() uint64 {
	var sum uint64
	for i := range c.stripes {
		sum += c.stripes[i].n.Load()
	}
	return sum
}
