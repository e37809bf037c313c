package secrets_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
)

// Ten million reads of 500 refs over both stores while three in ten requests
// fail, in every way there is, and values change all the time. Once it is warm
// no read fails, and none gives a value that is older than the promise.
func TestSoak(t *testing.T) {
	const (
		names   = 250 // in each store
		readers = 16
		reads   = 10_000_000
		ttl     = time.Minute
		pause   = time.Second
		round   = 4 // refs a reader reads at a time, many times each
	)
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithTTL(ttl), secrets.WithStaleIfError(9*ttl))

		// written is when each version of each value was replaced by the next.
		var mu sync.Mutex
		replaced := make([][]time.Time, names)
		change := func(i int) {
			mu.Lock()
			defer mu.Unlock()
			n := len(replaced[i])
			replaced[i] = append(replaced[i], time.Now())
			server.SetSecret(fmt.Sprintf("soak/%d", i), strconv.Itoa(n))
			server.SetSecureParameter(fmt.Sprintf("/soak/%d", i), strconv.Itoa(n))
		}
		var refs []string
		for i := range names {
			change(i)
			refs = append(refs, fmt.Sprintf("sm://soak/%d", i), fmt.Sprintf("ssm:///soak/%d", i))
		}
		_, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		for _, f := range []secretstest.Fault{
			{Err: secretstest.Throttled()}, {Err: secretstest.Internal()}, {Reset: true}, {Truncate: true}, {Delay: 15 * time.Second},
		} {
			f.Rate = 0.069 // one minus it to the fifth is 0.7
			defer server.Inject(f)()
		}

		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Second):
					change(rand.IntN(names))
				}
			}
		})
		var memory [2]uint64
		var oldest atomic.Int64
		var readersDone sync.WaitGroup
		for reader := range readers {
			readersDone.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(reader), 1))
				const times = 100
				for n := 0; n < reads/readers; n += round * times {
					for range round {
						i := rng.IntN(len(refs))
						var v secrets.Value
						for range times {
							var err error
							if v, err = c.Get(t.Context(), refs[i]); err != nil {
								t.Error(err)
								return
							}
						}
						version, _ := strconv.Atoi(v.Text())
						mu.Lock()
						if history := replaced[i/2]; version+1 < len(history) {
							age := int64(time.Since(history[version+1]))
							for old := oldest.Load(); age > old && !oldest.CompareAndSwap(old, age); old = oldest.Load() {
							}
						}
						mu.Unlock()
					}
					time.Sleep(pause)
					if reader == 0 && (n == 0 || n+round*times >= reads/readers) {
						memory[min(n, 1)] = heap()
					}
				}
			})
		}
		readersDone.Wait()
		close(stop)
		writer.Wait()

		stats := c.Stats()
		require.GreaterOrEqual(t, stats.Hits+stats.Misses, uint64(reads))
		require.NotZero(t, stats.Errors)
		require.NotZero(t, stats.Changed)
		require.NotZero(t, stats.StaleServed)
		require.LessOrEqual(t, stats.Entries, len(refs))
		require.LessOrEqual(t, time.Duration(oldest.Load()), 10*ttl, "the TTL and the window for stale values")
		require.Less(t, float64(memory[1]), float64(memory[0])*1.5+8e6, "memory stays flat")
		t.Logf("%d hits, %d misses, %d stale, %d changed, %d errors, %d calls, oldest %v, heap %d and %d KiB",
			stats.Hits, stats.Misses, stats.StaleServed, stats.Changed, stats.Errors, stats.APICalls, time.Duration(oldest.Load()), memory[0]>>10, memory[1]>>10)
	})
}

// heap returns how much of the heap is in use, with little of what others
// allocate meanwhile.
func heap() uint64 {
	least := uint64(math.MaxUint64)
	for range 5 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		least = min(least, m.HeapAlloc)
	}
	return least
}
