package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQueueIsInOrder(t *testing.T) {
	var q queue
	last := int64(-1)
	for range 2000 {
		for range rand.N(5) {
			q.push(event{at: last + 1 + rand.Int64N(1000)})
		}
		if len(q) > 0 {
			e := q.pop()
			require.GreaterOrEqual(t, e.at, last)
			last = e.at
		}
	}
	for len(q) > 0 {
		e := q.pop()
		require.GreaterOrEqual(t, e.at, last)
		last = e.at
	}
}

func TestServiceLetsItsRateThrough(t *testing.T) {
	s := newService(40)
	through := 0
	for at := int64(0); at < int64(10*time.Second); at += int64(time.Millisecond) {
		if s.take(at) {
			through++
		}
	}
	require.InDelta(t, 40+400, through, 1, "a second's worth at once, then the rate")
}

func TestCallsOfAStore(t *testing.T) {
	for name, want := range map[string][2]int{"sm-batch": {3, 3}, "sm-listing": {3, 1}, "sm-single": {50, 50}, "ssm-default": {5, 5}} {
		read, refresh := storeOf(name).calls(50)
		require.Equal(t, want, [2]int{read, refresh}, name)
	}
	require.InDelta(t, 152.08, perCall.month(1e6, 20e6), 0.01)
	require.InDelta(t, 1520.8, perReading.month(1e6, 10e6), 0.1)
	require.Zero(t, free.month(1e6, 1e6))
}

func TestFormulas(t *testing.T) {
	require.Equal(t, 50_000.0, perUse(1000))
	require.InDelta(t, 166.67, perTTL(1000, ttl), 0.01)
	o := outcome{setting: of("ssm-default", 1000, time.Hour)}
	require.InDelta(t, 5000/294.0/40, o.need(), 0.001)
	o.store = storeOf("sm-listing")
	require.InDelta(t, 1000/294.0/100, o.need(), 0.001)
}

func TestFormsOfNumbers(t *testing.T) {
	for want, f := range map[string]float64{"0": 0, "7": 7, "0.12": 0.123, "0.00012": 0.000123, "1.2": 1.234, "12": 12.34, "120": 123, "1,200": 1234, "12,000": 12345,
		"120,000": 123456, "1 M": 999_900, "1.2 M": 1.234e6, "120 M": 123e6, "1.2 G": 1.23e9, "10": 10, "100": 99.9} {
		require.Equal(t, want, number(f))
	}
	for want, d := range map[string]time.Duration{"0 s": 0, "59 s": 59 * time.Second, "2 min": 2 * time.Minute, "2.1 min": 126 * time.Second, "24 h": 24 * time.Hour, "65 min": 65 * time.Minute, "2.5 h": 150 * time.Minute} {
		require.Equal(t, want, span(d))
	}
	for want, f := range map[string]float64{"0": 0, "< 0.1 %": 1e-7, "4.3 %": 0.043, "43 %": 0.43, "100 %": 1, "1,300 %": 13} {
		require.Equal(t, want, percent(f))
	}
}

// What -quick does.
func TestTablesAndPlots(t *testing.T) {
	r := run(plan(1000, time.Hour, 100_000))
	require.Len(t, r[deploys], 3*len(stores))
	require.Len(t, r[rolling], len(stores))
	require.Len(t, r[apps], 6)
	var tables bytes.Buffer
	r.write(&tables)
	columns := 0
	for line := range strings.Lines(tables.String()) {
		require.NotContains(t, line, "NaN")
		require.NotContains(t, line, "Inf")
		switch n := strings.Count(line, "|"); {
		case n == 0:
			columns = 0
		case columns == 0:
			columns = n
		default:
			require.Equal(t, columns, n, line)
		}
	}
	plots, err := r.plots()
	require.NoError(t, err)
	require.Len(t, plots, 4)
	for name, svg := range plots {
		require.NotContains(t, string(svg), "NaN", name)
		require.NotContains(t, string(svg), "Inf", name)
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else {
				require.NoError(t, err, name)
			}
		}
	}
	_, err = results{}.plots()
	require.Error(t, err)
}

func TestPageKeepsItsProse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet.md")
	require.NoError(t, os.WriteFile(path, []byte("before\n"+from+"old\n"+until+"after\n"), 0o600))
	for _, tables := range []string{"new\n", "newer\n"} {
		require.NoError(t, fill(path, []byte(tables)))
		page, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "before\n"+from+"\n"+tables+until+"after\n", string(page))
	}
	require.NoError(t, os.WriteFile(path, []byte("nothing"), 0o600))
	require.Error(t, fill(path, nil))
}
