package secrets_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// asked returns which values the server was asked for, without repetitions.
func asked(server *secretstest.Server) []string {
	var names []string
	for _, r := range server.Requests() {
		names = append(names, r.Names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestChangedReadsWhatIsHeldInOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		var refs []string
		for i := range 20 {
			server.SetSecret(fmt.Sprint("s/", i), "old")
			refs = append(refs, fmt.Sprint("sm://s/", i))
		}
		_, err := c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		for i := range 20 {
			server.SetSecret(fmt.Sprint("s/", i), "new")
		}
		server.ResetCalls()
		c.Changed(append(refs, "sm://not/held", "nonsense", "none://such")...)
		require.Equal(t, "old", get(t, c, refs[0]).Text(), "nobody waits")
		synctest.Wait()
		require.Equal(t, map[string]int{"BatchGetSecretValue": 1}, server.CallsByOperation())
		for _, ref := range refs {
			require.Equal(t, "new", get(t, c, ref).Text())
		}

		// What nobody has read since it was refreshed is held all the same.
		c.Changed(refs[:1]...)
		synctest.Wait()
		server.SetSecret("s/0", "newer")
		c.Changed(refs[:1]...)
		synctest.Wait()
		server.ResetCalls()
		require.Equal(t, "newer", get(t, c, refs[0]).Text())
		c.Changed()
		c.Changed("sm://not/held")
		synctest.Wait()
		require.Zero(t, server.Calls())
	})
}

func TestChangedFindsEverySpelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("app/db", `{"user":"u"}`)
		first := server.SetSecret("app/db", `{"user":"v"}`)
		described, err := secretsmanager.NewFromConfig(server.Config()).DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("app/db")})
		require.NoError(t, err)
		full := *described.ARN
		part := full[:len(full)-len("-AbCdEf")]
		server.SetSecret("app/db-AbCdEf", "another")
		server.SetParameter("/app/db", "p")

		spellings := []string{
			"sm://app/db", "sm://app/db#user", "sm://app/db?stage=AWSPREVIOUS", "sm://app/db?version=" + first,
			"sm://app/db?region=us-east-1", full, full + ":user::", part, part + ":user:AWSPREVIOUS:", "sm://app/db-AbCdEf", "ssm:///app/db",
		}
		_, err = c.GetAll(t.Context(), spellings...)
		require.NoError(t, err)
		for ref, want := range map[string][]string{
			"sm://app/db":                  {"app/db"},
			"sm://app/db?stage=x#none":     {"app/db"},
			"sm://app/db?region=us-east-1": {"app/db"},
			full:                           {part, full},
			part:                           {part, full},
			part + "-FeDcBa":               {part, full}, // deleted, and made again
			"ssm:///app/db?version=3":      {"/app/db"},
			"ssm:///app":                   nil,
			"sm://app/db-AbCdEf":           {"app/db-AbCdEf"},
			"sm://app/d":                   nil,
			"sm://app/db?region=eu-west-1": nil,
		} {
			server.ResetCalls()
			c.Changed(ref)
			synctest.Wait()
			require.Equal(t, want, asked(server), ref)
		}
	})
}

// An answer of before the change does not outlive it, whether or not the value
// was held when the change was announced.
func TestChangedOutrunsACallUnderWay(t *testing.T) {
	for name, held := range map[string]bool{"held": true, "not held": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &store{}
				s.set("db", "old")
				c := open(t, secrets.WithProvider(s))
				if held {
					get(t, c, "mem://db")
					time.Sleep(secrets.DefaultTTL)
				}
				s.slow(time.Second) // the store reads first and answers then
				go func() { _, _ = c.Get(context.WithoutCancel(t.Context()), "mem://db") }()
				synctest.Wait()
				s.set("db", "new")
				c.Changed("mem://db")
				time.Sleep(3 * time.Second)
				require.Equal(t, "new", get(t, c, "mem://db").Text())
			})
		})
	}
}

func TestChangedForgetsARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		_, err := c.Get(t.Context(), "sm://later")
		require.ErrorIs(t, err, provider.ErrNotFound)
		server.SetSecret("later", "x")
		_, err = c.Get(t.Context(), "sm://later")
		require.ErrorIs(t, err, provider.ErrNotFound, "it is remembered")
		server.ResetCalls()
		c.Changed("sm://later")
		synctest.Wait()
		require.Zero(t, server.Calls())
		require.Equal(t, "x", get(t, c, "sm://later").Text())
	})
}

func TestChangedMovesAHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", `{"password":"old"}`)
		h, err := secrets.Bind(t.Context(), c, "sm://db#password", secrets.Text)
		require.NoError(t, err)
		server.SetSecret("db", `{"password":"new"}`)
		c.Changed("sm://db")
		synctest.Wait()
		require.Equal(t, "new", h.Load())
	})
}

func TestChangedSurvivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("db", "old")
		get(t, c, "sm://db")
		remove := server.Inject(secretstest.Fault{Err: secretstest.Unavailable()})
		server.SetSecret("db", "new")
		c.Changed("sm://db")
		time.Sleep(time.Minute)
		require.Equal(t, "old", get(t, c, "sm://db").Text())
		remove()
		time.Sleep(5*time.Minute + 30*time.Second) // the longest backoff, and its call
		require.Equal(t, "new", get(t, c, "sm://db").Text())
	})
}

func TestChangedAfterClose(t *testing.T) {
	s := &store{}
	s.set("db", "x")
	c := open(t, secrets.WithProvider(s))
	get(t, c, "mem://db")
	require.NoError(t, c.Close())
	c.Changed("mem://db")
	require.EqualValues(t, 1, s.calls.Load())
}

// A listing lags, and a pinned version never changes.
func TestChangedReadsValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess())
		c := open(t, secrets.WithProvider(sm.New(server.Config(), sm.WithListing())))
		first := server.SetSecret("db", "old")
		server.SetSecret("db", "new")
		get(t, c, "sm://db?version="+first)
		server.ResetCalls()
		c.Changed("sm://db")
		synctest.Wait()
		require.Zero(t, server.Calls())

		get(t, c, "sm://db")
		server.ResetCalls()
		c.Changed("sm://db")
		synctest.Wait()
		require.Equal(t, map[string]int{"GetSecretValue": 1}, server.CallsByOperation())
	})
}
