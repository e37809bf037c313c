package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets/agent"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/provider/providertest"
	"github.com/c0629bfc/secrets/secretstest"
)

var silent = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformanceSecrets is the suite against the agent, whose cache keeps each
// value for five minutes.
func TestConformanceSecrets(t *testing.T) {
	t.Parallel()
	srv := secretstest.NewServer(t)
	conformSecrets(t, srv, newFake(srv.Config()))
}

// TestConformanceSharedCache is the suite where renewals take what the agent has
// cached. It keeps nothing: what it kept would be old, as documented.
func TestConformanceSharedCache(t *testing.T) {
	t.Parallel()
	srv := secretstest.NewServer(t)
	f := newFake(srv.Config())
	f.ttl = 0
	conformSecrets(t, srv, f, agent.WithSharedCache())
}

// TestConformanceExtension is the suite against the Lambda extension, whose cache
// is turned off as the package's documentation says, and which does not know
// refreshNow, as an old agent does not.
func TestConformanceExtension(t *testing.T) {
	t.Parallel()
	t.Run("Secrets", func(t *testing.T) {
		srv := secretstest.NewServer(t)
		f := newFake(srv.Config())
		f.extension, f.old, f.ttl = true, true, 0
		conformSecrets(t, srv, f)
	})
	t.Run("Parameters", func(t *testing.T) {
		srv := secretstest.NewServer(t)
		f := newFake(srv.Config())
		f.extension, f.ttl = true, 0
		conformParameters(t, srv, f)
	})
}

func conformSecrets(t *testing.T, srv *secretstest.Server, f *fake, opts ...agent.Option) {
	client := secretsmanager.NewFromConfig(srv.Config())
	put := func(t testing.TB, name string, text *string, data []byte) provider.Version {
		t.Helper()
		created, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: text, SecretBinary: data})
		if err == nil {
			return provider.NewVersion(*created.VersionId, time.Time{})
		}
		var exists *smtypes.ResourceExistsException
		require.ErrorAs(t, err, &exists)
		out, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: text, SecretBinary: data})
		require.NoError(t, err)
		return provider.NewVersion(*out.VersionId, time.Time{})
	}
	opts = append([]agent.Option{f.start(t), agent.WithToken(token), agent.WithLogger(silent)}, opts...)
	providertest.Run(t, providertest.Harness{
		New: func(testing.TB) provider.Provider { return agent.Secrets(opts...) },
		Put: func(t testing.TB, name, text string) provider.Version { return put(t, name, &text, nil) },
		PutBinary: func(t testing.TB, name string, data []byte) provider.Version {
			return put(t, name, nil, data)
		},
		Delete: func(t testing.TB, name string) {
			_, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &name})
			require.NoError(t, err)
		},
		Recreate: func(t testing.TB, name, text string) {
			_, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
			require.NoError(t, err)
			put(t, name, &text, nil)
		},
		MissingVersion: strings.Repeat("0", 32),
		Block:          f.block(srv),
	})
}

func conformParameters(t *testing.T, srv *secretstest.Server, f *fake) {
	client := ssm.NewFromConfig(srv.Config())
	put := func(t testing.TB, name, text string) provider.Version {
		t.Helper()
		out, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: &name, Value: &text, Type: ssmtypes.ParameterTypeSecureString, Overwrite: aws.Bool(true),
		})
		require.NoError(t, err)
		return provider.NewVersion(strconv.FormatInt(out.Version, 10), time.Time{})
	}
	remove := func(t testing.TB, name string) {
		_, err := client.DeleteParameter(context.WithoutCancel(t.Context()), &ssm.DeleteParameterInput{Name: &name})
		var gone *ssmtypes.ParameterNotFound
		if err != nil && !errors.As(err, &gone) {
			t.Errorf("remove %s: %v", name, err)
		}
	}
	endpoint := f.start(t)
	providertest.Run(t, providertest.Harness{
		New:    func(testing.TB) provider.Provider { return agent.Parameters(endpoint, agent.WithToken(token)) },
		Put:    put,
		Delete: remove,
		Recreate: func(t testing.TB, name, text string) {
			remove(t, name)
			put(t, name, text)
		},
		Name:           func(name string) string { return "/" + name },
		MissingVersion: "999",
		Block:          f.block(srv),
	})
}
