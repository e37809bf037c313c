package main

import (
	"slices"
	"time"
)

// outcome is what a case showed.
type outcome struct {
	setting
	now int64 // when it ended

	attempts, throttled int // of requests, SDK retries among them
	throttledWarm       int // by when all processes were warm
	attemptsWarm        int
	values              int // that were read or compared
	perSecond           []int32
	warmUps             []time.Duration // of each process, from the start of the deploy

	// In nanoseconds of one value: altogether, past its TTL, and not there.
	lived, stale, without float64

	noticed [staleSeconds + 1]float64 // values by the seconds it took to notice a change
	slowest time.Duration

	// Since half of the time: for rates that the deploy is not in.
	lateAttempts, lateThrottled, lateValues int
}

const staleSeconds = 4 * 3600

// count counts an attempt.
func (f *fleet) count(now int64, p *process, c uint8, ok bool) {
	f.attempts++
	f.perSecond[now/int64(time.Second)]++
	late := now >= int64(f.lasts)/2
	values := 0
	switch {
	case !ok:
		f.throttled++
	case p.of[c] == lister:
		values = f.refs
	default:
		g := &p.groups[p.of[c]]
		values = int(g.values / g.calls)
	}
	f.values += values
	if late {
		f.lateAttempts++
		f.lateValues += values
		if !ok {
			f.lateThrottled++
		}
	}
}

// warmed notes that a process has all its values for the first time.
func (f *fleet) warmed(now int64, p *process) {
	f.warmUps = append(f.warmUps, time.Duration(now))
	f.without += float64(now-p.started) * float64(f.refs)
	if len(f.warmUps) == len(f.procs) {
		f.throttledWarm, f.attemptsWarm = f.throttled, f.attempts
	}
}

// renewed notes that a group was read or confirmed as of the time it was sent.
func (f *fleet) renewed(now int64, p *process, e *group, sent int64) {
	n := float64(e.values)
	if !e.held {
		if p.warm {
			f.without += float64(now-e.missing) * n
		}
		e.seen = sent
		return
	}
	f.stale += float64(max(now-e.until, 0)) * n
	if sent > e.seen {
		f.notice(e.seen, sent, now, n)
		e.seen = sent
	}
}

// notice notes that the changes after one time and up to another were noticed
// now.
func (f *fleet) notice(after, to, now int64, n float64) {
	for k := after/changeEvery + 1; k*changeEvery <= to; k++ {
		took := time.Duration(now - k*changeEvery)
		f.noticed[min(int(took/time.Second), staleSeconds)] += n
		f.slowest = max(f.slowest, took)
	}
}

// lose notes that the cache gave up a group when its deadline was over.
func (f *fleet) lose(deadline int64, e *group) {
	e.held, e.missing = false, deadline
	f.stale += float64(deadline-e.until) * float64(e.values)
	f.notice(e.seen, deadline, deadline, float64(e.values))
}

// end closes the books.
func (f *fleet) end() outcome {
	for i := range f.procs {
		p := &f.procs[i]
		if p.started == 0 {
			continue
		}
		f.lived += float64(f.now-p.started) * float64(f.refs)
		if !p.warm {
			f.without += float64(f.now-p.started) * float64(f.refs)
			continue
		}
		for g := range p.groups {
			e := &p.groups[g]
			switch n := float64(e.values); {
			case e.values == 0:
			case !e.held:
				f.without += float64(f.now-e.missing) * n
			default:
				f.stale += float64(max(f.now-e.until, 0)) * n
				if late := e.until + int64(f.lag) + int64(10*time.Second); f.now > late {
					f.notice(e.seen, f.now, f.now, n) // and not noticed yet
				}
			}
		}
	}
	slices.Sort(f.warmUps)
	return f.outcome
}

// warmAfter returns when a part of the processes was warm, from the start of the
// deploy; false if that was never so.
func (o outcome) warmAfter(part float64) (time.Duration, bool) {
	n := int(part * float64(o.procs))
	if n < 1 || len(o.warmUps) < n {
		return 0, false
	}
	return o.warmUps[n-1], true
}

// staleness returns within what time that part of all values followed a change;
// false if there was none.
func (o outcome) staleness(part float64) (time.Duration, bool) {
	var sum float64
	for _, n := range o.noticed {
		sum += n
	}
	if sum == 0 {
		return 0, false
	}
	var so float64
	for s, n := range o.noticed {
		if so += n; so >= part*sum {
			return min(time.Duration(s+1)*time.Second, o.slowest), true
		}
	}
	return o.slowest, true
}

// perDay returns the calls that are let through and the values in them, a day,
// and the attempts besides that are throttled, at the rate of the second half.
func (o outcome) perDay() (calls, values, throttled float64) {
	days := (time.Duration(o.now) - o.lasts/2).Hours() / 24
	if days <= 0 { // it ended early: all of it
		days = time.Duration(o.now).Hours() / 24
		return float64(o.attempts-o.throttled) / days, float64(o.values) / days, float64(o.throttled) / days
	}
	return float64(o.lateAttempts-o.lateThrottled) / days, float64(o.lateValues) / days, float64(o.lateThrottled) / days
}

// dollars returns what the calls cost a month.
func (o outcome) dollars() float64 {
	calls, values, _ := o.perDay()
	return o.store.price.month(calls, values)
}
