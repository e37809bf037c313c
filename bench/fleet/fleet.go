package main

import (
	"math/rand/v2"
	"time"
)

// setting is one case of the simulation.
type setting struct {
	store  store
	procs  int
	refs   int           // values a process, 64 at most
	ttl    time.Duration // of the client
	deploy time.Duration // within which all processes start, at random
	app    app
	lag    time.Duration // of a listing behind the truth

	lasts  time.Duration // of virtual time
	budget int           // of attempts; the case ends early when it is used up
}

// changeEvery is how often all values change, on paper: a change costs no call
// here, and is noticed by the next read or comparison that began after it. It is
// out of step with the TTLs.
const changeEvery = int64(1787 * time.Second)

// epoch is the time at which a deploy begins, for what takes a time.
var epoch = time.Date(2025, 11, 24, 0, 0, 0, 0, time.UTC)

// fleet is the state of a case.
//
// All that is random in it comes from the functions of math/rand/v2, as in the
// client's own code, which cannot be seeded: runs differ by a little.
type fleet struct {
	setting
	queue            queue
	procs            []process
	caches           []value // of all processes
	order            []int   // for refresh
	reading, listing service
	single           service // of values that are read by themselves
	outcome
}

// simulate runs a case to its end.
func simulate(s setting) outcome {
	f := newFleet(s)
	f.run(s.lasts)
	return f.end()
}

func newFleet(s setting) *fleet {
	f := &fleet{setting: s, procs: make([]process, s.procs), caches: make([]value, s.procs*s.refs),
		reading: newService(s.store.read), listing: newService(s.store.list), single: newService(s.store.single)}
	f.outcome.setting = s
	f.perSecond = make([]int32, s.lasts/time.Second+1)
	for i := range f.procs {
		f.queue.push(event{1 + int64(rand.N(max(s.deploy, 1))), int32(i), starts, 0, 0})
	}
	return f
}

// run goes on until a time, or until the budget is used up.
func (f *fleet) run(until time.Duration) {
	for len(f.queue) > 0 && f.queue[0].at <= int64(until) {
		if f.budget > 0 && f.attempts >= f.budget {
			return
		}
		e := f.queue.pop()
		f.now = e.at
		p := &f.procs[e.proc]
		if e.life != p.life {
			continue // of a process that crashed
		}
		switch e.kind {
		case starts:
			f.start(e.at, e.proc)
		case asks:
			if p.again == e.at {
				p.again = 0
				f.ask(e.at, e.proc)
			}
		case due:
			if p.wake == e.at { // nothing changed since
				f.refresh(e.at, e.proc)
			}
		case hurries:
			if p.lane.hurry == e.at {
				f.depart(e.at, e.proc)
			}
		case tries:
			f.try(e.at, e.proc, e.call)
		case sends:
			f.send(e.at, e.proc, e.call)
		case ends:
			f.ended(e.at, e.proc, e.call)
		}
	}
	f.now = int64(until)
}
