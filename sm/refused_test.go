package sm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/davecgh/go-spew/spew"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// operations are the calls that write and manage, each by a method that makes
// it.
var operations = map[string]func(context.Context, *life, string) error{
	"CreateSecret": func(ctx context.Context, l *life, ref string) error {
		return second(l.store.Create(ctx, ref+"-new", sm.Text("hunter2"), sm.CreateOptions{}))
	},
	"PutSecretValue": func(ctx context.Context, l *life, ref string) error {
		return second(l.store.PutVersion(ctx, ref, sm.Text("hunter2"), sm.PutOptions{}))
	},
	"UpdateSecret": func(ctx context.Context, l *life, ref string) error {
		return l.store.Update(ctx, ref, sm.Changes{Description: new(string)})
	},
	"DescribeSecret":       func(ctx context.Context, l *life, ref string) error { return second(l.store.Describe(ctx, ref)) },
	"ListSecretVersionIds": func(ctx context.Context, l *life, ref string) error { return firstOf(l.store.Versions(ctx, ref)) },
	"ListSecrets": func(ctx context.Context, l *life, ref string) error {
		return firstOf(l.store.Secrets(ctx, sm.ListOptions{}))
	},
	"UpdateSecretVersionStage": func(ctx context.Context, l *life, ref string) error {
		return l.store.MoveStage(ctx, ref, "blue", "", strings.Repeat("0", 32))
	},
	"DeleteSecret":  func(ctx context.Context, l *life, ref string) error { return second(l.store.DeleteAfter(ctx, ref, 7)) },
	"RestoreSecret": func(ctx context.Context, l *life, ref string) error { return l.store.Restore(ctx, ref) },
	"TagResource": func(ctx context.Context, l *life, ref string) error {
		return l.store.Tag(ctx, ref, map[string]string{"a": "b"})
	},
	"UntagResource": func(ctx context.Context, l *life, ref string) error { return l.store.Untag(ctx, ref, "a") },
	"ReplicateSecretToRegions": func(ctx context.Context, l *life, ref string) error {
		return second(l.store.Replicate(ctx, ref, toIreland))
	},
	"RemoveRegionsFromReplication": func(ctx context.Context, l *life, ref string) error {
		return second(l.store.RemoveReplicas(ctx, ref, "eu-west-1"))
	},
	"StopReplicationToReplica": func(ctx context.Context, l *life, ref string) error { return second(l.store.PromoteReplica(ctx, ref)) },
	"PutResourcePolicy": func(ctx context.Context, l *life, ref string) error {
		return l.store.PutPolicy(ctx, ref, somePolicy, sm.PolicyOptions{})
	},
	"GetResourcePolicy":    func(ctx context.Context, l *life, ref string) error { return second(l.store.Policy(ctx, ref)) },
	"DeleteResourcePolicy": func(ctx context.Context, l *life, ref string) error { return l.store.DeletePolicy(ctx, ref) },
	"ValidateResourcePolicy": func(ctx context.Context, l *life, ref string) error {
		return second(l.store.ValidatePolicy(ctx, ref, somePolicy))
	},
	"GetRandomPassword": func(ctx context.Context, l *life, _ string) error {
		return second(l.store.RandomPassword(ctx, sm.PasswordOptions{}))
	},
	"RotateSecret": func(ctx context.Context, l *life, ref string) error {
		return second(l.store.Rotate(ctx, ref, sm.RotateOptions{}))
	},
	"CancelRotateSecret": func(ctx context.Context, l *life, ref string) error { return second(l.store.CancelRotation(ctx, ref)) },
}

var toIreland = sm.Replication{Regions: []sm.Replica{{Region: "eu-west-1"}}}

func firstOf[V any](all func(func(V, error) bool)) (err error) {
	for _, err := range all {
		return err
	}
	return nil
}

// everyOperation is what each operation may be refused for.
var everyOperation = map[string]struct {
	secretstest.Error
	kind error
	hint string
}{
	"Denied":    {*secretstest.AccessDenied(), provider.ErrAccessDenied, "allow secretsmanager:OPERATION on "},
	"Throttled": {*secretstest.Throttled(), provider.ErrThrottled, "quota"},
	"Internal":  {*secretstest.Internal(), provider.ErrUnavailable, ""},
	"Expired":   {secretstest.Error{Code: "ExpiredTokenException"}, provider.ErrUnavailable, "expired"},
	"Unknown":   {secretstest.Error{Code: "BrandNewException"}, provider.ErrUnavailable, ""},
	"Deleted": {secretstest.Error{Code: "InvalidRequestException", Message: "You can't perform this operation on the secret because it was marked for deletion."},
		provider.ErrDeleted, "RestoreSecret"},
	"Managed": {secretstest.Error{Code: "InvalidRequestException", Message: "The secret is managed by another service, and you must use that service to update it."},
		sm.ErrInvalid, "owns the secret"},
	"NotFound":     {secretstest.Error{Code: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret."}, provider.ErrNotFound, "check the name"},
	"Replica":      {secretstest.Error{Code: "InvalidParameterException", Message: "Operation not permitted on a replica secret. Call must be made in primary secret's region."}, sm.ErrInvalid, "it is a replica"},
	"Parameter":    {secretstest.Error{Code: "InvalidParameterException", Message: "Something."}, sm.ErrInvalid, ""},
	"Validation":   {secretstest.Error{Code: "ValidationException", Message: "1 validation error detected."}, sm.ErrInvalid, ""},
	"Limit":        {secretstest.Error{Code: "LimitExceededException", Message: "You have reached the quota."}, sm.ErrInvalid, ""},
	"Precondition": {secretstest.Error{Code: "PreconditionNotMetException", Message: "Not yet."}, sm.ErrInvalid, "first"},
	"KMSDenied":    {secretstest.Error{Code: "AccessDeniedException", Message: "Access to KMS is not allowed"}, provider.ErrDecryption, "kms:GenerateDataKey"},
	"Encryption":   {secretstest.Error{Code: "EncryptionFailure", Message: "Secrets Manager can't encrypt the protected secret text using the provided KMS key."}, provider.ErrDecryption, "kms:GenerateDataKey"},
}

func TestRefusals(t *testing.T) {
	for operation, do := range operations {
		for name, test := range everyOperation {
			t.Run(operation+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // the SDK waits between its tries
					srv := secretstest.NewServer(t, secretstest.InProcess())
					l := newLife(srv.Config())
					ref, _ := l.made(t, 1)
					t.Cleanup(srv.ClearFaults) // before the secret is removed
					srv.Inject(secretstest.Fault{Operation: operation, Err: &test.Error})
					err := do(t.Context(), l, ref)
					if operation == "UpdateSecretVersionStage" && test.kind == sm.ErrInvalid || test.kind == provider.ErrNotFound && operation == "UpdateSecretVersionStage" {
						require.Error(t, err) // judged by where the label is
						return
					}
					requireKind(t, err, test.kind, strings.ReplaceAll(test.hint, "OPERATION", operation))
					require.Equal(t, test.Code, errorCode(t, err, operation))
				})
			})
		}
	}
}

func errorCode(t *testing.T, err error, operation string) string {
	t.Helper()
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.ErrorContains(t, err, operation)
	return api.ErrorCode()
}

// oneOperation is what some operations are refused for.
var oneOperation = map[string]struct {
	secretstest.Error
	kind error
	hint string
}{
	"CreateSecret/Exists":  {secretstest.Error{Code: "ResourceExistsException", Message: "The operation failed because the secret db already exists."}, provider.ErrConflict, "PutVersion"},
	"CreateSecret/Deleted": {secretstest.Error{Code: "InvalidRequestException", Message: "You can't create this secret because a secret with this name is already scheduled for deletion."}, provider.ErrDeleted, "DeleteNow frees the name"},
	"CreateSecret/Quota":   {secretstest.Error{Code: "LimitExceededException", Message: "You have reached the quota of secrets."}, sm.ErrInvalid, "as many secrets in this Region"},
	"PutSecretValue/Token": {secretstest.Error{Code: "ResourceExistsException", Message: "You can't use ClientRequestToken x because that value is already in use for a version of secret y."}, provider.ErrConflict, "new token for each write"},
	"PutSecretValue/Quota": {secretstest.Error{Code: "LimitExceededException", Message: "You have reached the quota of versions."}, sm.ErrInvalid, "at most once in ten minutes"},
	"PutResourcePolicy/Public": {secretstest.Error{Code: "PublicPolicyException", Message: "You can't attach a resource-based policy that allows broad access to the secret."},
		sm.ErrInvalid, "AllowPublic"},
	"PutResourcePolicy/Malformed": {secretstest.Error{Code: "MalformedPolicyDocumentException", Message: "This resource policy contains invalid Json."}, sm.ErrInvalid, "ValidatePolicy"},
	"PutResourcePolicy/Lockout":   {secretstest.Error{Code: "InvalidRequestException", Message: "The policy does not allow you to change it again."}, sm.ErrInvalid, "lock out"},
	"RotateSecret/InProgress":     {secretstest.Error{Code: "InvalidRequestException", Message: "A previous rotation isn't complete. That rotation will be reattempted."}, provider.ErrConflict, "CancelRotation"},
	"RotateSecret/NoFunction":     {secretstest.Error{Code: "InvalidRequestException", Message: "No Lambda rotation function ARN is associated with this secret."}, sm.ErrInvalid, "RotateOptions.Lambda"},
	"RotateSecret/Invoke":         {secretstest.Error{Code: "AccessDeniedException", Message: "Secrets Manager cannot invoke the specified Lambda function."}, provider.ErrAccessDenied, "the function's own policy"},
	"DeleteSecret/Replicas":       {secretstest.Error{Code: "InvalidParameterException", Message: "You can't delete secret x that still has replica regions [eu-west-1]"}, sm.ErrInvalid, "RemoveReplicas first"},
	"StopReplicationToReplica/No": {secretstest.Error{Code: "InvalidRequestException", Message: "It isn't one."}, sm.ErrInvalid, "it is no replica"},
}

func TestRefusalsOfOneOperation(t *testing.T) {
	for name, test := range oneOperation {
		t.Run(name, func(t *testing.T) {
			operation, _, _ := strings.Cut(name, "/")
			srv := secretstest.NewServer(t)
			l := newLife(srv.Config())
			ref, _ := l.made(t, 1)
			t.Cleanup(srv.ClearFaults)
			srv.Inject(secretstest.Fault{Operation: operation, Err: &test.Error})
			err := operations[operation](t.Context(), l, ref)
			requireKind(t, err, test.kind, test.hint)
			require.Equal(t, test.Code, errorCode(t, err, operation))
		})
	}
}

// TestAMessageThatQuotesTheValue is left out; AWS's messages of a
// ValidationException quote what they refuse.
func TestAMessageThatQuotesTheValue(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref, _ := l.made(t, 1)
	const secret, rotation = "correct horse battery staple", "rotation-token-of-36-characters-00000"
	for _, quoted := range []string{secret, rotation} {
		remove := srv.Inject(secretstest.Fault{Operation: "PutSecretValue", Err: &secretstest.Error{
			Code: "ValidationException", Message: "1 validation error detected: Value '" + quoted + "' at 'x' failed to satisfy constraint",
		}})
		_, err := l.store.PutVersion(t.Context(), ref, sm.Text(secret), sm.PutOptions{RotationToken: sm.Text(rotation)})
		requireKind(t, err, sm.ErrInvalid, "")
		readtest.RequireNoLeak(t, err, quoted)
		require.ErrorContains(t, err, "ValidationException")
		remove()
	}
	srv.Inject(secretstest.Fault{Operation: "PutSecretValue", Err: &secretstest.Error{Code: "ResourceExistsException", Message: "e"}})
	_, err := l.store.PutVersion(t.Context(), ref, sm.Text("e"), sm.PutOptions{})
	var exists *types.ResourceExistsException
	require.ErrorAs(t, err, &exists, "a letter is no quote")
}

// TestInputsPrintNoSecret has every way of printing what writes take and give.
func TestInputsPrintNoSecret(t *testing.T) {
	for _, v := range []any{
		sm.Text("hunter2"), sm.Binary([]byte("hunter2")),
		sm.PutOptions{RotationToken: sm.Text("hunter2")}, &sm.PutOptions{RotationToken: sm.Text("hunter2")},
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "v", v)
		data, err := json.Marshal(v)
		require.NoError(t, err)
		out := fmt.Sprintf("%v %+v %#v %s %q %x", v, v, v, v, v, v) + string(data) + log.String() + spew.Sdump(v)
		require.NotContains(t, out, "hunter2")
		require.NotContains(t, out, fmt.Sprintf("%x", "hunter2"))
		require.NotContains(t, out, "aHVudGVyMg")
	}
}

// TestCallsArePacedAndReported holds each operation to its quota (guide: Secrets
// Manager quotas), in parts of the 50 requests a second of RateLimit.
func TestCallsArePacedAndReported(t *testing.T) {
	for operation, do := range operations {
		t.Run(operation, func(t *testing.T) {
			srv := secretstest.NewServer(t)
			l := newLife(srv.Config())
			ref, _ := l.made(t, 1)
			t.Cleanup(func() { _, _ = l.store.RemoveReplicas(context.WithoutCancel(t.Context()), ref, "eu-west-1") })
			costs, reported := map[float64]int{}, map[string]int{}
			ctx := provider.WithPace(t.Context(), func(_ context.Context, cost float64) error { costs[cost]++; return nil })
			ctx = provider.WithCalls(ctx, func(c provider.Call) { reported[c.Operation]++ })
			_ = do(ctx, l, ref)
			require.Equal(t, 1, reported[operation])
			want := 2.0
			switch operation {
			case "DescribeSecret":
				want = 0.01
			case "ListSecrets":
				want = 1
			}
			require.Equal(t, 1, costs[want], "%v", costs)
		})
	}
}

// TestWritesAreBounded has writes wait for each other as reads do.
func TestWritesAreBounded(t *testing.T) {
	srv := secretstest.NewServer(t)
	cfg := srv.Config()
	tap := readtest.NewTap(&cfg)
	l := newLife(cfg)
	ref, _ := l.made(t, 1)
	tap.Meet(4)
	errs := make(chan error)
	for i := range 20 {
		go func() { errs <- l.store.Tag(t.Context(), ref, map[string]string{fmt.Sprint(i): ""}) }()
	}
	for range 20 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 4, tap.Most())
}
