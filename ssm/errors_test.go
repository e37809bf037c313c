package ssm_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

// errorTable is what one name of a call may spoil it with.
var errorTable = map[string]readtest.Case{
	"Denied": readtest.Refused(secretstest.Error{Code: "AccessDeniedException", Message: "User: arn:aws:iam::1:role/r is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:1:parameter/kms because no identity-based policy allows it"},
		provider.ErrAccessDenied, readtest.Is[*types.AccessDeniedException], "allow ssm:GetParameter and ssm:GetParameters on it"),
	"KMSDenied": readtest.Refused(secretstest.Error{Code: "AccessDeniedException", Message: "User: arn:aws:iam::1:role/r is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:1:key/k (Service: AWSKMS; Status Code: 400)"},
		provider.ErrDecryption, readtest.Is[*types.AccessDeniedException], "kms:Decrypt"),
	"KMSForeign": readtest.Refused(secretstest.Error{Code: "AccessDeniedException", Message: "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."},
		provider.ErrDecryption, readtest.Is[*types.AccessDeniedException], "kms:Decrypt"),
	"BadKey":      readtest.Refused(secretstest.Error{Code: "InvalidKeyId", Message: "The key is disabled."}, provider.ErrDecryption, readtest.Is[*types.InvalidKeyId], "KMS key"),
	"KMSDisabled": readtest.Refused(secretstest.Error{Code: "KMSDisabledException"}, provider.ErrDecryption, readtest.Is[*smithy.GenericAPIError], "KMS key"),
	"Validation":  readtest.Refused(secretstest.Error{Code: "ValidationException", Message: "Parameter name: can't be prefixed with \"ssm\"."}, provider.ErrInvalidRef, readtest.Is[*types.ValidationException], ""),
	"NotFound":    readtest.Refused(secretstest.Error{Code: "ParameterNotFound"}, provider.ErrNotFound, readtest.Is[*types.ParameterNotFound], "check the name and the Region (us-east-1)"),
	"NoVersion":   readtest.Refused(secretstest.Error{Code: "ParameterVersionNotFound"}, provider.ErrVersionNotFound, readtest.Is[*types.ParameterVersionNotFound], "version or label"),
	"UnknownCode": readtest.Refused(secretstest.Error{Code: "BrandNewException"}, provider.ErrUnavailable, readtest.Is[*smithy.GenericAPIError], ""),
}

// callTable is what goes wrong with a call whatever its names are.
var callTable = map[string]readtest.Case{
	"Throttled":   readtest.Refused(*secretstest.Throttled(), provider.ErrThrottled, readtest.Is[smithy.APIError], "quota"),
	"KMSThrottle": readtest.Refused(secretstest.Error{Code: "KMSThrottlingException"}, provider.ErrThrottled, readtest.Is[smithy.APIError], "quota"),
	"TooMany":     readtest.Refused(secretstest.Error{Code: "TooManyRequestsException", Status: 429}, provider.ErrThrottled, readtest.Is[smithy.APIError], "quota"),
	"Internal":    readtest.Refused(*secretstest.Internal(), provider.ErrUnavailable, readtest.Is[*types.InternalServerError], ""),
	"Unavailable": readtest.Refused(*secretstest.Unavailable(), provider.ErrUnavailable, readtest.Is[*smithy.GenericAPIError], ""),
	"BadToken":    readtest.Refused(secretstest.Error{Code: "UnrecognizedClientException"}, provider.ErrAccessDenied, readtest.Is[*smithy.GenericAPIError], "credentials"),
	"Expired":     readtest.Refused(secretstest.Error{Code: "ExpiredTokenException"}, provider.ErrUnavailable, readtest.Is[*smithy.GenericAPIError], "expired"),
}

func TestErrorsOfOneName(t *testing.T) {
	for name, test := range errorTable {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			refs := b.fill(t, 10)
			b.Inject(secretstest.Fault{Name: refs[4].Name, Err: &test.Error})
			test.Require(t, b.store.Fetch(t.Context(), refs[4])[0].Err, refs[4])
			b.ResetCalls()
			// It fails the whole call, and yet none but itself.
			for i, r := range b.store.Fetch(t.Context(), refs...) {
				if i == 4 {
					test.Require(t, r.Err, refs[i])
					continue
				}
				require.NoError(t, r.Err)
				require.Equal(t, refs[i].Name, r.Value.Text())
			}
			require.Equal(t, [2]int{1, 10}, b.calls())
			results := b.store.Probe(t.Context(), refs...)
			test.Require(t, results[4].Err, refs[4])
			require.NoError(t, results[5].Err)
		})
	}
}

func TestErrorsOfACall(t *testing.T) {
	for name, test := range callTable {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the SDK waits between its tries
				b := newBench(t, secretstest.InProcess())
				refs := b.fill(t, 20)
				b.Inject(secretstest.Fault{Err: &test.Error})
				test.Require(t, b.store.Fetch(t.Context(), refs[0])[0].Err, refs[0])
				b.ResetCalls()
				for i, r := range b.store.Fetch(t.Context(), refs...) {
					test.Require(t, r.Err, refs[i])
				}
				require.LessOrEqual(t, b.Calls("GetParameters"), 2*3, "two batches, and no more tries than the SDK's three")
				require.Zero(t, b.Calls("GetParameter"), "no storm of single calls")
			})
		})
	}
}

func TestMissingNamesOfABatch(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/a", "a")
	refs := readtest.Refs(t, "ssm:///a", "ssm:///gone", "ssm:///gone/too")
	for i, r := range b.store.Fetch(t.Context(), refs...)[1:] {
		readtest.Refused(secretstest.Error{Code: "ParameterNotFound"}, provider.ErrNotFound, readtest.Is[*types.ParameterNotFound], "Region").Require(t, r.Err, refs[i+1])
	}
	require.Equal(t, [2]int{1, 0}, b.calls())
}

func TestMalformedRefsAreNotSent(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/db", "pw")
	refs := []provider.Ref{
		{Scheme: "ssm", Name: "/db"}, {Scheme: "ssm", Name: "/a b"}, {Scheme: "ssm", Name: "/a:1"}, {Scheme: "ssm"}, {Scheme: "sm", Name: "db"},
		{Scheme: "ssm", Name: "/db", Version: "x"}, {Scheme: "ssm", Name: "/db", Version: "1", Label: "x"}, {Scheme: "ssm", Name: "/db/"},
	}
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, "pw", results[0].Value.Text())
	for i, r := range results[1:] {
		require.ErrorIs(t, r.Err, provider.ErrInvalidRef)
		require.Equal(t, refs[i+1], r.Err.(*provider.Error).Ref)
	}
	require.Equal(t, 1, b.Calls())
}

// TestUndecodableAnswersDoNotLeak has answers with a secret in them that the
// SDK cannot decode and would quote.
func TestUndecodableAnswersDoNotLeak(t *testing.T) {
	const value = "hunter2"
	bodies := map[string]string{
		"Number":       `{"Parameter":{"Name":"/db","Version":"` + value + `"}}`,
		"Object":       `{"Parameter":{"Name":"/db","Value":{"password":"` + value + `"}}}`,
		"NotAnObject":  `{"Parameter":"` + value + `"}`,
		"Cut":          `{"Parameter":{"Name":"/db","Value":"` + value,
		"NotJSON":      value,
		"NoVersion":    `{"Parameter":{"Name":"/db","Value":"` + value + `","SourceResult":"{\"SecretString\":\"` + value + `\"}"}}`,
		"SourceResult": `{"Parameter":{"Name":"/db","Value":"` + value + `","SourceResult":"` + value + `"}}`,
		"SourceType":   `{"Parameter":{"Name":"/db","Value":"` + value + `","SourceResult":"{\"VersionId\":[\"` + value + `\"]}"}}`,
		"NoValue":      `{"Parameter":{"Name":"/db","Version":1,"SourceResult":"` + value + `"}}`,
	}
	for name, body := range bodies {
		for _, status := range []int{200, 400} {
			t.Run(fmt.Sprint(name, status), func(t *testing.T) {
				b := newBench(t)
				b.tap.Answer(func(string) *http.Response { return readtest.Answer(status, body) })
				r := b.store.Fetch(t.Context(), readtest.Ref(t, "ssm:///db"))[0]
				require.ErrorIs(t, r.Err, provider.ErrUnavailable)
				readtest.RequireNoLeak(t, r.Err, value)
			})
		}
	}
	t.Run("Truncated", func(t *testing.T) {
		b := newBench(t)
		b.SetParameter("/db", value)
		b.SetParameter("/api", value)
		b.Inject(secretstest.Fault{Truncate: true})
		for _, r := range b.store.Fetch(t.Context(), readtest.Refs(t, "ssm:///db", "ssm:///api")...) {
			require.ErrorIs(t, r.Err, provider.ErrUnavailable)
			readtest.RequireNoLeak(t, r.Err, value)
		}
	})
}

// TestACallThatSucceededIsNotRepeated because its transport was slow to look for
// the end of the request's body.
func TestACallThatSucceededIsNotRepeated(t *testing.T) {
	srv := secretstest.NewServer(t)
	cfg := srv.Config()
	cfg.HTTPClient = new(readtest.SlowWriter)
	written, err := ssm.New(cfg).PutVersion(t.Context(), "ssm:///a", ssm.String("x"), ssm.Attributes{})
	require.NoError(t, err)
	require.Equal(t, "1", written.Version.ID)
	require.Equal(t, 1, srv.Calls())
}

func TestConnectionReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secretstest.InProcess())
		refs := b.fill(t, 3)
		b.Inject(secretstest.Fault{Reset: true, Times: 1})
		for _, r := range b.store.Fetch(t.Context(), refs...) {
			require.NoError(t, r.Err, "the SDK tries again")
		}
		b.Inject(secretstest.Fault{Reset: true})
		for _, r := range b.store.Fetch(t.Context(), refs...) {
			require.ErrorIs(t, r.Err, provider.ErrUnavailable)
		}
		require.Zero(t, b.Calls("GetParameter"))
	})
}
