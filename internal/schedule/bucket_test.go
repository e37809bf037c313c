package schedule_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/schedule"
)

var start = time.Date(2025, 11, 24, 0, 0, 0, 0, time.UTC)

// pass returns when the last of n requests goes that are all made at a time.
func pass(b *schedule.Bucket, at time.Time, n int, cost float64) time.Duration {
	var last time.Duration
	for range n {
		last = b.Reserve(at, cost)
	}
	return last
}

func TestBucketKeepsItsRate(t *testing.T) {
	b := schedule.NewBucket(20, 40)
	require.Zero(t, pass(b, start, 40, 1), "the burst")
	require.InDelta(t, time.Second, pass(b, start, 20, 1), float64(time.Millisecond), "then the rate")
	require.InDelta(t, 50*time.Millisecond, b.Reserve(start.Add(time.Second), 1), float64(time.Millisecond))

	later := start.Add(time.Hour)
	require.Zero(t, pass(b, later, 40, 1), "full again, and no fuller")
	require.Positive(t, b.Reserve(later, 1))
}

func TestRequestsHaveTheirCost(t *testing.T) {
	b := schedule.NewBucket(50, 100)
	require.Zero(t, pass(b, start, 100*100, 0.01), "a hundredth each")
	require.InDelta(t, time.Second, pass(b, start, 50*100, 0.01), float64(time.Millisecond))

	for cost, tokens := range map[float64]float64{0: 0.01, 0.001: 0.01, 0.5: 0.5, 1: 1, 7: 1} {
		b := schedule.NewBucket(1, 1)
		pass(b, start, 1, 1)
		require.InDelta(t, tokens, b.Reserve(start, cost).Seconds(), 0.0001, "cost %v", cost)
	}
}

func TestInfinityIsNoLimit(t *testing.T) {
	b := schedule.NewBucket(math.Inf(1), 1)
	rate := b.Rate()
	b.Throttled(start)
	require.Equal(t, rate, b.Rate())
	require.Zero(t, pass(b, start, 10_000, 1))
}

func TestThrottlingHalvesTheRateOnceASecond(t *testing.T) {
	b := schedule.NewBucket(40, 1)
	for range 10 {
		b.Throttled(start)
	}
	require.Equal(t, 20.0, b.Rate(), "what was throttled together")
	b.Throttled(start.Add(999 * time.Millisecond))
	require.Equal(t, 20.0, b.Rate())
	b.Throttled(start.Add(time.Second))
	require.Equal(t, 10.0, b.Rate())
	require.Zero(t, b.Reserve(start.Add(time.Second), 1))
	require.InDelta(t, time.Second, pass(b, start.Add(time.Second), 10, 1), float64(time.Millisecond), "ten a second")

	at := start.Add(time.Second)
	for range 100 {
		at = at.Add(time.Second)
		b.Throttled(at)
	}
	require.Equal(t, 40.0/64, b.Rate(), "something is always left")
}

func TestTheRateRecoversWithinAMinute(t *testing.T) {
	b := schedule.NewBucket(60, 1)
	at := start
	for range 10 {
		b.Throttled(at)
		at = at.Add(time.Second)
	}
	low := b.Rate()
	require.Less(t, low, 1.0)
	b.Reserve(at.Add(29*time.Second), 1) // thirty after it was last halved
	require.InDelta(t, low+30, b.Rate(), 0.1, "evenly")
	b.Reserve(at.Add(59*time.Second), 1)
	require.Equal(t, 60.0, b.Rate())
	b.Reserve(at.Add(time.Hour), 1)
	require.Equal(t, 60.0, b.Rate(), "and no further")
}

func TestWaitTakesItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := schedule.NewBucket(1, 1)
		told := time.Duration(-1)
		waits := func(d time.Duration) { told = d }
		require.NoError(t, b.Wait(t.Context(), 1, waits))
		require.Equal(t, time.Duration(-1), told, "nobody waited")

		began := time.Now()
		require.NoError(t, b.Wait(t.Context(), 1, waits))
		require.Equal(t, time.Second, told)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// Who gives up gives his turn to the next.
func TestGivingUpReturnsTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := schedule.NewBucket(1, 1)
		require.Zero(t, b.Reserve(time.Now(), 1))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, b.Wait(ctx, 1, func(time.Duration) {}), context.DeadlineExceeded)
		require.InDelta(t, 900*time.Millisecond, b.Reserve(time.Now(), 1), float64(time.Millisecond))
	})
}
