package secrets_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// reading reads the refs every so often, for a while.
func reading(t *testing.T, c *secrets.Client, every, total time.Duration, refs ...string) {
	t.Helper()
	for began := time.Now(); time.Since(began) < total; time.Sleep(every) {
		for _, r := range refs {
			get(t, c, r)
		}
	}
}

func TestWhatIsUsedIsRefreshedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: 3 * time.Second}
		s.set("db", "1")
		s.set("idle", "x")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(5*time.Minute))
		get(t, c, "mem://idle")
		first := get(t, c, "mem://db")
		for range 3600 {
			time.Sleep(time.Second)
			at := time.Now()
			if v := get(t, c, "mem://db"); v != first {
				t.Fatal("changed without reason")
			}
			require.Zero(t, time.Since(at), "no read waits")
		}
		require.LessOrEqual(t, s.calls.Load(), int64(2+13), "once for each TTL")
		require.GreaterOrEqual(t, s.calls.Load(), int64(2+12))
		require.InDelta(t, s.calls.Load()-2, c.Stats().Unchanged, 1, "one may be under way")

		s.set("db", "2")
		changed := time.Now()
		for get(t, c, "mem://db").Text() != "2" {
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, time.Since(changed), 5*time.Minute+3*time.Second, "no value is older than its TTL")
		require.EqualValues(t, 1, c.Stats().Changed)

		// Left alone, it is refreshed once more at most, and dropped in the end.
		calls := s.calls.Load()
		time.Sleep(24 * time.Hour)
		require.LessOrEqual(t, s.calls.Load(), calls+1)
		require.Zero(t, c.Stats().Entries)
	})
}

// What was read at different times comes to be refreshed together.
func TestRefreshesTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		c := open(t, secrets.WithProvider(s))
		var refs []string
		for i := range 40 {
			s.set(fmt.Sprint(i), "x")
			refs = append(refs, fmt.Sprintf("mem://%d", i))
			get(t, c, refs[i])
			time.Sleep(time.Second)
		}
		reading(t, c, time.Second, 3*time.Hour, refs...)
		calls := s.calls.Load()
		reading(t, c, time.Second, time.Hour, refs...)
		require.LessOrEqual(t, s.calls.Load()-calls, int64(13))
	})
}

// Two processes that start at one moment do not ask at one moment for long.
func TestFleetsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		times := make(map[time.Duration]int)
		began := time.Now()
		for range 50 {
			s := &store{}
			s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
				mu.Lock()
				defer mu.Unlock()
				times[time.Since(began).Truncate(time.Second)]++
				return s.read(refs)
			})
			s.set("db", "x")
			c := open(t, secrets.WithProvider(s))
			go reading(t, c, time.Second, 9*time.Minute, "mem://db")
		}
		time.Sleep(10 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for at, n := range times {
			require.True(t, at == 0 || n <= 10, "%d calls at %v", n, at)
		}
		require.Greater(t, len(times), 30)
	})
}

func TestOutageIsSurvived(t *testing.T) {
	for _, lambda := range []string{"", "127.0.0.1:9001"} {
		t.Run("lambda="+lambda, func(t *testing.T) {
			t.Setenv("AWS_LAMBDA_RUNTIME_API", lambda)
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := &store{}
				c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithStaleIfError(time.Hour),
					secrets.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				var refs []string
				for i := range 100 {
					s.set(fmt.Sprint(i), "hunter2")
					refs = append(refs, fmt.Sprintf("mem://%d", i))
				}
				_, err := c.GetAll(t.Context(), refs...)
				require.NoError(t, err)
				began, slow := time.Now(), 0
				s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
					time.Sleep(3 * time.Second)
					results := make([]provider.Result, len(refs))
					for i, r := range refs {
						results[i].Err = &provider.Error{Ref: r, Kind: provider.ErrUnavailable}
					}
					return results
				})
				calls := s.calls.Load()
				for time.Since(began) < time.Hour {
					for _, r := range refs {
						at := time.Now()
						require.Equal(t, "hunter2", get(t, c, r).Text())
						if time.Since(at) > 0 {
							slow++
						}
					}
					time.Sleep(time.Second)
				}
				require.LessOrEqual(t, slow, 1, "one read notices the outage, if any")
				require.LessOrEqual(t, s.calls.Load()-calls, int64(400), "upstream is left alone: full jitter up to a minute")
				stats := c.Stats()
				require.Greater(t, stats.StaleServed, uint64(100*3000))
				require.Len(t, stats.Stale, 100)
				require.ErrorIs(t, stats.Stale[0].Err, provider.ErrUnavailable)
				require.WithinRange(t, stats.Stale[0].Since, began, began.Add(5*time.Minute))
				require.Equal(t, 1, strings.Count(log.String(), "WARN"))
				require.NotContains(t, log.String(), "hunter2")

				s.answer(nil)
				s.set("7", "new")
				time.Sleep(90 * time.Second)
				for get(t, c, "mem://7").Text() != "new" {
					time.Sleep(time.Second)
				}
				require.LessOrEqual(t, time.Since(began), time.Hour+5*time.Minute)
				reading(t, c, time.Second, 5*time.Minute, refs...)
				require.Empty(t, c.Stats().Stale)
				require.Equal(t, 1, strings.Count(log.String(), "INFO"), "and that it is over")
			})
		})
	}
}

// A call that fails after a later one was answered is old news.
func TestOvertakenFailureIsNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &store{}
		s.set("quick", "x")
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			if refs[0].Name == "slow" {
				time.Sleep(3 * time.Second)
				return make([]provider.Result, len(refs))
			}
			return s.read(refs)
		})
		c := open(t, secrets.WithProvider(s), secrets.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := c.Get(t.Context(), "mem://slow")
			require.ErrorIs(t, err, provider.ErrUnavailable)
		}()
		time.Sleep(time.Second)
		get(t, c, "mem://quick")
		<-done
		require.Empty(t, log.String())
	})
}

// A ref that is refused for its form says nothing of the store: that may take no
// call.
func TestInvalidRefEndsNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &store{}
		s.set("db", "x")
		var down atomic.Bool
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			results := s.read(refs)
			for i, r := range refs {
				switch {
				case r.Name == "bad":
					results[i] = provider.Result{Err: &provider.Error{Ref: r, Kind: provider.ErrInvalidRef}}
				case down.Load():
					results[i] = provider.Result{Err: &provider.Error{Ref: r, Kind: provider.ErrUnavailable}}
				}
			}
			return results
		})
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		_, err := c.GetAll(t.Context(), "mem://db", "mem://bad")
		require.ErrorIs(t, err, provider.ErrInvalidRef)
		require.Empty(t, log.String())
		down.Store(true)
		for range 300 {
			time.Sleep(time.Second)
			get(t, c, "mem://db")
			_, err := c.Get(t.Context(), "mem://bad")
			require.ErrorIs(t, err, provider.ErrInvalidRef)
		}
		synctest.Wait()
		require.Equal(t, 1, strings.Count(log.String(), "in trouble"), log.String())
		require.NotContains(t, log.String(), "well again")
	})
}

// A refusal is told of, also where an outage went before it.
func TestRefusalAfterAnOutageIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		server, c := world(t, secrets.WithTTL(time.Minute), secrets.WithStaleIfDenied(time.Hour), secrets.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		server.SetSecret("db", "x")
		remove := func() {}
		for i, fault := range []*secretstest.Error{nil, secretstest.Unavailable(), secretstest.AccessDenied(), secretstest.Unavailable(), secretstest.AccessDenied(), nil, secretstest.AccessDenied()} {
			remove()
			remove = func() {}
			if fault != nil {
				remove = server.Inject(secretstest.Fault{Err: fault})
			}
			reading(t, c, time.Second, 5*time.Minute, "sm://db")
			synctest.Wait()
			require.Equal(t, []int{0, 0, 1, 1, 1, 1, 2}[i], strings.Count(log.String(), "cannot be refreshed"), "step %d: %s", i, log.String())
		}
		remove()
	})
}

// Each kind of failure has its window, and at its end the error surfaces.
func TestStaleWindows(t *testing.T) {
	for kind, window := range map[error]time.Duration{
		provider.ErrUnavailable:  time.Hour,
		provider.ErrThrottled:    time.Hour,
		provider.ErrDecryption:   time.Hour,
		provider.ErrAccessDenied: 2 * time.Minute,
		provider.ErrDeleted:      2 * time.Minute,
		provider.ErrNotFound:     2 * time.Minute,
	} {
		for _, held := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/held=%v", kind, held), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &store{}
					s.set("db", "x")
					s.set("well", "x")
					c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithStaleIfError(time.Hour), secrets.WithStaleIfDenied(2*time.Minute))
					get(t, c, "mem://db")
					if held {
						h := bind(t, c, "mem://db", secrets.Text)
						defer func() { require.Equal(t, "x", h.Load()) }()
					}
					began := time.Now()
					s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
						results := s.read(refs)
						for i, r := range refs {
							if r.Name == "db" {
								results[i] = provider.Result{Err: &provider.Error{Ref: r, Kind: kind}}
							}
						}
						return results
					})
					for {
						time.Sleep(time.Second)
						if _, err := c.Get(t.Context(), "mem://db"); err != nil {
							require.ErrorIs(t, err, kind)
							break
						}
					}
					served := time.Since(began)
					require.GreaterOrEqual(t, served, time.Minute+window)
					require.LessOrEqual(t, served, time.Minute+window+2*time.Second)
					get(t, c, "mem://well")
					s.answer(nil)
					for {
						if _, err := c.Get(t.Context(), "mem://db"); err == nil {
							break
						}
						time.Sleep(time.Second)
					}
					require.LessOrEqual(t, time.Since(began), served+secrets.DefaultNegativeTTL+time.Second)
				})
			})
		}
	}
}

// fail has a store answer each ref by an error.
func (s *store) fail(kind error) {
	s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
		results := make([]provider.Result, len(refs))
		for i, r := range refs {
			results[i].Err = &provider.Error{Ref: r, Kind: kind}
		}
		return results
	})
}

// A value that is read seldom, and just as a call fails, is not stale for longer
// than the trouble lasts, and a backoff.
func TestTroubleEndsForWhatIsReadSeldom(t *testing.T) {
	kinds := []error{provider.ErrUnavailable, provider.ErrThrottled, provider.ErrDecryption, provider.ErrAccessDenied}
	for _, kind := range kinds {
		synctest.Test(t, func(t *testing.T) {
			s := &store{}
			s.set("db", "1")
			c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
			get(t, c, "mem://db")
			time.Sleep(61 * time.Second) // nobody used it
			s.fail(kind)
			require.Equal(t, "1", get(t, c, "mem://db").Text())
			s.answer(nil)
			s.set("db", "2")
			time.Sleep(2 * time.Second)
			require.Equal(t, "2", get(t, c, "mem://db").Text(), "%v: the refresher asked again", kind)
		})
		synctest.Test(t, func(t *testing.T) {
			s := &store{}
			s.set("db", "1")
			c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
			h := bind(t, c, "mem://db", secrets.Text)
			s.fail(kind)
			time.Sleep(61 * time.Second)
			h.Close() // nobody but the handle used it
			s.answer(nil)
			s.set("db", "2")
			time.Sleep(62 * time.Second) // longer than any backoff
			get(t, c, "mem://db")
			synctest.Wait()
			require.Equal(t, "2", get(t, c, "mem://db").Text(), "%v: the read asked again", kind)
		})
	}
}

// What a store refuses is served no longer for an outage that follows.
func TestRefusalStandsInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "x")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithStaleIfError(time.Hour), secrets.WithStaleIfDenied(2*time.Minute))
		get(t, c, "mem://db")
		s.fail(provider.ErrAccessDenied)
		began := time.Now()
		time.Sleep(time.Minute + time.Second)
		get(t, c, "mem://db")
		s.fail(provider.ErrUnavailable)
		var err error
		for err == nil {
			time.Sleep(time.Second)
			if _, err = c.Get(t.Context(), "mem://db"); err == nil {
				require.ErrorIs(t, c.Stats().Stale[0].Err, provider.ErrAccessDenied)
			}
		}
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.InDelta(t, 3*time.Minute, time.Since(began), float64(5*time.Second))
		s.answer(nil)
		time.Sleep(secrets.DefaultNegativeTTL)
		get(t, c, "mem://db")
	})
}

func TestNoStaleValueWhereNoneIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "x")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithStaleIfError(0))
		get(t, c, "mem://db")
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			return make([]provider.Result, len(refs))
		})
		time.Sleep(time.Minute)
		_, err := c.Get(t.Context(), "mem://db")
		require.ErrorIs(t, err, provider.ErrUnavailable)
	})
}

func TestRefusalsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		c := open(t, secrets.WithProvider(s))
		for range 1000 {
			_, err := c.Get(t.Context(), "mem://late#field")
			require.ErrorIs(t, err, provider.ErrNotFound)
			require.ErrorContains(t, err, "mem://late#field")
		}
		require.EqualValues(t, 1, s.calls.Load())
		s.set("late", "x")
		_, err := c.Get(t.Context(), "mem://late")
		require.ErrorIs(t, err, provider.ErrNotFound)
		time.Sleep(secrets.DefaultNegativeTTL)
		require.Equal(t, "x", get(t, c, "mem://late").Text())

		for what, forget := range map[string]func(){
			"refresh":    func() { require.NoError(t, c.Refresh(t.Context(), "mem://"+"refresh")) },
			"invalidate": func() { c.Invalidate("mem://invalidate") },
		} {
			_, err := c.Get(t.Context(), "mem://"+what)
			require.Error(t, err)
			s.set(what, "x")
			forget()
			get(t, c, "mem://"+what)
		}

		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			return make([]provider.Result, len(refs))
		})
		calls := s.calls.Load()
		for range 3 {
			_, err = c.Get(t.Context(), "mem://down")
			require.ErrorIs(t, err, provider.ErrUnavailable)
		}
		require.EqualValues(t, 3, s.calls.Load()-calls, "an outage is no answer to remember")

		none := open(t, secrets.WithProvider(s), secrets.WithNegativeTTL(0))
		s.answer(nil)
		calls = s.calls.Load()
		for range 3 {
			_, err = none.Get(t.Context(), "mem://never")
			require.ErrorIs(t, err, provider.ErrNotFound)
		}
		require.EqualValues(t, 3, s.calls.Load()-calls)
	})
}

// A rotation or an expiry that the store announces ends the value's time.
func TestAnnouncedChangeIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "old")
		at := time.Now().Add(90 * time.Minute)
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			results := s.read(refs)
			results[0].Changes = at
			return results
		})
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(24*time.Hour))
		get(t, c, "mem://db")
		time.AfterFunc(90*time.Minute, func() { s.set("db", "new") })
		for range 89 {
			time.Sleep(time.Minute)
			require.Equal(t, "old", get(t, c, "mem://db").Text())
		}
		require.EqualValues(t, 1, s.calls.Load())
		time.Sleep(3 * time.Minute) // it may come a little late
		require.Equal(t, "new", get(t, c, "mem://db").Text())
		reading(t, c, time.Second, 10*time.Hour, "mem://db")
		require.LessOrEqual(t, s.calls.Load(), int64(64), "one that never comes is given up")
	})
}

// A refresh of what was evicted meanwhile does not push out something else.
func TestRefreshDoesNotBringBackWhatWasEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		for _, name := range []string{"a", "b", "c"} {
			s.set(name, "x")
		}
		c := open(t, secrets.WithProvider(s), secrets.WithMaxEntries(2), secrets.WithTTL(time.Minute))
		get(t, c, "mem://a")
		get(t, c, "mem://a")
		s.slow(20 * time.Second)
		for s.calls.Load() < 2 {
			time.Sleep(time.Second) // until a is being refreshed
		}
		s.slow(0)
		get(t, c, "mem://b")
		get(t, c, "mem://c")
		time.Sleep(30 * time.Second)
		calls := s.calls.Load()
		get(t, c, "mem://b")
		get(t, c, "mem://c")
		require.Equal(t, calls, s.calls.Load())
	})
}

func TestObserverAndStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", `{"f":"x"}`)
		var reads []secrets.Read
		var calls []provider.Call
		s.answer(func(ctx context.Context, refs []provider.Ref) []provider.Result {
			provider.ReportCall(ctx, provider.Call{Operation: "Read", RequestID: "r"})
			return s.read(refs)
		})
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithObserver(secrets.Observer{
			Read:   func(_ context.Context, r secrets.Read) { reads = append(reads, r) },
			Called: func(c provider.Call) { calls = append(calls, c) },
		}))
		for _, r := range []string{"mem://db#f", "mem://db#f", "mem://db", "mem://db#g", "mem://no", "mem://no"} {
			_, _ = c.Get(t.Context(), r)
		}
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			return make([]provider.Result, len(refs))
		})
		time.Sleep(time.Minute)
		get(t, c, "mem://db#f")
		var got []string
		for _, r := range reads {
			got = append(got, fmt.Sprint(r.Ref, " ", r.Version, " ", r.Source, " ", r.Err != nil))
		}
		require.Equal(t, []string{
			"mem://db#f 1 store false", "mem://db#f 1 cache false", "mem://db 1 cache false", "mem://db#g 1 cache true",
			"mem://no  store true", "mem://no  refusal true", "mem://db#f 1 stale false",
		}, got)
		require.Equal(t, []provider.Call{{Operation: "Read", RequestID: "r"}, {Operation: "Read", RequestID: "r"}}, calls)
		stats := c.Stats()
		require.EqualValues(t, 2, stats.APICalls)
		require.Equal(t, map[string]uint64{"Read": 2}, stats.Calls)
		require.EqualValues(t, 1, stats.StaleServed)
		require.EqualValues(t, 5, stats.SavedPerRead())
		require.Zero(t, stats.InFlight)
	})
}

func TestObserversChain(t *testing.T) {
	s := &store{}
	s.set("db", "x")
	var told []string
	observer := func(name string) secrets.Option {
		return secrets.WithObserver(secrets.Observer{
			Read:      func(context.Context, secrets.Read) { told = append(told, name+" read") },
			Refreshed: func(secrets.Refresh) { told = append(told, name+" refreshed") },
			Rejected:  func(context.Context, secrets.Rejection) { told = append(told, name+" rejected") },
			Wrote:     func(_ context.Context, w secrets.Write) { told = append(told, name+" wrote "+w.Ref) },
		})
	}
	c := open(t, secrets.WithProvider(s), observer("a"), secrets.WithObserver(secrets.Observer{}), observer("b"))
	_, _ = c.Reject(t.Context(), get(t, c, "mem://db"))
	_, _ = c.Put(t.Context(), "mem://db", "y")
	require.Equal(t, []string{
		"a refreshed", "b refreshed", "a read", "b read", "a refreshed", "b refreshed", "a rejected", "b rejected", "a wrote mem://db", "b wrote mem://db",
	}, told)
}
