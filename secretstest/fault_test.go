package secretstest_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	awshttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func faultClients(t *testing.T, opts ...secretstest.Option) (*secretstest.Server, *secretsmanager.Client, *ssm.Client) {
	t.Helper()
	srv := secretstest.NewServer(t, opts...)
	for _, name := range []string{"a", "b", "prod/db"} {
		srv.SetSecret(name, "value of "+name)
		srv.SetSecureParameter("/"+name, "value of "+name)
	}
	return srv, secretsmanager.NewFromConfig(once(srv.Config())), ssm.NewFromConfig(once(srv.Config()))
}

func get(t *testing.T, sm *secretsmanager.Client, id string) error {
	t.Helper()
	_, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	return err
}

func TestFaultErrors(t *testing.T) {
	srv, sm, ps := faultClients(t)
	for _, tt := range []struct {
		err          *secretstest.Error
		smCode, code string
		status       int
	}{
		{secretstest.Throttled(), "ThrottlingException", "ThrottlingException", 400},
		{secretstest.AccessDenied(), "AccessDeniedException", "AccessDeniedException", 400},
		{secretstest.Internal(), "InternalServiceError", "InternalServerError", 500},
		{secretstest.Unavailable(), "ServiceUnavailableException", "ServiceUnavailableException", 503},
		{secretstest.DecryptionFailure(), "DecryptionFailure", "DecryptionFailure", 400},
		{&secretstest.Error{Code: "Custom"}, "Custom", "Custom", 400},
	} {
		t.Run(tt.smCode, func(t *testing.T) {
			require.Contains(t, tt.err.Error(), tt.err.Code)
			defer srv.Inject(secretstest.Fault{Err: tt.err})()
			err := get(t, sm, "a")
			requireCode(t, err, tt.smCode)
			var response *awshttp.ResponseError
			require.ErrorAs(t, err, &response)
			require.Equal(t, tt.status, response.HTTPStatusCode())
			_, err = ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a")})
			requireCode(t, err, tt.code)
		})
	}
	// Modelled errors arrive as their types, message included.
	defer srv.Inject(secretstest.Fault{Err: secretstest.DecryptionFailure()})()
	var typed *smtypes.DecryptionFailure
	require.ErrorAs(t, get(t, sm, "a"), &typed)
	require.NotEmpty(t, typed.ErrorMessage())
	srv.ClearFaults()
	defer srv.Inject(secretstest.Fault{Err: secretstest.Internal()})()
	_, err := ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/a")})
	var internal *ssmtypes.InternalServerError
	require.ErrorAs(t, err, &internal)
	require.NotEmpty(t, internal.ErrorMessage())
}

func TestFaultMatching(t *testing.T) {
	srv, sm, _ := faultClients(t)
	arn := describe(t, sm, "prod/db").ARN
	for name, tt := range map[string]struct {
		fault secretstest.Fault
		id    string
		hit   bool
	}{
		"every":           {secretstest.Fault{}, "a", true},
		"operation":       {secretstest.Fault{Operation: "GetSecretValue"}, "a", true},
		"other operation": {secretstest.Fault{Operation: "PutSecretValue"}, "a", false},
		"name":            {secretstest.Fault{Name: "a"}, "a", true},
		"other name":      {secretstest.Fault{Name: "a"}, "b", false},
		"prefix":          {secretstest.Fault{Name: "prod/*"}, "prod/db", true},
		"other prefix":    {secretstest.Fault{Name: "test/*"}, "prod/db", false},
		"name by ARN":     {secretstest.Fault{Name: "prod/db"}, aws.ToString(arn), true},
		"prefix by ARN":   {secretstest.Fault{Name: "prod/*"}, aws.ToString(arn), true},
		"partial ARN":     {secretstest.Fault{Name: "prod/db"}, "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db", true},
		"unknown ARN":     {secretstest.Fault{Name: "no"}, "arn:aws:secretsmanager:us-east-1:123456789012:secret:no-AbCdEf", true},
	} {
		t.Run(name, func(t *testing.T) {
			tt.fault.Err = secretstest.AccessDenied()
			remove := srv.Inject(tt.fault)
			defer remove()
			err := get(t, sm, tt.id)
			if !tt.hit {
				require.NoError(t, err)
				return
			}
			requireCode(t, err, "AccessDeniedException")
			remove()
			remove()
			if name != "unknown ARN" {
				require.NoError(t, get(t, sm, tt.id))
			}
		})
	}
}

func TestFaultParameterNames(t *testing.T) {
	srv, _, ps := faultClients(t)
	srv.Inject(secretstest.Fault{Name: "/a", Err: secretstest.AccessDenied()})
	for _, id := range []string{"/a", "/a:1", "arn:aws:ssm:us-east-1:123456789012:parameter/a"} {
		_, err := ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &id})
		requireCode(t, err, "AccessDeniedException")
	}
	// One denied name denies the whole of GetParameters; by path only the path counts.
	_, err := ps.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/b", "/a"}})
	requireCode(t, err, "AccessDeniedException")
	out, err := ps.GetParametersByPath(t.Context(), &ssm.GetParametersByPathInput{Path: aws.String("/")})
	require.NoError(t, err)
	require.Len(t, out.Parameters, 2)
}

func TestFaultInBatch(t *testing.T) {
	srv, sm, ps := faultClients(t)
	batch := func() (*secretsmanager.BatchGetSecretValueOutput, error) {
		return sm.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"a", "b"}})
	}
	for _, operation := range []string{"", "GetSecretValue", "BatchGetSecretValue"} {
		t.Run("item by "+operation, func(t *testing.T) {
			defer srv.Inject(secretstest.Fault{Operation: operation, Name: "b", Err: secretstest.AccessDenied()})()
			out, err := batch()
			require.NoError(t, err)
			require.Len(t, out.SecretValues, 1)
			require.Len(t, out.Errors, 1)
			require.Equal(t, "b", aws.ToString(out.Errors[0].SecretId))
			require.Equal(t, "AccessDeniedException", aws.ToString(out.Errors[0].ErrorCode))
			require.NotEmpty(t, out.Errors[0].Message)
		})
	}
	for _, operation := range []string{"", "BatchGetSecretValue"} {
		t.Run("whole by "+operation, func(t *testing.T) {
			defer srv.Inject(secretstest.Fault{Operation: operation, Err: secretstest.Throttled()})()
			_, err := batch()
			requireCode(t, err, "ThrottlingException")
		})
	}
	t.Run("GetSecretValue without a name spares the batch", func(t *testing.T) {
		defer srv.Inject(secretstest.Fault{Operation: "GetSecretValue", Err: secretstest.Throttled()})()
		out, err := batch()
		require.NoError(t, err)
		require.Len(t, out.SecretValues, 2)
	})
	t.Run("filtered", func(t *testing.T) {
		defer srv.Inject(secretstest.Fault{Name: "a", Err: secretstest.AccessDenied()})()
		out, err := sm.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{Filters: []smtypes.Filter{{Key: "name", Values: []string{"a", "b"}}}})
		require.NoError(t, err)
		require.Len(t, out.SecretValues, 1)
		require.Len(t, out.Errors, 1)
	})
	t.Run("what is on no page is not hit", func(t *testing.T) {
		for i := range 21 {
			srv.SetSecret(fmt.Sprintf("page/%02d", i), "v")
		}
		defer srv.Inject(secretstest.Fault{Name: "page/20", Err: secretstest.AccessDenied(), Times: 1})()
		in := &secretsmanager.BatchGetSecretValueInput{Filters: []smtypes.Filter{{Key: "name", Values: []string{"page/"}}}}
		out, err := sm.BatchGetSecretValue(t.Context(), in)
		require.NoError(t, err)
		require.Len(t, out.SecretValues, 20)
		in.NextToken = out.NextToken
		out, err = sm.BatchGetSecretValue(t.Context(), in)
		require.NoError(t, err)
		require.Len(t, out.Errors, 1)
	})
	t.Run("items of a batch count", func(t *testing.T) {
		defer srv.Inject(secretstest.Fault{Name: "*", Err: secretstest.DecryptionFailure(), Times: 1})()
		out, err := batch()
		require.NoError(t, err)
		require.Len(t, out.Errors, 1)
	})
	t.Run("through Parameter Store", func(t *testing.T) {
		defer srv.Inject(secretstest.Fault{Operation: "GetSecretValue", Name: "a", Err: secretstest.AccessDenied()})()
		_, err := ps.GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/aws/reference/secretsmanager/a"), WithDecryption: aws.Bool(true)})
		requireCode(t, err, "AccessDeniedException")
	})
}

func TestFaultTimesAndOrder(t *testing.T) {
	srv, sm, _ := faultClients(t)
	srv.Inject(secretstest.Fault{Err: secretstest.Throttled(), Times: 2})
	srv.Inject(secretstest.Fault{Err: secretstest.AccessDenied(), Times: 1})
	for _, code := range []string{"ThrottlingException", "ThrottlingException", "AccessDeniedException"} {
		requireCode(t, get(t, sm, "a"), code)
	}
	require.NoError(t, get(t, sm, "a"))
	require.Equal(t, 4, srv.Calls())
}

func TestFaultRateIsDeterministic(t *testing.T) {
	run := func(seed uint64) (hits []bool) {
		srv, sm, _ := faultClients(t, secretstest.WithSeed(seed))
		srv.Inject(secretstest.Fault{Err: secretstest.Throttled(), Rate: 0.5})
		for range 40 {
			hits = append(hits, get(t, sm, "a") != nil)
		}
		return hits
	}
	first := run(7)
	require.Contains(t, first, true)
	require.Contains(t, first, false)
	require.Equal(t, first, run(7))
	require.NotEqual(t, first, run(8))
}

func TestFaultReset(t *testing.T) {
	srv, sm, _ := faultClients(t)
	srv.Inject(secretstest.Fault{Reset: true, Times: 1})
	err := get(t, sm, "a")
	var send *awshttp.RequestSendError
	require.ErrorAs(t, err, &send)
	require.Zero(t, srv.Requests()[0].Status)
	require.NoError(t, get(t, sm, "a"))
}

// A truncated answer comes after the operation took place.
func TestFaultTruncate(t *testing.T) {
	srv, sm, _ := faultClients(t)
	srv.Inject(secretstest.Fault{Operation: "PutSecretValue", Truncate: true, Times: 1})
	_, err := sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("a"), SecretString: aws.String("new")})
	require.Error(t, err)
	require.True(t, errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
	out, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
	require.NoError(t, err)
	require.Equal(t, "new", aws.ToString(out.SecretString))
}

func TestFaultDelaysAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, _ := faultClients(t, secretstest.InProcess())
		srv.Inject(secretstest.Fault{Delay: time.Second})
		srv.Inject(secretstest.Fault{Name: "a", Delay: time.Minute, Err: secretstest.Throttled()})
		began := time.Now()
		requireCode(t, get(t, sm, "a"), "ThrottlingException")
		require.Equal(t, time.Minute+time.Second, time.Since(began))
		// An item's delay holds the whole batch, found by list or by filter.
		srv.ClearFaults()
		srv.Inject(secretstest.Fault{Name: "a", Delay: time.Minute})
		for _, in := range []*secretsmanager.BatchGetSecretValueInput{
			{SecretIdList: []string{"a", "b"}},
			{Filters: []smtypes.Filter{{Key: "name", Values: []string{"a"}}}},
		} {
			began = time.Now()
			_, err := sm.BatchGetSecretValue(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, time.Minute, time.Since(began))
		}
	})
}
