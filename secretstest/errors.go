package secretstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// fail makes an error answer with status 400. Arguments are identifiers and
// limits, never secret values.
func fail(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// invalid is the answer to an input that breaks a constraint of the service's
// model. AWS quotes the offending value; this server does not, for it may be
// the secret.
func invalid(member, constraint string) error {
	return fail("ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint: %s", member, constraint)
}

// checkLength is invalid for a length outside least to most.
func checkLength(member string, n, least, most int) error {
	switch {
	case n < least:
		return invalid(member, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case n > most:
		return invalid(member, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
	return nil
}

// checkRange is invalid for a given value outside least to most.
func checkRange(member string, value *int64, least, most int64) error {
	switch {
	case value == nil:
		return nil
	case *value < least:
		return invalid(member, fmt.Sprintf("Member must have value greater than or equal to %d", least))
	case *value > most:
		return invalid(member, fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
	return nil
}

func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Internal()
}

// capitalMessage lists the errors whose model names the member "Message"; all
// others have "message".
var capitalMessage = map[string]bool{
	"DecryptionFailure":                true,
	"EncryptionFailure":                true,
	"InternalServiceError":             true,
	"InvalidNextTokenException":        true,
	"InvalidParameterException":        true,
	"InvalidRequestException":          true,
	"LimitExceededException":           true,
	"MalformedPolicyDocumentException": true,
	"PreconditionNotMetException":      true,
	"PublicPolicyException":            true,
	"ResourceExistsException":          true,
	"ResourceNotFoundException":        true,

	"InternalServerError":                      true,
	"InvalidFilterValue":                       true,
	"InvalidNextToken":                         true,
	"MalformedResourcePolicyDocumentException": true,
	"ResourcePolicyConflictException":          true,
	"ResourcePolicyInvalidParameterException":  true,
	"ResourcePolicyLimitExceededException":     true,
	"ResourcePolicyNotFoundException":          true,
	"ServiceSettingNotFound":                   true,
	"TooManyUpdates":                           true,
}

// encodeError returns status, code and body of an error answer.
func encodeError(service string, e *Error) (int, string, []byte) {
	code := e.Code
	if service == "AmazonSSM" && code == "InternalServiceError" {
		code = "InternalServerError"
	}
	fields := map[string]string{"__type": code}
	if e.Message != "" {
		key := "message"
		if capitalMessage[code] {
			key = "Message"
		}
		fields[key] = e.Message
	}
	body, _ := json.Marshal(fields) // a map of strings always encodes
	status := e.Status
	if status < http.StatusBadRequest || status > 599 {
		status = http.StatusBadRequest
	}
	return status, code, body
}
