package main

import (
	"fmt"
	"html"
	"io"
	"math"
)

// chart is a bar chart on a logarithmic axis: groups of bars, one bar for each
// series that has a value in the group.
type chart struct {
	title  string
	axis   string
	series []string
	groups []group
	show   func(float64) string
	tick   func(float64) string
}

type group struct {
	name   string
	values map[string]float64 // by series
}

// colours are Okabe and Ito's, which colour-blind readers can tell apart, and
// greys; the first series, which the chart is about, is the strongest.
var colours = []string{"#0072b2", "#555555", "#e69f00", "#f0c808", "#009e73", "#66c2a5", "#cc79a7", "#d55e00", "#56b4e9", "#999999"}

const (
	plotWidth = 860
	plotLeft  = 190 // names of the bars
	plotRight = 110 // their values
	barHeight = 17
	headRoom  = 66
	groupRoom = 40
)

// write writes the chart as SVG, on a white ground, since it is shown on pages
// of either colour.
func (c chart) write(w io.Writer) error {
	low, high := math.Inf(1), math.Inf(-1)
	height := headRoom
	for _, g := range c.groups {
		height += groupRoom + barHeight*len(g.values)
		for _, v := range g.values {
			if v <= 0 {
				return fmt.Errorf("%s: %v has no place on a logarithmic axis", c.title, v)
			}
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		return fmt.Errorf("%s: no values", c.title)
	}
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	if low == math.Pow(10, from) { // no bar of no length
		from--
	}
	to = max(to, from+1)
	x := func(v float64) float64 {
		return plotLeft + (math.Log10(v)-from)/(to-from)*(plotWidth-plotLeft-plotRight)
	}
	height += 44

	p := &printer{w: w}
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222222">`+"\n", plotWidth, height, plotWidth, height)
	p.printf(`<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", plotWidth, height)
	p.text(20, 28, `font-size="16" font-weight="bold"`, c.title)
	p.text(20, 48, `fill="#555555"`, c.axis)
	bottom := float64(height - 34)
	for e := from; e <= to; e++ {
		at := x(math.Pow(10, e))
		p.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%.1f" stroke="#dddddd"/>`+"\n", at, headRoom, at, bottom)
		p.text(at, bottom+18, `text-anchor="middle" fill="#555555"`, c.tick(math.Pow(10, e)))
	}
	y := float64(headRoom)
	for _, g := range c.groups {
		y += groupRoom - 12
		p.text(20, y-4, `font-weight="bold"`, g.name)
		y += 4
		for i, name := range c.series {
			v, ok := g.values[name]
			if !ok {
				continue
			}
			style := ""
			if i == 0 {
				style = `font-weight="bold"`
			}
			p.text(plotLeft-8, y+12, `text-anchor="end" `+style, name)
			p.printf(`<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", plotLeft, y+2, x(v)-plotLeft, barHeight-4, colours[i%len(colours)])
			p.text(x(v)+5, y+12, style, c.show(v))
			y += barHeight
		}
		y += 8
	}
	p.printf("</svg>\n")
	return p.err
}

// printer keeps the first error of writing.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) text(x, y float64, style, text string) {
	p.printf(`<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, style, html.EscapeString(text))
}

// chartOf makes a chart of the medians of some metrics, a group for each.
func chartOf(title, axis string, s samples, peers []peer, show, tick func(float64) string, metrics ...string) chart {
	c := chart{title: title, axis: axis, show: show, tick: tick}
	for _, p := range peers {
		c.series = append(c.series, p.name)
	}
	for _, m := range metrics {
		g := group{name: m, values: make(map[string]float64)}
		for _, p := range peers {
			if v, ok := s.median(m, p.name); ok {
				g.values[p.name] = v
			}
		}
		if len(g.values) > 0 {
			c.groups = append(c.groups, g)
		}
	}
	return c
}
