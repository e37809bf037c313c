package sm

import (
	"strings"

	"github.com/aws/smithy-go"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// refused explains the error of an operation that writes or manages.
func (s *Store) refused(ref provider.Ref, op string, err error, secrets ...provider.Value) error {
	e, ok := s.explain(ref, op, err).(*provider.Error)
	if !ok {
		return err
	}
	code, said := awsread.Code(err), awsread.Message(err)
	switch {
	case code == "InvalidRequestException" && e.Kind != provider.ErrDeleted:
		e.Hint, e.Kind = requestRefused(op, said)
	case e.Kind == provider.ErrDeleted && op == "CreateSecret":
		e.Hint = "a secret of this name waits to be deleted: RestoreSecret brings it back, DeleteNow frees the name"
	case code == "InvalidParameterException", code == "ValidationException":
		e.Kind, e.Hint = ErrInvalid, parameterRefused(said)
	case code == "ResourceExistsException":
		e.Kind, e.Hint = provider.ErrConflict, "it exists already: PutVersion, or a Put without IfAbsent, gives it a new version"
		if strings.Contains(said, "ClientRequestToken") {
			e.Hint = "the token is that of a version with other content: take a new token for each write"
		}
	case code == "LimitExceededException":
		e.Kind, e.Hint = ErrInvalid, limitReached(op, said)
	case code == "PublicPolicyException":
		e.Kind, e.Hint = ErrInvalid, "the policy lets in more than the principals it means: name them, or set PolicyOptions.AllowPublic"
	case code == "MalformedPolicyDocumentException":
		e.Kind, e.Hint = ErrInvalid, "the policy has errors: ValidatePolicy lists them"
	case e.Kind == provider.ErrAccessDenied && op == "RotateSecret" && strings.Contains(said, "invoke"):
		e.Hint = "the function's own policy has to allow secretsmanager.amazonaws.com to invoke it"
	case code == "PreconditionNotMetException":
		e.Kind, e.Hint = ErrInvalid, "something else has to be done first"
	case code == "EncryptionFailure", e.Kind == provider.ErrDecryption:
		e.Kind, e.Hint = provider.ErrDecryption, "allow kms:GenerateDataKey and kms:Decrypt on its KMS key, and check that the key exists in this Region and is enabled"
	}
	conceal(e, secrets)
	return e
}

// requestRefused tells the causes of an InvalidRequestException apart (API,
// InvalidRequestException; RotateSecret).
func requestRefused(op, said string) (hint string, kind error) {
	lower := strings.ToLower(said)
	switch {
	case strings.Contains(lower, "rotation") && (strings.Contains(lower, "isn't complete") || strings.Contains(lower, "in progress")):
		return "AWSPENDING is on another version than AWSCURRENT: wait until the rotation ends, or CancelRotation and remove AWSPENDING from that version", provider.ErrConflict
	case strings.Contains(lower, "managed by"):
		return "another service of AWS owns the secret (Metadata.OwningService): change it there", ErrInvalid
	case op == "RotateSecret" && strings.Contains(lower, "lambda"):
		return "say in RotateOptions.Lambda what rotates it", ErrInvalid
	case op == "StopReplicationToReplica":
		return "it is no replica: name the replica in its own Region, by ?region= or its ARN", ErrInvalid
	case op == "PutResourcePolicy":
		return "the policy would lock out who puts it: ValidatePolicy tells more", ErrInvalid
	}
	return "", ErrInvalid
}

// parameterRefused tells apart what can be cured.
func parameterRefused(said string) (hint string) {
	switch {
	case strings.Contains(said, "replica secret"):
		return "it is a replica: do this to the primary, in its own Region, or PromoteReplica first"
	case strings.Contains(said, "replica regions"):
		return "RemoveReplicas first"
	}
	return ""
}

// limitReached names the quota (guide: Secrets Manager quotas; API
// PutSecretValue).
func limitReached(op, said string) (hint string) {
	switch {
	case op == "UpdateSecretVersionStage", strings.Contains(said, "label"):
		return "a version carries at most 20 staging labels: remove one by RemoveStage"
	case op == "PutSecretValue", op == "UpdateSecret", op == "RotateSecret":
		return "a secret keeps 100 versions, and none that has a label or is younger than 24 hours makes room: write it at most once in ten minutes, and remove labels that nothing reads"
	case op == "CreateSecret":
		return "the account has as many secrets in this Region as its quota allows"
	}
	return ""
}

// conceal takes AWS's message out of an error if it quotes a secret, as the
// message of a ValidationException may quote what it refuses.
func conceal(e *provider.Error, secrets []provider.Value) {
	if e.Err == nil {
		return
	}
	for _, v := range secrets {
		switch code := awsread.Code(e.Err); {
		case v.Text() == "" || !strings.Contains(e.Err.Error(), v.Text()):
		case code == "ValidationException", code == "InvalidParameterException", code == "SerializationException":
			e.Err = &smithy.GenericAPIError{Code: code, Message: "the message is left out because it quotes the value"}
			return
		}
	}
}
