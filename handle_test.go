package secrets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
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

func number(v secrets.Value) (int, error) {
	n, err := strconv.Atoi(v.Text())
	if err != nil {
		return 0, errors.New("not a number")
	}
	return n, nil
}

func bind[T any](t *testing.T, c *secrets.Client, ref string, decode func(secrets.Value) (T, error)) *secrets.Handle[T] {
	t.Helper()
	h, err := secrets.Bind(t.Context(), c, ref, decode)
	require.NoError(t, err)
	return h
}

func TestHandleFollowsItsValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", "1")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		decoded := 0
		h := bind(t, c, "mem://n", func(v secrets.Value) (int, error) { decoded++; return number(v) })
		require.Equal(t, 1, h.Load())
		require.Equal(t, "1", h.Version().ID)
		require.Equal(t, 1, decoded)

		time.Sleep(24 * time.Hour) // nobody loads it
		require.LessOrEqual(t, s.calls.Load(), int64(24*70))
		require.GreaterOrEqual(t, s.calls.Load(), int64(24*60))
		require.Equal(t, 1, decoded, "an unchanged value is not decoded again")

		s.set("n", "2")
		time.Sleep(time.Minute)
		require.Equal(t, 2, h.Load())
		require.Equal(t, "2", h.Version().ID)
		require.Equal(t, "2", h.Value().Text())
		require.NoError(t, h.Err())
		require.NoError(t, c.Refresh(t.Context()), "with no refs, what handles hold too")

		h.Close()
		h.Close()
		s.set("n", "3")
		calls := s.calls.Load()
		time.Sleep(24 * time.Hour)
		require.Equal(t, 2, h.Load(), "a closed handle keeps its last value")
		require.LessOrEqual(t, s.calls.Load(), calls+1, "and what nobody uses is not refreshed")
		require.Zero(t, c.Stats().Entries)
	})
}

func TestBindFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("text", "hunter2")
		c := open(t, secrets.WithProvider(s))
		for ref, decode := range map[string]func(secrets.Value) (int, error){
			"mem://text":       number,
			"mem://nowhere":    number,
			"mem://text#field": number,
			"vault://text":     number,
			"nonsense":         number,
			"MEM://text":       func(v secrets.Value) (int, error) { panic(v.Text()) },
			"mem://te%78t":     func(secrets.Value) (int, error) { runtime.Goexit(); return 0, nil },
		} {
			done := make(chan struct{})
			go func() {
				defer close(done)
				h, err := secrets.Bind(t.Context(), c, ref, decode)
				require.Nil(t, h, ref)
				require.ErrorContains(t, err, ref)
				require.NotContains(t, err.Error(), "hunter2")
			}()
			<-done
		}
		time.Sleep(24 * time.Hour)
		require.Zero(t, c.Stats().Entries, "nothing is held")
	})
}

func TestBadVersionKeepsTheOldValue(t *testing.T) {
	for name, bad := range map[string]func() (int, error){
		"error": func() (int, error) { return 0, errors.New("bad") },
		"panic": func() (int, error) { panic("hunter2") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := &store{}
				s.set("n", "1")
				c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				decoded := 0
				h := bind(t, c, "mem://n", func(v secrets.Value) (int, error) {
					decoded++
					if v.Text() == "hunter2" {
						return bad()
					}
					return number(v)
				})
				s.set("n", "hunter2")
				time.Sleep(time.Hour)
				require.Equal(t, 1, h.Load())
				require.Equal(t, "1", h.Version().ID)
				require.ErrorContains(t, h.Err(), "mem://n")
				require.Contains(t, log.String(), "cannot be decoded")
				require.NotContains(t, log.String()+h.Err().Error(), "hunter2")
				_, err := h.Get(t.Context())
				require.ErrorContains(t, err, "mem://n")
				require.Equal(t, 2, decoded, "a bad version is tried once")

				s.set("n", "3")
				time.Sleep(time.Minute)
				require.Equal(t, 3, h.Load())
				require.NoError(t, h.Err())
			})
		})
	}
}

// Err tells of a store in trouble, and Load goes on.
func TestHandleOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", "1")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute), secrets.WithStaleIfError(time.Hour))
		h := bind(t, c, "mem://n", number)
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			return make([]provider.Result, len(refs))
		})
		time.Sleep(2 * time.Hour)
		require.Equal(t, 1, h.Load())
		require.ErrorIs(t, h.Err(), provider.ErrUnavailable)
		_, err := c.Get(t.Context(), "mem://n")
		require.ErrorIs(t, err, provider.ErrUnavailable, "a read tells that the window for stale values is over")
		s.answer(nil)
		s.set("n", "2")
		time.Sleep(2 * time.Minute)
		require.Equal(t, 2, h.Load())
		require.NoError(t, h.Err())
	})
}

func TestHandlePinsItsEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		c := open(t, secrets.WithProvider(s), secrets.WithMaxEntries(2))
		s.set("held", "1")
		get(t, c, "mem://held")
		h := bind(t, c, "mem://held", number)
		for i := range 100 {
			s.set(fmt.Sprint(i), "x")
			get(t, c, fmt.Sprintf("mem://%d", i))
		}
		calls := s.calls.Load()
		get(t, c, "mem://held")
		get(t, c, "mem://99")
		get(t, c, "mem://98")
		require.Equal(t, calls, s.calls.Load())
		require.Equal(t, 3, c.Stats().Entries)
		h.Close()
		require.Equal(t, 2, c.Stats().Entries)
	})
}

// A handle that nobody has any more ends by itself.
func TestDroppedHandleIsCollected(t *testing.T) {
	s := &store{}
	s.set("n", "1")
	c := open(t, secrets.WithProvider(s), secrets.WithMaxEntries(1))
	h := bind(t, c, "mem://n", number)
	stop := h.OnChange(func(int) { h.Load() })
	stop()
	require.Equal(t, 1, h.Load())
	for began := time.Now(); ; runtime.Gosched() {
		runtime.GC()
		s.set("other", "x")
		get(t, c, "mem://other")
		if c.Stats().Entries == 1 {
			return
		}
		require.Less(t, time.Since(began), 2*time.Minute, "the entry is still held")
	}
}

func TestInvalidatedHandleReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", "1")
		c := open(t, secrets.WithProvider(s))
		h := bind(t, c, "mem://n", number)
		pinned := bind(t, c, "mem://n?version=1", number)
		for i, forget := range []func(){func() { c.Invalidate("mem://n") }, func() { c.Invalidate() }} {
			s.set("n", fmt.Sprint(i+2))
			forget()
			time.Sleep(time.Second)
			require.Equal(t, i+2, h.Load())
		}
		require.Equal(t, 3, pinned.Load(), "the test's store knows no versions; it was read again once")
		calls := s.calls.Load()
		h.Close()
		time.Sleep(time.Hour)
		require.Equal(t, calls, s.calls.Load(), "a pinned version is never read again")
	})
}

func TestOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", `{"a":"1","b":"1"}`)
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		h := bind(t, c, "mem://n#a", number)
		var seen, others []int
		stop := h.OnChange(func(n int) { seen = append(seen, n) })
		h.OnChange(func(n int) { others = append(others, n); panic("hunter2") })
		block := make(chan struct{})
		var blocked atomic.Int64
		h.OnChange(func(int) { blocked.Add(1); <-block })
		h.OnChange(func(int) { runtime.Goexit() })
		for i := range 5 {
			s.set("n", fmt.Sprintf(`{"a":"%d","b":"1"}`, i/2+1)) // every other version changes a
			time.Sleep(time.Minute)
			require.Equal(t, i/2+1, h.Load())
			require.Equal(t, fmt.Sprint(i+2), h.Version().ID, "the version changes with any field")
		}
		synctest.Wait()
		require.Equal(t, []int{2, 3}, seen)
		require.Equal(t, []int{2, 3}, others)
		require.EqualValues(t, 1, blocked.Load(), "one that blocks holds up nobody")
		stop()
		s.set("n", `{"a":"9","b":"2"}`)
		time.Sleep(time.Minute)
		require.Equal(t, 9, h.Load())
		synctest.Wait()
		require.Equal(t, []int{2, 3}, seen)
		require.Equal(t, []int{2, 3, 9}, others)
		close(block)
		synctest.Wait()
		require.EqualValues(t, 2, blocked.Load(), "it then sees the last")
	})
}

// A callback that ends its goroutine misses no change that came meanwhile.
func TestCallbackEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", "1")
		c := open(t, secrets.WithProvider(s))
		h := bind(t, c, "mem://n", number)
		var seen []int
		h.OnChange(func(n int) {
			seen = append(seen, n)
			time.Sleep(time.Second)
			runtime.Goexit()
		})
		for _, n := range []string{"2", "3", "4"} {
			s.set("n", n)
			require.NoError(t, c.Refresh(t.Context(), "mem://n"))
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []int{2, 4}, seen)
	})
}

func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", "1")
		c, err := secrets.New(secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		require.NoError(t, err)
		h := bind(t, c, "mem://n", number)
		var mu sync.Mutex
		ends := make(map[string][]int)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		consume := func(name string, h *secrets.Handle[int], ctx context.Context, pause time.Duration) {
			changes := h.Changes(ctx)
			go func() {
				var seen []int
				for n := range changes {
					seen = append(seen, n)
					time.Sleep(pause)
				}
				mu.Lock()
				defer mu.Unlock()
				ends[name] = seen
			}()
		}
		consume("cancelled", h, ctx, 0)
		consume("slow", h, t.Context(), 150*time.Second)
		other := bind(t, c, "mem://n", number)
		consume("closed", other, t.Context(), 0)
		for i := range 6 {
			s.set("n", fmt.Sprint(i+2))
			time.Sleep(time.Minute)
			switch i {
			case 1:
				cancel()
			case 3:
				other.Close()
			}
		}
		require.NoError(t, c.Close())
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []int{2, 3}, ends["cancelled"])
		require.Equal(t, []int{2, 3, 4, 5}, ends["closed"])
		require.Less(t, len(ends["slow"]), 5)
		require.Equal(t, 7, h.Load())
	})
}

// What blocks for ever holds up neither the refresher, nor others, nor Close for long.
func TestBlockedDecoderStallsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", "1")
		c, err := secrets.New(secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		require.NoError(t, err)
		block := make(chan struct{})
		stuck := bind(t, c, "mem://n", func(v secrets.Value) (int, error) {
			if v.Text() != "1" {
				<-block
			}
			return number(v)
		})
		free := bind(t, c, "mem://n", number)
		for i := range 10 {
			s.set("n", fmt.Sprint(i+2))
			time.Sleep(time.Minute)
			require.Equal(t, i+2, free.Load())
			require.Equal(t, 1, stuck.Load())
			require.NoError(t, stuck.Err())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = stuck.Get(ctx)
		require.Equal(t, context.DeadlineExceeded, err)
		stuck.OnChange(func(int) {})()
		stuck.Close()
		began := time.Now()
		require.NoError(t, c.Close())
		require.Equal(t, 100*time.Millisecond, time.Since(began))
		close(block)
	})
}

// A callback may close the client; no other begins after that, nor is called
// again for what it missed.
func TestCallbackClosesTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("n", "1")
		c, err := secrets.New(secrets.WithProvider(s))
		require.NoError(t, err)
		h := bind(t, c, "mem://n", number)
		calls := 0
		var took time.Duration
		h.OnChange(func(int) {
			calls++
			time.Sleep(time.Second)
			began := time.Now()
			require.NoError(t, c.Close())
			took = time.Since(began)
		})
		for _, n := range []string{"2", "3"} {
			s.set("n", n)
			require.NoError(t, c.Refresh(t.Context(), "mem://n"))
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, calls)
		require.Equal(t, 100*time.Millisecond, took)
	})
}

// On Lambda nothing runs between invocations: Get alone keeps the promise.
func TestHandleOnLambda(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("n", "1")
		h := bind(t, c, "sm://n", number)
		n, err := h.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		server.SetSecret("n", "2")
		c.Invalidate("sm://n") // as after a freeze: the entry is not fresh
		n, err = h.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, n)

		defer server.Inject(secretstest.Fault{Err: secretstest.Internal()})()
		c.Invalidate("sm://n")
		n, err = h.Get(t.Context())
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.Equal(t, 2, n, "and the last value")
	})
}

// An entry that nobody used has been left to expire when a handle takes it up.
func TestHandleOfAnIdleEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		for i := range 50 {
			name := fmt.Sprint(i)
			s.set(name, "1")
			get(t, c, "mem://"+name)
			time.Sleep(59 * time.Second)
			h := bind(t, c, "mem://"+name, number)
			s.set(name, "2")
			time.Sleep(time.Minute)
			require.Equal(t, 2, h.Load())
			h.Close()
		}
	})
}

// What is first used late in its time is refreshed ahead all the same.
func TestLateUseIsRefreshedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
		for i := range 50 {
			ref := fmt.Sprintf("mem://%d", i)
			s.set(fmt.Sprint(i), "1")
			get(t, c, ref)
			time.Sleep(56 * time.Second)
			get(t, c, ref)
			time.Sleep(10 * time.Second)
			misses := c.Stats().Misses
			get(t, c, ref)
			require.Equal(t, misses, c.Stats().Misses)
		}
	})
}
