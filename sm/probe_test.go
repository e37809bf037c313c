package sm_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

func TestProbeDescribesEachSecretOnce(t *testing.T) {
	b := newBench(t)
	first := b.SetSecret("db", "old")
	second := b.SetSecret("db", "new")
	b.SetSecret("api", "key")
	refs := readtest.Refs(t, "sm://db", "sm://db?stage=AWSPREVIOUS", "sm://db?version="+first, "sm://api", "sm://db?stage=AWSPENDING", "sm://db")
	results := b.store.Probe(t.Context(), refs...)
	require.Equal(t, second, results[0].Version.ID)
	require.Equal(t, []string{"AWSCURRENT"}, results[0].Version.Labels())
	require.False(t, results[0].LastChanged.IsZero())
	require.Equal(t, first, results[1].Version.ID)
	require.Equal(t, first, results[2].Version.ID)
	require.NoError(t, results[3].Err)
	require.ErrorIs(t, results[4].Err, provider.ErrVersionNotFound)
	require.Equal(t, results[0], results[5])
	require.Equal(t, map[string]int{"DescribeSecret": 2}, b.CallsByOperation())
	require.Zero(t, b.Decrypts(), "no value is read")
}

// TestProbeOfADeprecatedVersion pins a version that has lost all its staging
// labels, which DescribeSecret does not list.
func TestProbeOfADeprecatedVersion(t *testing.T) {
	b := newBench(t)
	first := b.SetSecret("db", "1")
	b.SetSecret("db", "2")
	b.SetSecret("db", "3")
	r := b.store.Probe(t.Context(), readtest.Ref(t, "sm://db?version="+first))[0]
	require.NoError(t, r.Err)
	require.Equal(t, first, r.Version.ID)
}

func TestProbeOfADeletedSecret(t *testing.T) {
	b := newBench(t)
	b.fill(t, 2)
	_, err := b.client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("app/001")})
	require.NoError(t, err)
	results := b.store.Probe(t.Context(), readtest.Refs(t, "sm://app/000", "sm://app/001")...)
	require.NoError(t, results[0].Err)
	require.ErrorIs(t, results[1].Err, provider.ErrDeleted)
	require.ErrorContains(t, results[1].Err, "RestoreSecret")
}

func TestProbeErrorsAndRegions(t *testing.T) {
	b := newBench(t)
	refs := b.fill(t, 3)
	b.elsewhere(t, "eu-west-1", "", "db", "x")
	b.Inject(secretstest.Fault{Operation: "DescribeSecret", Name: "app/001", Err: secretstest.AccessDenied()})
	results := b.store.Probe(t.Context(), append(refs, readtest.Refs(t, "sm://db?region=eu-west-1", "sm://db")...)...)
	require.NoError(t, results[0].Err)
	require.ErrorIs(t, results[1].Err, provider.ErrAccessDenied)
	require.ErrorContains(t, results[1].Err, "allow secretsmanager:DescribeSecret on it")
	require.NoError(t, results[2].Err)
	require.NoError(t, results[3].Err)
	require.ErrorIs(t, results[4].Err, provider.ErrNotFound)
}
