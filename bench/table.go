package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// table is one table of the results: a row for each peer, a column for each
// metric.
type table struct {
	title   string
	about   string
	columns []column
}

// column shows one metric.
type column struct {
	head   string
	metric string
	show   func(float64) string
	floor  string // whose ratio to show too; "" for none
}

// write writes the table in Markdown. A cell that has nothing to show is "–",
// and a peer that has none but those is left out.
func (t table) write(w io.Writer, s samples, peers []peer) {
	fmt.Fprintf(w, "## %s\n\n%s\n\n|", t.title, t.about)
	for _, c := range t.columns {
		fmt.Fprintf(w, " | %s", c.head)
	}
	fmt.Fprintf(w, " |\n|---|%s\n", strings.Repeat("--:|", len(t.columns)))
	for _, p := range peers {
		cells, some := make([]string, len(t.columns)), false
		for i, c := range t.columns {
			cells[i] = c.cell(s, p.name)
			some = some || cells[i] != none
		}
		if some {
			fmt.Fprintf(w, "| %s | %s |\n", p.name, strings.Join(cells, " | "))
		}
	}
	fmt.Fprintln(w)
}

const none = "–"

func (c column) cell(s samples, peer string) string {
	v, ok := s.median(c.metric, peer)
	if !ok {
		return none
	}
	text := c.show(v)
	if r, ok := s.ratio(c.metric, peer, c.floor); ok {
		text += " (" + times(r) + ")"
	}
	return text
}

// nanos shows a time, given in nanoseconds, with three digits.
func nanos(v float64) string {
	switch {
	case v < 1e3:
		return digits(v) + " ns"
	case v < 1e6:
		return digits(v/1e3) + " µs"
	case v < 1e9:
		return digits(v/1e6) + " ms"
	}
	return digits(v/float64(time.Second)) + " s"
}

// times shows a ratio.
func times(v float64) string { return digits(v) + "×" }

// digits shows three digits, or all before the point.
func digits(v float64) string {
	switch {
	case v < 9.995:
		return fmt.Sprintf("%.2f", v)
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	return count(v)
}

// count shows a whole number in groups of three.
func count(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
