package schedule_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/schedule"
)

const draws = 2000 // of what is random

func TestMarginLeavesTimeToRefresh(t *testing.T) {
	for _, ttl := range []time.Duration{time.Second, time.Minute, 5 * time.Minute, 24 * time.Hour} {
		for _, took := range []time.Duration{0, ttl / 100, ttl / 10, ttl, 10 * ttl} {
			least, most := 24*time.Hour, time.Duration(0)
			for range draws {
				m := schedule.Margin(ttl, took)
				least, most = min(least, m), max(most, m)
			}
			require.GreaterOrEqual(t, least, min(ttl/100+took+took/4, ttl/2), "%v, %v: 1 %% and what a call took and a quarter more", ttl, took)
			require.LessOrEqual(t, most, min(ttl*3/100+took+took/4, ttl/2), "%v, %v: 3 %%, and half the TTL at most", ttl, took)
			if ttl*3/100+took+took/4 < ttl/2 {
				require.Greater(t, most-least, ttl/60, "processes differ")
			}
		}
	}
}

// The shortest TTLs leave nothing to draw from.
func TestTheShortestTTLs(t *testing.T) {
	for ttl := time.Duration(1); ttl < 50; ttl++ {
		for range 50 {
			require.LessOrEqual(t, schedule.Margin(ttl, 0), ttl/2)
			require.LessOrEqual(t, schedule.Margin(ttl, time.Second), ttl/2)
			require.GreaterOrEqual(t, schedule.Margin(ttl, 0), time.Duration(0))
			p := schedule.Part(ttl)
			require.True(t, p >= 0 && p <= ttl)
			require.Greater(t, schedule.Backoff(1, ttl)+1, time.Duration(0))
		}
	}
}

// Processes that start together spread evenly over what Part gives them.
func TestPartSpreadsEvenly(t *testing.T) {
	const ttl = 5 * time.Minute
	most := time.Duration(0)
	drawn := make([]time.Duration, draws)
	for i := range drawn {
		drawn[i] = schedule.Part(ttl)
		require.GreaterOrEqual(t, drawn[i], time.Duration(0))
		require.LessOrEqual(t, drawn[i], ttl)
		most = max(most, drawn[i])
	}
	require.Greater(t, most, ttl*3/5-ttl/50)
	require.LessOrEqual(t, most, ttl*3/5)
	var tenths [10]int
	for _, d := range drawn {
		tenths[min(int(10*d/(most+1)), 9)]++
	}
	for i, n := range tenths {
		// 200 on average, with a standard deviation of 13.
		require.InDelta(t, draws/10, n, 100, "tenth %d", i)
	}
}

func TestAnnouncedChangesAreLookedFor(t *testing.T) {
	const now = int64(100 * time.Hour)
	for _, ahead := range []time.Duration{1, time.Second, time.Hour, 30 * 24 * time.Hour} {
		change := now + int64(ahead)
		seen := make(map[int64]bool)
		for range draws {
			look := schedule.Announced(change, now)
			require.GreaterOrEqual(t, look, change, "not before it")
			require.Less(t, look, change+int64(10*time.Second), "up to ten seconds after it")
			seen[look] = true
		}
		require.Greater(t, len(seen), draws/2, "not the whole fleet at once")
	}
	for _, ago := range []time.Duration{0, time.Second, time.Hour - 1} {
		require.Equal(t, now+int64(time.Minute), schedule.Announced(now-int64(ago), now), "%v overdue: every minute", ago)
	}
	for _, ago := range []time.Duration{time.Hour, 48 * time.Hour} {
		require.Zero(t, schedule.Announced(now-int64(ago), now), "%v overdue: given up", ago)
	}
}

func TestBackoffGrowsAndIsJittered(t *testing.T) {
	for _, c := range []struct {
		n    int
		ttl  time.Duration
		most time.Duration
	}{
		{1, 5 * time.Minute, time.Second},
		{2, 5 * time.Minute, 2 * time.Second},
		{5, 5 * time.Minute, 16 * time.Second},
		{9, 5 * time.Minute, 256 * time.Second},
		{10, 5 * time.Minute, 5 * time.Minute},
		{1000, 24 * time.Hour, schedule.MaxBackoff},
		{1 << 40, 24 * time.Hour, schedule.MaxBackoff},
		{1000, 20 * time.Second, 20 * time.Second}, // a TTL at most
		{1000, 100 * time.Millisecond, schedule.MinBackoff},
		{1, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		least, most := time.Hour, time.Duration(0)
		for range draws {
			b := schedule.Backoff(c.n, c.ttl)
			least, most = min(least, b), max(most, b)
		}
		require.GreaterOrEqual(t, least, c.most/20, "%+v: never at once", c)
		require.Less(t, most, c.most, "%+v", c)
		require.Less(t, least, c.most/6, "%+v: full jitter", c)
		require.Greater(t, most, c.most*9/10, "%+v: full jitter", c)
	}
}

func TestEarlyIsPartOfTheTTL(t *testing.T) {
	for _, ttl := range []time.Duration{1, time.Second, 24 * time.Hour} {
		e := schedule.Early(ttl)
		require.True(t, e >= 0 && e <= ttl/2, "%v", ttl)
	}
}
