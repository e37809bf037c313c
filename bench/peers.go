package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-secretsmanager-caching-go/v2/secretcache"
	"github.com/dgraph-io/ristretto/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/maypok86/otter/v2"
	"github.com/viccon/sturdyc"

	"github.com/c0629bfc/secrets"
)

// peer is one of those compared.
type peer struct {
	name string
	how  string // how it is configured, for the reader of the results
	open func(source, config) cache
	kind kind
}

// kind says what a peer does by itself.
type kind int

const (
	holds kind = iota // it keeps values; its user reads the store
	loads             // it reads any store, by a function
	calls             // it calls the service
	again             // one that loads, told apart by its hits only
)

func (k kind) loads() bool { return k == loads || k == calls }

// config is what all peers are told.
type config struct {
	capacity int
	ttl      time.Duration
	ahead    bool // refresh what is used before its TTL ends, so that no read waits
}

// cache is a peer at work. Functions that are nil are what it cannot do.
type cache struct {
	get   func(key string) bool                           // a read of what is there
	renew func(ctx context.Context, key string) error     // reads the store and replaces what is there
	load  func(ctx context.Context, key string) error     // a read; of the store, if it is not there
	all   func(ctx context.Context, keys ...string) error // load of many
	close func()
}

const (
	floor = "sync.Map"
	ours  = "secrets"
)

// peers are those compared, in the order of the tables.
var peers = []peer{
	{ours, "`Client.Get`, TTL; `Refresh` where a value is replaced, which asks the store in a call of its own", openSecrets, loads},
	{floor, "`Load`: the floor, without expiry, recency, bound or counts", openSyncMap, holds},
	{"golang-lru", "`lru.Cache`: recency, no expiry", openLRU, holds},
	{"golang-lru expirable", "`expirable.LRU`, TTL", openExpirable, holds},
	{"otter", "`MaximumSize`, `ExpiryWriting`, the default clock", opener(nil), loads},
	{"otter, coarse clock", "the same with `NewCoarseClock(20ms)`, which its documentation has for cheaper reads", opener(coarse), again},
	{"sturdyc", "10 shards as in its README, `WithNoContinuousEvictions` as it advises for speed; `Get` in hits", openSturdyc, loads},
	{"ristretto", "`NumCounters` 10 times the capacity, `BufferItems` 64, no metrics, as its documentation has it; cost 1 an entry, `IgnoreInternalCost`, TTL", openRistretto, holds},
	{"AWS cache", "aws-secretsmanager-caching-go/v2, `GetSecretStringWithContext`, TTL; holds strings of its own, Secrets Manager only", openAWS, calls},
	{"bare SDK", "`GetSecretValue` over secretstest, in process", openSDK, calls},
}

func openSecrets(src source, cfg config) cache {
	c, err := secrets.New(secrets.WithProvider(src.reader), secrets.WithTTL(cfg.ttl), secrets.WithMaxEntries(cfg.capacity),
		secrets.WithLogger(slog.New(slog.DiscardHandler)))
	check(err)
	ctx := context.Background()
	load := func(ctx context.Context, key string) error {
		_, err := c.Get(ctx, key)
		return err
	}
	return cache{
		get:   func(key string) bool { _, err := c.Get(ctx, key); return err == nil },
		renew: func(ctx context.Context, key string) error { return c.Refresh(ctx, key) },
		load:  load,
		all: func(ctx context.Context, keys ...string) error {
			_, err := c.GetAll(ctx, keys...)
			return err
		},
		close: func() { check(c.Close()) },
	}
}

// byHand makes a cache of one that does not load: the loading around it is what
// its user would write. That coalesces nothing and refreshes nothing, so where
// calls are counted it is no peer.
func byHand(src source, get func(string) bool, set func(string, secrets.Value), close func()) cache {
	renew := func(ctx context.Context, key string) error {
		v, err := src.one(ctx, key)
		if err == nil {
			set(key, v)
		}
		return err
	}
	return cache{
		get:   get,
		renew: renew,
		load: func(ctx context.Context, key string) error {
			if get(key) {
				return nil
			}
			return renew(ctx, key)
		},
		close: close,
	}
}

func openSyncMap(src source, _ config) cache {
	var m sync.Map
	return byHand(src, func(key string) bool {
		v, ok := m.Load(key)
		if ok {
			_ = v.(secrets.Value)
		}
		return ok
	}, func(key string, v secrets.Value) { m.Store(key, v) }, func() {})
}

func openLRU(src source, cfg config) cache {
	c, err := lru.New[string, secrets.Value](cfg.capacity)
	check(err)
	return byHand(src, func(key string) bool { _, ok := c.Get(key); return ok },
		func(key string, v secrets.Value) { c.Add(key, v) }, func() {})
}

func openExpirable(src source, cfg config) cache {
	c := expirable.NewLRU[string, secrets.Value](cfg.capacity, nil, cfg.ttl)
	return byHand(src, func(key string) bool { _, ok := c.Get(key); return ok },
		func(key string, v secrets.Value) { c.Add(key, v) }, func() {})
}

func coarse() *otter.CoarseClock { return otter.NewCoarseClock(20 * time.Millisecond) }

// bulk is the source as an otter loader of many.
type bulk struct{ source }

func (b bulk) BulkLoad(ctx context.Context, keys []string) (map[string]secrets.Value, error) {
	return b.many(ctx, keys)
}

func (b bulk) BulkReload(ctx context.Context, keys []string, _ []secrets.Value) (map[string]secrets.Value, error) {
	return b.many(ctx, keys)
}

func opener(clock func() *otter.CoarseClock) func(source, config) cache {
	return func(src source, cfg config) cache {
		o := &otter.Options[string, secrets.Value]{
			MaximumSize:      cfg.capacity,
			ExpiryCalculator: otter.ExpiryWriting[string, secrets.Value](cfg.ttl),
		}
		stop := func() {}
		if clock != nil {
			c := clock()
			o.Clock, stop = c, c.Stop
		}
		if cfg.ahead {
			o.RefreshCalculator = otter.RefreshWriting[string, secrets.Value](cfg.ttl - cfg.ttl/20)
		}
		c := otter.Must(o)
		var one otter.Loader[string, secrets.Value] = otter.LoaderFunc[string, secrets.Value](src.one)
		return cache{
			get: func(key string) bool { _, ok := c.GetIfPresent(key); return ok },
			renew: func(ctx context.Context, key string) error {
				v, err := src.one(ctx, key)
				if err == nil {
					c.Set(key, v)
				}
				return err
			},
			load: func(ctx context.Context, key string) error {
				_, err := c.Get(ctx, key, one)
				return err
			},
			all: func(ctx context.Context, keys ...string) error {
				_, err := c.BulkGet(ctx, keys, bulk{src})
				return err
			},
			close: func() { c.StopAllGoroutines(); stop() },
		}
	}
}

func openSturdyc(src source, cfg config) cache {
	opts := []sturdyc.Option{sturdyc.WithNoContinuousEvictions(), sturdyc.WithLog(&sturdyc.NoopLogger{})}
	if cfg.ahead {
		// Its refreshes can travel together: twenty, or what came within a second.
		opts = append(opts,
			sturdyc.WithEarlyRefreshes(cfg.ttl*9/10, cfg.ttl*19/20, cfg.ttl, time.Second),
			sturdyc.WithRefreshCoalescing(20, time.Second))
	}
	c := sturdyc.New[secrets.Value](cfg.capacity, 10, cfg.ttl, 10, opts...)
	// What it refreshes together is told by the prefix that this puts before a key.
	prefixed := c.BatchKeyFn("secrets")
	all := func(ctx context.Context, keys ...string) error {
		_, err := c.GetOrFetchBatch(ctx, keys, prefixed, src.many)
		return err
	}
	load := func(ctx context.Context, key string) error {
		_, err := c.GetOrFetch(ctx, key, func(ctx context.Context) (secrets.Value, error) { return src.one(ctx, key) })
		return err
	}
	if cfg.ahead { // what coalesces is the batches only
		load = func(ctx context.Context, key string) error { return all(ctx, key) }
	}
	return cache{
		get: func(key string) bool { _, ok := c.Get(key); return ok },
		renew: func(ctx context.Context, key string) error {
			v, err := src.one(ctx, key)
			if err == nil {
				c.Set(key, v)
			}
			return err
		},
		load:  load,
		all:   all,
		close: func() {},
	}
}

func openRistretto(src source, cfg config) cache {
	c, err := ristretto.NewCache(&ristretto.Config[string, secrets.Value]{
		NumCounters: 10 * int64(cfg.capacity), MaxCost: int64(cfg.capacity), BufferItems: 64, IgnoreInternalCost: true,
	})
	check(err)
	return byHand(src, func(key string) bool { _, ok := c.Get(key); return ok },
		func(key string, v secrets.Value) { c.SetWithTTL(key, v, 1, cfg.ttl) }, c.Close)
}

func openAWS(src source, cfg config) cache {
	c, err := secretcache.New(func(c *secretcache.Cache) {
		c.Client = src.api
		c.MaxCacheSize = cfg.capacity
		c.CacheItemTTL = int64(cfg.ttl)
	})
	check(err)
	ctx := context.Background()
	return cache{
		get: func(key string) bool { _, err := c.GetSecretStringWithContext(ctx, nameOf(key)); return err == nil },
		load: func(ctx context.Context, key string) error {
			_, err := c.GetSecretStringWithContext(ctx, nameOf(key))
			return err
		},
		close: func() {},
	}
}

func openSDK(src source, _ config) cache {
	load := func(ctx context.Context, key string) error {
		name := nameOf(key)
		_, err := src.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
		return err
	}
	return cache{
		get:   func(key string) bool { return load(context.Background(), key) == nil },
		load:  load,
		close: func() {},
	}
}
