package main

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"time"
)

// chart is lines over logarithmic axes.
type chart struct {
	title, below string
	x, y         axis
	lines        []line
	marks        []mark // levels across the plot
}

type axis struct {
	title    string
	from, to float64
	linear   bool
	ticks    []float64
	show     func(float64) string
}

func (a axis) at(v float64) float64 {
	if a.linear {
		return (v - a.from) / (a.to - a.from)
	}
	return math.Log(v/a.from) / math.Log(a.to/a.from)
}

type line struct {
	name   string // empty: dots alone
	colour string
	dashed bool
	points []point
}

type point struct {
	x, y float64
	dot  bool // or else it is only passed
}

type mark struct {
	y    float64
	name string
}

// Okabe and Ito's colours, which colour-blind readers can tell apart.
var colours = map[string]string{
	"ssm-default": "#d55e00", "ssm-raised": "#e69f00", "sm-batch": "#0072b2", "sm-listing": "#009e73", "sm-single": "#cc79a7",
}

const (
	width, height                  = 860.0, 480.0
	left, right, above, underneath = 80.0, 190.0, 64.0, 60.0
)

// svg draws the chart, on a white ground, since it is shown on pages of either
// colour.
func (c chart) svg() []byte {
	var b bytes.Buffer
	text := func(x, y float64, style, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" %s>%s</text>`+"\n", x, y, style, html.EscapeString(s))
	}
	px := func(v float64) float64 { return left + c.x.at(v)*(width-left-right) }
	py := func(v float64) float64 { return height - underneath - c.y.at(v)*(height-above-underneath) }

	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222222">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#ffffff"/>`+"\n", width, height)
	text(20, 26, `font-size="16" font-weight="bold"`, c.title)
	text(20, 46, `fill="#555555"`, c.below)
	for _, v := range c.x.ticks {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#e4e4e4"/>`+"\n", px(v), above, px(v), height-underneath)
		text(px(v), height-underneath+18, `text-anchor="middle" fill="#555555"`, c.x.show(v))
	}
	for _, v := range c.y.ticks {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#e4e4e4"/>`+"\n", left, py(v), width-right, py(v))
		text(left-8, py(v)+4, `text-anchor="end" fill="#555555"`, c.y.show(v))
	}
	text((left+width-right)/2, height-18, `text-anchor="middle" fill="#555555"`, c.x.title)
	fmt.Fprintf(&b, `<text transform="translate(20 %.1f) rotate(-90)" text-anchor="middle" fill="#555555">%s</text>`+"\n", (above+height-underneath)/2, html.EscapeString(c.y.title))
	for _, m := range c.marks {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#222222" stroke-dasharray="2 3"/>`+"\n", left, py(m.y), width-right, py(m.y))
	}
	fmt.Fprintf(&b, `<clipPath id="plot"><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f"/></clipPath>`+"\n", left-6, above-6, width-left-right+12, height-above-underneath+12)
	type label struct {
		line   line
		at, to float64 // the line's end, and where its name has room
	}
	var labels []label
	for _, l := range c.lines {
		if len(l.points) == 0 {
			continue
		}
		if l.name != "" {
			dash := ""
			if l.dashed {
				dash = ` stroke-dasharray="6 4"`
			}
			fmt.Fprintf(&b, `<polyline clip-path="url(#plot)" fill="none" stroke="%s" stroke-width="2"%s points="`, l.colour, dash)
			for _, p := range l.points {
				fmt.Fprintf(&b, "%.1f,%.1f ", px(p.x), py(p.y))
			}
			b.WriteString(`"/>` + "\n")
		}
		for _, p := range l.points {
			if p.dot {
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", px(p.x), py(p.y), l.colour)
			}
		}
		if l.name == "" {
			continue
		}
		y := min(max(py(l.points[len(l.points)-1].y), above), height-underneath)
		labels = append(labels, label{l, y, y})
	}
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(a.at, b.at) })
	for i := 1; i < len(labels); i++ { // names keep their distance
		labels[i].to = max(labels[i].at, labels[i-1].to+16)
	}
	for i := len(labels) - 1; i >= 0; i-- {
		labels[i].to = min(labels[i].to, height-underneath-16*float64(len(labels)-1-i))
	}
	for _, l := range labels {
		last := l.line.points[len(l.line.points)-1]
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", px(last.x)+5, l.at, width-right+14, l.to, l.line.colour)
		text(width-right+17, l.to+4, fmt.Sprintf(`fill="%s" font-weight="bold"`, l.line.colour), l.line.name)
	}
	for _, m := range c.marks {
		text(left+6, py(m.y)-4, `stroke="#ffffff" stroke-width="4" paint-order="stroke" fill="#222222"`, m.name)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func powers(from, to float64) (ticks []float64) {
	for v := from; v <= to*1.001; v *= 10 {
		ticks = append(ticks, v)
	}
	return ticks
}

// plots draws what a table of a day says.
func (r results) plots() (map[string][]byte, error) {
	if len(r[deploys]) == 0 {
		return nil, fmt.Errorf("no case to draw")
	}
	procs := axis{title: "processes, of 50 values each", from: 10, to: 100_000, ticks: powers(10, 100_000), show: number}
	calls := chart{title: "Calls a second that a fleet needs", below: "steady, TTL of 5 minutes; lines by formula; dots: let through in the simulation; dotted: quotas of an account in a Region",
		x: procs, y: axis{title: "calls a second", from: 0.01, to: 10_000_000, ticks: powers(0.01, 10_000_000), show: number},
		marks: []mark{{40, "40: GetParameters, default"}, {100, "100: BatchGetSecretValue; ListSecrets"}, {10_000, "10,000: GetSecretValue; GetParameters, raised"}}}
	warm := chart{title: "Time until all processes have all values", below: "all start within a minute; an application asks again for what is missing, patiently; no dot: what the quota takes at least",
		x: procs, y: axis{title: "from the start of the deploy", from: 30, to: 86400, ticks: []float64{30, 60, 300, 900, 3600, 4 * 3600, 86400}, show: seconds}}
	late := chart{title: "Time until a change is noticed by 99 % of the fleet", below: "TTL of 5 minutes; ListSecrets taken to lag by the five minutes that AWS names",
		x: procs, y: axis{title: "from the change", from: 60, to: 2 * 3600, ticks: []float64{60, 120, 300, 600, 1200, 3600, 7200}, show: seconds},
		marks: []mark{{ttl.Seconds(), "the TTL"}, {(ttl + staleIfErrorFor).Seconds(), "the TTL and an hour of serving stale: then reads fail"}}}

	ends := []float64{10, 100_000}
	formula := func(name, colour string, dashed bool, rate func(float64) float64) line {
		l := line{name: name, colour: colour, dashed: dashed}
		for _, n := range ends {
			l.points = append(l.points, point{x: n, y: rate(n)})
		}
		return l
	}
	calls.lines = append(calls.lines,
		formula("each use, once a second", "#555555", true, func(n float64) float64 { return perUse(int(n)) }),
		formula("one call a value and TTL", "#999999", true, func(n float64) float64 { return perTTL(int(n), ttl) }))
	for _, s := range stores {
		through := line{name: s.name, colour: colours[s.name]}
		w, l, let := through, through, line{colour: through.colour}
		for _, o := range r[deploys] {
			if o.store.name != s.name {
				continue
			}
			n := float64(o.procs)
			perDay, _, _ := o.perDay()
			through.points = append(through.points, point{x: n, y: o.need() * s.quota()})
			if o.allWarm() {
				let.points = append(let.points, point{x: n, y: perDay / 86400, dot: true})
			}
			if took, ok := o.warmAfter(1); ok {
				w.points = append(w.points, point{x: n, y: max(took.Seconds(), 30), dot: true})
			} else {
				read, _ := s.calls(refs) // the quota alone takes that long
				w.points = append(w.points, point{x: n, y: max(n*float64(read)/s.read, time.Duration(o.now).Seconds())})
			}
			if took, ok := o.staleness(0.99); ok && o.allWarm() {
				l.points = append(l.points, point{x: n, y: took.Seconds(), dot: true})
			}
		}
		calls.lines = append(calls.lines, through, let)
		warm.lines = append(warm.lines, w)
		late.lines = append(late.lines, l)
	}
	return map[string][]byte{"fleet-calls.svg": calls.svg(), "fleet-warm.svg": warm.svg(), "fleet-stale.svg": late.svg(), "fleet-wave.svg": r.wave().svg()}, nil
}

const staleIfErrorFor = time.Duration(staleIfError)

// wave draws the first hour of the largest fleet that nothing throttles.
func (r results) wave() chart {
	var best outcome
	for _, o := range r[deploys] {
		if o.store.name == "ssm-raised" && o.throttled == 0 {
			best = o
		}
	}
	const step, from = 15, 120 // seconds
	l := line{name: number(float64(best.procs)) + " processes", colour: colours["ssm-raised"]}
	top := 1.0
	for s := from; s+step <= min(3600, len(best.perSecond)); s += step {
		sum := 0
		for _, n := range best.perSecond[s : s+step] {
			sum += int(n)
		}
		l.points = append(l.points, point{x: float64(s+step/2) / 60, y: float64(sum) / step})
		top = max(top, float64(sum)/step)
	}
	unit := math.Pow(10, math.Floor(math.Log10(top)))
	a := axis{title: "calls a second", linear: true, to: math.Ceil(top/unit) * unit, show: number}
	for v := 0.0; v <= a.to*1.001; v += unit {
		a.ticks = append(a.ticks, v)
	}
	return chart{title: "The wave that a deploy leaves behind", below: "ssm-raised, TTL of 5 minutes, all processes start within the first minute, which is not shown; dotted: by formula",
		x:     axis{title: "minutes from the start of the deploy", linear: true, from: 0, to: 60, ticks: []float64{0, 10, 20, 30, 40, 50, 60}, show: number},
		y:     a,
		lines: []line{l}, marks: []mark{{y: best.need() * best.store.quota()}}}
}

func seconds(v float64) string { return span(time.Duration(v * 1e9)) }
