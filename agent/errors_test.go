package agent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/agent"
	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// answering is a store whose agent always answers so.
func answering(status int, body string, opts ...agent.Option) *agent.Store {
	return agent.Secrets(append(opts, agent.WithToken(token), agent.WithTransport(roundTripper(func(*http.Request) (*http.Response, error) {
		return readtest.Answer(status, body), nil
	})))...)
}

// TestErrorsOfAWS come through the agent as kinds, whichever way it hands them on.
func TestErrorsOfAWS(t *testing.T) {
	for _, extension := range []bool{false, true} {
		srv, f := serve(t)
		f.extension = extension
		srv.SetSecret("db", "hunter2")
		s := agent.Secrets(f.start(t), agent.WithToken(token))
		for _, test := range []struct {
			err   *secretstest.Error
			kind  error
			words string
		}{
			{secretstest.AccessDenied(), provider.ErrAccessDenied, "secretsmanager:DescribeSecret"},
			{&secretstest.Error{Code: "AccessDeniedException", Message: "Access to KMS is not allowed"}, provider.ErrDecryption, "kms:Decrypt"},
			{&secretstest.Error{Code: "DecryptionFailure", Message: "no"}, provider.ErrDecryption, "kms:Decrypt"},
			{&secretstest.Error{Code: "ThrottlingException", Message: "Rate exceeded"}, provider.ErrThrottled, "quota"},
			{&secretstest.Error{Code: "ExpiredTokenException", Message: "expired"}, provider.ErrUnavailable, "credentials have expired"},
			{&secretstest.Error{Code: "UnrecognizedClientException", Message: "no"}, provider.ErrAccessDenied, "credentials"},
			{&secretstest.Error{Code: "InvalidRequestException", Message: "You can't perform this operation on the secret because it was marked for deletion."}, provider.ErrDeleted, "RestoreSecret"},
			{&secretstest.Error{Code: "InternalServiceError", Message: "oops", Status: 500}, provider.ErrUnavailable, "500"},
		} {
			remove := srv.Inject(secretstest.Fault{Err: test.err})
			err := fetch(t, s, "sm://db")[0].Err
			remove()
			requireKind(t, err, test.kind, test.words, test.err.Code)
			e, ok := errors.AsType[*agent.Error](err)
			require.True(t, ok)
			require.Equal(t, test.err.Code, e.Code)
			readtest.RequireNoLeak(t, err, "hunter2")
		}
		requireKind(t, fetch(t, s, "sm://nothing")[0].Err, provider.ErrNotFound, "Region")
		requireKind(t, fetch(t, s, "sm://db?stage=NONE")[0].Err, provider.ErrVersionNotFound)
	}
}

func TestErrorsOfTheAgent(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		kind   error
		words  string
	}{
		{403, "Bad Token", provider.ErrAccessDenied, "token"},
		{401, "", provider.ErrAccessDenied, "token"},
		{429, "Connection limit exceeded", provider.ErrThrottled, "max_conn"},
		{404, "Not found", provider.ErrUnavailable, "not the agent"},
		{302, "", provider.ErrUnavailable, "not the agent"},
		{405, "Not allowed", provider.ErrUnavailable, "405"},
		{500, `{"__type":"InternalFailure"}`, provider.ErrUnavailable, "InternalFailure"},
		{504, `{"__type":"TimeoutError", "message":"Timeout"}`, provider.ErrUnavailable, "TimeoutError: Timeout"},
		// The agent does not escape what AWS says.
		{400, `{"__type":"ResourceNotFoundException", "message":"there is no "db""}`, provider.ErrNotFound, "ResourceNotFoundException"},
		{400, `{"__type":"com.amazonaws.secretsmanager#ResourceNotFoundException", "message":"line` + `\n` + `break"}`, provider.ErrNotFound, "line break"},
		{204, "", provider.ErrUnavailable, "204"},
	} {
		requireKind(t, fetch(t, answering(test.status, test.body), "sm://db")[0].Err, test.kind, test.words)
	}
	_, f := serve(t)
	s := agent.Parameters(f.start(t), agent.WithToken(token))
	requireKind(t, fetch(t, s, "ssm:///p")[0].Err, provider.ErrUnavailable, "has no parameters")
}

// TestRedirectIsNotFollowed: the token goes nowhere else.
func TestRedirectIsNotFollowed(t *testing.T) {
	asked := 0
	s := agent.Secrets(agent.WithToken(token), agent.WithTransport(roundTripper(func(*http.Request) (*http.Response, error) {
		asked++
		r := readtest.Answer(307, "")
		r.Header.Set("Location", "http://192.0.2.1/")
		return r, nil
	})))
	requireKind(t, fetch(t, s, "sm://db")[0].Err, provider.ErrUnavailable)
	require.Equal(t, 1, asked)
}

// TestNoAnswerIsQuoted gives the store answers that have a value where none
// belongs.
func TestNoAnswerIsQuoted(t *testing.T) {
	for _, body := range []string{
		"hunter2", `"hunter2"`, `{"SecretString":"hunter2"}`, `{"SecretString":"hunter2","VersionId":7}`, `{"VersionId":"v","SecretString":["hunter2"]}`,
		`{"VersionId":"v","SecretString":"hunter2"`, `{"VersionId":"v","SecretBinary":"hunter2!"}`, `{"VersionId":"v","CreatedDate":"hunter2"}`,
		`{"VersionId":"hunter2","SecretString":"x"}`, strings.Repeat("hunter2", 1<<18), "{}", "",
	} {
		for _, status := range []int{200, 400, 403, 500} {
			err := fetch(t, answering(status, body), "sm://db?version=v")[0].Err
			require.Error(t, err)
			readtest.RequireNoLeak(t, err, "hunter2")
		}
	}
	requireKind(t, fetch(t, answering(200, strings.Repeat(" ", 1<<20+1)), "sm://db")[0].Err, provider.ErrUnavailable, "1 MiB")
}

// TestLargestSecret is one of 65,536 bytes that all are escaped.
func TestLargestSecret(t *testing.T) {
	srv, f := serve(t)
	largest := strings.Repeat("\x01", 65536)
	srv.SetSecret("large", largest)
	r := fetch(t, agent.Secrets(f.start(t), agent.WithToken(token)), "sm://large")[0]
	require.NoError(t, r.Err)
	require.Equal(t, largest, r.Value.Text())
}

func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"ARN":"arn:aws:secretsmanager:us-east-1:1:secret:a","VersionId":"v","SecretString":"hunter2","CreatedDate":"1569534789.046","VersionStages":["AWSCURRENT"]}`)
	f.Add(200, `{"VersionId":"v","SecretBinary":"aHVudGVyMg==","CreatedDate":1.5e9}`)
	f.Add(400, `{"__type":"ResourceNotFoundException","message":"m"}`)
	f.Add(503, "Serving")
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 503 || strings.Contains(strings.ToLower(body), "ready") || strings.Contains(strings.ToLower(body), "serving") {
			return // it is waited for
		}
		r := fetch(t, answering(status, body, agent.WithLogger(silent)), "sm://db")[0]
		require.NotEqual(t, r.Err == nil, r.Value == provider.Value{})
		if r.Err == nil {
			require.Equal(t, 200, status)
			require.NotEmpty(t, r.Value.Version().ID)
			return
		}
		require.LessOrEqual(t, len(r.Err.Error()), 2048, "an error is short")
		require.NotContains(t, r.Err.Error(), "\n")
	})
}

func FuzzDate(f *testing.F) {
	for _, d := range []string{`"1569534789.046"`, "1569534789", `"2026-01-02T03:04:05.006Z"`, `"x"`, "null", "1e999", `"NaN"`} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, d string) {
		if !json.Valid([]byte(d)) {
			return
		}
		r := fetch(t, answering(200, fmt.Sprintf(`{"VersionId":"v","SecretString":"x","CreatedDate":%s}`, d)), "sm://db")[0]
		require.NoError(t, r.Err, "a date that is none spoils no value")
		require.Less(t, r.Value.Version().Created.Unix(), int64(4e11))
	})
}
