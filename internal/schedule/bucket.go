package schedule

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bucket is a token bucket that holds the requests to one store below a rate.
// When the store throttles all the same the rate is halved, and it grows back
// within a minute. It is safe for concurrent use.
type Bucket struct {
	limiter *rate.Limiter
	full    rate.Limit

	mu      sync.Mutex
	changed time.Time // when the rate was last set
	halved  time.Time
}

const (
	// grain is how many parts a token has: the cheapest request costs one.
	grain = 100
	// recovery is how long the rate takes from nothing back to full.
	recovery = time.Minute
	// least is the part of the full rate that throttling leaves.
	least = 1.0 / 64
)

// NewBucket returns a full bucket that lets perSecond requests of full cost go a
// second, and burst of them at once. An infinite rate is no limit.
func NewBucket(perSecond float64, burst int) *Bucket {
	full := rate.Limit(perSecond * grain)
	if math.IsInf(perSecond, 1) {
		full = rate.Inf
	}
	return &Bucket{limiter: rate.NewLimiter(full, burst*grain), full: full}
}

// Wait returns when a request may go that costs so many tokens, at least a
// hundredth and at most the burst; or ctx's error. If it has to wait it says for how
// long first.
func (b *Bucket) Wait(ctx context.Context, cost float64, waits func(time.Duration)) error {
	now := time.Now()
	turn := b.reserve(now, cost)
	delay := turn.DelayFrom(now)
	if delay == 0 {
		return nil
	}
	waits(delay)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return ctx.Err()
	}
}

// Reserve takes what a request costs and returns how long after now it may go.
func (b *Bucket) Reserve(now time.Time, cost float64) time.Duration {
	return b.reserve(now, cost).DelayFrom(now)
}

func (b *Bucket) reserve(now time.Time, cost float64) *rate.Reservation {
	b.grow(now)
	return b.limiter.ReserveN(now, min(max(int(math.Ceil(cost*grain)), 1), b.limiter.Burst()))
}

// Throttled halves the rate, once a second at most: what was throttled together
// says it once.
func (b *Bucket) Throttled(now time.Time) {
	if b.full == rate.Inf {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.halved) < time.Second {
		return
	}
	b.halved, b.changed = now, now
	b.limiter.SetLimitAt(now, max(b.limiter.Limit()/2, b.full*least))
}

// grow lets the rate recover.
func (b *Bucket) grow(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := b.limiter.Limit()
	if passed := now.Sub(b.changed); limit < b.full && passed >= time.Second {
		b.changed = now
		b.limiter.SetLimitAt(now, min(limit+b.full*rate.Limit(passed.Seconds()/recovery.Seconds()), b.full))
	}
}

// Rate returns how many requests of full cost go a second now.
func (b *Bucket) Rate() float64 { return float64(b.limiter.Limit()) / grain }
