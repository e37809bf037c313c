package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/c0629bfc/secrets/internal/schedule"
)

// What the client does by default (options.go and refresh.go of the main module).
const (
	staleIfError = int64(time.Hour)
	probes       = 20 // values asked for of a store in trouble
)

// reads is how often an application reads each of its values.
const reads = time.Second

const never = int64(math.MaxInt64)

// value is what a process's cache has of one value.
type value struct {
	read     int64 // when the fetch began that brought it
	next     int64 // the refresher turns to it
	seen     int64 // changes up to then are in it
	arriving int64 // the same of what the fetch under way has brought
	since    int64 // held: past its TTL, as far as that is not in the books; or else: missing
	failures int32 // fetches in a row that did not bring it
	held     bool
}

// process is one process with its client. Sets of its values are bits.
type process struct {
	values []value
	bucket *schedule.Bucket
	lane   lane

	// trouble of the store
	failures  int32
	retry     int64
	well      int64 // when the last fetch began that was answered
	noListing int64 // until then

	started int64
	life    uint16 // goes up when it crashes
	warm    bool
	asking  int32  // how often the application failed to get all in a row
	waits   uint64 // what the application waits for
	wake    int64  // when the refresher is to be woken; 0 if it is not
	again   int64  // when the application asks again; 0 if it does not
}

// start begins a process, with nothing in its cache.
func (f *fleet) start(now int64, i int32) {
	p := &f.procs[i]
	*p = process{
		values: f.caches[int(i)*f.refs : (int(i)+1)*f.refs],
		bucket: schedule.NewBucket(f.store.perSecond, f.store.burst),
		lane:   lane{tokens: retryTokens, fetches: p.lane.fetches[:0]},
		asking: p.asking, started: p.started, life: p.life,
	}
	if p.started == 0 {
		p.started = now
	}
	for k := range p.values {
		p.values[k] = value{since: p.started}
	}
	f.ask(now, i)
}

// ask has the application want what its process does not have.
func (f *fleet) ask(now int64, i int32) {
	p := &f.procs[i]
	p.waits = p.missing()
	f.join(now, i, p.waits)
	f.look(now, i)
}

func (p *process) missing() (set uint64) {
	for k := range p.values {
		if !p.values[k].held {
			set |= 1 << k
		}
	}
	return set
}

// land does what the client does when a fetch is over (lane.deliver,
// trouble.note, cache.put, cache.failed).
func (f *fleet) land(now int64, i int32, t fetch) {
	p := &f.procs[i]
	trouble := p.failures > 0
	switch {
	case t.answered != 0:
		p.failures, p.retry, p.well = 0, 0, t.began
	case t.began >= p.well:
		p.failures++
		p.retry = now + int64(schedule.Backoff(int(p.failures), f.ttl))
	}
	ttl := int64(f.ttl)
	margin, part := int64(schedule.Margin(f.ttl, time.Duration(now-t.began))), int64(schedule.Part(f.ttl))
	for k := range p.values {
		v := &p.values[k]
		switch bit := uint64(1) << k; {
		case t.asked&bit == 0:
		case t.answered&bit != 0:
			f.renewed(now, p, v, trouble)
			until := t.began + ttl
			v.next = until - margin
			if !v.held {
				v.next = max(v.next-part, t.began)
			}
			v.held, v.read, v.since, v.failures = true, t.began, until, 0
		case v.held:
			deadline := v.read + ttl + staleIfError
			if now >= deadline {
				f.lose(deadline, p, v)
				break
			}
			f.overdue(now, p, v, trouble)
			v.failures++
			retry := p.retry
			if retry == 0 { // the store is well: when is for each value to say
				retry = now + int64(schedule.Backoff(int(v.failures), f.ttl))
			}
			v.next = min(retry, deadline)
		}
	}
	p.waits &^= t.asked
}

// look has the application, and then the refresher, see how things are.
func (f *fleet) look(now int64, i int32) {
	p := &f.procs[i]
	missing, next := false, never
	for k := range p.values {
		if v := &p.values[k]; v.held {
			next = min(next, v.next)
		} else {
			missing = true
		}
	}
	switch {
	case !missing && !p.warm:
		p.warm, p.asking = true, 0
		f.warmed(now, p)
	case missing && p.waits == 0 && f.app == crashing && !p.warm:
		p.life++
		p.wake, p.lane.hurry = 0, 0
		f.queue.push(event{now + f.restart(p), i, starts, 0, p.life})
		return
	case missing && p.waits == 0 && p.again == 0:
		p.again = now + f.pause(p)
		f.queue.push(event{p.again, i, asks, 0, p.life})
	}
	if wake := max(next, now+int64(time.Millisecond)); next != never && wake != p.wake {
		p.wake = wake
		f.queue.push(event{wake, i, due, 0, p.life})
	}
}

// refresh does what the client's refresher does when it wakes (Client.take).
// All values are in use.
func (f *fleet) refresh(now int64, i int32) {
	p := &f.procs[i]
	p.wake = 0
	early := int64(schedule.Early(f.ttl))
	f.order = f.order[:0]
	for k := range p.values {
		if v := &p.values[k]; v.held && v.next <= now+early {
			f.order = append(f.order, k)
		}
	}
	slices.SortStableFunc(f.order, func(a, b int) int {
		switch x, y := p.values[a].next, p.values[b].next; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	var want uint64
	asked := 0
	for _, k := range f.order {
		v := &p.values[k]
		if v.next > now && asked == 0 {
			break
		}
		switch deadline := v.read + int64(f.ttl) + staleIfError; {
		case now >= deadline:
			f.lose(deadline, p, v)
		case now < p.retry:
			v.next = p.retry
		case p.failures > 0 && asked >= probes:
			v.next = now + int64(schedule.MinBackoff)
		default:
			v.next = never // until it lands
			want |= 1 << k
			asked++
		}
	}
	f.join(now, i, want)
	f.look(now, i)
}

// app is what an application does that does not get all that it asks for.
type app int

const (
	// patient asks again for what is missing, after exponential pauses with
	// full jitter.
	patient app = iota
	// eager asks again each second.
	eager
	// crashing exits, and loses what it had; Kubernetes starts it again after 10
	// seconds, twice as long each time, up to 5 minutes.
	crashing
)

// pause returns how long an application waits to ask again.
func (f *fleet) pause(p *process) int64 {
	if p.warm || f.app == eager {
		return int64(rand.N(reads)) // a read comes along
	}
	p.asking++
	return int64(schedule.Backoff(int(p.asking), f.ttl))
}

func (f *fleet) restart(p *process) int64 {
	p.asking++
	return min(int64(10*time.Second)<<min(p.asking-1, 10), int64(5*time.Minute))
}
