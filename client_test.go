package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// schemed is a store of another scheme.
type schemed struct {
	*store
	scheme string
}

func (s schemed) Scheme() string { return s.scheme }

func TestNewRefuses(t *testing.T) {
	with := secrets.WithProvider(&store{})
	for name, c := range map[string]struct {
		opts []secrets.Option
		says string
	}{
		"nothing":          {nil, "no provider"},
		"nil option":       {[]secrets.Option{with, nil}, "nil Option"},
		"no scheme":        {[]secrets.Option{secrets.WithProvider(schemed{&store{}, ""})}, `the scheme ""`},
		"two words":        {[]secrets.Option{secrets.WithProvider(schemed{&store{}, "a b"})}, `the scheme "a b"`},
		"no mere scheme":   {[]secrets.Option{secrets.WithProvider(schemed{&store{}, "x://"})}, `the scheme "x://"`},
		"nil provider":     {[]secrets.Option{secrets.WithProvider(nil)}, "WithProvider(nil)"},
		"same scheme":      {[]secrets.Option{with, with}, `two providers of the scheme "mem"`},
		"zero TTL":         {[]secrets.Option{with, secrets.WithTTL(0)}, "WithTTL(0s)"},
		"TTL, no unit":     {[]secrets.Option{with, secrets.WithTTL(300)}, "unit"},
		"negative TTL":     {[]secrets.Option{with, secrets.WithTTL(-time.Second)}, "WithTTL(-1s)"},
		"negative stale":   {[]secrets.Option{with, secrets.WithStaleIfError(-1)}, "WithStaleIfError(-1ns)"},
		"oversized denied": {[]secrets.Option{with, secrets.WithStaleIfDenied(math.MaxInt64)}, "WithStaleIfDenied("},
		"negative memory":  {[]secrets.Option{with, secrets.WithNegativeTTL(-1)}, "WithNegativeTTL(-1ns)"},
		"oversized TTL":    {[]secrets.Option{with, secrets.WithTTL(math.MaxInt64)}, "at most 8784h"},
		"no entries":       {[]secrets.Option{with, secrets.WithMaxEntries(0)}, "WithMaxEntries(0)"},
		"minus entries":    {[]secrets.Option{with, secrets.WithMaxEntries(-1)}, "WithMaxEntries(-1)"},
		"no time to fetch": {[]secrets.Option{with, secrets.WithFetchTimeout(0)}, "WithFetchTimeout(0s)"},
	} {
		_, err := secrets.New(c.opts...)
		require.ErrorContains(t, err, c.says, name)
	}
	_, err := secrets.New(secrets.WithTTL(-1), secrets.WithMaxEntries(-1))
	for _, says := range []string{"no provider", "WithTTL", "WithMaxEntries"} {
		require.ErrorContains(t, err, says, "all mistakes are told at once")
	}
}

func TestBadInput(t *testing.T) {
	const value = "hunter2"
	s := &store{}
	s.set("text", value)
	s.set("json", `{"password":"`+value+`","none":null}`)
	s.set("broken", `{"password":"`+value)
	s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
		results := s.read(refs)
		for i, r := range refs {
			if r.Name == "binary" {
				results[i] = provider.Result{Value: provider.NewValue(r, provider.NewVersion("1", time.Time{}), provider.SecretBinary, value)}
			}
		}
		return results
	})
	c := open(t, secrets.WithProvider(s))
	for ref, want := range map[string]struct {
		kind error
		says string
	}{
		"":                          {provider.ErrInvalidRef, `"": invalid ref`},
		"json":                      {provider.ErrInvalidRef, "want sm://name"},
		"mem://":                    {provider.ErrInvalidRef, "name is empty"},
		"sm://":                     {provider.ErrInvalidRef, "name is empty"},
		"vault://json":              {provider.ErrInvalidRef, `no provider for "vault"`},
		"sm://x":                    {provider.ErrInvalidRef, `no provider for "sm"`},
		"sm://x?stage=a&version=b":  {provider.ErrInvalidRef, "both version and stage"},
		"mem://x?stage=a&version=b": {provider.ErrInvalidRef, "both version and stage"},
		"mem://json?ttl=1":          {provider.ErrInvalidRef, "none of stage"},
		"mem://text#password":       {provider.ErrFieldNotFound, "not JSON"},
		"mem://broken#password":     {provider.ErrFieldNotFound, "not JSON"},
		"mem://json#user":           {provider.ErrFieldNotFound, "no such member"},
		"mem://json#none":           {provider.ErrFieldNotFound, "null"},
		"mem://json#/password/0":    {provider.ErrFieldNotFound, "no such member"},
		"MEM://json#%75ser":         {provider.ErrFieldNotFound, "no such member"},
		"mem://binary":              {provider.ErrNotText, "binary"},
		"mem://nowhere":             {provider.ErrNotFound, "not found"},
		"mem://nowhere#x":           {provider.ErrNotFound, "not found"},
	} {
		t.Run(ref, func(t *testing.T) {
			for range 2 { // fetched, and from the cache
				_, err := c.Text(t.Context(), ref)
				require.ErrorIs(t, err, want.kind)
				require.ErrorContains(t, err, want.says)
				require.ErrorContains(t, err, ref)
				require.NotContains(t, err.Error(), value)
			}
			values, err := c.GetAll(t.Context(), ref, "mem://text")
			require.Equal(t, value, values["mem://text"].Text(), "a bad ref takes no other with it")
			if want.kind != provider.ErrNotText { // bytes are a value
				require.ErrorIs(t, err, want.kind)
				require.ErrorContains(t, err, ref)
				require.Len(t, values, 1)
			}
		})
	}
	require.Equal(t, []byte(value), get(t, c, "mem://binary").Bytes())
}

// 10,000 goroutines, fields and spellings of one secret: one call.
func TestOneMissOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: 20 * time.Millisecond}
		s.set("db", `{"user":"u","password":"p"}`)
		c := open(t, secrets.WithProvider(s))
		refs := []string{"mem://db", "mem://db#user", "mem://db#password", "mem://db?stage=AWSCURRENT#user", "MEM://d%62"}
		var wg sync.WaitGroup
		for i := range 10_000 {
			wg.Go(func() {
				v, err := c.Get(t.Context(), refs[i%len(refs)])
				if err != nil || v.Text() == "" {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, s.calls.Load())
		require.Equal(t, []int{1}, s.batches())
		for _, r := range refs {
			get(t, c, r)
		}
		require.EqualValues(t, 1, s.calls.Load(), "all of them are cached")
		stats := c.Stats()
		require.Equal(t, 1, stats.Entries)
		require.EqualValues(t, 10_000, stats.Misses)
		require.EqualValues(t, 9_999, stats.Coalesced)
		require.EqualValues(t, len(refs), stats.Hits)
	})
}

// A lone miss leaves at once; what is missed meanwhile travels together.
func TestMissesTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: 20 * time.Millisecond}
		c := open(t, secrets.WithProvider(s))
		var wg sync.WaitGroup
		began := time.Now()
		for i := range 200 {
			s.set(fmt.Sprint(i), "x")
			wg.Go(func() { get(t, c, fmt.Sprintf("mem://%d", i)) })
		}
		wg.Wait()
		require.Equal(t, []int{1, 199}, s.batches())
		require.Equal(t, 40*time.Millisecond, time.Since(began))

		began = time.Now()
		s.set("alone", "x")
		get(t, c, "mem://alone")
		require.Equal(t, 20*time.Millisecond, time.Since(began), "nobody waits for company")
	})
}

// A call that hangs holds up those that came after it for half a second only.
// A burst takes no more calls where the store answers before all have missed.
func TestBurstOutlastsAQuickCall(t *testing.T) {
	for _, test := range []struct {
		apart, takes time.Duration
		batches      []int
		within       time.Duration
	}{
		{10 * time.Microsecond, 100 * time.Microsecond, []int{1, 199}, 4 * time.Millisecond},
		{10 * time.Microsecond, 4 * time.Millisecond, []int{1, 199}, 10 * time.Millisecond},
		{time.Millisecond, 300 * time.Microsecond, slices.Repeat([]int{1}, 200), 201 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &store{delay: test.takes}
			c := open(t, secrets.WithProvider(s))
			began := time.Now()
			together(200, func(i int) {
				s.set(fmt.Sprint(i), "x")
				time.Sleep(time.Duration(i) * test.apart)
				get(t, c, fmt.Sprintf("mem://%d", i))
			})
			require.Equal(t, test.batches, s.batches())
			require.Less(t, time.Since(began), test.within)
		})
	}
	// One that never ends is not awaited for longer than a quick call takes.
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: time.Millisecond}
		c := open(t, secrets.WithProvider(s))
		together(2000, func(i int) {
			s.set(fmt.Sprint(i), "x")
			time.Sleep(time.Duration(i) * 100 * time.Microsecond)
			began := time.Now()
			get(t, c, fmt.Sprintf("mem://%d", i))
			require.LessOrEqual(t, time.Since(began), 7*time.Millisecond)
		})
	})
}

func TestHangingCallHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		for i := range 10 {
			s.set(fmt.Sprint(i), "x")
		}
		s.answer(func(ctx context.Context, refs []provider.Ref) []provider.Result {
			if refs[0].Name == "hangs" {
				<-ctx.Done()
			}
			return s.read(refs)
		})
		c := open(t, secrets.WithProvider(s))
		var wg sync.WaitGroup
		began := time.Now()
		wg.Go(func() {
			_, err := c.Get(t.Context(), "mem://hangs")
			require.Error(t, err)
			require.Equal(t, secrets.DefaultFetchTimeout, time.Since(began), "the flight's own timeout")
		})
		synctest.Wait()
		for round := range 3 {
			at := time.Now()
			for i := range 3 {
				wg.Go(func() {
					get(t, c, fmt.Sprintf("mem://%d", round*3+i))
					require.Equal(t, 500*time.Millisecond, time.Since(at))
				})
			}
			time.Sleep(time.Second)
		}
		wg.Wait()
		require.Equal(t, []int{1, 3, 3, 3}, s.batches())
	})
}

func TestCancellationIsTheCallersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: 20 * time.Millisecond}
		s.set("db", "x")
		c := open(t, secrets.WithProvider(s))
		var wg sync.WaitGroup
		began := time.Now()
		first, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		wg.Go(func() { // the first caller, whose call it is
			_, err := c.Get(first, "mem://db")
			require.Equal(t, context.DeadlineExceeded, err)
			require.Equal(t, 5*time.Millisecond, time.Since(began))
		})
		synctest.Wait()
		for range 99 {
			wg.Go(func() {
				require.Equal(t, "x", get(t, c, "mem://db").Text())
				require.Equal(t, 20*time.Millisecond, time.Since(began))
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, s.calls.Load())

		_, err := c.Get(first, "mem://db")
		require.NoError(t, err, "a hit asks nobody")
		_, err = c.Get(first, "mem://other")
		require.Equal(t, context.DeadlineExceeded, err)
		_, err = c.GetAll(first, "mem://other", "mem://db")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		require.EqualValues(t, 1, s.calls.Load(), "who has left already starts no call")
	})
}

// The value that nobody waited for any more is cached.
func TestFlightOutlivesItsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: 20 * time.Millisecond}
		s.set("db", "x")
		c := open(t, secrets.WithProvider(s))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := c.Get(ctx, "mem://db")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Second)
		get(t, c, "mem://db")
		require.EqualValues(t, 1, s.calls.Load())
		require.EqualValues(t, 1, c.Stats().Hits)
	})
}

// What nobody reads is not refreshed; it expires, and the next read waits for
// the store. On Lambda, whose processes are frozen between invocations, no
// more happens than that.
func TestTTL(t *testing.T) {
	for _, lambda := range []string{"", "127.0.0.1:9001"} {
		t.Run("lambda="+lambda, func(t *testing.T) {
			t.Setenv("AWS_LAMBDA_RUNTIME_API", lambda)
			synctest.Test(t, func(t *testing.T) {
				s := &store{}
				s.set("db", `{"a":"1","b":"2"}`)
				c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Minute))
				a := get(t, c, "mem://db#a")
				time.Sleep(time.Minute - time.Millisecond)
				require.True(t, a == get(t, c, "mem://db#a"))
				b, whole := get(t, c, "mem://db#b"), get(t, c, "mem://db")
				require.EqualValues(t, 1, s.calls.Load())

				time.Sleep(time.Hour)
				require.EqualValues(t, 1, s.calls.Load())
				require.True(t, a == get(t, c, "mem://db#a"), "an unchanged value keeps its identity")
				require.EqualValues(t, 2, s.calls.Load())
				require.True(t, b == get(t, c, "mem://db#b"))
				require.True(t, whole == get(t, c, "mem://db"))
				require.EqualValues(t, 2, s.calls.Load(), "the fields expire together")

				s.set("db", `{"a":"1","b":"3"}`)
				time.Sleep(2 * time.Minute)
				require.Equal(t, "3", get(t, c, "mem://db#b").Text())
				require.Equal(t, "2", get(t, c, "mem://db#a").Version().ID)

				s.set("db", `{"a":"4"}`)
				time.Sleep(time.Hour)
				_, err := c.Get(t.Context(), "mem://db#b")
				require.ErrorIs(t, err, provider.ErrFieldNotFound, "a field that is gone is not served")
				require.Equal(t, "4", get(t, c, "mem://db#a").Text())
			})
		})
	}
}

// Reads that never pause keep the coarse clock ticking all the time.
func TestTTLUnderReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "x")
		c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Second))
		get(t, c, "mem://db")
		for range 10_000 {
			time.Sleep(time.Millisecond)
			get(t, c, "mem://db")
		}
		calls := s.calls.Load()
		require.GreaterOrEqual(t, calls, int64(10_000/1_050))
		require.LessOrEqual(t, calls, int64(13))
	})
}

func TestPinnedVersionIsNeverReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "x")
		c := open(t, secrets.WithProvider(s))
		v := get(t, c, "mem://db?version=1")
		time.Sleep(1000 * time.Hour)
		require.NoError(t, c.Refresh(t.Context(), "mem://db?version=1"))
		require.NoError(t, c.Refresh(t.Context()))
		require.True(t, v == get(t, c, "mem://db?version=1"))
		require.EqualValues(t, 1, s.calls.Load())
		c.Invalidate("mem://db?version=1")
		get(t, c, "mem://db?version=1")
		require.EqualValues(t, 2, s.calls.Load())
	})
}

// A hit moves its entry unless somebody else holds the cache's mutex just then, as
// the refresher may: so these reads wait until it is idle.
func TestLeastRecentlyUsedGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		for _, name := range []string{"a", "b", "c", "d"} {
			s.set(name, `{"f":"`+name+`"}`)
		}
		c := open(t, secrets.WithProvider(s), secrets.WithMaxEntries(3))
		for _, r := range []string{"mem://a#f", "mem://b", "mem://c", "mem://b", "mem://a", "mem://a#f", "mem://d"} {
			get(t, c, r)
			synctest.Wait()
		}
		require.EqualValues(t, 4, s.calls.Load())
		stats := c.Stats()
		require.Equal(t, 3, stats.Entries)
		require.EqualValues(t, 1, stats.Evictions)
		for _, r := range []string{"mem://a", "mem://a#f", "mem://b", "mem://d"} {
			get(t, c, r)
			synctest.Wait()
		}
		require.EqualValues(t, 4, s.calls.Load(), "c went")
		get(t, c, "mem://c")
		require.EqualValues(t, 5, s.calls.Load())

		values, err := c.GetAll(t.Context(), "mem://a", "mem://b", "mem://c", "mem://d")
		require.NoError(t, err)
		require.Len(t, values, 4, "more than there is room for are read all the same")
	})
}

func TestNewSpellingIsAUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		for _, name := range []string{"a", "b", "c", "d"} {
			s.set(name, `{"f":"x"}`)
		}
		c := open(t, secrets.WithProvider(s), secrets.WithMaxEntries(3))
		for _, r := range []string{"mem://a", "mem://b", "mem://c", "mem://a#f", "mem://c", "mem://b", "mem://d"} {
			get(t, c, r)
			synctest.Wait()
		}
		get(t, c, "mem://c")
		get(t, c, "mem://b")
		require.EqualValues(t, 4, s.calls.Load(), "a went")
	})
}

func TestGetAll(t *testing.T) {
	s := &store{}
	s.set("db", `{"user":"u","password":"p"}`)
	s.set("key", "k")
	c := open(t, secrets.WithProvider(s))
	refs := []string{"mem://db#user", "mem://key", "mem://db#password", "mem://missing", "mem://db#missing", "nonsense", "mem://key", "other://x"}
	values, err := c.GetAll(t.Context(), refs...)
	require.Equal(t, []int{3}, s.batches(), "one call for all that was missed")
	require.Len(t, values, 3)
	require.Equal(t, "u", values["mem://db#user"].Text())
	require.Equal(t, "p", values["mem://db#password"].Text())
	require.Equal(t, "k", values["mem://key"].Text())
	require.ErrorIs(t, err, provider.ErrNotFound)
	require.ErrorIs(t, err, provider.ErrFieldNotFound)
	require.ErrorIs(t, err, provider.ErrInvalidRef)
	for _, r := range []string{"mem://missing", "mem://db#missing", "nonsense", "other://x"} {
		require.ErrorContains(t, err, r)
	}
	values, err = c.GetAll(t.Context())
	require.NoError(t, err)
	require.Empty(t, values)
	values, err = c.GetAll(t.Context(), "mem://db#user", "mem://db", "mem://key")
	require.NoError(t, err)
	require.Len(t, values, 3)
	require.Equal(t, []int{3}, s.batches(), "the rest were hits")
}

func TestRefreshSeesWhatWasWrittenBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: 20 * time.Millisecond} // it reads first and answers later
		s.set("db", "old")
		c := open(t, secrets.WithProvider(s))
		var wg sync.WaitGroup
		wg.Go(func() { require.Equal(t, "old", get(t, c, "mem://db").Text()) })
		synctest.Wait()
		s.set("db", "new")
		for range 10 {
			wg.Go(func() {
				require.NoError(t, c.Refresh(t.Context(), "mem://db"))
				require.Equal(t, "new", get(t, c, "mem://db").Text())
			})
		}
		wg.Wait()
		require.Equal(t, []int{1, 1}, s.batches(), "one call for all who refresh")
		require.Equal(t, "new", get(t, c, "mem://db").Text())

		s.set("db", "newer")
		s.set("other", "x")
		get(t, c, "mem://other")
		require.NoError(t, c.Refresh(t.Context()), "everything")
		require.Equal(t, "newer", get(t, c, "mem://db").Text())
		require.Equal(t, []int{1, 1, 1, 2}, s.batches())

		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			results := make([]provider.Result, len(refs))
			for i := range refs {
				results[i].Err = errors.New("down")
			}
			return results
		})
		err := c.Refresh(t.Context(), "mem://db", "nonsense")
		require.ErrorContains(t, err, "mem://db")
		require.ErrorContains(t, err, "nonsense")
		require.Equal(t, "newer", get(t, c, "mem://db").Text(), "a failed refresh takes nothing away")
	})
}

func TestInvalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: 20 * time.Millisecond}
		s.set("db", `{"a":"old"}`)
		s.set("other", "x")
		c := open(t, secrets.WithProvider(s))
		var wg sync.WaitGroup
		wg.Go(func() { require.Equal(t, "old", get(t, c, "mem://db#a").Text()) })
		synctest.Wait()
		s.set("db", `{"a":"new"}`)
		c.Invalidate("mem://db", "nonsense", "none://such")
		wg.Go(func() { require.Equal(t, "new", get(t, c, "mem://db#a").Text(), "it joins no call from before") })
		wg.Wait()
		require.Equal(t, "new", get(t, c, "mem://db#a").Text(), "what landed late is not cached")
		require.EqualValues(t, 2, s.calls.Load())

		get(t, c, "mem://other")
		c.Invalidate("mem://db#any-field")
		get(t, c, "mem://other")
		require.EqualValues(t, 3, s.calls.Load())
		get(t, c, "mem://db#a")
		require.EqualValues(t, 4, s.calls.Load())
		c.Invalidate()
		require.Zero(t, c.Stats().Entries)
		get(t, c, "mem://other")
		require.EqualValues(t, 5, s.calls.Load())
	})
}

// A slow call that lands after the news has nothing to say any more.
func TestLateLandingIsNotCached(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *secrets.Client){
		"refresh":    func(t *testing.T, c *secrets.Client) { require.NoError(t, c.Refresh(t.Context(), "mem://db")) },
		"invalidate": func(_ *testing.T, c *secrets.Client) { c.Invalidate("mem://db") },
		"all":        func(_ *testing.T, c *secrets.Client) { c.Invalidate() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &store{}
				s.set("db", "old")
				s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
					results := s.read(refs)
					if results[0].Value.Text() == "old" {
						time.Sleep(5 * time.Second)
					}
					return results
				})
				c := open(t, secrets.WithProvider(s))
				var wg sync.WaitGroup
				wg.Go(func() { require.Equal(t, "old", get(t, c, "mem://db").Text()) })
				synctest.Wait()
				s.set("db", "new")
				change(t, c)
				wg.Wait()
				require.Equal(t, "new", get(t, c, "mem://db").Text())
				require.EqualValues(t, 2, s.calls.Load())
			})
		})
	}
}

// A deleted and recreated parameter starts at version 1 again.
func TestSameVersionOtherContent(t *testing.T) {
	s := &store{}
	s.set("p", "a")
	c := open(t, secrets.WithProvider(s))
	require.Equal(t, "a", get(t, c, "mem://p").Text())
	s.vers["p"] = 0
	s.set("p", "b")
	require.NoError(t, c.Refresh(t.Context(), "mem://p"))
	require.Equal(t, "b", get(t, c, "mem://p").Text())
	require.Equal(t, "1", get(t, c, "mem://p").Version().ID)
}
