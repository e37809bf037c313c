package transfer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/c0629bfc/secrets/provider"
)

// Limits of values and names, from the API references of PutParameter and
// PutSecretValue. The stores check them too, but one value at a time and when
// others have been written.
const (
	maxStandard = 4096   // bytes
	maxAdvanced = 8192   // bytes
	maxSecret   = 65_536 // bytes

	maxParameterName = 1011 // characters, with those of the ARN before the name
	// shortestARN precedes the name where the Region's own name is short.
	shortestARN = len("arn:aws:ssm:us-east-1:123456789012:parameter/")
)

var nested = regexp.MustCompile(`(?s)\{\{.*\}\}`)

// targetType returns the type under which a value of the type is written.
func targetType(t provider.Type, scheme string) provider.Type {
	switch {
	case scheme == "sm" && t != provider.SecretBinary:
		return provider.SecretString
	case scheme == "ssm" && (t == provider.SecretString || t == ""):
		return provider.SecureString
	}
	return t
}

// tier returns the tier that a value of the size needs.
func tier(scheme string, size int) string {
	switch {
	case scheme != "ssm":
		return ""
	case size > maxStandard:
		return "Advanced"
	}
	return "Standard"
}

// checkName holds the name of a target to its store's rules.
func checkName(ref provider.Ref) error {
	invalid := func(hint string) error {
		return &provider.Error{Ref: ref, Kind: provider.ErrInvalidRef, Hint: hint}
	}
	if _, err := provider.ParseRef(ref.String()); err != nil || ref.Scheme != "ssm" {
		return err
	}
	first := strings.ToLower(strings.TrimPrefix(ref.Name, "/"))
	switch {
	case ref.IsARN():
		return invalid("a parameter is written by its name, not by its ARN")
	case strings.HasPrefix(first, "aws"), strings.HasPrefix(first, "ssm"):
		return invalid(`a parameter's name does not begin with "aws" or "ssm", in whatever case`)
	case strings.Contains(ref.Name, "/") && !strings.HasPrefix(ref.Name, "/"), strings.Contains(ref.Name, "//"):
		return invalid("the path of a parameter begins with a slash and has single ones")
	case len(ref.Name)+shortestARN > maxParameterName:
		return invalid(fmt.Sprintf("a parameter's name and the ARN before it have at most %d characters", maxParameterName))
	}
	return nil
}

// check says what keeps a value from being written over what is there.
func (it *Item) check(there provider.Value, o options) error {
	invalid := func(format string, args ...any) error {
		return &provider.Error{Ref: it.Target, Kind: provider.ErrInvalid, Hint: fmt.Sprintf(format, args...)}
	}
	switch it.Target.Scheme {
	case "sm":
		switch {
		case it.Size == 0:
			return invalid("the value is empty, which Secrets Manager does not store")
		case it.Size > maxSecret:
			return invalid("the value has %d bytes: a secret holds %d", it.Size, maxSecret)
		}
	case "ssm":
		switch text := it.value.Text(); {
		case it.Type == provider.SecretBinary:
			return invalid("a SecretBinary cannot be a parameter, which is text: encode it, as base64 say, and put that")
		case it.Size == 0:
			return invalid("the value is empty: a parameter holds a byte at least")
		case !utf8.ValidString(text):
			return invalid("the value is not UTF-8, and a parameter is text")
		case it.Size > maxAdvanced:
			return invalid("the value has %d bytes: a parameter holds %d at most", it.Size, maxAdvanced)
		case it.Size > maxStandard && !o.advanced:
			return invalid("the value has %d bytes, which takes a parameter of the advanced tier and its price: WithAdvanced permits that", it.Size)
		case nested.MatchString(text):
			return invalid(`the value has "{{…}}" in it, which Parameter Store takes for a reference to another parameter`)
		case there.Type() != "" && there.Type() != it.TargetType:
			return invalid("the target is a %s, and overwriting it does not make it a %s: delete it, or copy to another name", there.Type(), it.TargetType)
		}
	}
	return nil
}
