package secretstest_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func TestStartRefusesInvalidOptions(t *testing.T) {
	for _, opt := range []secretstest.Option{
		secretstest.WithRegion("Not A Region"),
		secretstest.WithAccount("12"),
		secretstest.WithPageSize(-1),
	} {
		_, err := secretstest.Start(opt)
		require.Error(t, err)
	}
}

func TestCloseIsIdempotentAndDropsWhatIsHeld(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "v")
	srv.Inject(secretstest.Fault{Delay: time.Hour})
	sm = secretsmanager.NewFromConfig(once(srv.Config()))
	failed := make(chan error, 1)
	go func() {
		_, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
		failed <- err
	}()
	require.Eventually(t, func() bool { return srv.Calls() == 1 }, 10*time.Second, time.Millisecond)
	srv.Close()
	require.Error(t, <-failed)
	srv.Close()
}

func TestConfig(t *testing.T) {
	srv := secretstest.NewServer(t, secretstest.WithRegion("eu-central-1"), secretstest.WithAccount("000000000042"))
	cfg := srv.Config()
	require.Equal(t, "eu-central-1", cfg.Region)
	require.Equal(t, srv.URL(), aws.ToString(cfg.BaseEndpoint))
	require.True(t, strings.HasPrefix(srv.URL(), "http://127.0.0.1:"))
	out, err := secretsmanager.NewFromConfig(cfg).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a")})
	require.NoError(t, err)
	require.Regexp(t, `^arn:aws:secretsmanager:eu-central-1:000000000042:secret:a-[A-Za-z0-9]{6}$`, aws.ToString(out.ARN))
}

// An injected hour passes in no time inside a synctest bubble.
func TestInProcessInSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, ps := start(t, secretstest.InProcess())
		srv.SetSecret("a", "v")
		srv.SetParameter("/p", "v")
		srv.Inject(secretstest.Fault{Delay: time.Hour})
		began := time.Now()
		_, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
		require.NoError(t, err)
		require.Equal(t, time.Hour, time.Since(began))
		require.Equal(t, began.Add(time.Hour), srv.Now())

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = ps.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/p")})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Hour+time.Minute, time.Since(began))
		synctest.Wait() // the held handler has noticed
		last := srv.Requests()[1]
		require.Equal(t, "GetParameter", last.Operation)
		require.Zero(t, last.Status)
	})
}

// The SDK's own retries back off in virtual time too.
func TestInProcessRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, _ := start(t, secretstest.InProcess())
		srv.SetSecret("a", "v")
		for _, f := range []secretstest.Fault{{Err: secretstest.Throttled(), Times: 2}, {Reset: true, Times: 2}} {
			srv.ResetCalls()
			srv.Inject(f)
			_, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
			require.NoError(t, err)
			require.Equal(t, 3, srv.Calls("GetSecretValue"))
		}
	})
}

func TestInProcessConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, _ := start(t, secretstest.InProcess())
		srv.SetSecret("a", strings.Repeat("v", 60_000))
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				out, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
				require.NoError(t, err)
				require.Len(t, aws.ToString(out.SecretString), 60_000)
			})
		}
		wg.Wait()
		require.Equal(t, 50, srv.Calls())
	})
}

func TestAdvance(t *testing.T) {
	srv := secretstest.NewServer(t)
	before := srv.Now()
	srv.Advance(48 * time.Hour)
	require.GreaterOrEqual(t, srv.Now().Sub(before), 48*time.Hour)
}

func TestRequestsAndCounters(t *testing.T) {
	srv, sm, ps := start(t)
	srv.SetSecret("a", "v")
	srv.SetSecureParameter("/p", "v")
	require.Zero(t, srv.Calls(), "seeding is not counted")

	_, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
	require.NoError(t, err)
	_, err = ps.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/p", "/q"}, WithDecryption: aws.Bool(true)})
	require.NoError(t, err)
	_, err = ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/p")})
	require.NoError(t, err)
	_, err = ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/q")})
	require.Error(t, err)

	require.Equal(t, 4, srv.Calls())
	require.Equal(t, 3, srv.Calls("GetParameter", "GetParameters"))
	require.Equal(t, map[string]int{"GetSecretValue": 1, "GetParameters": 1, "GetParameter": 2}, srv.CallsByOperation())
	require.Equal(t, 2, srv.Decrypts(), "one secret, one SecureString decrypted")

	requests := srv.Requests()
	require.Len(t, requests, 4)
	require.Equal(t, []string{"/p", "/q"}, requests[1].Names)
	require.True(t, requests[1].Decrypt)
	require.Equal(t, "us-east-1", requests[1].Region)
	require.Equal(t, "123456789012", requests[1].Account)
	require.Equal(t, http.StatusOK, requests[1].Status)
	require.WithinDuration(t, time.Now(), requests[1].Time, time.Minute)
	require.Equal(t, http.StatusBadRequest, requests[3].Status)
	require.Equal(t, "ParameterNotFound", requests[3].Code)

	srv.ResetCalls()
	require.Zero(t, srv.Calls())
	require.Zero(t, srv.Decrypts())
	require.Empty(t, srv.Requests())
}

func TestRawProtocol(t *testing.T) {
	srv := secretstest.NewServer(t)
	srv.SetSecret("a", "v")
	for name, tt := range map[string]struct {
		target, body string
		header       []string
		status       int
		code         string
	}{
		"unknown operation": {"secretsmanager.Nope", `{}`, nil, 400, "UnknownOperationException"},
		"wrong service":     {"AmazonSSM.GetSecretValue", `{}`, nil, 400, "UnknownOperationException"},
		"no target":         {"", `{}`, nil, 400, "UnknownOperationException"},
		"malformed":         {"secretsmanager.GetSecretValue", `{"SecretId":`, nil, 400, "SerializationException"},
		"wrong type":        {"secretsmanager.GetSecretValue", `{"SecretId":3}`, nil, 400, "SerializationException"},
		"not an object":     {"AmazonSSM.GetParameter", `[]`, nil, 400, "SerializationException"},
		"bad base64":        {"secretsmanager.CreateSecret", `{"Name":"b","SecretBinary":"%"}`, nil, 400, "SerializationException"},
		"content type":      {"secretsmanager.GetSecretValue", `{}`, []string{"Content-Type", "text/plain"}, 415, "UnknownOperationException"},
		"too large":         {"secretsmanager.PutSecretValue", strings.Repeat(" ", 2<<20), nil, 413, "RequestEntityTooLargeException"},
		"missing member":    {"secretsmanager.GetSecretValue", ``, nil, 400, "ValidationException"},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := post(t, srv, tt.target, tt.body, tt.header...)
			require.Equal(t, tt.status, status)
			require.Equal(t, tt.code, answer["__type"])
		})
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL(), nil)
	require.NoError(t, err)
	status, _ := send(t, srv.Config().HTTPClient, req)
	require.Equal(t, http.StatusMethodNotAllowed, status)
}

// Times are seconds since 1970 with a fraction, not strings.
func TestTimesOnTheWire(t *testing.T) {
	srv := secretstest.NewServer(t)
	srv.SetSecret("a", "v")
	_, answer := post(t, srv, "secretsmanager.GetSecretValue", `{"SecretId":"a"}`)
	require.InDelta(t, float64(time.Now().Unix()), answer["CreatedDate"], 60)
}

func TestRegionsAndAccounts(t *testing.T) {
	srv, sm, ps := start(t)
	srv.SetSecret("s", "home")
	srv.SetParameter("/p", "home")
	other := srv.ConfigFor("eu-west-1", "")
	_, err := secretsmanager.NewFromConfig(other).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
	requireCode(t, err, "ResourceNotFoundException")
	_, err = ssm.NewFromConfig(other).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/p")})
	requireCode(t, err, "ParameterNotFound")

	// Another account is another store, read by full ARN.
	foreign := srv.ConfigFor("", "999999999999")
	created, err := secretsmanager.NewFromConfig(foreign).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("theirs")})
	require.NoError(t, err)
	_, err = ssm.NewFromConfig(foreign).PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/p"), Type: "String", Value: aws.String("theirs")})
	require.NoError(t, err)

	got, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: created.ARN})
	require.NoError(t, err)
	require.Equal(t, "theirs", aws.ToString(got.SecretString))
	described, err := sm.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: created.ARN})
	require.NoError(t, err)
	require.Equal(t, created.ARN, described.ARN)
	batch, err := sm.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"s", aws.ToString(created.ARN)}})
	require.NoError(t, err)
	require.Len(t, batch.SecretValues, 1)
	require.Equal(t, "home", aws.ToString(batch.SecretValues[0].SecretString))
	require.Equal(t, created.ARN, batch.Errors[0].SecretId)

	parameterARN := "arn:aws:ssm:us-east-1:999999999999:parameter/p"
	p, err := ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(parameterARN)})
	require.NoError(t, err)
	require.Equal(t, "theirs", aws.ToString(p.Parameter.Value))
	ps2, err := ps.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{parameterARN, "/p"}})
	require.NoError(t, err)
	require.Len(t, ps2.Parameters, 2)

	// An ARN of another region than the one called is not found.
	elsewhere := strings.Replace(aws.ToString(created.ARN), "us-east-1", "eu-west-1", 1)
	_, err = sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &elsewhere})
	requireCode(t, err, "ResourceNotFoundException")
	_, err = ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("arn:aws:ssm:eu-west-1:123456789012:parameter/p")})
	requireCode(t, err, "ParameterNotFound")
}

func TestConcurrently(t *testing.T) {
	srv, sm, ps := start(t)
	srv.SetSecret("s", "0")
	srv.SetParameter("/p", "0")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				srv.SetParameter("/p", "v")
				remove := srv.Inject(secretstest.Fault{Name: "nobody", Err: secretstest.Internal()})
				_, err := sm.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"s", "x"}})
				require.NoError(t, err)
				_, err = ps.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/")})
				require.NoError(t, err)
				_, err = sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
				require.NoError(t, err)
				srv.Advance(time.Second)
				_ = srv.Requests()
				remove()
			}
		})
	}
	wg.Wait()
	require.Equal(t, 16*10*3, srv.Calls())
	require.Equal(t, 16*10, srv.Decrypts())
}
