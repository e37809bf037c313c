package main

import (
	"math/bits"
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
func (f *fleet) count(now int64, c *call) {
	f.attempts++
	f.perSecond[now/int64(time.Second)]++
	late := now >= int64(f.lasts)/2
	values := 0
	if c.ok {
		values = bits.OnesCount64(c.batch)
	} else {
		f.throttled++
	}
	f.values += values
	if late {
		f.lateAttempts++
		f.lateValues += values
		if !c.ok {
			f.lateThrottled++
		}
	}
}

// warmed notes that a process has all its values for the first time.
func (f *fleet) warmed(now int64, p *process) {
	f.warmUps = append(f.warmUps, time.Duration(now))
	f.without += float64(now-p.started) * float64(f.refs)
	for k := range p.values {
		p.values[k].since = max(p.values[k].since, now)
	}
	if len(f.warmUps) == len(f.procs) {
		f.throttledWarm, f.attemptsWarm = f.throttled, f.attempts
	}
}

// renewed notes that a value was read or confirmed, as of when that was asked.
func (f *fleet) renewed(now int64, p *process, v *value, trouble bool) {
	if !v.held {
		if p.warm {
			f.without += float64(now - v.since)
		}
		v.seen = v.arriving
		return
	}
	f.overdue(now, p, v, trouble)
	if v.arriving > v.seen {
		f.notice(v.seen, v.arriving, now)
		v.seen = v.arriving
	}
}

// overdue enters into the books how long a value was past its TTL: it is served
// stale if it could not be read or its store is in trouble (cache.look), or else
// reads wait for the fetch under way.
func (f *fleet) overdue(now int64, p *process, v *value, trouble bool) {
	if now <= v.since {
		return
	}
	past := float64(now - v.since)
	v.since = now
	switch {
	case !p.warm: // all of that time is in warmed
	case trouble || v.failures > 0:
		f.stale += past
	default:
		f.without += past
	}
}

// notice notes that the changes after one time and up to another were noticed
// now.
func (f *fleet) notice(after, to, now int64) {
	for k := after/changeEvery + 1; k*changeEvery <= to; k++ {
		took := time.Duration(now - k*changeEvery)
		f.noticed[min(int(took/time.Second), staleSeconds)]++
		f.slowest = max(f.slowest, took)
	}
}

// lose notes that the cache gave up a value when its deadline was over.
func (f *fleet) lose(deadline int64, p *process, v *value) {
	f.overdue(deadline, p, v, true)
	v.held, v.since, v.failures = false, deadline, 0
	f.notice(v.seen, deadline, deadline)
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
		for k := range p.values {
			v := &p.values[k]
			if !v.held {
				f.without += float64(f.now - v.since)
				continue
			}
			f.overdue(f.now, p, v, p.failures > 0)
			if late := v.read + int64(f.ttl+f.lag) + int64(10*time.Second); f.now > late {
				f.notice(v.seen, f.now, f.now) // and not noticed yet
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
