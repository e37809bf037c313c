package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/c0629bfc/secrets/secretstest"
)

// A job is one thing that every peer is asked to do. It adds what it measured
// under the names of metrics; a peer that cannot do it adds nothing.
type job func(p peer, add func(metric string, v float64))

// sizes is how much a run does.
type sizes struct {
	rounds   int
	each     time.Duration // of a measurement
	hot      int           // keys read in hits
	cold     int           // names at a cold start
	latency  time.Duration // of a call at a cold start and in a stampede
	stampede int           // goroutines
	held     int           // entries whose memory is weighed
	fresh    []int         // refs kept fresh
}

var (
	full = sizes{rounds: 7, each: 250 * time.Millisecond, hot: 1000, cold: 200, latency: 10 * time.Millisecond,
		stampede: 10_000, held: 10_000, fresh: []int{10, 100, 1000, 10_000}}
	quick = sizes{rounds: 1, each: 2 * time.Millisecond, hot: 50, cold: 45, latency: time.Millisecond,
		stampede: 200, held: 500, fresh: []int{10, 100}}
)

const (
	bound = 1024 // entries in mixed and churn, this module's default
	ttl   = time.Hour
)

// The metrics. Times are nanoseconds.
const (
	hitSingle1     = "hit, 1 key"
	hitSingle      = "hit, 1,000 keys"
	hitParallel1   = "hit, 1 key, all cores"
	hitParallel    = "hit, 1,000 keys, all cores"
	hitAllocs      = "allocations a hit"
	mixedTime      = "99 reads and 1 replacement"
	churnTime      = "churn"
	churnRatio     = "churn, hits"
	entryBytes     = "bytes an entry"
	coldListTime   = "cold start, a list"
	coldListCalls  = "cold start, a list, calls"
	coldEachTime   = "cold start, a goroutine a name"
	coldEachCalls  = "cold start, a goroutine a name, calls"
	stampedeTime   = "stampede"
	stampedeCalls  = "stampede, calls"
	freshSecrets   = "calls an hour, secrets" // with the number of refs appended
	freshParameter = "calls an hour, parameters"
)

// backing returns a source in memory or, for a peer that calls the service, on
// a server.
func backing(p peer, keys []string) (src source, done func()) {
	if p.kind != calls {
		return source{reader: &memory{}}, func() {}
	}
	server, err := secretstest.Start(secretstest.InProcess())
	check(err)
	return serving(server, keys), server.Close
}

// warm opens a peer that holds the keys, and makes sure it does.
func warm(p peer, src source, cfg config, keys []string) cache {
	c := p.open(src, cfg)
	for _, key := range keys {
		check(c.load(context.Background(), key))
	}
	for range 100 { // writes to some take a moment
		missing := 0
		for _, key := range keys {
			if !c.get(key) {
				missing++
				check(c.load(context.Background(), key))
			}
		}
		if missing == 0 {
			return c
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	panic(errors.New(p.name + " does not keep what it was given"))
}

// shuffled returns the keys in an order that is nobody's memory layout; the
// same one each time.
func shuffled(keys []string) []string {
	keys = append([]string(nil), keys...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

// hit measures reads of what is there: by one goroutine, and by one a core.
func hit(n int, each time.Duration, single, parallel string) job {
	return func(p peer, add func(string, float64)) {
		keys := shuffled(keysOf("sm", n))
		src, done := backing(p, keys)
		defer done()
		c := warm(p, src, config{capacity: 2*n + 200, ttl: ttl}, keys)
		defer c.close()
		i := 0
		add(hitAllocs, testing.AllocsPerRun(200, func() { i++; c.get(keys[i%len(keys)]) }))
		add(single, chunked(each, keys, 0, c.get))
		var readers sync.WaitGroup
		cores := make([]float64, runtime.GOMAXPROCS(0))
		for core := range cores {
			readers.Go(func() { cores[core] = chunked(each, keys, core*379, c.get) }) // not in step
		}
		readers.Wait()
		slices.Sort(cores)
		add(parallel, cores[len(cores)/2])
	}
}

// chunked reads the keys in turn and returns the nanoseconds of a read: the
// median of many short chunks, since one that was interrupted says nothing of
// the reads in it.
func chunked(total time.Duration, keys []string, first int, get func(string) bool) float64 {
	i := first % len(keys)
	chunk := func(reads int) time.Duration {
		return took(func() {
			for range reads {
				if i++; i >= len(keys) {
					i = 0
				}
				if !get(keys[i]) {
					panic(errors.New("a miss"))
				}
			}
		})
	}
	reads := 1
	for reads < 4096 && chunk(reads) < 20*time.Microsecond {
		reads *= 2
	}
	var each []float64
	for began := time.Now(); len(each) == 0 || time.Since(began) < total; {
		each = append(each, float64(chunk(reads))/float64(reads))
	}
	slices.Sort(each)
	return each[len(each)/2]
}

func perOp(r testing.BenchmarkResult) float64 {
	if r.N == 0 {
		panic(errors.New("a benchmark failed"))
	}
	return float64(r.T.Nanoseconds()) / float64(r.N)
}

// mixed measures 99 reads and then one value that the store is asked for and
// that replaces the cached one, on all cores.
func mixed(n int) job {
	return func(p peer, add func(string, float64)) {
		if p.kind == calls {
			return // AWS's cache cannot do it within seconds
		}
		keys := shuffled(keysOf("sm", n))
		c := warm(p, source{reader: &memory{}}, config{capacity: 2*n + 200, ttl: ttl}, keys)
		defer c.close()
		ctx := context.Background()
		var seat atomic.Int64
		add(mixedTime, perOp(testing.Benchmark(func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				i := int(seat.Add(1)) * 379 % len(keys)
				for n := 1; pb.Next(); n++ {
					if i++; i >= len(keys) {
						i = 0
					}
					if n%100 == 0 {
						if err := c.renew(ctx, keys[i]); err != nil {
							b.Error(err)
						}
					} else {
						c.get(keys[i])
					}
				}
			})
		})))
	}
}

// churn measures reads of ten times as many keys as there is room for, some
// wanted more than others (Zipf, s = 1.1), on all cores. A miss reads memory.
func churn(p peer, add func(string, float64)) {
	if p.kind == calls || p.name == floor {
		return // a miss has to cost all the same, and something has to go
	}
	keys := shuffled(keysOf("sm", 10*bound))
	zipf := rand.NewZipf(rand.New(rand.NewPCG(3, 4)), 1.1, 1, uint64(len(keys)-1))
	wanted := make([]string, 1<<16)
	for i := range wanted {
		wanted[i] = keys[zipf.Uint64()]
	}
	mem := &memory{}
	c := p.open(source{reader: mem}, config{capacity: bound, ttl: ttl})
	defer c.close()
	ctx := context.Background()
	for _, key := range wanted {
		check(c.load(ctx, key))
	}
	var seat, reads atomic.Int64
	before := mem.reads.Load()
	add(churnTime, perOp(testing.Benchmark(func(b *testing.B) {
		reads.Add(int64(b.N))
		b.RunParallel(func(pb *testing.PB) {
			i := int(seat.Add(1)) * 9973 % len(wanted)
			for pb.Next() {
				if i++; i == len(wanted) {
					i = 0
				}
				if err := c.load(ctx, wanted[i]); err != nil {
					b.Error(err)
				}
			}
		})
	})))
	add(churnRatio, 1-float64(mem.reads.Load()-before)/float64(reads.Load()))
}

// weigh measures the heap that a cache takes for an entry, besides the key as
// its reader holds it and the value.
func weigh(n int) job {
	return func(p peer, add func(string, float64)) {
		if p.kind == calls {
			return // the server shares its heap
		}
		keys, mem := keysOf("sm", n), &memory{}
		mem.fill(keys)
		before := heap()
		c := warm(p, source{reader: mem}, config{capacity: n + n/5 + 100, ttl: ttl}, keys)
		add(entryBytes, float64(int64(heap()-before))/float64(n))
		c.close()
		runtime.KeepAlive(keys)
		runtime.KeepAlive(mem)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// loading opens a peer on a server whose calls take a while.
func loading(p peer, keys []string, latency time.Duration) (c cache, server *secretstest.Server) {
	server, err := secretstest.Start(secretstest.InProcess())
	check(err)
	c = p.open(serving(server, keys), config{capacity: 2*len(keys) + 200, ttl: ttl})
	server.Inject(secretstest.Fault{Delay: latency})
	return c, server
}

// cold measures a start that needs many names: by a list, one name after the
// other where the peer takes none, and by a goroutine for each name.
func cold(n int, latency time.Duration) job {
	return func(p peer, add func(string, float64)) {
		if !p.kind.loads() {
			return
		}
		keys := keysOf("sm", n)
		ctx := context.Background()
		run := func(time, calls string, start func(c cache)) {
			c, server := loading(p, keys, latency)
			defer server.Close()
			defer c.close()
			add(time, float64(took(func() { start(c) })))
			add(calls, float64(server.Calls()))
		}
		run(coldListTime, coldListCalls, func(c cache) {
			if c.all != nil {
				check(c.all(ctx, keys...))
				return
			}
			for _, key := range keys {
				check(c.load(ctx, key))
			}
		})
		run(coldEachTime, coldEachCalls, func(c cache) {
			together(n, func(i int) { check(c.load(ctx, keys[i])) })
		})
	}
}

// stampede measures many goroutines that want one value that is not there.
func stampede(n int, latency time.Duration) job {
	return func(p peer, add func(string, float64)) {
		if !p.kind.loads() {
			return
		}
		keys := keysOf("sm", 1)
		c, server := loading(p, keys, latency)
		defer server.Close()
		defer c.close()
		add(stampedeTime, float64(took(func() {
			together(n, func(int) { check(c.load(context.Background(), keys[0])) })
		})))
		add(stampedeCalls, float64(server.Calls()))
	}
}

// together runs n goroutines that start when all are there.
func together(n int, f func(int)) {
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-gate
			f(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}

func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}
