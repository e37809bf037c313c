package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func peerOf(t *testing.T, name string) peer {
	t.Helper()
	for _, p := range peers {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("no peer %q", name)
	return peer{}
}

// do does a job once with a peer and returns what it measured.
func do(t *testing.T, j job, name string) map[string]float64 {
	t.Helper()
	got := make(map[string]float64)
	j(peerOf(t, name), func(metric string, v float64) { got[metric] = v })
	return got
}

func TestStampedeIsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.EqualValues(t, 1, do(t, stampede(10_000, 10*time.Millisecond), ours)[stampedeCalls])
	})
}

// AWS's cache holds a mutex over its calls, so that no bubble's time passes.
func TestStampedesOfOthersAreCounted(t *testing.T) {
	for name, calls := range map[string]float64{"AWS cache": 2, "bare SDK": 200} {
		require.Equal(t, calls, do(t, stampede(200, time.Millisecond), name)[stampedeCalls], name)
	}
}

func TestColdStartTravelsInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := do(t, cold(200, 10*time.Millisecond), ours)
		require.EqualValues(t, 10, got[coldListCalls])
		require.LessOrEqual(t, got[coldEachCalls], float64(1+200/20), "those that come first leave alone, the rest in twenties")
	})
}

// The refresh comes a little ahead of the TTL, so that an hour has up to
// thirteen of them.
func TestFreshnessCostsOneCallForABatchAndTTL(t *testing.T) {
	const refreshes = 13
	for _, c := range []struct {
		scheme      string
		refs, calls int // an interval
	}{
		{"sm", 10, 1},
		{"sm", 1000, 50},
		{"ssm", 10, 1},
		{"ssm", 1000, 100},
	} {
		t.Run(fmt.Sprintf("%s/%d", c.scheme, c.refs), func(t *testing.T) {
			calls, _, ok := keepFresh(t, peerOf(t, ours), c.scheme, c.refs)
			require.True(t, ok)
			require.Positive(t, calls)
			require.LessOrEqual(t, calls, refreshes*c.calls)
		})
	}
}

func TestAHitAllocatesNothing(t *testing.T) {
	keys := keysOf("sm", 100)
	c := warm(peerOf(t, ours), source{reader: &memory{}}, config{capacity: 100, ttl: ttl}, keys)
	defer c.close()
	i := 0
	require.Zero(t, testing.AllocsPerRun(10_000, func() { i++; c.get(keys[i%len(keys)]) }))
}

// A peer that cannot hold what it is compared with would be compared at misses.
func TestEveryPeerHoldsWhatItIsGiven(t *testing.T) {
	keys := keysOf("sm", 200)
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			src, done := backing(p, keys)
			defer done()
			c := warm(p, src, config{capacity: 600, ttl: ttl}, keys)
			defer c.close()
			if p.name != ours { // whose get would read it
				require.False(t, c.get("sm://of/another/name"))
			}
			if c.renew != nil {
				require.NoError(t, c.renew(context.Background(), keys[0]))
				require.Eventually(t, func() bool { return c.get(keys[0]) }, time.Minute, time.Millisecond)
			}
			if c.all != nil {
				require.NoError(t, c.all(context.Background(), keys...))
			}
		})
	}
}

func TestMedianIsTheMiddle(t *testing.T) {
	s := make(samples)
	for _, v := range []float64{9, 1, 5} {
		s.add("m", "odd", v)
	}
	for _, v := range []float64{4, 1, 100, 2} {
		s.add("m", "even", v)
	}
	v, ok := s.median("m", "odd")
	require.True(t, ok)
	require.Equal(t, 5.0, v)
	v, _ = s.median("m", "even")
	require.Equal(t, 3.0, v)
	_, ok = s.median("m", "absent")
	require.False(t, ok)
	r, ok := s.ratio("m", "odd", "even")
	require.True(t, ok)
	require.InDelta(t, 5.0/3, r, 1e-9)
	_, ok = s.ratio("m", "odd", "absent")
	require.False(t, ok)
}

func TestPeersTakeTurns(t *testing.T) {
	var order strings.Builder
	three := []peer{{name: "a"}, {name: "b"}, {name: "c"}}
	s := interleave(3, three, []job{func(p peer, add func(string, float64)) {
		order.WriteString(p.name)
		add("m", 1)
	}}, func(int) { order.WriteString(" ") })
	require.Equal(t, " abc bca cab", order.String())
	require.Len(t, s["m"]["a"], 3)
}

func TestTable(t *testing.T) {
	s := make(samples)
	s.add("time", floor, 20)
	s.add("time", ours, 1250)
	s.add("calls", ours, 12345)
	var b bytes.Buffer
	table{"Title", "About.", []column{{"time", "time", nanos, floor}, {"calls", "calls", count, ""}}}.write(&b, s,
		[]peer{{name: ours}, {name: floor}, {name: "idle"}})
	require.Equal(t, `## Title

About.

| | time | calls |
|---|--:|--:|
| secrets | 1.25 µs (62.5×) | 12,345 |
| sync.Map | 20.0 ns (1.00×) | – |

`, b.String())
}

func TestNumbersAreShort(t *testing.T) {
	for v, want := range map[float64]string{0.5: "0.50", 9.999: "10.0", 99.99: "100", 1234567: "1,234,567"} {
		require.Equal(t, want, digits(v))
	}
	require.Equal(t, "2.10 s", nanos(2.1e9))
	require.Equal(t, "10 µs", power(nanos)(1e4))
	require.Equal(t, "75.0 %", percent(0.75))
}

func TestChartIsSVG(t *testing.T) {
	var b bytes.Buffer
	c := chart{title: "a < b", series: []string{"x", "y"}, show: nanos, tick: nanos,
		groups: []group{{"g", map[string]float64{"x": 1, "y": 1000}}}}
	require.NoError(t, c.write(&b))
	rects := 0
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			rects++
			for _, a := range e.Attr {
				require.False(t, strings.HasPrefix(a.Value, "-"), "%s=%s", a.Name.Local, a.Value)
			}
		}
	}
	require.Equal(t, 3, rects, "the ground and two bars")
	require.Error(t, chart{}.write(&b))
	require.Error(t, chart{groups: []group{{"g", map[string]float64{"x": 0}}}}.write(&b))
}

func TestFailuresToWriteAChartAreReported(t *testing.T) {
	c := chart{series: []string{"x"}, show: nanos, tick: nanos, groups: []group{{"g", map[string]float64{"x": 1}}}}
	r, w := io.Pipe()
	require.NoError(t, r.Close())
	require.ErrorIs(t, c.write(w), io.ErrClosedPipe)
}
