package cost_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/cost"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

// TestAClientIsObserved: forty secrets, all read each second for an hour.
func TestAClientIsObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		client, err := secrets.New(secrets.WithProvider(sm.New(srv.Config())))
		require.NoError(t, err)
		defer client.Close()
		var refs []string
		for i := range 40 {
			srv.SetSecret(fmt.Sprint("app/", i), "hush")
			refs = append(refs, fmt.Sprint("sm://app/", i))
		}
		read := func() {
			_, err := client.GetAll(t.Context(), refs...)
			require.NoError(t, err)
		}
		read()
		before := client.Stats()
		for range 3600 {
			time.Sleep(time.Second)
			read()
		}
		w, err := cost.Observe(before, client.Stats(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, 40, w.Values)
		require.Equal(t, 40.0, w.Reads)
		require.Zero(t, w.Measured.ParameterCalls)

		table, err := cost.Compare(cost.US, w)
		require.NoError(t, err)
		measured, ok := table.Line(cost.SecretsManager, cost.Observed)
		require.True(t, ok)
		said, _ := table.Line(cost.SecretsManager, cost.Cached)
		require.InEpsilon(t, said.Calls, measured.Calls, 0.1, "what is said of this cache is what it does")
		_, ok = table.Line(cost.StandardParameter, cost.Observed)
		require.False(t, ok)
	})
}

func TestAClientOfParametersIsObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		client, err := secrets.New(secrets.WithProvider(ssm.New(srv.Config())))
		require.NoError(t, err)
		defer client.Close()
		var refs []string
		for i := range 40 {
			srv.SetSecureParameter(fmt.Sprint("/app/", i), "hush")
			refs = append(refs, fmt.Sprint("ssm:///app/", i))
		}
		_, err = client.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		before := client.Stats()
		for range 3600 {
			time.Sleep(time.Second)
			_, err := client.GetAll(t.Context(), refs...)
			require.NoError(t, err)
		}
		w, err := cost.Observe(before, client.Stats(), time.Hour)
		require.NoError(t, err)
		require.Zero(t, w.Measured.Values, "versions were compared, and nothing changed")
		table, err := cost.Compare(cost.US, w)
		require.NoError(t, err)
		measured, ok := table.Line(cost.AdvancedParameter, cost.Observed)
		require.True(t, ok)
		said, _ := table.Line(cost.AdvancedParameter, cost.Cached)
		require.InEpsilon(t, said.Calls, measured.Calls, 0.1)
		require.InEpsilon(t, said.Interactions, measured.Interactions, 0.1)
	})
}

// TestObservedByHand: in an hour, which is a 720th of a month.
func TestObservedByHand(t *testing.T) {
	before := secrets.Stats{Hits: 10, Misses: 5, Fetched: 5, APICalls: 5, Calls: map[string]uint64{"GetSecretValue": 5}}
	after := secrets.Stats{Entries: 30, Hits: 3000, Misses: 615, Fetched: 105, Probed: 60, APICalls: 35, Calls: map[string]uint64{
		"GetSecretValue": 7, "BatchGetSecretValue": 3, "ListSecrets": 4, "GetParameter": 1, "GetParameters": 15, "GetParametersByPath": 5}}
	w, err := cost.Observe(before, after, time.Hour)
	require.NoError(t, err)
	require.Equal(t, cost.Workload{Values: 30, Reads: 1, Measured: &cost.Measured{
		SecretCalls: 9 * 720, ParameterCalls: 21 * 720, Interactions: 201 * 720, Values: 40 * 720}}, w)

	w.CustomerKey = true
	table, err := cost.Compare(cost.US, w)
	require.NoError(t, err)
	l, _ := table.Line(cost.SecretsManager, cost.Observed)
	// 30 × $0.40; 6,480 calls × $0.05/10,000; 28,800 requests × $0.03/10,000 and $1
	require.Equal(t, []cost.Money{1200 * cent, 3240 * mille, 108_640 * mille}, []cost.Money{l.Storage, l.API, l.Keys})
	l, _ = table.Line(cost.AdvancedParameter, cost.Observed)
	require.Equal(t, 72_360*mille, l.API) // 144,720 interactions

	_, err = cost.Observe(after, before, time.Hour)
	require.ErrorIs(t, err, cost.ErrInvalid)
	_, err = cost.Observe(before, after, 0)
	require.ErrorIs(t, err, cost.ErrInvalid)
}
