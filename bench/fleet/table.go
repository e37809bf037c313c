package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

const none = "–"

// write writes the tables.
func (r results) write(w io.Writer) {
	fmt.Fprintf(w, "### A day after a deploy\n\nAll start within a minute; TTL %s.\n\n", span(ttl))
	r.days(w, deploys)
	if len(r[longer]) > 0 {
		fmt.Fprintf(w, "\n### The same with a TTL of an hour\n\n")
		r.days(w, longer)
	}
	if len(r[rolling]) > 0 {
		fmt.Fprintf(w, "\n### A rolling deploy\n\nAll start within ten minutes; the first hours.\n\n")
		head(w, "processes", "store", "half are warm after", "all after", "throttled until then", "after it")
		for _, o := range r[rolling] {
			row(w, number(float64(o.procs)), o.store.name, o.warm(0.5), o.warm(1), o.throttledStart(), o.throttledLater())
		}
	}
	if len(r[apps]) > 0 {
		fmt.Fprintf(w, "\n### What an application does that did not get all its values\n\n"+
			"Patient: it asks again for what is missing, after exponential pauses with full jitter, up to five minutes. Eager: each second. "+
			"Crashing: it exits and is started again by Kubernetes, after 10 s, twice as long each time, up to five minutes. All start within a minute.\n\n")
		head(w, "processes", "store", "application", "half are warm after", "all after", "warm at the end", "throttled")
		for _, o := range r[apps] {
			row(w, number(float64(o.procs)), o.store.name, []string{"patient", "eager", "crashing"}[o.app], o.warm(0.5), o.warm(1),
				percent(float64(len(o.warmUps))/float64(o.procs)), number(float64(o.throttled)))
		}
	}
	if len(r[nearly]) > 0 {
		fmt.Fprintf(w, "\n### How near to the quota\n\nAll start within a minute; the second half of three hours.\n\n")
		head(w, "processes", "store", "quota needed", "all are warm after", "throttled in the second half", "a change is noticed: 99 %", "last")
		for _, o := range r[nearly] {
			row(w, number(float64(o.procs)), o.store.name, percent(o.need()), o.warm(1), share(o.lateThrottled, o.lateAttempts), o.noticedBy(0.99), o.noticedBy(1))
		}
	}
	r.others(w)
}

// days writes what each case of a day was like.
func (r results) days(w io.Writer, p part) {
	head(w, "processes", "store", "quota needed", "all are warm after", "throttled until then", "after it", "a change is noticed: half", "99 %", "last",
		"calls a day", "dollars a month", "served stale", "not served")
	for _, o := range r[p] {
		calls, _, _ := o.perDay()
		rest := []string{number(calls), dollars(o.dollars()), percent(o.stale / o.lived), percent(o.without / o.lived)}
		if !o.allWarm() { // it ended in the middle of the start
			rest = []string{none, none, none, none}
		}
		row(w, append([]string{number(float64(o.procs)), o.store.name, percent(o.need()), o.warm(1), o.throttledStart(), o.throttledLater(),
			o.noticedBy(0.5), o.noticedBy(0.99), o.noticedBy(1)}, rest...)...)
	}
}

// others writes what the two other ways of reading take, by formula.
func (r results) others(w io.Writer) {
	fmt.Fprintf(w, "\n### Without this client\n\nBy formula: each value read %v times a second by its API, with no cache; and one call for each value and TTL of %s, which is what AWS's caches make. "+
		"Start-up is what the quota allows at best; where more than all of the quota is needed, most calls are throttled and the dollars are those of the rest.\n\n", use, span(ttl))
	head(w, "processes", "store", "each use: quota needed", "calls a day", "dollars a month", "one call a value: quota needed", "calls a day", "dollars a month", "all are warm after")
	seen := make(map[string]bool)
	for _, o := range r[deploys] {
		s := o.store
		name := map[string]string{"ssm-default": "ssm-default", "ssm-raised": "ssm-raised", "sm-single": "sm"}[s.name]
		if name == "" || seen[fmt.Sprint(name, o.procs)] {
			continue
		}
		seen[fmt.Sprint(name, o.procs)] = true
		each, one := perUse(o.procs), perTTL(o.procs, o.ttl)
		through := func(rate float64) float64 { return min(rate, s.read) * 86400 }
		row(w, number(float64(o.procs)), name,
			percent(each/s.read), number(each*86400), dollars(s.price.month(through(each), through(each))),
			percent(one/s.read), number(one*86400), dollars(s.price.month(through(one), through(one))),
			span(max(time.Minute, time.Duration(float64(o.procs*refs)/s.read*1e9))))
	}
}

// perUse returns the calls a second of processes that read each value at each
// use, and perTTL of those that read each once a TTL.
func perUse(procs int) float64                    { return float64(procs*refs) * use }
func perTTL(procs int, ttl time.Duration) float64 { return float64(procs*refs) / ttl.Seconds() }

// need returns what part of its quota a fleet needs to refresh in time: a
// refresh comes 2 % before the end of the TTL, on average.
func (s setting) need() float64 {
	_, refresh := s.store.calls(s.refs)
	return float64(s.procs*refresh) / (0.98 * s.ttl.Seconds()) / s.store.quota()
}

func (o outcome) warm(part float64) string {
	if took, ok := o.warmAfter(part); ok {
		return span(took)
	}
	// The quota alone takes that long, and the deploy.
	read, _ := o.store.calls(o.refs)
	least := time.Duration(part * max(float64(o.procs*read)/o.store.read*1e9, float64(o.deploy)))
	return "more than " + span(max(least, time.Duration(o.now)))
}

func (o outcome) allWarm() bool { return len(o.warmUps) == o.procs }

func (o outcome) throttledStart() string {
	if !o.allWarm() {
		return share(o.throttled, o.attempts)
	}
	return share(o.throttledWarm, o.attemptsWarm)
}

func (o outcome) throttledLater() string {
	if !o.allWarm() {
		return none
	}
	return share(o.throttled-o.throttledWarm, o.attempts-o.attemptsWarm)
}

func (o outcome) noticedBy(part float64) string {
	if took, ok := o.staleness(part); ok && o.allWarm() {
		if part == 1 {
			took = o.slowest
		}
		return span(took)
	}
	return none
}

func head(w io.Writer, cells ...string) {
	row(w, cells...)
	for i := range cells {
		cells[i] = "--:"
		if i == 1 {
			cells[i] = "---"
		}
	}
	row(w, cells...)
}

func row(w io.Writer, cells ...string) {
	fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
}

// share tells a number, and what part of another it is.
func share(n, of int) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%s (%s)", number(float64(n)), percent(float64(n)/float64(of)))
}

func percent(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 0.001:
		return "< 0.1 %"
	case f < 0.095:
		return strconv.FormatFloat(100*f, 'f', 1, 64) + " %"
	}
	return number(100*f) + " %"
}

// number writes two digits of a number.
func number(f float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}} {
		if f >= 0.995*unit.size {
			return strconv.FormatFloat(twoDigits(f/unit.size), 'f', -1, 64) + unit.name
		}
	}
	s := strconv.FormatFloat(twoDigits(f), 'f', -1, 64)
	if whole, _, _ := strings.Cut(s, "."); len(whole) > 3 {
		return s[:len(whole)-3] + "," + s[len(whole)-3:]
	}
	return s
}

func twoDigits(f float64) float64 {
	if f == 0 {
		return 0
	}
	scale := math.Pow(10, math.Floor(math.Log10(f))-1)
	if scale >= 1 {
		return math.Round(f/scale) * scale
	}
	return math.Round(f/scale) / math.Round(1/scale)
}

func dollars(f float64) string {
	if f > 0 && f < 0.5 {
		return "< 1"
	}
	if f < 10 {
		return strconv.FormatFloat(math.Round(f), 'f', 0, 64)
	}
	return number(f)
}

// span writes a time to what matters of it.
func span(d time.Duration) string {
	f, digits, unit := d.Hours(), 1, " h"
	switch {
	case d < 2*time.Minute:
		f, digits, unit = d.Seconds(), 0, " s"
	case d < 10*time.Minute:
		f, unit = d.Minutes(), " min"
	case d < 2*time.Hour:
		f, digits, unit = d.Minutes(), 0, " min"
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', digits, 64), ".0") + unit
}
