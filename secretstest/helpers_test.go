package secretstest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets/secretstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns a server and both SDK clients on it.
func start(t testing.TB, opts ...secretstest.Option) (*secretstest.Server, *secretsmanager.Client, *ssm.Client) {
	t.Helper()
	srv := secretstest.NewServer(t, opts...)
	return srv, secretsmanager.NewFromConfig(srv.Config()), ssm.NewFromConfig(srv.Config())
}

// once is Config without the SDK's retries, for tests that count and for codes that
// it retries (LimitExceededException is one).
func once(cfg aws.Config) aws.Config {
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return cfg
}

// requireCode asserts the error code, and the message when one is given.
func requireCode(t testing.TB, err error, code string, message ...string) {
	t.Helper()
	require.Error(t, err)
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, code, api.ErrorCode())
	for _, m := range message {
		require.Equal(t, m, api.ErrorMessage())
	}
}

// post sends a raw request, as no SDK would, and returns status and answer.
func post(t testing.TB, srv *secretstest.Server, target, body string, header ...string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL(), bytes.NewBufferString(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return send(t, srv.Config().HTTPClient, req)
}

func send(t testing.TB, client aws.HTTPClient, req *http.Request) (int, map[string]any) {
	t.Helper()
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.NotEmpty(t, resp.Header.Get("X-Amzn-Requestid"))
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(raw, &answer))
	return resp.StatusCode, answer
}
