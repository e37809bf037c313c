package main

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// What the client does by default (flight.go of the main module, and
// internal/awsread).
const (
	patience    = int64(500 * time.Millisecond)
	timeout     = int64(10 * time.Second) // of a fetch that does not get on
	concurrency = 4                       // calls in flight
	listPause   = int64(15 * time.Minute)
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

const latency = int64(25 * time.Millisecond) // of an attempt

// lane leads to the store.
type lane struct {
	queued   uint64 // values whose flights have not left
	flying   uint64 // and those whose have
	hurry    int64  // when the former leave in any case; 0 if they need not
	underWay int
	fetches  []fetch
	calls    [concurrency]call
	tokens   int32 // the SDK's, for retries
}

// fetch is what leaves together: one call of a provider, of several to AWS.
type fetch struct {
	began    int64
	timeout  int64 // unless it gets on
	asked    uint64
	known    uint64 // of them, by the cache
	answered uint64
	unsent   uint64 // what is still to be read
	list     bool   // known versions are to be compared first
	open     int16  // calls in flight
	flies    bool
}

// call is one to AWS, of up to three attempts.
type call struct {
	batch uint64 // the values it reads or compares
	sent  int64  // the last attempt
	fetch int16
	tries int8 // 0: there is none
	lists bool
	ok    bool // the last attempt was let through
}

// join has values fetched that are not on their way yet (lane.join).
func (f *fleet) join(now int64, i int32, want uint64) {
	l := &f.procs[i].lane
	waiting := l.queued != 0
	l.queued |= want &^ l.flying
	switch {
	case l.underWay == 0:
		f.depart(now, i)
	case l.queued != 0 && !waiting:
		l.hurry = now + patience
		f.queue.push(event{l.hurry, i, hurries, 0, f.procs[i].life})
	}
}

// depart sends off what is queued (lane.depart and fly).
func (f *fleet) depart(now int64, i int32) {
	p := &f.procs[i]
	l := &p.lane
	if l.queued == 0 {
		return
	}
	t := fetch{began: now, timeout: now + timeout, asked: l.queued, known: l.queued &^ p.missing(), unsent: l.queued, flies: true}
	// Only what is known can be compared with a listing.
	if f.store.list > 0 && t.known != 0 && now >= p.noListing {
		t.list, t.unsent = true, 0
	}
	l.flying |= l.queued
	l.queued, l.hurry = 0, 0
	l.underWay++
	for k := range l.fetches {
		if !l.fetches[k].flies {
			l.fetches[k] = t
			f.fill(now, i)
			return
		}
	}
	l.fetches = append(l.fetches, t)
	f.fill(now, i)
}

// fill begins calls, up to the bound.
func (f *fleet) fill(now int64, i int32) {
	l := &f.procs[i].lane
	for c := range l.calls {
		if l.calls[c].tries == 0 {
			if next, ok := l.nextCall(f.store.size); ok {
				l.calls[c] = next
				f.try(now, i, uint8(c))
			}
		}
	}
}

// nextCall returns the next call of the fetch that left first.
func (l *lane) nextCall(size int) (call, bool) {
	first := -1
	for k := range l.fetches {
		if t := &l.fetches[k]; t.flies && (t.list || t.unsent != 0) && (first < 0 || t.began < l.fetches[first].began) {
			first = k
		}
	}
	if first < 0 {
		return call{}, false
	}
	t := &l.fetches[first]
	t.open++
	if t.list {
		t.list = false
		return call{batch: t.known, fetch: int16(first), tries: 1, lists: true}, true
	}
	batch, rest := uint64(0), t.unsent
	for range size {
		batch |= rest & -rest
		rest &= rest - 1
	}
	t.unsent = rest
	return call{batch: batch, fetch: int16(first), tries: 1}, true
}

// quota returns whose quota a call is of, and what it takes of the client's own
// bucket. A secret that is alone goes by GetSecretValue.
func (f *fleet) quota(c *call) (*service, float64) {
	switch {
	case c.lists:
		return &f.listing, 1
	case f.store.single > 0 && bits.OnesCount64(c.batch) == 1:
		return &f.single, 0.01
	}
	return &f.reading, f.store.cost
}

// try makes an attempt wait for its turn.
func (f *fleet) try(now int64, i int32, c uint8) {
	p := &f.procs[i]
	a := &p.lane.calls[c]
	_, cost := f.quota(a)
	if delay := p.bucket.Reserve(epoch.Add(time.Duration(now)), cost); delay > 0 {
		p.lane.fetches[a.fetch].timeout = now + int64(delay) + timeout
		f.queue.push(event{now + int64(delay), i, sends, c, p.life})
		return
	}
	f.send(now, i, c)
}

// send makes an attempt.
func (f *fleet) send(now int64, i int32, c uint8) {
	p := &f.procs[i]
	a := &p.lane.calls[c]
	quota, _ := f.quota(a)
	a.sent, a.ok = now, quota.take(now)
	f.count(now, a)
	f.queue.push(event{now + latency, i, ends, c, p.life})
}

// ended takes the answer to an attempt.
func (f *fleet) ended(now int64, i int32, c uint8) {
	p := &f.procs[i]
	l := &p.lane
	a := &l.calls[c]
	t := &l.fetches[a.fetch]
	late := !a.ok && now >= t.timeout
	if !a.ok {
		p.bucket.Throttled(epoch.Add(time.Duration(now))) // lane.called
		if !late && a.tries < attempts && l.tokens >= retryCost {
			l.tokens -= retryCost
			pause := rand.N(time.Second << (a.tries - 1))
			a.tries++
			f.queue.push(event{now + int64(pause), i, tries, c, p.life})
			return
		}
	}
	if a.ok {
		t.timeout = now + timeout
		back := int32(retryCost)
		if a.tries == 1 {
			back = firstSuccess
		}
		l.tokens = min(l.tokens+back, retryTokens)
		t.answered |= a.batch
		asOf := a.sent
		if a.lists {
			asOf -= int64(f.lag)
		}
		for set := a.batch; set != 0; set &= set - 1 {
			p.values[bits.TrailingZeros64(set)].arriving = asOf
		}
	}
	switch {
	case a.lists && a.ok:
		t.unsent = t.asked &^ t.known
	case a.lists: // that is no outage: the values are read
		t.unsent = t.asked
		p.noListing = now + listPause
	}
	if late {
		t.unsent = 0
	}
	a.tries = 0
	t.open--
	over := t.open == 0 && t.unsent == 0
	if !over {
		f.fill(now, i)
		return
	}
	t.flies = false
	l.underWay--
	l.flying &^= t.asked
	f.land(now, i, *t)
	f.fill(now, i)
	if l.underWay == 0 {
		f.depart(now, i)
	}
	f.look(now, i)
}
