package main

import (
	"math/bits"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func storeOf(name string) store {
	for _, s := range stores {
		if s.name == name {
			return s
		}
	}
	panic(name)
}

func of(name string, procs int, lasts time.Duration) setting {
	s := setting{store: storeOf(name), procs: procs, refs: refs, ttl: ttl, lasts: lasts}
	if s.store.list > 0 {
		s.lag = lag
	}
	return s
}

const back = time.Duration(latency)

func TestOneProcess(t *testing.T) {
	for _, c := range []struct {
		store       string
		read, fresh int           // calls
		warm        time.Duration // by four calls at a time
		lag         time.Duration
	}{
		{"sm-batch", 3, 3, back * 1, 0},
		{"sm-listing", 3, 1, back * 1, lag},
		{"sm-single", 50, 50, back * 13, 0},
		{"ssm-default", 5, 5, back * 2, 0},
		{"ssm-raised", 5, 5, back * 2, 0},
	} {
		t.Run(c.store, func(t *testing.T) {
			o := simulate(of(c.store, 1, 24*time.Hour))
			require.Len(t, o.warmUps, 1)
			require.InDelta(t, c.warm, o.warmUps[0], 10)
			require.Zero(t, o.throttled)
			require.Zero(t, o.stale)
			require.InDelta(t, float64(c.warm*refs), o.without, 1e6)
			// A refresh each TTL less 1 to 3 % of it and what one and a quarter fetches
			// take, and one more that came early.
			refreshes := float64(o.attempts-c.read) / float64(c.fresh)
			require.Equal(t, refreshes, float64(int(refreshes)))
			require.GreaterOrEqual(t, refreshes, 24*time.Hour.Seconds()/(0.99*ttl.Seconds())-1)
			require.LessOrEqual(t, refreshes, 24*time.Hour.Seconds()/(0.97*ttl.Seconds()-1.25*c.warm.Seconds())+2)
			require.Equal(t, refs*(1+int(refreshes)), o.values)
			require.LessOrEqual(t, o.slowest, ttl+c.lag, "no value is older than its TTL")
			require.Greater(t, o.slowest, c.lag+ttl/2)
			half, ok := o.staleness(0.5)
			require.True(t, ok)
			require.Greater(t, half, c.lag)
			require.Less(t, half, c.lag+ttl)
		})
	}
}

func TestQuotaExactlyMet(t *testing.T) {
	// Eight processes make 40 calls, which is what the quota lets through at once.
	for procs, throttles := range map[int]bool{8: false, 10: true} {
		s := of("ssm-default", procs, time.Minute)
		s.deploy = 1
		o := simulate(s)
		require.Equal(t, throttles, o.throttled > 0, "%d processes", procs)
		require.Len(t, o.warmUps, procs)
	}
}

func TestQuotaOfZeroNeverWarms(t *testing.T) {
	for _, a := range []app{patient, eager, crashing} {
		s := of("sm-batch", 3, 24*time.Hour)
		s.app, s.store.read = a, 0
		o := simulate(s)
		require.Empty(t, o.warmUps)
		_, ok := o.warmAfter(1)
		require.False(t, ok)
		require.Equal(t, o.attempts, o.throttled)
		require.Positive(t, o.attempts)
		require.Equal(t, o.lived, o.without)
		require.Zero(t, o.stale)
		_, ok = o.staleness(0.5)
		require.False(t, ok, "there is nothing to change")
		require.Zero(t, o.dollars())
		calls, values, throttled := o.perDay()
		require.Zero(t, calls)
		require.Zero(t, values)
		require.InDelta(t, 2*o.lateThrottled, throttled, 1)
	}
}

// The SDK tries a call three times until its tokens are used up, and the
// patient application asks every few minutes in the end.
func TestTriesOfAnOutage(t *testing.T) {
	s := of("sm-batch", 1, 10*time.Second)
	s.store.read = 0
	f := newFleet(s)
	f.run(1)
	require.Equal(t, 3, f.attempts)
	for len(f.warmUps) == 0 && f.procs[0].asking == 0 {
		f.run(time.Duration(f.now) + 10*time.Millisecond)
	}
	require.Equal(t, 9, f.attempts)
	require.LessOrEqual(t, f.now, int64(3200*time.Millisecond))

	s = of("sm-batch", 1, 24*time.Hour)
	s.store.read = 0
	o := simulate(s)
	fetches := float64(o.attempts-100) / 3
	require.Equal(t, fetches, float64(int(fetches)), "retries end with their tokens, which are for a hundred")
	require.InDelta(t, 24*time.Hour.Seconds()/157, fetches, 150)
}

func TestOutageOfWhatIsWarm(t *testing.T) {
	const began, ended = 12 * time.Minute, 50 * time.Minute
	for _, name := range []string{"sm-batch", "sm-listing", "ssm-raised", "sm-single"} {
		f := newFleet(of(name, 20, 2*time.Hour))
		f.run(began)
		require.Len(t, f.warmUps, 20)
		require.Zero(t, f.throttled)
		read, list := f.reading.rate, f.listing.rate
		f.reading.rate, f.listing.rate = 0, 0
		f.run(ended)
		require.Less(t, f.without-float64(20*refs)*float64(f.warmUps[0]-1), float64(20*refs)*float64(timeout),
			"what is warm is served, once the first fetch has failed")
		f.reading.rate, f.listing.rate = read, list
		f.run(2 * time.Hour)
		o := f.end()
		require.Less(t, o.stale, float64(20*refs)*float64(ended-began+6*time.Minute))
		require.Greater(t, o.stale, float64(20*refs)*float64(ended-began-6*time.Minute))
		for _, p := range f.procs {
			require.Zero(t, p.failures)
			for _, v := range p.values {
				require.True(t, v.held && v.read+int64(ttl) > f.now)
				require.Zero(t, v.failures)
			}
		}
	}
}

// A store in trouble is asked for twenty values at most, and not before its
// backoff is over.
func TestTroubleIsProbed(t *testing.T) {
	f := newFleet(of("sm-batch", 1, time.Hour))
	f.run(12 * time.Minute)
	f.reading.rate = 0
	p, probed := &f.procs[0], 0
	for f.now < int64(50*time.Minute) {
		before, retry, failures, queued := f.now, p.retry, p.failures, p.lane.queued
		f.run(time.Duration(f.now) + time.Millisecond)
		for _, l := range p.lane.fetches {
			if l.flies && l.began > before && failures > 0 {
				probed++
				require.LessOrEqual(t, bits.OnesCount64(l.asked), probes)
				require.True(t, l.began >= retry || queued != 0, "but for what waited for the fetch before")
			}
		}
	}
	require.Positive(t, probed)
}

// A store that answers some of a fetch is not in trouble: what it throttled is
// asked for again by itself, and the rest in its time.
func TestThrottledBesideAnAnswerIsNoTrouble(t *testing.T) {
	f := newFleet(of("ssm-default", 1, time.Hour))
	f.run(time.Minute)
	p := &f.procs[0]
	require.Len(t, f.warmUps, 1)
	f.reading.rate, f.reading.tokens = 2, 2
	for before := f.attempts; f.attempts == before; {
		f.run(time.Duration(f.now) + time.Millisecond)
	}
	f.reading.rate, f.reading.tokens = 0, 0
	for p.lane.underWay > 0 {
		f.run(time.Duration(f.now) + time.Millisecond)
	}
	require.Zero(t, p.failures)
	require.Zero(t, p.retry)
	failed := 0
	for _, v := range p.values {
		if v.failures > 0 {
			failed++
			require.Less(t, v.next, f.now+int64(time.Second), "soon, each by itself")
		} else {
			require.Greater(t, v.next, f.now+int64(ttl)/2)
		}
	}
	require.Equal(t, 30, failed)

	f.run(time.Duration(f.now) + 10*time.Second)
	require.Positive(t, p.failures, "nothing is answered any more")
}

// The bucket is halved by the attempt that is throttled, not by the fetch that
// fails: retries already wait.
func TestAThrottledAttemptHalvesTheRate(t *testing.T) {
	f := newFleet(of("sm-batch", 1, time.Hour))
	f.reading.rate, f.reading.tokens = 0, 0
	f.run(back + 2)
	p := &f.procs[0]
	require.Equal(t, 1, p.lane.underWay)
	require.Equal(t, 25.0, p.bucket.Rate())
}

// What is missed while a fetch is under way waits for it for half a second.
func TestPatience(t *testing.T) {
	f := newFleet(of("sm-batch", 1, time.Hour))
	f.reading.rate, f.reading.tokens = 2, 2
	f.run(time.Millisecond)
	f.reading.rate, f.reading.tokens = 0, 0
	f.run(back * 2)
	p := &f.procs[0]
	require.Equal(t, 1, p.lane.underWay, "the third call is tried again")
	p.lane.flying &^= 3 // as if two more were wanted
	f.join(f.now, 0, 3)
	require.Equal(t, uint64(3), p.lane.queued)
	at := f.now
	for p.lane.queued != 0 && p.lane.underWay == 1 {
		f.run(time.Duration(f.now) + time.Millisecond)
	}
	require.LessOrEqual(t, f.now, at+patience+int64(time.Millisecond))
}

// Who crashes loses what it had.
func TestCrashingStartsAllOver(t *testing.T) {
	for a, want := range map[app]int{patient: 40, crashing: 0} {
		s := of("sm-batch", 1, time.Hour)
		s.app = a
		f := newFleet(s)
		f.reading.tokens, f.reading.rate = 2, 2
		f.run(time.Millisecond)
		f.reading.tokens, f.reading.rate = 0, 0
		f.run(4 * time.Minute)
		held := 0
		for _, v := range f.procs[0].values {
			if v.held {
				held++
			}
		}
		require.Equal(t, want, held)
	}
}

func TestStaleValuesEnd(t *testing.T) {
	f := newFleet(of("sm-batch", 1, 4*time.Hour))
	f.run(time.Minute)
	without := f.without
	f.reading.rate = 0
	f.run(4 * time.Hour)
	o := f.end()
	require.Equal(t, float64(refs)*float64(time.Hour), o.stale, "an hour")
	require.InDelta(t, float64(refs)*float64(4*time.Hour-ttl-time.Hour), o.without-without, float64(refs)*float64(ttl))
	require.LessOrEqual(t, o.slowest, ttl+time.Hour)
}

// A listing that is throttled is no outage: the values are read instead.
func TestListingThatIsThrottled(t *testing.T) {
	s := of("sm-listing", 1, 24*time.Hour)
	s.store.list = 1e-12
	f := newFleet(s)
	f.listing.tokens = 0
	f.run(24 * time.Hour)
	o := f.end()
	require.LessOrEqual(t, o.stale, float64(refs)*float64(10*time.Second))
	require.Zero(t, f.procs[0].failures)
	require.Positive(t, o.throttled)
	require.LessOrEqual(t, o.throttled, 3*24*4+3, "another attempt each fifteen minutes")
	require.LessOrEqual(t, o.slowest, ttl+10*time.Second)
}

func TestCrashingBacksOff(t *testing.T) {
	f := newFleet(of("sm-batch", 1, time.Hour))
	p := &f.procs[0]
	for _, seconds := range []int{10, 20, 40, 80, 160, 300, 300} {
		require.Equal(t, time.Duration(seconds)*time.Second, time.Duration(f.restart(p)))
	}
}

// A fleet whose refreshes need less than half of its quota, the wave of its
// deploy included, is not throttled; one that needs more than all of it never
// gets more.
func TestWhatTheQuotaAllows(t *testing.T) {
	s := of("sm-batch", 3000, time.Hour)
	s.deploy = time.Minute
	o := simulate(s)
	require.Less(t, o.need(), 0.5)
	require.Zero(t, o.throttled-o.throttledWarm)
	require.Less(t, o.stale, 1e-5*o.lived, "what refreshed while others started")

	s = of("ssm-default", 3000, time.Hour)
	s.deploy = time.Minute
	o = simulate(s)
	require.Greater(t, o.need(), 1.0)
	calls, values, throttled := o.perDay()
	require.InEpsilon(t, 40*86400, calls, 0.001)
	require.Greater(t, values, 0.75*400*86400, "values that failed return each in its time, in calls that are not quite full")
	require.LessOrEqual(t, values, 400.0*86400*1.001)
	require.Positive(t, throttled)
}

func TestBudgetEndsACase(t *testing.T) {
	s := of("ssm-default", 1000, 24*time.Hour)
	s.budget = 10_000
	o := simulate(s)
	require.Equal(t, 10_000, o.attempts)
	require.Less(t, time.Duration(o.now), time.Hour)
	require.Positive(t, o.lived)
}
