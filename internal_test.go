package secrets

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

// machine is the clocks of a machine that a test can suspend and set.
type machine struct {
	mu         sync.Mutex
	wall, mono time.Duration
}

func (m *machine) read() (wall, mono time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wall, m.mono
}

func (m *machine) pass(wall, mono time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall += wall
	m.mono += mono
}

// What no test can do to its own machine: suspend it, and set its clock back.
func TestClockTakesWhicheverClockWentFurther(t *testing.T) {
	m := &machine{wall: 1000 * time.Hour}
	c := newClockOf(func() uint64 { return 0 }, m.read)
	c.exact = true
	at := c.now()
	for _, step := range []struct {
		what       string
		wall, mono time.Duration
		atLeast    time.Duration
	}{
		{"time passes", time.Minute, time.Minute, time.Minute},
		{"the machine is suspended", time.Hour, 0, time.Hour},
		{"the clock is set back", -5 * time.Hour, time.Second, time.Second},
		{"suspended again", time.Hour, 0, time.Hour},
		{"frozen: both go on", time.Hour, time.Hour, time.Hour},
		{"the clock is set forward", 5 * time.Hour, time.Second, time.Second},
	} {
		m.pass(step.wall, step.mono)
		now := c.now()
		require.GreaterOrEqual(t, now-at, int64(step.atLeast), step.what)
		at = now
	}
}

// A process that was frozen between two ticks believes the old time for one
// tick of the thawed timer and no longer.
func TestClockAfterThawing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{}
		var hits uint64
		c := newClockOf(func() uint64 { hits++; return hits }, m.read)
		defer c.close()
		at := c.now()
		m.pass(time.Hour, 0) // while no timer of the process runs
		require.Equal(t, at, c.now(), "the tick's time: else this test shows nothing")
		time.Sleep(50 * time.Millisecond)
		require.GreaterOrEqual(t, c.now()-at, int64(time.Hour))
	})
}

func TestClockRestsWhenNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(func() uint64 { return 7 })
		defer c.close()
		c.now()
		require.NotZero(t, c.coarse.Load())
		time.Sleep(2 * tick)
		require.Zero(t, c.coarse.Load())
		at := c.now()
		time.Sleep(time.Hour)
		require.Equal(t, int64(time.Hour), c.now()-at, "it is exact again at once")
		c.close()
		time.Sleep(time.Hour)
		require.Equal(t, int64(2*time.Hour), c.now()-at, "and when closed")
		require.Zero(t, c.coarse.Load())
	})
}

func TestClockNeverTicksOnLambda(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
	c := newClock(func() uint64 { return 0 })
	c.now()
	require.Zero(t, c.coarse.Load())
	require.Nil(t, c.timer)
}

// Nobody reads the time when a handle is loaded, and timers stand still while a
// machine is suspended: the refresher looks often enough.
func TestHandleAfterSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := "1"
		c, err := New(WithProvider(provided(func() string { return text })), WithTTL(time.Hour))
		require.NoError(t, err)
		defer func() { require.NoError(t, c.Close()) }()
		began := time.Now()
		var suspended atomic.Int64
		c.clock = newClockOf(c.stats.hits.load, func() (wall, mono time.Duration) {
			passed := time.Since(began)
			return passed + time.Duration(suspended.Load()), passed
		})
		h, err := Bind(t.Context(), c, "mem://x", Text)
		require.NoError(t, err)
		text = "2"
		time.Sleep(time.Minute)
		require.Equal(t, "1", h.Load())
		suspended.Store(int64(2 * time.Hour))
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		require.Equal(t, "2", h.Load())
	})
}

// A goroutine that saw a miss, and comes to the lane when the flight that would
// have served it has landed, starts no other.
func TestLateMissJoinsWhatHasLanded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c, err := New(WithProvider(provided(func() string { calls++; return "x" })))
		require.NoError(t, err)
		defer func() { require.NoError(t, c.Close()) }()
		v, err := c.Get(t.Context(), "mem://x")
		require.NoError(t, err)
		f := c.lanes["mem"].join(wantValue, v.Ref())[0]
		require.True(t, f.landed())
		require.Equal(t, v, f.value)
		require.Equal(t, 1, calls)
		<-c.lanes["mem"].join(wantNews, v.Ref())[0].done
		require.Equal(t, 2, calls, "unless it wants news")
	})
}

// provided is a provider of what a function says.
type provided func() string

func (provided) Scheme() string { return "mem" }

func (p provided) Fetch(_ context.Context, refs ...provider.Ref) []provider.Result {
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		text := p()
		results[i].Value = provider.NewValue(r, provider.NewVersion(text, time.Time{}), provider.SecretString, text)
	}
	return results
}

// The table does what a map does, through growth and graves.
func TestTableIsAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	table, model := newTable(), make(map[string]*slot)
	key := func() string { return fmt.Sprint("ref", random.IntN(300)) }
	for i := range 100_000 {
		switch k := key(); random.IntN(8) {
		case 0, 1, 2:
			s := &slot{key: k}
			table.put(s)
			model[k] = s
		case 3, 4, 5:
			if s := model[k]; s != nil {
				table.remove(s)
				delete(model, k)
			}
		case 6:
			table.remove(&slot{key: k, hash: random.Uint64()}) // one that is not there
		default:
			require.Same(t, model[k], table.find(k))
		}
		if i%10_000 == 9_999 {
			table.clear()
			clear(model)
		}
		require.Equal(t, len(model), table.live)
		require.LessOrEqual(t, 2*table.used, len(*table.cells.Load()))
	}
	require.LessOrEqual(t, len(*table.cells.Load()), 2048, "graves do not make it grow for ever")
	for k, s := range model {
		require.Same(t, s, table.find(k))
	}
	require.Nil(t, table.find(""))
}

func TestTableIsReadWhileItChanges(t *testing.T) {
	table := newTable()
	stays := &slot{key: "stays"}
	table.put(stays)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if table.find("stays") != stays {
					t.Error("lost")
					return
				}
			}
		})
	}
	for i := range 20_000 {
		s := &slot{key: fmt.Sprint(i % 100)}
		table.put(s)
		if i%3 > 0 {
			table.remove(s)
		}
	}
	close(stop)
	wg.Wait()
}

// A reader that found an old value and was then held up must not take it for
// fresh because of what came meanwhile.
func TestOldValueStaysExpired(t *testing.T) {
	c, err := newCache(times{ttl: time.Hour}, 10)
	require.NoError(t, err)
	put := func(v provider.Value, began int64) provider.Value {
		until := began + int64(time.Hour)
		v, _ = c.put(v.Ref(), arrival{value: v, began: began, until: until, next: until}, func(bool) bool { return true })
		return v
	}
	ref, err := provider.ParseRef("mem://db")
	require.NoError(t, err)
	value := func(id string) provider.Value {
		return provider.NewValue(ref, provider.NewVersion(id, time.Time{}), provider.SecretString, id)
	}
	_, err = c.spell("mem://db", ref, put(value("1"), 1))
	require.NoError(t, err)
	found := c.table.find("mem://db")
	later := int64(10 * time.Hour)
	put(value("2"), later)
	require.Less(t, found.lease.expires.Load(), later)
	require.Greater(t, c.table.find("mem://db").lease.expires.Load(), later)
	put(value("2"), 2*later)
	require.Greater(t, c.table.find("mem://db").lease.expires.Load(), 2*later)
	put(value("2"), later)
	require.Greater(t, c.table.find("mem://db").lease.expires.Load(), 2*later, "a slower call takes nothing back")

	field := ref
	field.Field = "f"
	with := provider.NewValue(ref, provider.NewVersion("3", time.Time{}), provider.SecretString, `{"f":"x"}`)
	_, err = c.spell("mem://db#f", field, put(with, 3*later))
	require.NoError(t, err)
	require.Equal(t, 2, c.table.live)
	put(value("old"), 2*later)
	require.Equal(t, with, c.has(ref), "nor does it bring back an old value")
	put(value("4"), 3*later)
	require.Equal(t, 1, c.table.live, "a field that is gone leaves nothing behind")
	c.drop(ref)
	require.Zero(t, c.table.live)
}

// A burst of hits reorders the list a bounded number of times; an entry that
// is read all the time moves once a second at least.
func TestTouchIsRationed(t *testing.T) {
	c, err := newCache(times{ttl: time.Hour}, 1000)
	require.NoError(t, err)
	leases := make([]*lease, 200)
	for i := range leases {
		leases[i] = &lease{entry: new(entry)}
	}
	moves := func(now int64) (n int) {
		for range 3 {
			for _, l := range leases {
				before := c.front.Load()
				if c.touch(l, now); c.front.Load() != before {
					n++
				}
			}
		}
		return n
	}
	now := int64(time.Hour)
	for _, l := range leases {
		l.touched.Store(now)
	}
	require.Equal(t, touchRation, moves(now))
	require.GreaterOrEqual(t, moves(now+touchEvery), len(leases), "all of them, a second later")
}

// A value that was just read is not read again at once.
func TestFirstRefreshTakesItsTime(t *testing.T) {
	c, err := New(WithProvider(provided(func() string { return "x" })), WithTTL(time.Minute))
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	for range 1000 {
		l := newLane(c, provided(func() string { return "x" }), nil)
		a := l.plan(1, 1).arrival(provider.Result{}, false)
		require.Greater(t, a.next, int64(20*time.Second))
		require.Less(t, a.next, a.until)
	}
}

// What nobody waits for is held back while the store is to be left alone, also
// what was queued behind the very call that showed the trouble.
func TestQueuedRenewalsWaitForTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		down, calls := false, 0
		c, err := New(WithLogger(slog.New(slog.DiscardHandler)), WithTTL(time.Hour), WithProvider(fetching(func(refs []provider.Ref) []provider.Result {
			mu.Lock()
			calls++
			fails := down
			mu.Unlock()
			if fails {
				time.Sleep(100 * time.Millisecond)
				return make([]provider.Result, len(refs))
			}
			return provided(func() string { return "x" }).Fetch(t.Context(), refs...)
		})))
		require.NoError(t, err)
		defer func() { require.NoError(t, c.Close()) }()
		held, err := c.Get(t.Context(), "mem://held")
		require.NoError(t, err)
		other := held.Ref()
		other.Name = "other"
		mu.Lock()
		down = true
		mu.Unlock()

		l := c.lanes["mem"]
		began := time.Now()
		cold := l.join(wantValue, other)[0]
		renewal := l.join(wantRenewal, held.Ref())[0]
		<-cold.done
		<-renewal.done
		require.Equal(t, 100*time.Millisecond, time.Since(began))
		time.Sleep(40 * time.Millisecond) // the shortest backoff is fifty
		mu.Lock()
		require.Equal(t, 2, calls, "the one that filled the cache, and the cold miss")
		down = false
		mu.Unlock()
		c.cache.find(held.Ref()).lease.used.Store(1)
		time.Sleep(1100 * time.Millisecond)
		mu.Lock()
		require.Equal(t, 3, calls, "when the backoff is over it is asked for")
		mu.Unlock()

		// Who waits is not held back.
		mu.Lock()
		down = true
		mu.Unlock()
		cold = l.join(wantValue, other)[0]
		awaited := l.join(wantNews, held.Ref())[0]
		<-cold.done
		<-awaited.done
		mu.Lock()
		require.Equal(t, 5, calls)
		mu.Unlock()
	})
}

// fetching is a provider that is a function.
type fetching func([]provider.Ref) []provider.Result

func (fetching) Scheme() string { return "mem" }

func (f fetching) Fetch(_ context.Context, refs ...provider.Ref) []provider.Result { return f(refs) }

// A hit waits for no lock: not for the cache's, which recency would want, nor
// for a lane's or the client's.
func TestHitWaitsForNoLock(t *testing.T) {
	c, err := New(WithProvider(provided(func() string { return "v" })))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	refs := []string{"mem://a", "mem://b", "mem://c"}
	_, err = c.GetAll(t.Context(), refs...)
	require.NoError(t, err)
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	for _, l := range c.lanes {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ref := range append(refs, refs...) { // each the most recent one
		_, err := c.Get(t.Context(), ref)
		require.NoError(t, err)
	}
	require.EqualValues(t, 6, c.stats.hits.load())
}
