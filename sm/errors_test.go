package sm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

var errorTable = map[string]readtest.Case{
	"Denied": readtest.Refused(secretstest.Error{Code: "AccessDeniedException", Message: "User: arn:aws:iam::1:role/r is not authorized to perform: secretsmanager:GetSecretValue on resource: prod/kms because no identity-based policy allows it"},
		provider.ErrAccessDenied, readtest.Is[*smithy.GenericAPIError], "allow secretsmanager:GetSecretValue on it"),
	"KMSDenied": readtest.Refused(secretstest.Error{Code: "AccessDeniedException", Message: "Access to KMS is not allowed"},
		provider.ErrDecryption, readtest.Is[*smithy.GenericAPIError], "kms:Decrypt"),
	"Decryption": readtest.Refused(secretstest.Error{Code: "DecryptionFailure", Message: "Secrets Manager can't decrypt the protected secret text using the provided KMS key."},
		provider.ErrDecryption, readtest.Is[*types.DecryptionFailure], "kms:Decrypt"),
	"NotFound": readtest.Refused(secretstest.Error{Code: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret."},
		provider.ErrNotFound, readtest.Is[*types.ResourceNotFoundException], "check the name and the Region (us-east-1)"),
	"NoValue": readtest.Refused(secretstest.Error{Code: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"},
		provider.ErrVersionNotFound, readtest.Is[*types.ResourceNotFoundException], "no value yet"),
	"Deleted": readtest.Refused(secretstest.Error{Code: "InvalidRequestException", Message: "You can't perform this operation on the secret because it was marked for deletion."},
		provider.ErrDeleted, readtest.Is[*types.InvalidRequestException], "RestoreSecret"),
	"DeletedAsDocumented": readtest.Refused(secretstest.Error{Code: "InvalidRequestException", Message: "You tried to perform the operation on a secret that's currently marked deleted."},
		provider.ErrDeleted, readtest.Is[*types.InvalidRequestException], "RestoreSecret"),
	"OtherRequest": readtest.Refused(secretstest.Error{Code: "InvalidRequestException", Message: "Something else."},
		provider.ErrUnavailable, readtest.Is[*types.InvalidRequestException], ""),
	"InvalidParameter": readtest.Refused(secretstest.Error{Code: "InvalidParameterException", Message: "Invalid name."},
		provider.ErrInvalidRef, readtest.Is[*types.InvalidParameterException], ""),
	"Validation": readtest.Refused(secretstest.Error{Code: "ValidationException", Message: "Invalid name. Must be a valid name."},
		provider.ErrInvalidRef, readtest.Is[*smithy.GenericAPIError], ""),
	"UnknownCode": readtest.Refused(secretstest.Error{Code: "BrandNewException", Message: "Never seen."},
		provider.ErrUnavailable, readtest.Is[*smithy.GenericAPIError], ""),
}

// callTable is what goes wrong with a whole call and never with one item.
var callTable = map[string]readtest.Case{
	"Throttled":    readtest.Refused(*secretstest.Throttled(), provider.ErrThrottled, readtest.Is[*smithy.GenericAPIError], "quota"),
	"TooMany":      readtest.Refused(secretstest.Error{Code: "TooManyRequestsException"}, provider.ErrThrottled, readtest.Is[*smithy.GenericAPIError], "quota"),
	"RequestLimit": readtest.Refused(secretstest.Error{Code: "RequestLimitExceeded"}, provider.ErrThrottled, readtest.Is[*smithy.GenericAPIError], "quota"),
	"Throughput":   readtest.Refused(secretstest.Error{Code: "ProvisionedThroughputExceededException"}, provider.ErrThrottled, readtest.Is[*smithy.GenericAPIError], "quota"),
	"Internal":     readtest.Refused(*secretstest.Internal(), provider.ErrUnavailable, readtest.Is[*types.InternalServiceError], ""),
	"Unavailable":  readtest.Refused(*secretstest.Unavailable(), provider.ErrUnavailable, readtest.Is[*smithy.GenericAPIError], ""),
	"BadToken":     readtest.Refused(secretstest.Error{Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid."}, provider.ErrAccessDenied, readtest.Is[*smithy.GenericAPIError], "credentials"),
	"Signature":    readtest.Refused(secretstest.Error{Code: "InvalidSignatureException", Message: "Signature expired"}, provider.ErrAccessDenied, readtest.Is[*smithy.GenericAPIError], "clock"),
	"Incomplete":   readtest.Refused(secretstest.Error{Code: "IncompleteSignatureException"}, provider.ErrAccessDenied, readtest.Is[*smithy.GenericAPIError], "credentials"),
	"NoToken":      readtest.Refused(secretstest.Error{Code: "MissingAuthenticationTokenException"}, provider.ErrAccessDenied, readtest.Is[*smithy.GenericAPIError], "credentials"),
	"Expired":      readtest.Refused(secretstest.Error{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}, provider.ErrUnavailable, readtest.Is[*smithy.GenericAPIError], "expired"),
}

func TestErrorsOfOneSecret(t *testing.T) {
	for name, test := range errorTable {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			refs := b.fill(t, 3)
			b.Inject(secretstest.Fault{Name: refs[1].Name, Err: &test.Error})
			// Alone, and as an item of a batch: the same error.
			alone := b.store.Fetch(t.Context(), refs[1])[0].Err
			test.Require(t, alone, refs[1])
			results := b.store.Fetch(t.Context(), refs...)
			test.Require(t, results[1].Err, refs[1])
			require.Equal(t, "app/000", results[0].Value.Text())
			require.Equal(t, "app/002", results[2].Value.Text())
			batches, singles := b.calls()
			require.Equal(t, [2]int{1, 1}, [2]int{batches, singles})
		})
	}
}

func TestErrorsOfACall(t *testing.T) {
	for name, test := range callTable {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the SDK waits between its tries
				b := newBench(t, secretstest.InProcess())
				refs := b.fill(t, 40)
				b.Inject(secretstest.Fault{Err: &test.Error})
				single := b.store.Fetch(t.Context(), refs[0])[0].Err
				test.Require(t, single, refs[0])

				b.ResetCalls()
				for i, r := range b.store.Fetch(t.Context(), refs...) {
					test.Require(t, r.Err, refs[i])
				}
				batches, singles := b.calls()
				require.LessOrEqual(t, batches, 2*3, "two batches, and no more tries than the SDK's three")
				require.Zero(t, singles, "no storm of single calls")

				b.ClearFaults()
				for _, r := range b.store.Fetch(t.Context(), refs...) {
					require.NoError(t, r.Err)
				}
			})
		})
	}
}

// TestOneSecretSpoilsABatch has calls that fail as a whole for the sake of one
// of their secrets.
func TestOneSecretSpoilsABatch(t *testing.T) {
	for name, test := range errorTable {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			refs := b.fill(t, 3)
			b.Inject(secretstest.Fault{Operation: "BatchGetSecretValue", Err: &test.Error})
			b.Inject(secretstest.Fault{Operation: "GetSecretValue", Name: refs[1].Name, Err: &test.Error})
			for range 2 {
				results := b.store.Fetch(t.Context(), refs...)
				require.Equal(t, "app/000", results[0].Value.Text())
				test.Require(t, results[1].Err, refs[1])
				require.Equal(t, "app/002", results[2].Value.Text())
			}
			batches, singles := b.calls()
			require.Equal(t, [2]int{2, 6}, [2]int{batches, singles}, "and no batch is given up for it")
		})
	}
}

func TestSecretWithoutAValue(t *testing.T) {
	b := newBench(t)
	_, err := b.client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("empty")})
	require.NoError(t, err)
	b.SetSecret("db", "pw")
	for _, refs := range [][]string{{"sm://empty"}, {"sm://empty", "sm://db"}} {
		r := b.store.Fetch(t.Context(), readtest.Refs(t, refs...)...)[0]
		require.ErrorIs(t, r.Err, provider.ErrVersionNotFound)
		require.ErrorContains(t, r.Err, "no value yet")
	}
	require.ErrorIs(t, b.store.Probe(t.Context(), readtest.Ref(t, "sm://empty"))[0].Err, provider.ErrVersionNotFound)
	// An answer with neither string nor bytes.
	b.tap.Answer(func(string) *http.Response { return readtest.Answer(200, `{"Name":"db","VersionId":"v"}`) })
	require.ErrorIs(t, b.store.Fetch(t.Context(), readtest.Ref(t, "sm://db"))[0].Err, provider.ErrVersionNotFound)
}

func TestMalformedRefsAreNotSent(t *testing.T) {
	b := newBench(t)
	b.SetSecret("db", "pw")
	refs := []provider.Ref{
		{Scheme: "sm", Name: "db"}, {Scheme: "sm", Name: "a b"}, {Scheme: "sm"}, {Scheme: "ssm", Name: "/db"}, {Scheme: "sm", Name: "db", Label: "x"},
		{Scheme: "sm", Name: "db", Stage: "a", Version: "b"}, {Scheme: "sm", Name: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db", Region: "us-east-1"},
	}
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, "pw", results[0].Value.Text())
	for i, r := range results[1:] {
		require.ErrorIs(t, r.Err, provider.ErrInvalidRef)
		require.Equal(t, refs[i+1], r.Err.(*provider.Error).Ref)
		require.ErrorIs(t, b.store.Probe(t.Context(), refs[i+1])[0].Err, provider.ErrInvalidRef)
	}
	require.Equal(t, 1, b.Calls())
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
		require.Zero(t, b.Calls("GetSecretValue"))
	})
}

// TestUndecodableAnswersDoNotLeak has answers with a secret in them that the
// SDK cannot decode and would quote.
func TestUndecodableAnswersDoNotLeak(t *testing.T) {
	const value = "hunter2"
	answers := map[string]*http.Response{}
	for name, body := range map[string]string{
		"Type":      `{"Name":"db","VersionStages":"` + value + `"}`,
		"Object":    `{"Name":"db","SecretString":{"password":"` + value + `"}}`,
		"Time":      `{"Name":"db","CreatedDate":"` + value + `"}`,
		"Cut":       `{"Name":"db","SecretString":"` + value,
		"Base64":    `{"Name":"db","SecretBinary":"` + value + `!"}`,
		"NotJSON":   value,
		"Quoted":    `"` + value + `"`,
		"BadEscape": `{"SecretString":"` + value + `\x"}`,
	} {
		for _, status := range []int{200, 400, 403} {
			answers[fmt.Sprint(name, status)] = readtest.Answer(status, body)
		}
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.tap.Answer(func(string) *http.Response { return answer })
			r := b.store.Fetch(t.Context(), readtest.Ref(t, "sm://db"))[0]
			require.ErrorIs(t, r.Err, provider.ErrUnavailable)
			readtest.RequireNoLeak(t, r.Err, value)
			require.True(t, readtest.Is[*smithy.OperationError](r.Err))
			if bad, ok := errors.AsType[*smithy.DeserializationError](r.Err); ok {
				require.Empty(t, bad.Snapshot)
			}
		})
	}
	t.Run("Truncated", func(t *testing.T) {
		b := newBench(t)
		b.SetSecret("db", value)
		b.SetSecret("api", value)
		b.Inject(secretstest.Fault{Truncate: true})
		for _, r := range b.store.Fetch(t.Context(), readtest.Refs(t, "sm://db", "sm://api")...) {
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
	_, err := sm.New(cfg).Create(t.Context(), "sm://a", sm.Text("x"), sm.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, srv.Calls())
}

func TestNoBatchPermission(t *testing.T) {
	for name, refusal := range map[string]*secretstest.Error{
		"Denied":           {Code: "AccessDeniedException", Message: "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: secretsmanager:BatchGetSecretValue because no identity-based policy allows the secretsmanager:BatchGetSecretValue action"},
		"DeniedBriefly":    secretstest.AccessDenied(),
		"UnknownOperation": {Code: "UnknownOperationException"},
		"NotImplemented":   {Code: "InternalFailure", Message: "not yet implemented", Status: http.StatusNotImplemented},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.NewServer(t, secretstest.InProcess())
				var log bytes.Buffer
				store := sm.New(srv.Config(), sm.WithConcurrency(1), sm.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				b := &bench{Server: srv, store: store}
				refs := b.fill(t, 60)
				allow := b.Inject(secretstest.Fault{Operation: "BatchGetSecretValue", Err: refusal})
				fetch := func() (batches, singles int) {
					b.ResetCalls()
					for i, r := range store.Fetch(t.Context(), refs...) {
						require.NoError(t, r.Err)
						require.Equal(t, refs[i].Name, r.Value.Text())
					}
					return b.calls()
				}
				batches, singles := fetch()
				require.LessOrEqual(t, batches, 3, "the first batch is refused, and the others not tried")
				require.Equal(t, 60, singles)
				require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")), "%s", &log)
				require.Contains(t, log.String(), "allow secretsmanager:BatchGetSecretValue on *")

				time.Sleep(14 * time.Minute)
				batches, singles = fetch()
				require.Equal(t, [2]int{0, 60}, [2]int{batches, singles}, "it is remembered")

				time.Sleep(2 * time.Minute)
				fetch()
				require.NotZero(t, b.Calls("BatchGetSecretValue"), "and tried again")
				require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")), "one line a store")

				allow()
				time.Sleep(16 * time.Minute)
				batches, singles = fetch()
				require.Equal(t, [2]int{3, 0}, [2]int{batches, singles})
			})
		})
	}
}

func TestDefaultLoggerIsResolvedWhenUsed(t *testing.T) {
	srv := secretstest.NewServer(t)
	store := sm.New(srv.Config())
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	srv.Inject(secretstest.Fault{Operation: "BatchGetSecretValue", Err: secretstest.AccessDenied()})
	store.Fetch(t.Context(), readtest.Refs(t, "sm://a", "sm://b")...)
	require.Contains(t, log.String(), "BatchGetSecretValue")
}

func TestNoCredentials(t *testing.T) {
	srv := secretstest.NewServer(t)
	cfg := srv.Config()
	for name, test := range map[string]struct {
		err  error
		kind error
	}{
		"None":    {errors.New("no EC2 IMDS role found"), provider.ErrAccessDenied},
		"Timeout": {context.DeadlineExceeded, provider.ErrUnavailable},
		// What STS says concerns the credentials, and no secret or batch.
		"Denied":    {&smithy.GenericAPIError{Code: "AccessDenied", Message: "not authorized to perform: sts:AssumeRole"}, provider.ErrAccessDenied},
		"Throttled": {&smithy.GenericAPIError{Code: "Throttling"}, provider.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, test.err })
			for _, r := range sm.New(cfg, sm.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))).Fetch(t.Context(), readtest.Refs(t, "sm://a", "sm://b")...) {
				require.ErrorIs(t, r.Err, test.kind)
				require.Contains(t, r.Err.(*provider.Error).Hint, "no AWS credentials")
			}
			require.Zero(t, srv.Calls())
			require.Empty(t, log.String(), "and says nothing about batches")
		})
	}
}

func TestNoRegion(t *testing.T) {
	cfg := secretstest.NewServer(t).Config()
	cfg.Region, cfg.BaseEndpoint = "", nil
	err := sm.New(cfg).Fetch(t.Context(), readtest.Ref(t, "sm://db"))[0].Err
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.ErrorContains(t, err, "AWS_REGION")
}
