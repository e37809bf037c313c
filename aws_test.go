package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

// world returns an embedded AWS and a client of both of its stores, through the
// real SDK. In a bubble of synctest all of it lives on virtual time.
func world(t *testing.T, opts ...secrets.Option) (*secretstest.Server, *secrets.Client) {
	t.Helper()
	return connect(t, secretstest.NewServer(t, secretstest.InProcess()), opts...)
}

// connect returns another client of the same world.
func connect(t *testing.T, server *secretstest.Server, opts ...secrets.Option) (*secretstest.Server, *secrets.Client) {
	t.Helper()
	cfg := server.Config()
	return server, open(t, append(opts, secrets.WithProvider(sm.New(cfg)), secrets.WithProvider(ssm.New(cfg)))...)
}

// together runs n reads that all miss at once.
func together(n int, read func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { read(i) })
	}
	wg.Wait()
}

func TestStampedeOnAWS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("prod/db", `{"user":"u","password":"p"}`)
		for i := range 200 {
			server.SetSecret(fmt.Sprintf("many/%d", i), fmt.Sprint("value of ", i))
			server.SetParameter(fmt.Sprintf("/many/%d", i), fmt.Sprint("value of ", i))
		}
		defer server.Inject(secretstest.Fault{Delay: 20 * time.Millisecond})()

		together(10_000, func(int) { require.Equal(t, "p", get(t, c, "sm://prod/db#password").Text()) })
		require.Equal(t, 1, server.Calls())
		require.Equal(t, 1, server.Calls("GetSecretValue"))

		for scheme, most := range map[string]int{"sm://many/": 11, "ssm:///many/": 21} {
			server.ResetCalls()
			together(200, func(i int) {
				require.Equal(t, fmt.Sprint("value of ", i), get(t, c, fmt.Sprint(scheme, i)).Text())
			})
			require.LessOrEqual(t, server.Calls(), most, scheme)
		}
		stats := c.Stats()
		require.EqualValues(t, 1+11+21, stats.APICalls)
		require.EqualValues(t, 10, stats.Calls["BatchGetSecretValue"])
		require.EqualValues(t, 20, stats.Calls["GetParameters"])
		require.EqualValues(t, 2, stats.Calls["GetSecretValue"])
		require.EqualValues(t, 1, stats.Calls["GetParameter"])
	})
}

func TestOneOfAHundredCancelsOnAWS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "x")
		defer server.Inject(secretstest.Fault{Delay: 20 * time.Millisecond})()
		began := time.Now()
		together(100, func(i int) {
			ctx := t.Context()
			if i == 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 5*time.Millisecond)
				defer cancel()
			}
			v, err := c.Get(ctx, "sm://db")
			if i == 0 {
				require.Equal(t, context.DeadlineExceeded, err)
				require.Equal(t, 5*time.Millisecond, time.Since(began))
				return
			}
			require.NoError(t, err)
			require.Equal(t, "x", v.Text())
		})
		require.Equal(t, 1, server.Calls())
	})
}

func TestGetAllOverBothStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		var refs []string
		for i := range 30 {
			server.SetSecret(fmt.Sprintf("s/%d", i), `{"f":"x"}`)
			server.SetSecureParameter(fmt.Sprintf("/p/%d", i), "x")
			refs = append(refs, fmt.Sprintf("sm://s/%d#f", i), fmt.Sprintf("ssm:///p/%d", i))
		}
		values, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		require.Len(t, values, 60)
		require.Equal(t, 2, server.Calls("BatchGetSecretValue"))
		require.Equal(t, 3, server.Calls("GetParameters"))
		require.Equal(t, 5, server.Calls())
	})
}

func TestSDKErrorsAreReachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "hunter2")
		_, err := c.Get(t.Context(), "sm://nowhere#field")
		require.ErrorIs(t, err, provider.ErrNotFound)
		var notFound *types.ResourceNotFoundException
		require.ErrorAs(t, err, &notFound)
		require.ErrorContains(t, err, "sm://nowhere#field")

		remove := server.Inject(secretstest.Fault{Operation: "GetSecretValue", Name: "db", Err: secretstest.AccessDenied()})
		_, err = c.Get(t.Context(), "sm://db")
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		remove()
		c.Invalidate("sm://db") // the refusal is remembered for a moment
		for _, fault := range []secretstest.Fault{{Err: secretstest.Internal()}, {Reset: true}, {Truncate: true}} {
			remove = server.Inject(fault)
			_, err = c.Get(t.Context(), "sm://db")
			require.ErrorIs(t, err, provider.ErrUnavailable)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2")
			remove()
		}
		require.Equal(t, "hunter2", get(t, c, "sm://db").Text())
	})
}

func TestListFillsTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithMaxEntries(40))
		for i := range 25 {
			server.SetSecret(fmt.Sprintf("app/%02d", i), "s")
			server.SetSecureParameter(fmt.Sprintf("/app/deep/%02d", i), "p")
		}
		server.SetSecret("app2", "no")
		server.SetParameter("/app2", "no")
		list := func(prefix string) (refs []string) {
			for v, err := range c.List(t.Context(), prefix) {
				require.NoError(t, err)
				refs = append(refs, v.Ref().String())
			}
			return refs
		}
		parameters := list("ssm:///app/")
		require.Len(t, parameters, 25)
		require.Contains(t, parameters, "ssm:///app/deep/07")
		require.Equal(t, 3, server.Calls())
		for _, r := range parameters {
			get(t, c, r)
		}
		require.Equal(t, 3, server.Calls(), "reads after a listing are hits")

		secretRefs := list("sm://app/")
		require.Len(t, secretRefs, 25)
		require.Equal(t, 40, c.Stats().Entries)
		require.Zero(t, c.Stats().Evictions, "a listing pushes nothing out")
		server.ResetCalls()
		for _, r := range parameters {
			get(t, c, r)
		}
		require.Zero(t, server.Calls())

		for range c.List(t.Context(), "sm://app/") {
			break
		}
		for prefix, says := range map[string]string{"sm": "want sm://name", "vault://x": "no provider", "ssm://x": "begins with a slash"} {
			for _, err := range c.List(t.Context(), prefix) {
				require.ErrorIs(t, err, provider.ErrInvalidRef)
				require.ErrorContains(t, err, says)
				require.ErrorContains(t, err, prefix)
			}
		}
		defer server.Inject(secretstest.Fault{Operation: "GetParametersByPath", Err: secretstest.AccessDenied()})()
		n := 0
		for _, err := range c.List(t.Context(), "ssm:///app/") {
			require.ErrorIs(t, err, provider.ErrAccessDenied)
			require.ErrorContains(t, err, "ssm:///app/")
			n++
		}
		require.Equal(t, 1, n)
	})
}

func TestListNeedsALister(t *testing.T) {
	c := open(t, secrets.WithProvider(&store{}))
	for _, err := range c.List(t.Context(), "mem://x") {
		require.ErrorContains(t, err, "cannot list")
		require.False(t, errors.Is(err, provider.ErrInvalidRef))
	}
}

// An observer learns by which request each version came, and who reads.
func TestReadsAreTracedToTheirRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var reads []secrets.Read
		var who []any
		requests := make(map[string]string)
		type key struct{}
		server, c := world(t, secrets.WithTTL(time.Minute), secrets.WithObserver(secrets.Observer{
			Read: func(ctx context.Context, r secrets.Read) {
				mu.Lock()
				defer mu.Unlock()
				reads, who = append(reads, r), append(who, ctx.Value(key{}))
			},
			Called: func(call provider.Call) {
				mu.Lock()
				defer mu.Unlock()
				requests[call.RequestID] = call.Operation
			},
		}))
		for i := range 3 {
			server.SetSecret(fmt.Sprintf("s/%d", i), "1")
			server.SetSecureParameter(fmt.Sprintf("/p/%d", i), "1")
		}
		ctx := context.WithValue(t.Context(), key{}, "alice")
		_, err := c.GetAll(ctx, "sm://s/0", "sm://s/1", "ssm:///p/0", "ssm:///p/1")
		require.NoError(t, err)
		_, err = c.GetAll(ctx, "sm://s/0", "sm://s/1", "ssm:///p/0", "ssm:///p/1", "sm://s/2", "ssm:///p/2")
		require.NoError(t, err)
		bound, cancel := context.WithCancel(ctx)
		_, err = secrets.Bind(bound, c, "sm://s/2", number)
		require.NoError(t, err)
		cancel()
		server.SetSecret("s/2", "2")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		handle := reads[len(reads)-1] // whether it was refreshed alone or with others is chance
		require.Equal(t, secrets.SourceHandle, handle.Source)
		require.Contains(t, []string{"GetSecretValue", "BatchGetSecretValue"}, requests[handle.RequestID])
		require.Equal(t, "alice", who[len(who)-1])
		var got []string
		for i, r := range reads[:len(reads)-1] {
			require.Equal(t, "alice", who[i])
			require.NotEmpty(t, r.RequestID, r.Ref)
			got = append(got, fmt.Sprint(r.Source, " ", r.Ref, " ", requests[r.RequestID]))
		}
		require.ElementsMatch(t, []string{
			"store sm://s/0 BatchGetSecretValue", "store sm://s/1 BatchGetSecretValue", "store ssm:///p/0 GetParameters", "store ssm:///p/1 GetParameters",
			"cache sm://s/0 BatchGetSecretValue", "cache sm://s/1 BatchGetSecretValue", "cache ssm:///p/0 GetParameters", "cache ssm:///p/1 GetParameters",
			"store sm://s/2 GetSecretValue", "store ssm:///p/2 GetParameter", "cache sm://s/2 GetSecretValue",
		}, got)
	})
}
