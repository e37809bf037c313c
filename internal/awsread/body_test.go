package awsread_test

import (
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/secretstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPlainBody has a call succeed whose transport looks for the end of the
// request's body when the SDK has closed that. Without the option it fails,
// although the server has done what it was asked; where it does not, the SDK
// or net/http was mended, and the option is to go.
func TestPlainBody(t *testing.T) {
	put := func(opts ...func(*ssm.Options)) error {
		client := ssm.NewFromConfig(secretstest.NewServer(t).Config(), append(opts, func(o *ssm.Options) {
			o.HTTPClient, o.RetryMaxAttempts = new(readtest.SlowWriter), 1
		})...)
		_, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: aws.String("/a"), Value: aws.String("x"), Type: types.ParameterTypeString,
		})
		return err
	}
	require.NoError(t, put(func(o *ssm.Options) { o.APIOptions = append(o.APIOptions, awsread.PlainBody) }))
	require.ErrorIs(t, put(), net.ErrClosed)
}
