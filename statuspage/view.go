package statuspage

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shown is how many entries the page has at most.
const shown = 1000

// view is what the page is made of.
type view struct {
	Status
	Query   query
	Style   template.CSS
	States  []count
	Total   int
	Matched int
	More    int // entries that are not shown
	Calls   []count
}

type count struct {
	Name string
	N    uint64
}

func newView(s Status, q query) view {
	v := view{Status: s, Query: q, Style: template.CSS(style), Total: s.Totals.Entries, Matched: len(s.Entries)}
	for _, state := range states {
		v.States = append(v.States, count{string(state), uint64(s.States[state])})
	}
	if v.More = len(s.Entries) - shown; v.More > 0 {
		v.Entries = s.Entries[:shown]
	}
	for _, op := range slices.Sorted(maps.Keys(s.Calls.ByOperation)) {
		v.Calls = append(v.Calls, count{op, s.Calls.ByOperation[op]})
	}
	return v
}

// Of returns how many entries are in a state.
func (v view) Of(state string) int { return v.Status.States[State(state)] }

// HitRate returns which part of the reads the cache answered.
func (v view) HitRate() string {
	reads := v.Totals.Hits + v.Totals.Misses
	if reads == 0 {
		return "–"
	}
	percent := float64(v.Totals.Hits) / float64(reads) * 100
	return strconv.FormatFloat(math.Floor(percent*100)/100, 'f', -1, 64) + " %"
}

// Dollars returns what was saved, rounded towards nothing.
func (v view) Dollars() string {
	switch d := v.Saved.Dollars; {
	case d >= 1000:
		return "$" + commas(uint64(d))
	case d >= 0.01:
		return fmt.Sprintf("$%.2f", math.Floor(d*100)/100)
	case d > 0:
		return "<$0.01"
	}
	return "$0"
}

var functions = template.FuncMap{
	"ago":     func(now time.Time, t *time.Time) string { return ago(now.Sub(*t)) },
	"span":    func(now, t time.Time) string { return span(now.Sub(t)) },
	"in":      func(now time.Time, t *time.Time) string { return in(t.Sub(now)) },
	"commas":  commas,
	"signed":  signed,
	"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"time":    func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"short":   short,
	"why":     func(e Entry) string { return strings.TrimPrefix(e.Error, e.Ref+": ") }, // which is beside it
	"options": func() []string { return sorts },
	"int":     func(n int) uint64 { return uint64(max(n, 0)) },
}

func ago(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return span(d) + " ago"
}

func in(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return "in " + span(d)
}

// span writes a duration by its two largest units.
func span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return two(s/60, "min", s%60, "s")
	case s < 24*3600:
		return two(s/3600, "h", s%3600/60, "min")
	}
	return two(s/(24*3600), "d", s%(24*3600)/3600, "h")
}

func two(a int64, unit string, b int64, small string) string {
	if b == 0 || a >= 10 {
		return fmt.Sprintf("%d %s", a, unit)
	}
	return fmt.Sprintf("%d %s %d %s", a, unit, b, small)
}

func commas(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func signed(n int64) string {
	if n < 0 {
		return "−" + commas(uint64(-n))
	}
	return commas(uint64(n))
}

// short is enough of a version's ID to tell it from its neighbours.
func short(id string) string {
	if len(id) <= 12 {
		return id
	}
	return strings.ToValidUTF8(id[:8], "") + "…"
}
