package readtest

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread"
)

// Endpoint is the configuration for the endpoint of AWS_ENDPOINT_URL; a test
// that needs one skips without.
func Endpoint(t testing.TB, opts ...func(*middleware.Stack) error) aws.Config {
	t.Helper()
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		t.Skip("AWS_ENDPOINT_URL is not set")
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.DisableKeepAlives = true // leaves no goroutine behind
	})
	load := []func(*config.LoadOptions) error{
		config.WithRegion("us-east-1"), config.WithHTTPClient(client),
		config.WithAPIOptions(append([]func(*middleware.Stack) error{awsread.PlainBody}, opts...)),
	}
	if os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "test", "")))
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), load...)
	require.NoError(t, err)
	return cfg
}

// EndpointIsAWS reports whether the endpoint is AWS's own and no emulator.
func EndpointIsAWS() bool { return strings.Contains(os.Getenv("AWS_ENDPOINT_URL"), ".amazonaws.com") }
