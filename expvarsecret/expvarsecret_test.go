package expvarsecret_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/expvarsecret"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestVar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const canary = "correct horse battery staple"
		server := secretstest.NewServer(t, secretstest.InProcess())
		c, err := secrets.New(secrets.WithProvider(sm.New(server.Config())), secrets.WithLogger(slog.New(slog.DiscardHandler)))
		require.NoError(t, err)
		defer func() { require.NoError(t, c.Close()) }()
		server.SetSecret("db", canary)
		for range 3 {
			_, err = c.Get(t.Context(), "sm://db")
			require.NoError(t, err)
		}
		v := expvarsecret.Var(c)
		shown := func() (m map[string]any) {
			require.NoError(t, json.Unmarshal([]byte(v.String()), &m))
			require.NotContains(t, v.String(), canary)
			return m
		}
		require.EqualValues(t, 2, shown()["Hits"])
		require.EqualValues(t, map[string]any{"GetSecretValue": 1.0}, shown()["Calls"])
		require.Empty(t, shown()["Stale"])

		server.Inject(secretstest.Fault{Err: secretstest.Unavailable()})
		require.Error(t, c.Refresh(t.Context(), "sm://db"))
		time.Sleep(time.Second)
		stale := shown()["Stale"].([]any)[0].(map[string]any)
		require.Equal(t, "sm://db", stale["Ref"])
		require.Contains(t, stale["Err"], "unavailable")
	})
}
