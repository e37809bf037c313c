package ssm_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/provider/providertest"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) { conform(t, secretstest.NewServer(t)) }

// TestConformanceExpiry is the suite with all that the store can be told to do.
func TestConformanceExpiry(t *testing.T) {
	conform(t, secretstest.NewServer(t), ssm.WithExpiry())
}

// TestConformancePaged is the suite against a server whose pages are short and
// at first empty, as AWS's may be.
func TestConformancePaged(t *testing.T) {
	conform(t, secretstest.NewServer(t, secretstest.WithPageSize(3), secretstest.WithEmptyPages()))
}

// TestConformanceUnbatched is the suite where GetParameters is denied.
func TestConformanceUnbatched(t *testing.T) {
	srv := secretstest.NewServer(t)
	srv.Inject(secretstest.Fault{Operation: "GetParameters", Err: secretstest.AccessDenied()})
	conform(t, srv)
}

func conform(t *testing.T, srv *secretstest.Server, opts ...ssm.Option) {
	cfg := srv.Config()
	tap := readtest.NewTap(&cfg)
	h := harness(cfg, opts...)
	h.Block = tap.Block(srv)
	providertest.Run(t, h)
}

// TestConformanceEndpoint runs the suite against the endpoint of
// AWS_ENDPOINT_URL, such as another emulator.
//
// moto 5.2.1 passes it. Where it differs from AWS, and this package copes: it
// has no Selector in its answers, it does not know ARNs in GetParameters, and
// it says ParameterNotFound of a label that no version carries, which is why
// the suite has no test of labels.
func TestConformanceEndpoint(t *testing.T) {
	cfg := readtest.Endpoint(t)
	providertest.Run(t, harness(cfg))
	t.Run("Expiry", func(t *testing.T) { providertest.Run(t, harness(cfg, ssm.WithExpiry())) })
}

// harness writes by the SDK, so that it suits every endpoint. Parameters have
// no binary values.
func harness(cfg aws.Config, opts ...ssm.Option) providertest.Harness {
	client := awsssm.NewFromConfig(cfg)
	put := func(t testing.TB, name, text string) provider.Version {
		t.Helper()
		out, err := client.PutParameter(t.Context(), &awsssm.PutParameterInput{
			Name: &name, Value: &text, Type: types.ParameterTypeSecureString, Overwrite: aws.Bool(true),
		})
		require.NoError(t, err)
		if out.Version == 1 {
			t.Cleanup(func() { remove(t, client, name) })
		}
		return provider.NewVersion(strconv.FormatInt(out.Version, 10), time.Time{})
	}
	return providertest.Harness{
		New:    func(testing.TB) provider.Provider { return ssm.New(cfg, opts...) },
		Put:    put,
		Delete: func(t testing.TB, name string) { remove(t, client, name) },
		Recreate: func(t testing.TB, name, text string) {
			remove(t, client, name)
			put(t, name, text)
		},
		Name:           func(name string) string { return "/" + name },
		MissingVersion: "999",
	}
}

func remove(t testing.TB, client *awsssm.Client, name string) {
	t.Helper()
	// The test's own context has ended when its clean-up runs.
	_, err := client.DeleteParameter(context.WithoutCancel(t.Context()), &awsssm.DeleteParameterInput{Name: &name})
	var gone *types.ParameterNotFound
	if err != nil && !errors.As(err, &gone) {
		t.Errorf("remove %s: %v", name, err)
	}
}
