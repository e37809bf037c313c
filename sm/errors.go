package sm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// What is read from an answer and not from an error of AWS.
var (
	errNoVersion = errors.New("no such version")
	errDeleted   = errors.New("marked for deletion")
)

// explain makes the error of a ref from what the SDK said of an operation.
func (s *Store) explain(ref provider.Ref, op string, err error) error {
	e := &provider.Error{Ref: ref}
	if err != errNoVersion && err != errDeleted {
		e.Err = awsread.Clean(err)
	}
	said := awsread.Message(err)
	var notFound *types.ResourceNotFoundException
	var badRequest *types.InvalidRequestException
	switch {
	case err == errNoVersion, errors.As(err, &notFound) && strings.Contains(said, "secret value for"):
		// "… can't find the specified secret value for staging label: X", or
		// "… for VersionId: X"; of a secret created without a value, for AWSCURRENT.
		e.Kind = provider.ErrVersionNotFound
		switch {
		case ref.Version != "":
			e.Hint = "the secret has no such version; versions without a staging label are removed in time"
		case ref.Base().Stage != "":
			e.Hint = "no version of the secret carries this staging label"
		default:
			e.Hint = "the secret has no value yet"
		}
	case errors.As(err, &notFound):
		e.Kind = provider.ErrNotFound
		e.Hint = fmt.Sprintf("check the name and the Region (%s)", s.clients.Region(ref.Region))
		if bare, slash := strings.CutPrefix(ref.Name, "/"); slash {
			e.Hint += ": its name begins with a slash here, which sm://" + bare + " has not"
		}
	case err == errDeleted, errors.As(err, &badRequest) && deleted(said):
		e.Kind = provider.ErrDeleted
		e.Hint = "RestoreSecret brings it back"
	default:
		e.Hint, e.Kind = awsread.Reason(err)
		if e.Kind == provider.ErrAccessDenied && e.Hint == "" {
			e.Hint = allow(op, s.foreign(ref.Name))
		}
	}
	return e
}

// deleted knows both wordings: what the service answers, and what the API
// reference says of InvalidRequestException.
func deleted(said string) bool {
	return strings.Contains(said, "marked for deletion") || strings.Contains(said, "marked deleted") || strings.Contains(said, "scheduled for deletion")
}

func allow(op string, foreign bool) string {
	switch {
	case op == batchOp: // an item of a batch is refused for its own sake
		op = "GetSecretValue"
	case op == "ListSecrets", op == "GetRandomPassword":
		return "allow secretsmanager:" + op + " on *"
	}
	if foreign {
		return "allow secretsmanager:" + op + " on it, here and in its own account's resource policy"
	}
	return "allow secretsmanager:" + op + " on it"
}

// itemError makes of one secret's error in a batch what GetSecretValue would
// have failed with, so that errors.As finds the same types.
func itemError(e types.APIErrorType) error {
	var api smithy.APIError
	switch code := aws.ToString(e.ErrorCode); code {
	case "ResourceNotFoundException":
		api = &types.ResourceNotFoundException{Message: e.Message}
	case "InvalidRequestException":
		api = &types.InvalidRequestException{Message: e.Message}
	case "InvalidParameterException":
		api = &types.InvalidParameterException{Message: e.Message}
	case "DecryptionFailure":
		api = &types.DecryptionFailure{Message: e.Message}
	case "InternalServiceError":
		api = &types.InternalServiceError{Message: e.Message}
	default:
		api = &smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)}
	}
	return &smithy.OperationError{ServiceID: secretsmanager.ServiceID, OperationName: batchOp, Err: api}
}
