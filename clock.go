package secrets

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// clock tells how old the client is, in nanoseconds from 1; the times in leases
// are of this kind. It advances by the wall clock or by the monotonic clock,
// whichever went further: the monotonic one stands still while a virtual
// machine is suspended, and the wall clock can be set back.
//
// Reading the time costs more than all the rest of a hit, so while reads come
// in a timer reads it once a tick and hits load the result. When a whole tick
// passes without a hit the timer stops, and the next read looks for itself.
type clock struct {
	coarse atomic.Int64 // the time as of the last tick; 0 while none ticks
	anchor atomic.Pointer[anchor]
	exact  bool // never tick
	source func() (wall, mono time.Duration)
	hits   func() uint64 // how many hits there were; tells whether anybody reads

	mu     sync.Mutex
	timer  *time.Timer
	seen   uint64 // hits() at the last tick
	closed bool
}

// anchor is a reading of the machine's clocks and the client's age at it.
type anchor struct {
	wall, mono time.Duration
	age        int64
}

const (
	// tick bounds how long a process that was frozen goes on believing the old
	// time once it runs again.
	tick = 20 * time.Millisecond
	// reanchor is how long one anchor serves. A step of the wall clock that
	// falls between two anchors can hide at most as much of a later suspension.
	reanchor = time.Second
)

func newClock(hits func() uint64) *clock {
	began := time.Now()
	return newClockOf(hits, func() (wall, mono time.Duration) {
		t := time.Now()
		return time.Duration(t.UnixNano()), t.Sub(began)
	})
}

func newClockOf(hits func() uint64, source func() (wall, mono time.Duration)) *clock {
	c := &clock{hits: hits, source: source}
	// On Lambda the process is frozen between invocations and no timer of its
	// runs, so a tick would be as old as the last invocation.
	// (Lambda developer guide, "Defined runtime environment variables".)
	c.exact = os.Getenv("AWS_LAMBDA_RUNTIME_API") != ""
	wall, mono := source()
	c.anchor.Store(&anchor{wall, mono, 1})
	return c
}

// now returns the time, at most a tick old.
func (c *clock) now() int64 {
	if t := c.coarse.Load(); t != 0 {
		return t
	}
	return c.start()
}

// read returns the time, exactly.
func (c *clock) read() int64 {
	a := c.anchor.Load()
	wall, mono := c.source()
	elapsed := max(wall-a.wall, mono-a.mono, 0)
	age := a.age + int64(elapsed)
	if elapsed >= reanchor {
		// Whoever loses the race took the same reading a moment before or after.
		c.anchor.CompareAndSwap(a, &anchor{wall, mono, age})
	}
	return age
}

// start returns the exact time and lets the timer tick from now on.
func (c *clock) start() int64 {
	now := c.read()
	if c.exact {
		return now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.coarse.Load() != 0 {
		return now
	}
	c.seen = c.hits()
	c.coarse.Store(now)
	if c.timer == nil {
		c.timer = time.AfterFunc(tick, c.tick)
	} else {
		c.timer.Reset(tick)
	}
	return now
}

func (c *clock) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	hits := c.hits()
	if hits == c.seen {
		c.coarse.Store(0)
		return
	}
	c.seen = hits
	c.coarse.Store(c.read())
	c.timer.Reset(tick)
}

// close stops the timer. The clock still tells the time, exactly.
func (c *clock) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.coarse.Store(0)
	if c.timer != nil {
		c.timer.Stop()
	}
}
