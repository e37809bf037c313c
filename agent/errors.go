package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"unicode"

	"github.com/c0629bfc/secrets/provider"
)

// Error is what the agent answered where it had no value: find it by
// [errors.AsType] in the error of a read.
type Error struct {
	Status  int    // of HTTP
	Code    string // what AWS said, such as ResourceNotFoundException; "" if it was the agent itself
	Message string // AWS's, where the agent hands it on as such

	says sign
}

// Error returns the status, the code and the message.
func (e *Error) Error() string {
	text := fmt.Sprintf("the agent answered %d", e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// sign is what else the text of an answer tells. The text itself is not kept.
type sign int

const (
	nothing sign = iota
	noVersion
	deleted
	aboutKMS
	starting
	forwarded
)

var signs = []struct {
	text string
	sign sign
}{
	{"secret value for", noVersion},
	{"marked for deletion", deleted}, {"marked deleted", deleted}, {"scheduled for deletion", deleted},
	{"perform: kms:", aboutKMS}, {"access to kms", aboutKMS}, {"service: awskms", aboutKMS}, {"service: kms", aboutKMS}, {"the ciphertext refers to", aboutKMS},
	// The extension outside of an invocation: 400, "not ready to serve traffic,
	// please wait"; the agent as an extension: 503, "Serving not enabled. …".
	{"not ready to serve", starting}, {"serving not enabled", starting},
	{"forwarded", forwarded}, // the agent, of X-Forwarded-For: 400, "Forwarded"
}

// codes are the errors of AWS that tell something, for where the agent does not
// hand them on as such; the longer of two that begin alike is first.
var codes = []string{
	"ResourceNotFoundException", "ParameterVersionNotFound", "ParameterNotFound", "InvalidRequestException",
	"AccessDeniedException", "DecryptionFailure", "InvalidKeyId", "KMSAccessDeniedException", "KMSDisabledException",
	"ThrottlingException", "TooManyRequestsException", "InvalidParameterException", "ValidationException",
	"ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "InternalServiceError",
}

// newError reads an answer that is not 200. The agent answers with what AWS
// said, {"__type":CODE,"message":MESSAGE}, in which it does not escape the
// message, or with a text of its own; the extension's form is not documented.
func newError(status int, body []byte) *Error {
	e, text := &Error{Status: status}, string(body)
	for _, s := range signs {
		if strings.Contains(strings.ToLower(text), s.text) {
			e.says = s.sign
			break
		}
	}
	var aws struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &aws) == nil && aws.Type != "" {
		e.Code = aws.Type[strings.LastIndexByte(aws.Type, '#')+1:]
		e.Message = clean(aws.Message)
		return e
	}
	for _, code := range codes {
		if strings.Contains(text, code) {
			e.Code = code
			break
		}
	}
	return e
}

// clean bounds a message and keeps it on its line.
func clean(message string) string {
	if len(message) > 1024 {
		message = message[:1024] + "…"
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(message, "?"))
}

// notReady reports whether the agent may be there in a moment.
func notReady(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	return e.Code == "" && (e.Status == http.StatusServiceUnavailable || e.says == starting)
}

// refreshRefused reports whether a request may have failed for its refreshNow.
func refreshRefused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusBadRequest && e.Code == "" && e.says == nothing
}

// known reports whether the agent understood what it was asked: it has a value, or
// AWS's reason for having none.
func known(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return err == nil || ok && e.Code != ""
}

// explain makes the error of a ref.
func (s *Store) explain(ref provider.Ref, err error) error {
	out := &provider.Error{Ref: ref, Kind: provider.ErrUnavailable, Err: err}
	if e, ok := errors.AsType[*Error](err); ok {
		out.Hint, out.Kind = s.reason(ref, e)
		return out
	}
	if _, ok := errors.AsType[otherRegion](err); ok {
		out.Kind, out.Hint = provider.ErrInvalidRef, "drop ?region="+ref.Region+", or read it by package "+s.api.scheme
		return out
	}
	_, network := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, errNotLoopback):
	case network && s.endpoint != nil:
		out.Hint = "does the agent run, and listen on " + s.endpoint.Host + "?"
	}
	return out
}

// reason tells why the agent gave no value, by AWS's codes first: as package
// internal/awsread does for the SDK's errors.
func (s *Store) reason(ref provider.Ref, e *Error) (hint string, kind error) {
	switch code := e.Code; {
	case code == "ParameterVersionNotFound", (code == "ResourceNotFoundException" || code == "ParameterNotFound") && e.says == noVersion:
		return "it has no such version, stage or label, or no value yet", provider.ErrVersionNotFound
	case code == "ResourceNotFoundException", code == "ParameterNotFound":
		return "check the name and the agent's Region", provider.ErrNotFound
	case code == "InvalidRequestException" && e.says == deleted:
		return "RestoreSecret brings it back", provider.ErrDeleted
	case strings.Contains(code, "Throttl"), strings.HasPrefix(code, "TooManyRequests"), code == "RequestLimitExceeded", code == "ProvisionedThroughputExceeded":
		return "the account's request quota in this Region is exceeded", provider.ErrThrottled
	case strings.HasPrefix(code, "KMS"), code == "DecryptionFailure", code == "InvalidKeyId", strings.HasPrefix(code, "AccessDenied") && e.says == aboutKMS:
		return "allow kms:Decrypt on its KMS key to the agent's identity and check that the key is enabled", provider.ErrDecryption
	case strings.HasPrefix(code, "AccessDenied"):
		return "allow " + s.allow() + " on it to the agent's identity", provider.ErrAccessDenied
	case strings.HasPrefix(code, "ExpiredToken"), code == "RequestExpired":
		return "the agent's credentials have expired", provider.ErrUnavailable
	case code == "UnrecognizedClientException", code == "InvalidClientTokenId", strings.HasPrefix(code, "InvalidSignature"), strings.HasPrefix(code, "SignatureDoesNotMatch"):
		return "AWS does not accept the agent's credentials", provider.ErrAccessDenied
	case code == "InvalidParameterException", code == "ValidationException":
		return "", provider.ErrInvalidRef
	case code != "":
		return "", provider.ErrUnavailable
	}
	switch {
	case notReady(e):
		return "it is not ready yet; on Lambda it answers only while a function is invoked, so read in the handler", provider.ErrUnavailable
	case e.Status == http.StatusForbidden, e.Status == http.StatusUnauthorized:
		return "it does not accept the token: see WithToken for where that comes from", provider.ErrAccessDenied
	case e.Status == http.StatusTooManyRequests:
		return "it has too many connections: raise its max_conn, or lower WithConcurrency", provider.ErrThrottled
	case e.Status == http.StatusNotFound && s.api.scheme == "ssm":
		return "the AWS Secrets Manager Agent has no parameters, the Lambda extension has: read them by package ssm", provider.ErrUnavailable
	case e.Status == http.StatusNotFound, e.Status/100 == 3:
		return "what listens there is not the agent", provider.ErrUnavailable
	case e.says == forwarded:
		return "something on the way adds X-Forwarded-For, which the agent refuses", provider.ErrUnavailable
	}
	return "", provider.ErrUnavailable
}

// allow is the actions that the agent needs.
func (s *Store) allow() string {
	if s.api.scheme == "sm" {
		return "secretsmanager:GetSecretValue and secretsmanager:DescribeSecret"
	}
	return "ssm:GetParameter"
}
