package cost_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/cost"
	"github.com/c0629bfc/secrets/provider"
)

func TestAdvice(t *testing.T) {
	for name, test := range map[string]struct {
		w      cost.Workload
		store  cost.Store
		typ    provider.Type
		reason string
	}{
		"a password":               {cost.Workload{Reads: 10}, cost.StandardParameter, provider.SecureString, "$0.00 a month; as a secret $0.44"},
		"a setting":                {cost.Workload{Reads: 10, Plain: true}, cost.StandardParameter, provider.String, "$0.00 a month; as an advanced parameter $0.09"},
		"rotation":                 {cost.Workload{Rotations: 1}, cost.SecretsManager, provider.SecretString, "not as a standard parameter: AWS rotates secrets only"},
		"4,096 bytes":              {cost.Workload{Size: 4096}, cost.StandardParameter, provider.SecureString, ""},
		"4,097 bytes":              {cost.Workload{Size: 4097}, cost.AdvancedParameter, provider.SecureString, "not as a standard parameter: 4097 bytes are more than its 4096"},
		"8,192 bytes":              {cost.Workload{Size: 8192}, cost.AdvancedParameter, provider.SecureString, "no way back from the advanced tier"},
		"8,193 bytes":              {cost.Workload{Size: 8193}, cost.SecretsManager, provider.SecretString, "not as an advanced parameter: 8193 bytes are more than its 8192"},
		"65,536 bytes":             {cost.Workload{Size: 65_536}, cost.SecretsManager, provider.SecretString, ""},
		"65,537 bytes":             {cost.Workload{Size: 65_537}, "", "", "no store has all that is asked for"},
		"binary":                   {cost.Workload{Binary: true}, cost.SecretsManager, provider.SecretBinary, "a parameter is text"},
		"cross-account":            {cost.Workload{CrossAccount: true}, cost.AdvancedParameter, provider.SecureString, "a share of AWS RAM and a customer managed key"},
		"cross-account, plain":     {cost.Workload{CrossAccount: true, Plain: true}, cost.AdvancedParameter, provider.String, "only advanced parameters are shared"},
		"cross-account, rotation":  {cost.Workload{CrossAccount: true, Rotations: 1}, cost.SecretsManager, provider.SecretString, "a resource policy on the secret and a customer managed key"},
		"replicas":                 {cost.Workload{Replicas: 1}, cost.SecretsManager, provider.SecretString, "only secrets are replicated"},
		"expiry":                   {cost.Workload{Expiry: true}, cost.AdvancedParameter, provider.SecureString, "only advanced parameters have policies"},
		"expiry and rotation":      {cost.Workload{Expiry: true, Rotations: 1}, "", "", "not as a secret: it has no expiry policies"},
		"10,000":                   {cost.Workload{Values: 10_000}, cost.StandardParameter, provider.SecureString, "an account and Region have 10000 standard parameters in all"},
		"10,001":                   {cost.Workload{Values: 10_001}, cost.AdvancedParameter, provider.SecureString, "10001 are more than the 10000 of an account and Region"},
		"many, some of them large": {cost.Workload{Values: 30, Size: 5000}, cost.AdvancedParameter, provider.SecureString, "this is the price of 30 advanced ones: with the tier Intelligent-Tiering only those become advanced"},
		"100,001":                  {cost.Workload{Values: 100_001}, cost.SecretsManager, provider.SecretString, "100001 are more than the 100000"},
		"500,001":                  {cost.Workload{Values: 500_001}, "", "", "500001 are more than the 500000"},
		// 100 a second on each use are above 40, and 1/300 a second are not.
		"read rate, cached": {cost.Workload{Reads: 100}, cost.StandardParameter, provider.SecureString, "read through a cache: on each use, 100 calls a second are above the quota of 40"},
		// 20,000 processes with one value at five minutes are 67 a second.
		"read rate of a fleet":                    {cost.Workload{Reads: often, Processes: 20_000}, cost.SecretsManager, provider.SecretString, "not as a standard parameter: 67 calls a second are above the quota of 40, without the higher throughput"},
		"read rate of a fleet, higher throughput": {cost.Workload{Values: 3, Reads: often, Processes: 20_000, HighThroughput: true}, cost.SecretsManager, provider.SecretString, ""},
		"on each use it is dearer":                {cost.Workload{Reads: 10, Rotations: 1}, cost.SecretsManager, provider.SecretString, "on each use it would be $130.00 a month"},
		// Advanced: 1000 × 8640 × 10 interactions are $432; secrets $400 and 10 × 50 × 8640 calls $21.60.
		"secrets are cheaper": {cost.Workload{Values: 1000, Size: 5000, Reads: often, Processes: 10}, cost.SecretsManager, provider.SecretString, "$421.60 a month; as an advanced parameter $482.00"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := cost.Advise(cost.US, test.w)
			require.NoError(t, err)
			require.Equal(t, test.store, a.Store, a)
			require.Equal(t, test.typ, a.Type)
			require.Contains(t, strings.Join(a.Reasons, "\n"), test.reason)
			require.NotEmpty(t, a.Reasons)
			require.Len(t, a.Options, 3)
			require.True(t, strings.HasPrefix(a.String(), string(test.store)) || test.store == "" && strings.HasPrefix(a.String(), "none"))
			for _, o := range a.Options {
				if o.Store == test.store {
					require.Empty(t, o.Unfit)
				}
			}
		})
	}
}

func TestWhereAllIsFreeAStandardParameterDoes(t *testing.T) {
	a, err := cost.Advise(cost.Prices{}, cost.Workload{Reads: 1})
	require.NoError(t, err)
	require.Equal(t, cost.StandardParameter, a.Store)
}
