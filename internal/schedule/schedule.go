// Package schedule decides when a client asks its stores, and how fast. It is
// the arithmetic of the client's refresher, kept apart from it so that a
// simulation of a fleet runs the very same code.
package schedule

import (
	"math/rand/v2"
	"time"
)

// The bounds of [Backoff].
const (
	MinBackoff = time.Second
	MaxBackoff = 5 * time.Minute
)

// Margin returns by how much what a call brings is to be refreshed before its
// TTL ends: 1 to 3 % of the TTL, and what that call took and a quarter more, so
// that no read waits for the next; at most half the TTL. What one call brings has one
// margin, so that it stays together; another process has another.
func Margin(ttl, took time.Duration) time.Duration {
	return min(ttl/100+rand.N(max(ttl/50, 1))+took+took/4, ttl/2)
}

// Part returns by how much more the first refresh of a process comes early: up to
// three fifths of the TTL, so that the refreshes of processes that started together
// spread over as much, and stay so; but no more, so that with what Margin takes there
// is one refresh in each TTL from the first on for many of them.
func Part(ttl time.Duration) time.Duration { return rand.N(max(ttl*3/5, 1)) }

// Early returns by how much a refresh may come early to travel with another
// that is due.
func Early(ttl time.Duration) time.Duration { return ttl / 4 }

// Announced returns when to look for a change that its store has announced for
// the given time, seen from now, in nanoseconds of one clock; 0 if it is not
// worth a look. A fleet knows the same date, so each process looks up to ten
// seconds after it. A change that is overdue is looked for every minute, for an
// hour: a rotation takes its time, and its date says when it is due at the
// latest (API DescribeSecret, NextRotationDate).
func Announced(change, now int64) int64 {
	switch {
	case change > now:
		return change + rand.Int64N(int64(10*time.Second))
	case change > now-int64(time.Hour):
		return now + int64(time.Minute)
	}
	return 0
}

// Backoff returns how long to wait after n failures in a row: exponential with
// full jitter, from [MinBackoff] to [MaxBackoff], so that a fleet that failed
// together does not return together.
func Backoff(n int, ttl time.Duration) time.Duration {
	most := min(MinBackoff, ttl) << min(n-1, 16)
	most = min(most, MaxBackoff, max(ttl, MinBackoff))
	return most/20 + rand.N(most-most/20)
}
