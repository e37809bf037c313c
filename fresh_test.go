package secrets_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// A thousand values in use are kept fresh by as few calls as the batches allow.
func TestThousandKeptFresh(t *testing.T) {
	const n, ttl, intervals = 1000, 5 * time.Minute, 12
	for scheme, most := range map[string]int{"sm://": 50, "ssm:///": 100} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, c := world(t, secrets.WithTTL(ttl))
				refs := make([]string, n)
				for i := range refs {
					name := fmt.Sprintf("app/%d", i)
					server.SetSecret(name, "x")
					server.SetSecureParameter("/"+name, "x")
					refs[i] = scheme + name
				}
				_, err := c.GetAll(t.Context(), refs...)
				require.NoError(t, err)
				require.Equal(t, most, server.Calls())
				server.ResetCalls()
				misses := c.Stats().Misses
				reading(t, c, 10*time.Second, intervals*ttl, refs...)
				require.LessOrEqual(t, server.Calls(), intervals*most)
				require.GreaterOrEqual(t, server.Calls(), (intervals-1)*most, "else this test shows nothing")
				require.Equal(t, misses, c.Stats().Misses, "no read waits")
				if scheme == "ssm:///" {
					require.Zero(t, server.Decrypts(), "KMS is asked for what changed only")
				}

				server.SetSecret("app/7", "new")
				server.SetSecureParameter("/app/7", "new")
				server.ResetCalls()
				reading(t, c, 10*time.Second, ttl, refs...)
				require.Equal(t, "new", get(t, c, refs[7]).Text())
				require.LessOrEqual(t, server.Calls(), 2*most+1, "two refreshes, and the value that changed")
			})
		})
	}
}

// With a listing it takes a fifth of that.
func TestThousandKeptFreshByListing(t *testing.T) {
	const n, ttl, intervals = 1000, 5 * time.Minute, 12
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess())
		c := open(t, secrets.WithProvider(sm.New(server.Config(), sm.WithListing("app/"))), secrets.WithTTL(ttl))
		refs := make([]string, n)
		for i := range refs {
			server.SetSecret(fmt.Sprintf("app/%d", i), "x")
			refs[i] = fmt.Sprintf("sm://app/%d", i)
		}
		_, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		server.ResetCalls()
		reading(t, c, 10*time.Second, intervals*ttl, refs...)
		require.LessOrEqual(t, server.Calls(), intervals*10)
		require.Zero(t, server.Calls("GetSecretValue", "BatchGetSecretValue"))
		require.EqualValues(t, server.Calls()/10*n, c.Stats().Probed)

		// What is rejected is read for real: the listing may lag.
		server.ResetCalls()
		server.SetSecret("app/7", "new")
		require.Equal(t, "new", reject(t, c, get(t, c, refs[7])).Text())
		require.Equal(t, 1, server.Calls("GetSecretValue"))
		server.SetSecret("app/8", "new")
		require.NoError(t, c.Refresh(t.Context(), refs[8]))
		require.Equal(t, "new", get(t, c, refs[8]).Text())
		require.Zero(t, server.Calls("ListSecrets"))
	})
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithRateLimit("ssm", 2, 5))
		var refs []string
		for i := range 1000 { // 100 calls
			server.SetParameter(fmt.Sprintf("/p/%d", i), "x")
			refs = append(refs, fmt.Sprintf("ssm:///p/%d", i))
		}
		began := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := c.GetAll(t.Context(), refs...)
			require.NoError(t, err, "it takes longer than the timeout of a call that does not get on")
		}()
		for at := time.Duration(0); at < 40*time.Second; at += time.Second {
			require.LessOrEqual(t, server.Calls(), 5+2*int(at/time.Second))
			time.Sleep(time.Second)
		}
		<-done
		require.Equal(t, 100, server.Calls())
		require.InDelta(t, 95.0/2, time.Since(began).Seconds(), 1)

		began = time.Now()
		server.SetParameter("/alone", "x")
		get(t, c, "ssm:///alone")
		require.LessOrEqual(t, time.Since(began), 500*time.Millisecond)
	})
}

// While a large call is on its way those that come after it do not wait for all of it.
func TestRateLimitIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithRateLimit("ssm", 10, 1))
		var refs []string
		for i := range 1000 {
			server.SetParameter(fmt.Sprintf("/p/%d", i), "x")
			refs = append(refs, fmt.Sprintf("ssm:///p/%d", i))
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := c.GetAll(t.Context(), refs...)
			require.NoError(t, err)
		}()
		time.Sleep(time.Millisecond)
		began := time.Now()
		server.SetParameter("/alone", "x")
		get(t, c, "ssm:///alone")
		require.LessOrEqual(t, time.Since(began), 2*time.Second)
		<-done
	})
}

// Throttling slows down all that is asked of the store.
func TestThrottlingSlowsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithTTL(10*time.Second), secrets.WithRateLimit("ssm", 20, 1), secrets.WithStaleIfError(24*time.Hour))
		var refs []string
		for i := range 200 {
			server.SetParameter(fmt.Sprintf("/p/%d", i), "x")
			refs = append(refs, fmt.Sprintf("ssm:///p/%d", i))
		}
		_, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		defer server.Inject(secretstest.Fault{Rate: 0.5, Err: secretstest.Throttled()})()
		server.ResetCalls()
		reading(t, c, time.Second, 10*time.Minute, refs...)
		stats := c.Stats()
		require.Less(t, server.Calls(), 2*20*60, "twenty calls every ten seconds would be the usual rate")
		require.NotZero(t, stats.StaleServed)
	})
}

// The rate is halved while the store throttles, and recovers after that.
func TestThrottlingHalvesTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithRateLimit("ssm", 20, 1))
		var refs []string
		for i := range 4000 {
			server.SetParameter(fmt.Sprintf("/p/%d", i), "x")
			refs = append(refs, fmt.Sprintf("ssm:///p/%d", i))
		}
		perSecond := func(refs []string) float64 {
			server.ResetCalls()
			began := time.Now()
			_, _ = c.GetAll(t.Context(), refs...)
			return float64(server.Calls()) / time.Since(began).Seconds()
		}
		require.InDelta(t, 20, perSecond(refs[:1000]), 2)
		remove := server.Inject(secretstest.Fault{Err: secretstest.Throttled()})
		require.Less(t, perSecond(refs[1000:2000]), 5.0)
		remove()
		require.Less(t, perSecond(refs[2000:2010]), 5.0)
		time.Sleep(time.Minute)
		require.InDelta(t, 20, perSecond(refs[3000:4000]), 2)
	})
}

// What was throttled together is asked for again together.
func TestThrottledTogetherComesBackTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		var refs []string
		for i := range 100 {
			s.set(fmt.Sprint(i), "x")
			refs = append(refs, fmt.Sprintf("mem://%d", i))
		}
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		_, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		s.answer(func(_ context.Context, asked []provider.Ref) []provider.Result {
			results := s.read(asked)
			for i, r := range asked { // all but the first
				if i > 0 {
					results[i] = provider.Result{Err: &provider.Error{Ref: r, Kind: provider.ErrThrottled}}
				}
			}
			return results
		})
		reading(t, c, time.Second, 30*time.Minute, refs...)
		together := 0
		for _, n := range s.batches()[10:] {
			if n >= 80 {
				together++
			}
		}
		require.Greater(t, together, 15, "%v", s.batches())
	})
}

func TestRateLimitOptions(t *testing.T) {
	for says, opt := range map[string]secrets.Option{
		`WithRateLimit("mem", 0, 1)`:    secrets.WithRateLimit("mem", 0, 1),
		`WithRateLimit("mem", -1, 1)`:   secrets.WithRateLimit("mem", -1, 1),
		`WithRateLimit("mem", NaN, 1)`:  secrets.WithRateLimit("mem", math.NaN(), 1),
		`WithRateLimit("mem", 1, 0)`:    secrets.WithRateLimit("mem", 1, 0),
		`no provider of that scheme`:    secrets.WithRateLimit("ssm", 1, 1),
		`WithRejectInterval(0s)`:        secrets.WithRejectInterval(0),
		`WithRateLimit("mem", +Inf, 0)`: secrets.WithRateLimit("mem", math.Inf(1), 0),
	} {
		_, err := secrets.New(secrets.WithProvider(&store{}), opt)
		require.ErrorContains(t, err, says)
	}
	_, err := secrets.New(secrets.WithProvider(&store{}), secrets.WithRateLimit("mem", math.Inf(1), 1))
	require.NoError(t, err)
}

// Waiting for the rate does not count, however slow it is.
func TestSlowRateIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithRateLimit("ssm", 0.05, 1)) // one in twenty seconds
		var refs []string
		for i := range 60 { // six calls, four at a time
			server.SetParameter(fmt.Sprintf("/p/%d", i), "x")
			refs = append(refs, fmt.Sprintf("ssm:///p/%d", i))
		}
		began := time.Now()
		_, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		require.InDelta(t, 100, time.Since(began).Seconds(), 1)
	})
}

// A program that asks in a loop for what is not cached makes no storm in an
// outage: a call that fails holds up all others.
func TestColdMissesInAnOutageGoOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		away, most := 0, 0
		s := &store{}
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			mu.Lock()
			away++
			most = max(most, away)
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			away--
			mu.Unlock()
			return make([]provider.Result, len(refs))
		})
		c := open(t, secrets.WithProvider(s))
		began := time.Now()
		together(100, func(i int) {
			for time.Since(began) < time.Minute {
				_, err := c.Get(t.Context(), fmt.Sprintf("mem://%d", i))
				require.ErrorIs(t, err, provider.ErrUnavailable)
			}
		})
		require.Equal(t, 1, most)
		require.LessOrEqual(t, s.calls.Load(), int64(10*60+2))
	})
}

// A provider that does not get on is given up, one that does is not.
func TestFetchTimeoutIsOfOneThatDoesNotGetOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithFetchTimeout(10*time.Second))
		var refs []string
		for i := range 200 {
			server.SetParameter(fmt.Sprintf("/p/%d", i), "x")
			refs = append(refs, fmt.Sprintf("ssm:///p/%d", i))
		}
		remove := server.Inject(secretstest.Fault{Delay: 4 * time.Second}) // 20 calls, four at a time
		began := time.Now()
		_, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		require.Equal(t, 20*time.Second, time.Since(began))
		remove()

		defer server.Inject(secretstest.Fault{Delay: time.Hour})()
		began = time.Now()
		_, err = c.Get(t.Context(), "ssm:///alone")
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.ErrorContains(t, err, "WithFetchTimeout")
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}
