package secrets

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// The refresher reads again what is in use shortly before its TTL ends. It is
// one goroutine a client, started by the first value that is cached; it sleeps
// until something is due and then asks for all that is due about then in one
// go, so that the stores' batches are full. Where nothing runs in the
// background, as on Lambda, reads do the same when they find a value expired.

const (
	// probes is how much the refresher asks of a store that was in trouble the
	// last time: one batch at most of any store.
	probes = 20
	// allowance is how much longer than until an announced change a value is
	// served, while it is refreshed.
	allowance = 5 * time.Second
	// leeway is the share of the TTL by which a refresh may come early to
	// travel with others.
	leeway = 4
)

// spread returns by how much what a call brings is to be refreshed before it
// expires: between 1 and 5 % of the TTL. All of it together, so that it stays
// together; of another process's differently.
func (c *Client) spread() int64 {
	ttl := int64(c.cache.times.ttl)
	return ttl/100 + rand.Int64N(max(ttl/25, 1))
}

// arrival says for how long what a flight brought is good.
func (c *Client) arrival(f *flight, r provider.Result, began, spread int64) arrival {
	a := arrival{value: r.Value.WithRef(f.ref), began: began, until: began + int64(c.cache.times.ttl)}
	if f.known == (provider.Value{}) {
		// Processes that started together part at their first refresh.
		spread += rand.Int64N(int64(c.cache.times.ttl)/2 + 1)
	}
	a.next = a.until - spread
	if !r.Changes.IsZero() {
		a.expect(c.clock.read() + int64(time.Until(r.Changes)))
	}
	return a
}

// expect ends the arrival's time at a change that its store has announced, by
// the client's clock, or a little later, since a fleet knows the same date. One
// that is overdue is looked for every minute, for an hour: a rotation takes its
// time, and its date says when it is due at the latest (API DescribeSecret,
// NextRotationDate).
func (a *arrival) expect(change int64) {
	switch {
	case change > a.began:
		change += rand.Int64N(int64(10 * time.Second))
	case change > a.began-int64(time.Hour):
		change = a.began + int64(time.Minute)
	default:
		return
	}
	if change < a.next {
		a.next = change
		a.until = min(a.until, change+int64(allowance)) // so that no read waits for the refresh
	}
}

// refresher runs until the client is closed.
func (c *Client) refresher() {
	defer c.wait.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
		for l, keys := range c.take(c.clock.read()) {
			l.join(wantRenewal, keys...)
		}
		if next, ok := c.cache.nextDue(); ok {
			timer.Reset(time.Duration(max(next-c.clock.read(), int64(time.Millisecond))))
		} else {
			timer.Stop()
		}
	}
}

// rouse makes the refresher look at its schedule. The cache's mutex is held.
func (c *Client) rouse() {
	c.start.Do(func() {
		if c.begin() {
			go c.refresher()
		}
	})
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take returns what is to be refreshed now, by the store to ask.
func (c *Client) take(now int64) map[*lane][]provider.Ref {
	cache := c.cache
	cache.mu.Lock()
	defer cache.mu.Unlock()
	due := make(map[*lane][]provider.Ref)
	later := make(map[*entry]int64) // planned anew at the end, not to come up twice
	early := int64(cache.times.ttl) / leeway
	for len(cache.due) > 0 {
		e := cache.due[0]
		if e.next > now && (len(due) == 0 || e.next > now+early) {
			break
		}
		heap.Pop(&cache.due)
		l := c.lanes[e.key.Scheme]
		last := cache.times.deadline(e, e.err)
		switch retry := l.trouble.retry.Load(); {
		case now >= last:
			cache.lru.Remove(e.key) // nobody used it, or nothing could bring it again
		case e.lease.used.Load() == 0:
			later[e] = last // it expires, unless a read renews it
		case now < retry:
			later[e] = retry
		case l.trouble.failures.Load() > 0 && len(due[l]) >= probes:
			later[e] = now + int64(minBackoff)
		default:
			// Should the flight be lost, the entry comes up again all the same.
			later[e] = now + int64(c.fetchTimeout+2*grace)
			due[l] = append(due[l], e.key)
		}
	}
	for e, next := range later {
		cache.plan(e, next)
	}
	return due
}

// nextDue returns when the refresher has to look again.
func (c *cache) nextDue() (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.due) == 0 {
		return 0, false
	}
	return c.due[0].next, true
}
