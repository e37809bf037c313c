package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

func TestProviderMisbehaves(t *testing.T) {
	const value = "hunter2"
	ok := func(refs []provider.Ref) []provider.Result {
		results := make([]provider.Result, len(refs))
		for i, r := range refs {
			results[i].Value = provider.NewValue(r, provider.Version{}, provider.SecretString, value)
		}
		return results
	}
	for name, c := range map[string]struct {
		fetch func(ctx context.Context, refs []provider.Ref) []provider.Result
		says  string
	}{
		"panic":     {func(context.Context, []provider.Ref) []provider.Result { panic(value) }, "panicked with a string"},
		"own panic": {func(context.Context, []provider.Ref) []provider.Result { panic(errors.New(value)) }, "panicked with a *errors.errorString"},
		"bug":       {func(_ context.Context, r []provider.Ref) []provider.Result { return ok(r)[len(r)+1:] }, "slice bounds out of range"},
		"goexit":    {func(context.Context, []provider.Ref) []provider.Result { runtime.Goexit(); return nil }, "ended its goroutine"},
		"too few":   {func(_ context.Context, r []provider.Ref) []provider.Result { return ok(r)[1:] }, "returned 0 results for 1 refs"},
		"too many":  {func(_ context.Context, r []provider.Ref) []provider.Result { return append(ok(r), ok(r)...) }, "returned 2 results for 1 refs"},
		"nothing":   {func(_ context.Context, r []provider.Ref) []provider.Result { return make([]provider.Result, len(r)) }, "neither a value nor an error"},
		"plain": {func(_ context.Context, r []provider.Ref) []provider.Result {
			return slices.Repeat([]provider.Result{{Err: errors.New("boom")}}, len(r))
		}, "boom"},
		"deaf": {func(context.Context, []provider.Ref) []provider.Result { time.Sleep(14 * time.Second); return nil }, "did not return"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &store{}
				release := make(chan struct{})
				s.answer(func(ctx context.Context, refs []provider.Ref) []provider.Result {
					<-release
					return c.fetch(ctx, refs)
				})
				client := open(t, secrets.WithProvider(s))
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() {
						_, err := client.Get(t.Context(), "mem://db")
						require.ErrorIs(t, err, provider.ErrUnavailable)
						require.ErrorContains(t, err, "mem://db")
						require.ErrorContains(t, err, c.says)
						require.NotContains(t, err.Error(), value)
					})
				}
				synctest.Wait()
				close(release)
				wg.Wait()
				require.EqualValues(t, 1, s.calls.Load(), "one call, and all waiters get its error")
				s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result { return ok(refs) })
				require.Equal(t, value, get(t, client, "mem://db").Text(), "the client goes on")
			})
		})
	}
}

func TestErrorsName(t *testing.T) {
	c := open(t, secrets.WithProvider(&store{}))
	_, err := c.Get(t.Context(), "mem://nowhere")
	require.ErrorIs(t, err, provider.ErrNotFound)
	var e *provider.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "mem://nowhere", e.Ref.String())
	require.EqualValues(t, 1, c.Stats().Errors)
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{delay: time.Minute}
		s.set("db", "x")
		c, err := secrets.New(secrets.WithProvider(s), secrets.WithFetchTimeout(time.Hour))
		require.NoError(t, err)
		get(t, c, "mem://db")
		var wg sync.WaitGroup
		for _, r := range []string{"mem://under-way", "mem://under-way", "mem://queued"} {
			wg.Go(func() {
				_, err := c.Get(t.Context(), r)
				require.ErrorIs(t, err, secrets.ErrClosed)
				require.ErrorContains(t, err, r)
			})
			synctest.Wait()
		}
		began := time.Now()
		require.NoError(t, c.Close())
		wg.Wait()
		require.Zero(t, time.Since(began))
		require.NoError(t, c.Close(), "again")

		_, err = c.Get(t.Context(), "mem://db")
		require.ErrorIs(t, err, secrets.ErrClosed, "not from the cache either")
		_, err = c.GetAll(t.Context(), "mem://db", "mem://x")
		require.ErrorIs(t, err, secrets.ErrClosed)
		require.ErrorIs(t, c.Refresh(t.Context(), "mem://db"), secrets.ErrClosed)
		for _, err := range c.List(t.Context(), "mem://") {
			require.ErrorIs(t, err, secrets.ErrClosed)
		}
		c.Invalidate()
		require.Zero(t, c.Stats().Entries)
		// The bubble ends only if no goroutine is left in it.
	})
}

func TestCloseTellsOfAProviderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		release := make(chan struct{})
		s.fetch = func(_ context.Context, refs []provider.Ref) []provider.Result {
			<-release
			return make([]provider.Result, len(refs))
		}
		c, err := secrets.New(secrets.WithProvider(s))
		require.NoError(t, err)
		go func() { _, _ = c.Get(t.Context(), "mem://x") }()
		synctest.Wait()
		began := time.Now()
		require.ErrorContains(t, c.Close(), "did not return")
		require.Equal(t, 5*time.Second, time.Since(began))
		close(release)
	})
}

// All at once, for the race detector: whatever is read is whole, and is what
// its ref names.
func TestEverythingAtOnce(t *testing.T) {
	s := &store{}
	const names = 40
	for i := range names {
		s.set(fmt.Sprint(i), fmt.Sprintf(`{"name":"%d","n":"0"}`, i))
	}
	c := open(t, secrets.WithProvider(s), secrets.WithTTL(time.Millisecond), secrets.WithMaxEntries(names/2))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2_000 {
				name := fmt.Sprint((i*7 + g) % names)
				switch i % 97 {
				case 1:
					c.Invalidate("mem://" + name)
				case 2:
					_ = c.Refresh(t.Context(), "mem://"+name)
				case 3:
					s.set(name, fmt.Sprintf(`{"name":"%s","n":"%d"}`, name, i))
				case 4:
					c.Stats()
				case 5:
					if g == 0 {
						c.Invalidate()
					}
				case 6:
					if _, err := c.GetAll(t.Context(), "mem://"+name+"#n", "mem://1", "mem://2#name"); err != nil {
						t.Error(err)
					}
				}
				v, err := c.Get(t.Context(), "mem://"+name+"#name")
				if err != nil || v.Text() != name {
					t.Errorf("%s: %q, %v", name, v.Text(), err)
				}
				v, err = c.Get(t.Context(), "mem://"+name)
				if err != nil || !strings.HasPrefix(v.Text(), `{"name":"`+name+`"`) {
					t.Errorf("%s: %q, %v", name, v.Text(), err)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, c.Stats().Entries, names/2)
}

// What a listing or a write brings when the client was closed meanwhile is gone
// with all the rest.
func TestCloseForgetsWhatComesLater(t *testing.T) {
	s := &store{}
	s.set("db", "x")
	for name, bring := range map[string]func(*testing.T, *secrets.Client){
		"listing": func(t *testing.T, c *secrets.Client) {
			for range c.List(t.Context(), "mem://") {
			}
		},
		"write": func(t *testing.T, c *secrets.Client) {
			_, _ = c.Put(t.Context(), "mem://db", "x", secrets.As(provider.SecretString))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &closing{store: s}
			c := open(t, secrets.WithProvider(p))
			p.close = func() { require.NoError(t, c.Close()) }
			bring(t, c)
			require.Zero(t, c.Stats().Entries)
			_, err := c.Get(t.Context(), "mem://db")
			require.ErrorIs(t, err, secrets.ErrClosed)
		})
	}
}

// closing is a store whose client is closed in the middle of a call.
type closing struct {
	*store
	close func()
}

func (s *closing) List(_ context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
	return func(yield func(provider.Value, error) bool) {
		s.close()
		yield(provider.NewValue(provider.Ref{Scheme: "mem", Name: "db"}, provider.Version{}, provider.SecretString, "x"), nil)
	}
}

func (s *closing) Put(_ context.Context, v provider.Value, _ provider.Condition) (provider.Version, error) {
	s.close()
	return provider.NewVersion("1", time.Time{}), nil
}

func (s *closing) Delete(context.Context, provider.Ref) error { return nil }
