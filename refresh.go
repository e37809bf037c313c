package secrets

import (
	"container/heap"
	"time"

	"github.com/c0629bfc/secrets/internal/schedule"
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
	// longestNap is how old the refresher's notion of the time becomes while
	// handles rely on it.
	longestNap = 10 * time.Second
)

// plan says for how long what one call brought is good.
type plan struct {
	lane        *lane
	ttl, margin time.Duration
	began, now  int64
}

func (l *lane) plan(began, now int64) plan {
	ttl := l.client.cache.times.ttl
	return plan{l, ttl, schedule.Margin(ttl, time.Duration(now-began)), began, now}
}

// arrival makes one of what a provider brought of a value that was known before
// or is new.
func (p plan) arrival(r provider.Result, known bool) arrival {
	a := arrival{value: r.Value, began: p.began, until: p.began + int64(p.ttl), request: r.RequestID}
	a.next = p.lane.next(a.until-int64(p.margin), p.now, p.ttl, known)
	if r.Changes.IsZero() {
		return a
	}
	if look := schedule.Announced(p.now+int64(time.Until(r.Changes)), p.now); look > 0 && look < a.next {
		a.next = look
		a.until = min(a.until, look+int64(allowance)) // so that no read waits for the refresh
	}
	return a
}

// next returns when to refresh what a call has just brought, the given time at
// the latest: with all that the client holds of the store, whose next round the
// lane remembers, so that the batches are full whenever the values were first
// read. Where there is no round, a new value begins one, at a random time.
func (l *lane) next(latest, now int64, ttl time.Duration, known bool) int64 {
	round := l.round.Load()
	if now < round {
		return min(round, latest)
	}
	// One that has just begun is still under way, and this will be in the next.
	if !known && now-round > int64(schedule.Early(ttl)) {
		latest = max(latest-int64(schedule.Part(ttl)), now)
	}
	l.round.Store(latest)
	return latest
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
			timer.Reset(c.cache.vigil(time.Duration(max(next-c.clock.read(), int64(time.Millisecond)))))
		} else {
			timer.Stop()
		}
	}
}

// rouse makes the refresher look at its schedule. The cache's mutex is held.
func (c *Client) rouse() {
	c.start.Do(func() {
		if c.begin(&c.wait) {
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
	early := int64(schedule.Early(cache.times.ttl))
	for len(cache.due) > 0 {
		e := cache.due[0]
		if e.next > now && (len(due) == 0 || e.next > now+early) {
			break
		}
		heap.Pop(&cache.due)
		l := c.lanes[e.key.Scheme]
		last, watched := cache.times.deadline(e, e.err), cache.watched(e.key)
		if watched && now >= last {
			cache.empty(e)
		}
		switch retry := l.trouble.retry.Load(); {
		case now >= last && !watched:
			cache.lru.Remove(e.key) // nobody used it, or nothing could bring it again
		case e.lease.used.Load() == 0 && !watched:
			// Nobody used it yet. It has another chance before its time is over;
			// after that it expires, unless a read renews it.
			if chance := e.read + int64(cache.times.ttl-cache.times.ttl/20); now < chance {
				later[e] = chance
			} else {
				later[e] = last
			}
		case now < retry:
			later[e] = retry
		case l.trouble.failures.Load() > 0 && len(due[l]) >= probes:
			later[e] = now + int64(schedule.MinBackoff)
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

// vigil shortens a sleep of the refresher's while handles hold something: timers
// stand still while a virtual machine is suspended, and nobody reads the time
// when a handle is read.
func (c *cache) vigil(sleep time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) > 0 {
		return min(sleep, longestNap)
	}
	return sleep
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
