package awsread

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/c0629bfc/secrets/provider"
)

// Reason tells why a call failed, as far as all services of AWS tell it alike.
// The kind is one of package provider's Err values, and [provider.ErrUnavailable]
// where nothing better is known; the hint, which may be empty, says what to do.
//
// What AWS says of the caller's credentials is told apart from what it says of
// permissions: credentials that it does not accept are ErrAccessDenied, since
// that is how a revoked key looks. Credentials that have expired or cannot be
// fetched just now are ErrUnavailable: the identity still has its permissions,
// and what was read with them is as good as in any other outage.
func Reason(err error) (hint string, kind error) {
	code := Code(err)
	switch {
	case throttled(code), code == "" && status(err) == http.StatusTooManyRequests:
		return "the account's request quota in this Region is exceeded", provider.ErrThrottled
	case strings.HasPrefix(code, "KMS"), code == "DecryptionFailure", code == "InvalidKeyId", Denied(err) && namesKMS(err):
		return "allow kms:Decrypt on its KMS key and check that the key is enabled", provider.ErrDecryption
	case Denied(err):
		return "", provider.ErrAccessDenied
	case expired(code):
		return "the credentials have expired: check what refreshes them, and the clock", provider.ErrUnavailable
	}
	switch code {
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "InvalidSignatureException",
		"SignatureDoesNotMatch", "IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "AuthFailure", "OptInRequired":
		return "AWS does not accept the credentials: check that they are complete, of the right account and not revoked, and that the clock is right", provider.ErrAccessDenied
	case "ValidationException", "InvalidParameterException":
		return "", provider.ErrInvalidRef
	}
	if unidentified(err) {
		// No network there is an outage, no credentials a fault in the set-up.
		hint := "no AWS credentials could be fetched"
		if outage(err) {
			return hint, provider.ErrUnavailable
		}
		return hint, provider.ErrAccessDenied
	}
	if err != nil && strings.Contains(err.Error(), "Missing Region") {
		return "no Region is set: set AWS_REGION, or add ?region= to the ref", provider.ErrUnavailable
	}
	return "", provider.ErrUnavailable
}

// Code returns the code of the service's own error, or "".
func Code(err error) string {
	if api := apiError(err); api != nil {
		return api.ErrorCode()
	}
	return ""
}

// Message returns the message of the service's own error, or "".
func Message(err error) string {
	if api := apiError(err); api != nil {
		return api.ErrorMessage()
	}
	return ""
}

func apiError(err error) smithy.APIError {
	if api, ok := errors.AsType[smithy.APIError](err); ok && !unidentified(err) {
		return api
	}
	return nil
}

// unidentified reports whether the call was not made for want of credentials.
// The SDK has no type for this, and what it wraps is the error of whatever was
// asked for them: STS's AccessDenied, say, which tells nothing of the store.
func unidentified(err error) bool {
	return err != nil && strings.Contains(err.Error(), "get identity: ")
}

// Denied reports whether IAM refused the call.
func Denied(err error) bool {
	code := Code(err)
	return code == "AccessDeniedException" || code == "AccessDenied"
}

// UnknownOperation reports whether the endpoint does not know the operation,
// as an old emulator may not.
func UnknownOperation(err error) bool {
	code := Code(err)
	return code == "UnknownOperationException" || code == "UnknownOperation" || status(err) == http.StatusNotImplemented && !unidentified(err)
}

// Concerns reports whether the error of a call for several values may be due
// to one of them, so that each is to be asked for by itself: it is neither an
// outage nor a limit, and does not concern the caller's credentials.
func Concerns(err error) bool {
	_, kind := Reason(err)
	switch kind {
	case provider.ErrThrottled:
		return false
	case provider.ErrUnavailable:
		// A code that is not known here, of the caller's making.
		code := Code(err)
		return code != "" && status(err) < 500 && !expired(code)
	case provider.ErrAccessDenied:
		return Denied(err)
	}
	return true
}

// Clean returns err without what could carry a value.
//
// The SDK's error on an answer that it cannot decode quotes the answer: by the
// text of its cause ("expected '{', got …") and by the field Snapshot of
// [smithy.DeserializationError]. All types of the chain are kept, and the
// causes that are known to be no quote.
func Clean(err error) error {
	bad, ok := errors.AsType[*smithy.DeserializationError](err)
	if !ok {
		return err
	}
	cause := errors.New("the answer is malformed")
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(bad, known) {
			cause = known
		}
	}
	if network, ok := errors.AsType[*net.OpError](bad); ok {
		cause = network
	}
	var clean error = &smithy.DeserializationError{Err: cause}
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.ResponseError != nil && r.Response != nil {
		answer := &http.Response{Status: r.Response.Status, StatusCode: r.Response.StatusCode, Header: r.Response.Header, Body: http.NoBody}
		clean = &awshttp.ResponseError{
			ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: answer}, Err: clean},
			RequestID:     r.RequestID,
		}
	}
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		clean = &smithy.OperationError{ServiceID: op.ServiceID, OperationName: op.OperationName, Err: clean}
	}
	return clean
}

func throttled(code string) bool {
	switch code {
	case "LimitExceededException", "TransactionInProgressException":
		// In the SDK's list for the sake of other services: here the former is
		// about the number of secrets, and the latter does not occur.
		return false
	}
	_, ok := retry.DefaultThrottleErrorCodes[code]
	return ok || strings.Contains(code, "Throttl") || code == "ProvisionedThroughputExceeded"
}

// namesKMS reports whether a refusal is about the KMS key and not about the
// value: Secrets Manager says "Access to KMS is not allowed", Parameter Store
// hands on what KMS said, and IAM names the action. A secret's own name may
// contain "kms", which is not enough.
func namesKMS(err error) bool {
	said := strings.ToLower(Message(err))
	for _, sign := range []string{"perform: kms:", "access to kms", "service: awskms", "service: kms", "the ciphertext refers to"} {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}

func expired(code string) bool {
	return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "RequestExpired"
}

// outage reports whether what failed is a network or a server, or took too
// long, or was asked too often.
func outage(err error) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok && throttled(api.ErrorCode()) {
		return true
	}
	_, network := errors.AsType[net.Error](err)
	return network || status(err) >= 500 || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// status returns the HTTP status of the answer, or 0 if there was none.
func status(err error) int {
	if r, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}
