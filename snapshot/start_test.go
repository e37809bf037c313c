package snapshot_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

// config is what a program needs at its start.
type config struct {
	DB       *secrets.Handle[secrets.DBSecret] `secret:"sm://prod/db"`
	Key      string                            `secret:"sm://prod/keys#signing"`
	Previous string                            `secret:"sm://prod/keys?stage=AWSPREVIOUS#signing"`
	URL      string                            `secret:"ssm:///prod/url"`
	Pinned   string                            `secret:"ssm:///prod/url?version=1"`
	Workers  *secrets.Handle[int]              `secret:"ssm:///prod/workers"`
	Raw      []byte                            `secret:"sm://prod/raw"`
}

var refs = []string{"sm://prod/db", "sm://prod/keys", "sm://prod/keys?stage=AWSPREVIOUS", "ssm:///prod/url", "ssm:///prod/url?version=1", "ssm:///prod/workers", "sm://prod/raw"}

func seed(srv *secretstest.Server) {
	srv.SetSecret("prod/db", `{"engine":"postgres","host":"h","username":"app","password":"pw-1"}`)
	srv.SetSecret("prod/keys", `{"signing":"old"}`)
	srv.SetSecret("prod/keys", `{"signing":"new"}`)
	srv.SetSecretBinary("prod/raw", []byte{0, 255, 10})
	srv.SetParameter("/prod/url", "https://one")
	srv.SetParameter("/prod/url", "https://two")
	srv.SetSecureParameter("/prod/workers", "7")
}

func client(t *testing.T, srv *secretstest.Server, opts ...secrets.Option) *secrets.Client {
	t.Helper()
	c, err := secrets.New(append([]secrets.Option{secrets.WithProvider(sm.New(srv.Config())), secrets.WithProvider(ssm.New(srv.Config())),
		secrets.WithFetchTimeout(5 * time.Second), secrets.WithLogger(slog.New(slog.DiscardHandler))}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestStartWhileAWSIsUnreachable(t *testing.T) {
	for name, outage := range map[string]secretstest.Fault{
		"connections break off": {Reset: true},
		"nobody answers":        {Delay: time.Hour},
		"it is down":            {Err: secretstest.Unavailable()},
		"it throttles":          {Err: secretstest.Throttled()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.NewServer(t, secretstest.InProcess())
				seed(srv)
				path := inTemp(t)
				kept := open(t, path)
				before := client(t, srv, secrets.WithFallback(kept))
				require.NoError(t, before.Load(t.Context(), &config{}))
				require.NoError(t, before.Close())
				require.NoError(t, kept.Close())

				time.Sleep(time.Hour)
				srv.Inject(outage)

				// Without a snapshot the start fails in time, and says what is missing.
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				bare := client(t, srv)
				err := bare.Load(ctx, &config{})
				require.NoError(t, ctx.Err(), "within the deadline")
				kind := provider.ErrUnavailable
				if outage.Err != nil && outage.Err.Code == secretstest.Throttled().Code {
					kind = provider.ErrThrottled
				}
				require.ErrorIs(t, err, kind)
				_, all := bare.GetAll(ctx, refs...)
				for _, ref := range refs {
					require.ErrorContains(t, err, ref)
					require.ErrorContains(t, all, ref)
				}
				// So it does where the deadline is shorter than what the client waits.
				short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				began := time.Now()
				err = client(t, srv).Load(short, &config{})
				require.LessOrEqual(t, time.Since(began), time.Second)
				for _, ref := range refs {
					require.ErrorContains(t, err, ref)
				}

				// With one it has all.
				kept = open(t, path)
				require.Equal(t, len(refs), kept.Status().Loaded)
				c := client(t, srv, secrets.WithFallback(kept))
				var got config
				require.NoError(t, c.Load(t.Context(), &got))
				require.Equal(t, "pw-1", got.DB.Load().Password())
				require.Equal(t, 7, got.Workers.Load())
				require.Equal(t, []string{"new", "old", "https://two", "https://one"}, []string{got.Key, got.Previous, got.URL, got.Pinned})
				require.Equal(t, []byte{0, 255, 10}, got.Raw)
				require.Error(t, got.DB.Err(), "the handle knows that it is stale")
				require.Len(t, c.Stats().Stale, len(refs))

				// When the store is back, so are the values and what is kept.
				srv.ClearFaults()
				srv.SetSecret("prod/db", `{"engine":"postgres","host":"h","username":"app","password":"pw-2"}`)
				time.Sleep(10 * time.Minute)
				require.Equal(t, "pw-2", got.DB.Load().Password())
				require.NoError(t, got.DB.Err())
				require.NoError(t, c.Close())
				require.NoError(t, kept.Close())
				require.Contains(t, text(t, open(t, path), "sm://prod/db"), "pw-2")
			})
		})
	}
}

// A client asks for a pinned version once and never again.
func TestAPinnedVersionIsThereAfterALongRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		seed(srv)
		path := inTemp(t)
		all := []string{"ssm:///prod/url", "ssm:///prod/url?version=1"}
		kept := open(t, path)
		c := client(t, srv, secrets.WithFallback(kept))
		for _, ref := range all {
			h, err := secrets.Bind(t.Context(), c, ref, secrets.Text)
			require.NoError(t, err)
			defer h.Close()
		}
		time.Sleep(30 * time.Hour)
		require.NoError(t, c.Close())
		require.NoError(t, kept.Close())

		srv.Inject(secretstest.Fault{Reset: true})
		got, err := client(t, srv, secrets.WithFallback(open(t, path))).GetAll(t.Context(), all...)
		require.NoError(t, err)
		require.Len(t, got, 2)
	})
}

func TestWhatTheStoreRefusesIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		seed(srv)
		path := inTemp(t)
		kept := open(t, path)
		c := client(t, srv, secrets.WithFallback(kept))
		_, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		require.Equal(t, len(refs), open(t, path).Status().Loaded)

		srv.Inject(secretstest.Fault{Name: "prod/raw", Err: secretstest.AccessDenied()})
		require.ErrorIs(t, c.Refresh(t.Context(), "sm://prod/raw"), provider.ErrAccessDenied)
		require.NoError(t, c.Delete(t.Context(), "ssm:///prod/workers"))
		_, err = c.Put(t.Context(), "ssm:///prod/url", "https://three")
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		now := open(t, path)
		empty(t, now, "sm://prod/raw", "ssm:///prod/workers", "ssm:///prod/url")
		require.Equal(t, "https://one", text(t, now, "ssm:///prod/url?version=1"))
	})
}

// A write moves the labels, so what was kept by one may be another version's.
func TestWhatIsWrittenOverIsForgottenByItsLabelsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		seed(srv)
		srv.SetSecret("prod/keys2", "other")
		kept := open(t, inTemp(t))
		c := client(t, srv, secrets.WithFallback(kept))
		all := []string{"sm://prod/keys", "sm://prod/keys?stage=AWSPREVIOUS", "sm://prod/keys?stage=AWSPREVIOUS&region=us-east-1", "sm://prod/keys2", "ssm:///prod/url?version=1"}
		values, err := c.GetAll(t.Context(), all...)
		require.NoError(t, err)
		pinned := "sm://prod/keys?version=" + values[all[0]].Version().ID
		_, err = c.Get(t.Context(), pinned)
		require.NoError(t, err)
		_, err = c.Put(t.Context(), all[0], "newer")
		require.NoError(t, err)
		empty(t, kept, all[:2]...)
		require.Equal(t, 4, kept.Status().Kept, "and nothing else")
		require.Equal(t, values[all[0]].Text(), text(t, kept, pinned), "a version stays what it is")

		_, err = c.Get(t.Context(), all[1])
		require.NoError(t, err)
		require.Equal(t, values[all[0]].Text(), text(t, kept, all[1]))
		require.NoError(t, c.Delete(t.Context(), all[0]))
		empty(t, kept, all[:2]...)
	})
}

// Nothing is written of a client that nobody gave a snapshot, nor before there
// is something to keep.
func TestNothingIsWrittenUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := inTemp(t)
		s := open(t, path)
		time.Sleep(time.Hour)
		require.NoError(t, s.Close())
		require.NoFileExists(t, path)
		entries, err := os.ReadDir(t.TempDir())
		require.NoError(t, err)
		require.Empty(t, entries)
	})
}
