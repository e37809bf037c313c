package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// pend puts a version that is AWSPENDING, as createSecret does.
func pend(t *testing.T, server *secretstest.Server, name, text string) (id string) {
	t.Helper()
	out, err := secretsmanager.NewFromConfig(server.Config()).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &name, SecretString: &text, VersionStages: []string{"AWSPENDING"}})
	require.NoError(t, err)
	return *out.VersionId
}

// finish makes a version AWSCURRENT, as finishSecret does.
func finish(t *testing.T, server *secretstest.Server, name, from, to string) {
	t.Helper()
	_, err := secretsmanager.NewFromConfig(server.Config()).UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &name, VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: &from, MoveToVersionId: &to})
	require.NoError(t, err)
}

func reject(t *testing.T, c *secrets.Client, used secrets.Value) secrets.Value {
	t.Helper()
	v, err := c.Reject(t.Context(), used)
	require.NoError(t, err)
	return v
}

func TestRejectGivesWhatTheCacheHasByNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", `{"p":"1"}`)
		used := get(t, c, "sm://db#p")
		server.SetSecret("db", `{"p":"2"}`)
		require.NoError(t, c.Refresh(t.Context(), "sm://db"))
		server.ResetCalls()
		next := reject(t, c, used)
		require.Equal(t, "2", next.Text())
		require.Equal(t, used.Ref(), next.Ref())
		require.Zero(t, server.Calls())
	})
}

func TestRejectReadsOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "1")
		used := get(t, c, "sm://db")
		server.SetSecret("db", "2")
		server.ResetCalls()
		defer server.Inject(secretstest.Fault{Delay: 20 * time.Millisecond})()
		together(1000, func(int) { require.Equal(t, "2", reject(t, c, used).Text()) })
		require.Equal(t, 1, server.Calls())
		require.Equal(t, "2", get(t, c, "sm://db").Text(), "what was found is cached")
		require.EqualValues(t, 1000, c.Stats().Rejected)
	})
}

// Between setSecret and finishSecret the database has the pending password.
func TestRejectKnowsTheGapOfARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", `{"p":"0"}`)
		v1 := server.SetSecret("db", `{"p":"1"}`)
		used := get(t, c, "sm://db#p")
		v2 := pend(t, server, "db", `{"p":"2"}`)

		server.ResetCalls()
		pending := reject(t, c, used)
		require.Equal(t, "2", pending.Text())
		require.Equal(t, used.Ref(), pending.Ref())
		require.Equal(t, 2, server.Calls("GetSecretValue"), "AWSCURRENT, AWSPENDING")
		for range 100 {
			require.Equal(t, "2", reject(t, c, used).Text())
		}
		require.Equal(t, 2, server.Calls("GetSecretValue"))
		require.Equal(t, "1", get(t, c, "sm://db#p").Text(), "a read never gives the pending value")
		require.Equal(t, 1, c.Stats().Entries, "and it is not cached")

		require.Equal(t, "0", reject(t, c, pending).Text(), "then AWSPREVIOUS")
		_, err := c.Reject(t.Context(), reject(t, c, pending))
		require.ErrorIs(t, err, secrets.ErrRejected)
		require.ErrorContains(t, err, "sm://db#p")
		require.Equal(t, 3, server.Calls("GetSecretValue"))

		finish(t, server, "db", v1, v2)
		time.Sleep(time.Second)
		require.Equal(t, "2", reject(t, c, used).Text(), "as AWSCURRENT it gets another chance")
		require.Equal(t, "2", get(t, c, "sm://db#p").Text())
		require.NotEmpty(t, get(t, c, "sm://db").Version().Labels())
	})
}

// What the store has is the version that was refused, though that was written by
// Put and never read, or has lost a label since.
func TestRejectKnowsWhatItReadsAgain(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, server *secretstest.Server, c *secrets.Client){
		"put": func(t *testing.T, _ *secretstest.Server, c *secrets.Client) {
			_, err := c.Put(t.Context(), "sm://db", "1")
			require.NoError(t, err)
		},
		"AWSPENDING moves on": func(t *testing.T, server *secretstest.Server, c *secrets.Client) {
			v0 := get(t, c, "sm://db").Version().ID
			v1 := pend(t, server, "db", "1")
			finish(t, server, "db", v0, v1)
			require.NoError(t, c.Refresh(t.Context()))
			require.True(t, get(t, c, "sm://db").Version().HasLabel("AWSPENDING"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, c := world(t)
				server.SetSecret("db", "0")
				require.Equal(t, "0", get(t, c, "sm://db").Text())
				change(t, server, c)
				used := get(t, c, "sm://db")
				require.Equal(t, "1", used.Text())
				pend(t, server, "db", "2")
				c.Invalidate()
				pending := reject(t, c, used)
				require.Equal(t, "2", pending.Text())
				require.Equal(t, "2", reject(t, c, used).Text())
				previous := reject(t, c, pending)
				require.Equal(t, "0", previous.Text())
				_, err := c.Reject(t.Context(), previous)
				require.ErrorIs(t, err, secrets.ErrRejected)
			})
		})
	}
}

// A password that is simply wrong costs at most three reads a second.
func TestRejectMakesNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "0")
		server.SetSecret("db", "1")
		used := get(t, c, "sm://db")
		server.ResetCalls()
		rejected := 0
		for range 10_000 { // ten seconds
			v, err := c.Reject(t.Context(), used)
			if err == nil {
				_, err = c.Reject(t.Context(), v)
			}
			if errors.Is(err, secrets.ErrRejected) {
				rejected++
			}
			time.Sleep(time.Millisecond)
		}
		require.Greater(t, rejected, 9_000)
		require.LessOrEqual(t, server.Calls(), 3*11)
		require.GreaterOrEqual(t, server.Calls(), 3*9, "it goes on looking")

		server.SetSecret("db", "2")
		time.Sleep(time.Second)
		require.Equal(t, "2", reject(t, c, used).Text())
	})
}

// A version that was refused long ago, and is current again, is offered again.
func TestRejectForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithTTL(time.Hour))
		v1 := server.SetSecret("db", "1")
		first := get(t, c, "sm://db")
		v2 := server.SetSecret("db", "2")
		second := reject(t, c, first)
		require.Equal(t, v2, second.Version().ID)
		time.Sleep(2 * time.Minute)
		finish(t, server, "db", v2, v1)
		require.Equal(t, v1, reject(t, c, second).Version().ID)
	})
}

func TestRejectUnderTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "hunter2")
		server.SetParameter("/p", "x")
		used, parameter := get(t, c, "sm://db"), get(t, c, "ssm:///p")

		remove := server.Inject(secretstest.Fault{Err: secretstest.Internal()})
		_, err := c.Reject(t.Context(), used)
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.ErrorContains(t, err, "sm://db")
		require.Equal(t, used, get(t, c, "sm://db"), "the good value stays")
		remove()
		time.Sleep(time.Second)

		remove = server.Inject(secretstest.Fault{Operation: "GetSecretValue", Delay: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		began := time.Now()
		wg.Go(func() {
			_, err := c.Reject(ctx, used)
			require.Equal(t, context.DeadlineExceeded, err)
			require.Equal(t, time.Second, time.Since(began))
		})
		wg.Wait()
		remove()

		_, err = c.Reject(t.Context(), parameter)
		require.ErrorIs(t, err, secrets.ErrRejected, "Parameter Store has no other version to offer")
		require.ErrorContains(t, err, "ssm:///p")

		pinned := get(t, c, "sm://db?version="+used.Version().ID)
		_, err = c.Reject(t.Context(), pinned)
		require.ErrorIs(t, err, secrets.ErrRejected)
		require.ErrorContains(t, err, "pins")
		_, err = c.Reject(t.Context(), secrets.Value{})
		require.ErrorIs(t, err, provider.ErrInvalidRef)
		_, err = c.Reject(t.Context(), used.WithRef(provider.Ref{Scheme: "vault", Name: "x"}))
		require.ErrorContains(t, err, "no provider")
		require.NoError(t, c.Close())
		_, err = c.Reject(t.Context(), used)
		require.ErrorIs(t, err, secrets.ErrClosed)
	})
}

// What the last look found is refused now: the interval is no reason not to look
// again, once for each version.
func TestRejectBridgesTwoRotationsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "1")
		used := get(t, c, "sm://db")
		server.SetSecret("db", "2")
		second := reject(t, c, used)
		require.Equal(t, "2", second.Text())
		for i := 3; i < 10; i++ {
			server.SetSecret("db", fmt.Sprint(i))
			server.ResetCalls()
			together(100, func(int) { require.Equal(t, fmt.Sprint(i), reject(t, c, second).Text()) })
			require.Equal(t, 1, server.Calls())
			second = get(t, c, "sm://db")
		}
		server.ResetCalls()
		for range 100 { // it is simply wrong by now, and so is the one before
			v, err := c.Reject(t.Context(), second)
			if err == nil {
				_, err = c.Reject(t.Context(), v)
			}
			require.ErrorIs(t, err, secrets.ErrRejected)
		}
		require.Equal(t, 3, server.Calls(), "AWSCURRENT, AWSPENDING, AWSPREVIOUS")
	})
}
