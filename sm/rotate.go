package sm

import (
	"context"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// RotateOptions is how [Store.Rotate] is to rotate a secret. What is zero stays
// as the secret has it.
type RotateOptions struct {
	// Lambda is the ARN of the function that rotates the secret. It is empty for
	// managed rotation and for managed external secrets.
	Lambda   string
	Schedule Schedule
	// Defer has the secret rotated in its next window and not at once. AWS then
	// runs the step testSecret of the function only; the window that was
	// scheduled before may still be used, but for one by a cron expression (API
	// RotateSecret, RotateImmediately).
	Defer bool
	// Token becomes the ID of the new version, 32 to 64 characters; empty lets
	// the store make one.
	Token string

	// Of a managed external secret: the ARN of the role that Secrets Manager
	// assumes, and what the partner asks for (guide: Managed external secrets).
	ExternalRole     string
	ExternalMetadata map[string]string
}

// Rotate turns rotation on, or changes how it is done, and begins one unless
// that is deferred. It returns the ID of the new version. Rotation goes on after
// the call: it is over when AWSCURRENT has moved to that version, as
// [Store.Describe] tells.
//
// While AWSPENDING is on another version than AWSCURRENT, a rotation is in
// progress, or one has failed, and the error wraps [provider.ErrConflict].
func (s *Store) Rotate(ctx context.Context, ref string, opts RotateOptions) (version string, err error) {
	t, err := s.target(ref)
	if err != nil {
		return "", err
	}
	if err := opts.Schedule.Check(); err != nil {
		return "", t.invalid("%v", err)
	}
	if err := firstError(
		t.checkToken(opts.Token),
		t.checkLength("the function's ARN", opts.Lambda, maxARN),
		t.checkExternal(opts.ExternalRole, opts.ExternalMetadata),
	); err != nil {
		return "", err
	}
	token := tokenOr(opts.Token)
	in := &secretsmanager.RotateSecretInput{
		SecretId:                      &t.id,
		ClientRequestToken:            &token,
		RotationLambdaARN:             orNil(opts.Lambda),
		RotationRules:                 opts.Schedule.rules(),
		RotateImmediately:             aws.Bool(!opts.Defer),
		ExternalSecretRotationRoleArn: orNil(opts.ExternalRole),
	}
	for _, key := range slices.Sorted(maps.Keys(opts.ExternalMetadata)) {
		in.ExternalSecretRotationMetadata = append(in.ExternalSecretRotationMetadata, types.ExternalSecretRotationMetadataItem{Key: aws.String(key), Value: aws.String(opts.ExternalMetadata[key])})
	}
	out, err := call(ctx, s, t, "RotateSecret", t.client.RotateSecret, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.VersionId), nil
}

// checkExternal holds the settings of a managed external secret against the
// API's model.
func (t target) checkExternal(role string, metadata map[string]string) error {
	if n := len(role); n != 0 && (n < minRole || n > maxARN) {
		return t.invalid("the role's ARN has %d characters: want %d to %d", n, minRole, maxARN)
	}
	for key, value := range metadata {
		if n := utf8.RuneCountInString(key); n < 1 || n > maxMetadataKey {
			return t.invalid("a key of the external metadata has 1 to %d characters, not %d", maxMetadataKey, n)
		}
		if n := utf8.RuneCountInString(value); n < 1 || n > maxMetadataValue {
			return t.invalid("the external metadata's value of %q has 1 to %d characters, not %d", key, maxMetadataValue, n)
		}
	}
	return nil
}

// CancelRotation turns rotation off and cancels one that is in progress. It
// returns the ID of the version that one was making, or "". That version keeps
// AWSPENDING, which bars the next rotation until [Store.RemoveStage] takes it
// away; if the server took the new password already, Promote the version
// instead.
func (s *Store) CancelRotation(ctx context.Context, ref string) (version string, err error) {
	t, err := s.target(ref)
	if err != nil {
		return "", err
	}
	out, err := call(ctx, s, t, "CancelRotateSecret", t.client.CancelRotateSecret, &secretsmanager.CancelRotateSecretInput{SecretId: &t.id})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.VersionId), nil
}
