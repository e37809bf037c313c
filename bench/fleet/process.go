package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/c0629bfc/secrets/internal/schedule"
)

// What the client does by default (options.go, refresh.go and
// internal/awsread of the main module).
const (
	staleIfError = int64(time.Hour)
	probes       = 20 // values asked for of a store in trouble
	concurrency  = 4  // calls in flight
	listPause    = int64(15 * time.Minute)
)

// What the SDK does by default (aws-sdk-go-v2, aws/retry, Standard): three
// attempts; after a throttled one a pause of up to a second, then up to two; a
// retry takes 5 of 500 tokens, which success gives back, and a first attempt
// that succeeds adds one.
const (
	attempts     = 3
	retryTokens  = 500
	retryCost    = 5
	firstSuccess = 1
)

const (
	latency = int64(25 * time.Millisecond) // of an attempt
	// reads is how often an application reads each of its values.
	reads = time.Second
	// maxGroups is how many groups a process has at most. Where it would have
	// more, all its values are one group, of many calls.
	maxGroups = 5
)

// group is the values of a process that travel in one call.
type group struct {
	values  int16
	calls   int16 // it takes
	held    bool  // the cache has them
	read    int64 // when the fetch began that brought them
	seen    int64 // changes up to then are in them
	until   int64 // fresh
	next    int64 // the refresher turns to them
	missing int64 // since when the application wants them and has nothing
}

// process is one process with its client.
type process struct {
	groups [maxGroups]group
	bucket *schedule.Bucket

	// trouble upstream
	failures  int32
	retry     int64
	noListing int64 // until then

	tokens int32 // the SDK's, for retries

	// the fetch that is under way
	flying    bool
	throttled bool
	asked     uint8            // groups
	queued    uint8            // groups for the fetch after it
	failed    uint8            // groups of which a call did
	open      [maxGroups]int16 // calls of each group still to come
	tries     [concurrency]int8
	of        [concurrency]uint8 // the group that the call is for
	running   int8
	began     int64
	sent      [maxGroups]int64 // the earliest call of each
	landing   int64

	started int64
	asking  int32 // how often the application failed to get all in a row
	warm    bool
	wake    int64 // when the refresher is to be woken; 0 if it is not
	again   int64 // when the application asks again; 0 if it does not
}

const lister = maxGroups // as the group of a call that lists

// start begins a process, with nothing in its cache.
func (f *fleet) start(now int64, i int32) {
	p := &f.procs[i]
	*p = process{bucket: schedule.NewBucket(f.store.perSecond, f.store.burst), tokens: retryTokens, asking: p.asking, started: p.started}
	if p.started == 0 {
		p.started = now
	}
	size, calls := f.store.size, 1
	if f.refs > size*maxGroups {
		calls = (f.refs + size - 1) / size
		size = f.refs
	}
	for g, left := 0, f.refs; left > 0; g++ {
		n := min(left, size)
		p.groups[g] = group{values: int16(n), calls: int16(calls), missing: p.started}
		left -= n
	}
	f.ask(now, i)
}

// ask has the application want what its process does not have.
func (f *fleet) ask(now int64, i int32) {
	p := &f.procs[i]
	var want uint8
	for g := range p.groups {
		if e := &p.groups[g]; e.values > 0 && !e.held {
			want |= 1 << g
		}
	}
	f.join(now, i, want)
}

// join has groups fetched, now or after the fetch that is under way.
func (f *fleet) join(now int64, i int32, want uint8) {
	p := &f.procs[i]
	p.queued |= want
	if !p.flying && p.queued != 0 {
		f.depart(now, i)
	}
}

func (f *fleet) depart(now int64, i int32) {
	p := &f.procs[i]
	p.asked, p.queued = p.queued, 0
	p.flying, p.throttled, p.failed, p.running = true, false, 0, 0
	p.began, p.landing = now, now
	known := true
	for g := range p.groups {
		p.sent[g] = math.MaxInt64
		if p.asked&(1<<g) != 0 {
			p.open[g] = p.groups[g].calls
			known = known && p.groups[g].held
		} else {
			p.open[g] = 0
		}
	}
	// Only what is known can be compared with a listing.
	if f.store.list > 0 && known && now >= p.noListing {
		p.assign(0, lister)
		f.try(now, i, 0)
		return
	}
	f.fill(now, i)
}

// fill starts calls up to the bound.
func (f *fleet) fill(now int64, i int32) {
	p := &f.procs[i]
	var begun [concurrency]bool
	for c := range p.tries {
		if g, ok := p.nextCall(); ok {
			p.assign(uint8(c), g)
			begun[c] = true
		}
	}
	for c, yes := range begun {
		if yes {
			f.try(now, i, uint8(c))
		}
	}
}

// assign gives one of the calls in flight a group to read.
func (p *process) assign(c, g uint8) {
	p.running++
	p.tries[c], p.of[c] = 1, g
}

func (p *process) nextCall() (uint8, bool) {
	for g := range p.open {
		if p.open[g] > 0 {
			p.open[g]--
			return uint8(g), true
		}
	}
	return 0, false
}

// try makes an attempt wait for its turn.
func (f *fleet) try(now int64, i int32, c uint8) {
	p := &f.procs[i]
	cost := f.store.cost
	if p.of[c] == lister {
		cost = 1
	}
	if delay := p.bucket.Reserve(epoch.Add(time.Duration(now)), cost); delay > 0 {
		f.queue.push(event{now + int64(delay), i, sends, c})
		return
	}
	f.send(now, i, c)
}

// send makes an attempt.
func (f *fleet) send(now int64, i int32, c uint8) {
	p := &f.procs[i]
	quota := &f.reading
	if p.of[c] == lister {
		quota = &f.listing
	}
	ok := quota.take(now)
	f.count(now, p, c, ok)
	if ok {
		if g := p.of[c]; g != lister {
			p.sent[g] = min(p.sent[g], now)
		} else {
			for g := range p.sent {
				p.sent[g] = now - int64(f.lag)
			}
		}
		if p.tries[c] == 1 {
			p.tokens = min(p.tokens+firstSuccess, retryTokens)
		} else {
			p.tokens = min(p.tokens+retryCost, retryTokens)
		}
		f.over(now+latency, i, c, true)
		return
	}
	if n := p.tries[c]; n < attempts && p.tokens >= retryCost {
		p.tokens -= retryCost
		p.tries[c]++
		pause := rand.N(time.Second << (n - 1))
		f.queue.push(event{now + latency + int64(pause), i, tries, c})
		return
	}
	f.over(now+latency, i, c, false)
}

// over ends a call at a time, which is when its answer will be back.
func (f *fleet) over(at int64, i int32, c uint8, ok bool) {
	p := &f.procs[i]
	p.landing = max(p.landing, at)
	p.running--
	p.tries[c] = 0
	free := int(c) + 1 // calls in flight that may begin
	switch g := p.of[c]; {
	case g == lister && ok:
		p.open = [maxGroups]int16{}
	case g == lister: // that is no outage: the values are read
		p.noListing = at + listPause
		free = concurrency
	case !ok:
		p.throttled = true
		p.failed |= 1 << g
	}
	for c := int(c); c < free; c++ {
		if next, more := p.nextCall(); more {
			p.assign(uint8(c), next)
			f.queue.push(event{at, i, tries, uint8(c)})
		}
	}
	if p.running == 0 {
		f.queue.push(event{p.landing, i, lands, 0})
	}
}

// land does what the client does when a fetch is over (lane.deliver,
// trouble.note, cache.put, cache.failed).
func (f *fleet) land(now int64, i int32) {
	p := &f.procs[i]
	p.flying = false
	if p.throttled {
		p.bucket.Throttled(epoch.Add(time.Duration(now)))
		p.failures++
		p.retry = now + int64(schedule.Backoff(int(p.failures), f.ttl))
	} else {
		p.failures, p.retry = 0, 0
	}
	ttl := int64(f.ttl)
	margin, part := int64(schedule.Margin(f.ttl, time.Duration(now-p.began))), int64(schedule.Part(f.ttl))
	for g := range p.groups {
		e := &p.groups[g]
		switch bit := uint8(1) << g; {
		case p.asked&bit == 0:
		case p.failed&bit == 0:
			f.renewed(now, p, e, p.sent[g])
			known := e.held
			e.held, e.read = true, p.began
			e.until = p.began + ttl
			e.next = e.until - margin
			if !known {
				e.next = max(e.next-part, p.began)
			}
		case e.held:
			deadline := e.read + ttl + staleIfError
			if now >= deadline {
				f.lose(deadline, e)
				break
			}
			e.next = min(p.retry, deadline)
		}
	}
	f.look(now, i)
	if p.queued != 0 {
		f.depart(now, i)
	}
}

// look has the application, and then the refresher, see how things are.
func (f *fleet) look(now int64, i int32) {
	p := &f.procs[i]
	if p.flying {
		return // it looks again when that is over
	}
	missing, next := false, int64(math.MaxInt64)
	for g := range p.groups {
		switch e := &p.groups[g]; {
		case e.values == 0:
		case !e.held:
			missing = true
		default:
			next = min(next, e.next)
		}
	}
	switch {
	case !missing && !p.warm:
		p.warm, p.asking = true, 0
		f.warmed(now, p)
	case missing && p.queued == 0:
		if f.app == crashing && !p.warm {
			f.queue.push(event{now + f.restart(p), i, starts, 0})
			p.wake = 0
			return
		}
		if p.again == 0 {
			p.again = now + f.pause(p)
			f.queue.push(event{p.again, i, asks, 0})
		}
	}
	if wake := max(next, now+int64(time.Millisecond)); next != math.MaxInt64 && wake != p.wake {
		p.wake = wake
		f.queue.push(event{wake, i, due, 0})
	}
}

// refresh does what the client's refresher does when it wakes (Client.take).
func (f *fleet) refresh(now int64, i int32) {
	p := &f.procs[i]
	p.wake = 0
	var want uint8
	var asked int
	early := int64(schedule.Early(f.ttl))
	var order [maxGroups]uint8
	n := 0
	for g := range p.groups { // sorted by when they are due
		if !p.groups[g].held {
			continue
		}
		at := n
		for ; at > 0 && p.groups[order[at-1]].next > p.groups[g].next; at-- {
			order[at] = order[at-1]
		}
		order[at] = uint8(g)
		n++
	}
	for _, g := range order[:n] {
		e := &p.groups[g]
		if e.next > now && (asked == 0 || e.next > now+early) {
			break
		}
		switch deadline := e.read + int64(f.ttl) + staleIfError; {
		case now >= deadline:
			f.lose(deadline, e)
		case now < p.retry:
			e.next = p.retry
		case p.failures > 0 && asked >= probes:
			e.next = now + int64(schedule.MinBackoff)
		default:
			e.next = math.MaxInt64 // until it lands
			want |= 1 << g
			asked += int(e.values)
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
