package secrets_test

import (
	"context"
	"fmt"
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

// A process reads its own writes, in either store.
func TestPutIsReadAtOnce(t *testing.T) {
	for _, ref := range []string{"sm://app/db", "ssm:///app/db"} {
		t.Run(ref, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, c := world(t, secrets.WithTTL(time.Minute))
				_, err := c.Get(t.Context(), ref)
				require.ErrorIs(t, err, provider.ErrNotFound)
				first, err := c.Put(t.Context(), ref, `{"n":"1"}`, secrets.IfAbsent())
				require.NoError(t, err)
				v := get(t, c, ref+"#n")
				require.Equal(t, "1", v.Text(), "that it was not found is forgotten")
				require.Equal(t, first.ID, v.Version().ID)

				h := bind(t, c, ref+"#n", number)
				server.ResetCalls()
				before := c.Stats().APICalls
				second, err := c.Put(t.Context(), ref, `{"n":"2"}`)
				require.NoError(t, err)
				calls, counted := server.Calls(), c.Stats().APICalls
				v = get(t, c, ref+"#n")
				require.Equal(t, "2", v.Text())
				require.Equal(t, second.ID, v.Version().ID)
				synctest.Wait()
				require.Equal(t, 2, h.Load())
				require.Equal(t, calls, server.Calls(), "the cache has it already")
				require.EqualValues(t, calls, counted-before, "writes are counted")

				changed := c.Stats().Changed
				reading(t, c, time.Second, time.Hour, ref)
				require.Equal(t, changed, c.Stats().Changed, "a refresh finds what was written")
				if ref == "ssm:///app/db" {
					require.LessOrEqual(t, server.Decrypts(), 4, "KMS is asked for what changed only")
				}

				require.NoError(t, c.Delete(t.Context(), ref))
				_, err = c.Get(t.Context(), ref)
				require.Error(t, err)
				require.Equal(t, 2, h.Load(), "a handle keeps the last value")
			})
		})
	}
}

// Many writes, which Parameter Store takes but slowly, keep no read waiting.
func TestWritesHoldUpNoRead(t *testing.T) {
	for _, scheme := range []string{"sm://", "ssm:///"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, c := world(t)
				server.SetParameter("/read", "v")
				server.SetSecret("read", "v")
				began := time.Now()
				var writes sync.WaitGroup
				for i := range 200 {
					writes.Go(func() {
						_, err := c.Put(t.Context(), fmt.Sprintf("%sn%d", scheme, i), "v")
						require.NoError(t, err)
					})
				}
				synctest.Wait()
				require.Equal(t, "v", get(t, c, scheme+"read").Text())
				require.Less(t, time.Since(began), time.Second)
				writes.Wait()
				require.Greater(t, time.Since(began), time.Second, "writes keep their rate")
			})
		})
	}
}

// The version of no value is no condition that could hold.
func TestPutIfNoVersion(t *testing.T) {
	for _, ref := range []string{"sm://app/db", "ssm:///app/db"} {
		server, c := connect(t, secretstest.NewServer(t))
		_, err := c.Put(t.Context(), ref, "new", secrets.IfVersion(provider.Version{}))
		require.ErrorIs(t, err, provider.ErrInvalidRef)
		require.ErrorContains(t, err, "IfAbsent")
		require.Empty(t, server.Calls())
	}
}

// What was read by a label is read again after a write: the labels move.
func TestPutForgetsWhatLabelsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "0")
		server.SetSecret("db", "1")
		require.Equal(t, "0", get(t, c, "sm://db?stage=AWSPREVIOUS").Text())
		require.Equal(t, "1", get(t, c, "sm://db").Text())
		_, err := c.Put(t.Context(), "sm://db?stage=AWSCURRENT", "2")
		require.NoError(t, err)
		require.Equal(t, "2", get(t, c, "sm://db").Text())
		require.Equal(t, "1", get(t, c, "sm://db?stage=AWSPREVIOUS").Text())
	})
}

// Of what was deleted no version is served any more.
func TestDeleteForgetsEveryVersion(t *testing.T) {
	for ref, pinned := range map[string]string{"sm://db": "sm://db?version=%s", "ssm:///db": "ssm:///db?version=%s"} {
		server, c := connect(t, secretstest.NewServer(t))
		server.SetSecret("db", "0")
		server.SetParameter("/db", "0")
		pinned = fmt.Sprintf(pinned, get(t, c, ref).Version().ID)
		require.Equal(t, "0", get(t, c, pinned).Text())
		require.NoError(t, c.Delete(t.Context(), ref))
		_, err := c.Get(t.Context(), pinned)
		require.Error(t, err)
	}
}

// Of those that change what they read one wins, and the others learn of it.
func TestPutConflicts(t *testing.T) {
	for _, ref := range []string{"sm://counter", "ssm:///counter"} {
		t.Run(ref, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, _ := world(t)
				_, c := connect(t, server)
				_, err := c.Put(t.Context(), ref, "0", secrets.IfAbsent())
				require.NoError(t, err)
				_, err = c.Put(t.Context(), ref, "0", secrets.IfAbsent())
				require.ErrorIs(t, err, provider.ErrConflict)
				require.ErrorContains(t, err, ref)

				var won, lost atomic.Int64
				var wg sync.WaitGroup
				read := get(t, c, ref)
				for range 8 {
					_, other := connect(t, server)
					wg.Go(func() {
						switch _, err := other.Put(t.Context(), ref, "1", secrets.IfVersion(read.Version())); {
						case err == nil:
							won.Add(1)
						default:
							require.ErrorIs(t, err, provider.ErrConflict)
							lost.Add(1)
						}
					})
				}
				wg.Wait()
				require.EqualValues(t, 7, lost.Load())
				require.EqualValues(t, 1, won.Load())
			})
		})
	}
}

// writable is a store that can be written to.
type writable struct{ *store }

func (w writable) Put(_ context.Context, v provider.Value, _ provider.Condition) (provider.Version, error) {
	w.set(v.Ref().Name, v.Text())
	return w.read([]provider.Ref{v.Ref()})[0].Value.Version(), nil
}

func (w writable) Delete(_ context.Context, ref provider.Ref) error { return nil }

// A read that was under way when a value was written does not bring back the old one.
func TestPutOutlivesAnOldRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		s.set("db", "1")
		c := open(t, secrets.WithProvider(writable{s}), secrets.WithTTL(time.Minute))
		get(t, c, "mem://db")
		s.answer(func(_ context.Context, refs []provider.Ref) []provider.Result {
			results := s.read(refs)
			time.Sleep(5 * time.Second)
			return results
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			require.NoError(t, c.Refresh(t.Context(), "mem://db"))
		}()
		time.Sleep(time.Second)
		_, err := c.Put(t.Context(), "mem://db", "2")
		require.NoError(t, err)
		<-done
		calls := s.calls.Load()
		require.Equal(t, "2", get(t, c, "mem://db").Text())
		require.Equal(t, calls, s.calls.Load())
	})
}

// Nor does one by a label, which a write moves, nor, of what was deleted, one of
// a version.
func TestWritesOutrunEveryRead(t *testing.T) {
	type write func(context.Context, *secrets.Client) error
	put := func(ctx context.Context, c *secrets.Client) error {
		_, err := c.Put(ctx, "mem://db", "new")
		return err
	}
	remove := func(ctx context.Context, c *secrets.Client) error { return c.Delete(ctx, "mem://db") }
	for _, test := range []struct {
		name, ref string
		write     write
		asked     bool // again, after the write
	}{
		{"put, label", "mem://db?label=live", put, true},
		{"put, stage", "mem://db?stage=AWSPREVIOUS", put, true},
		{"put, version", "mem://db?version=1", put, false},
		{"put, another", "mem://other?label=live", put, false},
		{"delete, label", "mem://db?label=live", remove, true},
		{"delete, version", "mem://db?version=1", remove, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &store{}
				s.set("db", "old")
				s.set("other", "old")
				kept := newShelf()
				c := open(t, secrets.WithProvider(writable{s}), secrets.WithFallback(kept))
				s.slow(2 * time.Second)
				done := make(chan struct{})
				go func() {
					defer close(done)
					require.Equal(t, "old", get(t, c, test.ref).Text(), "it was asked for before")
				}()
				time.Sleep(time.Second)
				require.NoError(t, test.write(t.Context(), c))
				<-done
				ref, err := provider.ParseRef(test.ref)
				require.NoError(t, err)
				_, _, ok := kept.Last(ref)
				require.Equal(t, test.asked, !ok)
				calls := s.calls.Load()
				get(t, c, test.ref)
				require.Equal(t, test.asked, s.calls.Load() > calls)
			})
		})
	}
}

func TestPutRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithProvider(&store{}))
		server.SetSecret("db", "hunter2")
		for ref, says := range map[string]string{
			"nonsense": "invalid ref", "sm://db#field": "drop the field", "sm://db?stage=AWSPREVIOUS": "drop the field",
			"ssm:///p?version=3": "drop the field", "ssm:///p:blue": "drop the field", "mem://x": "cannot write", "vault://x": "no provider",
		} {
			_, err := c.Put(t.Context(), ref, "hunter2")
			require.ErrorContains(t, err, says)
			require.ErrorContains(t, err, ref)
			require.NotContains(t, err.Error(), "hunter2")
			require.ErrorContains(t, c.Delete(t.Context(), ref), says)
		}
		_, err := c.Put(t.Context(), "sm://db", "x", secrets.IfAbsent(), secrets.IfVersion(provider.NewVersion("1", time.Time{})))
		require.ErrorContains(t, err, "exclude each other")
		require.Zero(t, server.Calls())
		require.ErrorIs(t, c.Delete(t.Context(), "sm://nowhere"), provider.ErrNotFound)

		used := get(t, c, "sm://db")
		remove := server.Inject(secretstest.Fault{Operation: "PutSecretValue", Err: secretstest.Internal()})
		_, err = c.Put(t.Context(), "sm://db", "hunter3")
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.NotContains(t, fmt.Sprintf("%+v", err), "hunter")
		require.Equal(t, used, get(t, c, "sm://db"), "the cache keeps what it has")
		remove()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.Put(ctx, "sm://db", "x")
		require.ErrorIs(t, err, context.Canceled)

		_, err = c.Put(t.Context(), "sm://bytes", "\x00\xff", secrets.As(provider.SecretBinary))
		require.NoError(t, err)
		require.Equal(t, []byte("\x00\xff"), get(t, c, "sm://bytes").Bytes())
		require.True(t, get(t, c, "sm://bytes").Binary())

		require.NoError(t, c.Close())
		_, err = c.Put(t.Context(), "sm://db", "x")
		require.ErrorIs(t, err, secrets.ErrClosed)
		require.ErrorIs(t, c.Delete(t.Context(), "sm://db"), secrets.ErrClosed)
	})
}
