package provider

import (
	"fmt"
	"strconv"
	"strings"
)

// Ref names a value in a store. Refs are comparable: two that are equal name
// the same value. Make one with [ParseRef].
type Ref struct {
	// Scheme chooses the provider: "sm" for Secrets Manager, "ssm" for
	// Parameter Store.
	Scheme string
	// Name is the secret's or parameter's name, or its ARN. A parameter in a
	// hierarchy begins with "/".
	Name string
	// Field is empty for the whole value, else a member of the JSON object in
	// it or, where it begins with "/", an RFC 6901 pointer into it.
	Field string
	// Stage is the staging label to read by, Secrets Manager only; empty is
	// AWSCURRENT.
	Stage string
	// Version pins a version: a secret's VersionId or a parameter's number.
	Version string
	// Label is the parameter label to read by, Parameter Store only.
	Label string
	// Region is the AWS Region to read from; empty is the provider's own. Of an
	// ARN it is the ARN's.
	Region string
}

// currentStage is the staging label that a secret is read by where no other is
// named (API GetSecretValue, parameter VersionStage).
const currentStage = "AWSCURRENT"

// ParseRef parses a reference. The forms are
//
//	sm://prod/db                     the current value of secret "prod/db"
//	sm://prod/db#password            one field of a JSON secret
//	sm://prod/db#/a/0/b              a field by RFC 6901 pointer
//	sm://prod/db?stage=AWSPREVIOUS   by staging label
//	sm://prod/db?version=<VersionId> one version, which never changes
//	ssm:///prod/app/url              parameter "/prod/app/url"
//	ssm://plain                      parameter "plain", outside any hierarchy
//	ssm:///prod/app/url?version=3    one version; natively ssm:///prod/app/url:3
//	ssm:///prod/app/url?label=blue   by label; natively ssm:///prod/app/url:blue
//	arn:aws:secretsmanager:…:secret:prod/db-AbCdEf[:json-key[:stage[:version-id]]]
//	arn:aws:ssm:…:parameter/prod/app/url
//
// and ?region=eu-west-1 with any name; several are joined by "&", and a #field
// comes last. The ARN of a secret may lack its last hyphen and six characters;
// its tail is that of valueFrom in an ECS task definition. An ARN may also
// stand after sm:// or ssm://, with a query and a field instead of the tail.
//
// Names, fields and query values may be percent-encoded; "+" stands for itself.
// Any other scheme is parsed by the same rules and left to its provider.
//
// The error is an [Error] that wraps [ErrInvalidRef] and quotes s.
func ParseRef(s string) (Ref, error) {
	r, err := parse(s, false)
	if err != nil {
		return Ref{}, &Error{Kind: ErrInvalidRef, Hint: err.Error(), text: s}
	}
	return r, nil
}

// ParsePrefix parses the prefix of a listing: "ssm:///prod/app/" for the
// parameters below a path, "sm://prod/" for the secrets whose names begin so,
// "ssm:///" and "sm://" for all. A ?region= may follow; a version, stage,
// label or field may not, and an ARN has no prefix.
func ParsePrefix(s string) (Ref, error) {
	r, err := parse(s, true)
	if err != nil {
		return Ref{}, &Error{Kind: ErrInvalidRef, Hint: err.Error(), text: s}
	}
	return r, nil
}

// Base returns the ref of the whole value: r without its field, and without a
// staging label that only says what is read anyway. Refs with one base share
// one API call and one cache entry.
func (r Ref) Base() Ref {
	r.Field = ""
	if r.Stage == currentStage {
		r.Stage = ""
	}
	return r
}

// IsARN reports whether the name is an ARN.
func (r Ref) IsARN() bool { return r.takesARN() && strings.HasPrefix(r.Name, "arn:") }

// Pinned reports whether the ref names one version, whose value never changes.
func (r Ref) Pinned() bool { return r.Version != "" }

func (r Ref) takesARN() bool { return r.Scheme == "sm" || r.Scheme == "ssm" }

// String returns the ref in its shortest form; ParseRef(r.String()) == r. It is
// meant for people, too: errors and logs name a ref by it.
func (r Ref) String() string {
	var b strings.Builder
	arn := r.IsARN()
	if r.Scheme != "" && !arn {
		b.WriteString(r.Scheme)
		b.WriteString("://")
	}
	escape(&b, r.Name)
	sep := byte('?')
	add := func(key, value string) {
		if value == "" {
			return
		}
		b.WriteByte(sep)
		b.WriteString(key)
		b.WriteByte('=')
		escape(&b, value)
		sep = '&'
	}
	add("label", r.Label)
	if !arn {
		add("region", r.Region)
	}
	add("stage", r.Stage)
	add("version", r.Version)
	if r.Field != "" {
		b.WriteByte('#')
		escape(&b, r.Field)
	}
	return b.String()
}

// escape percent-encodes the bytes that end a part of a ref, that would start
// an escape, or that could forge a line of a log.
func escape(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c == 0x7f || strings.IndexByte("%?#&", c) >= 0:
			fmt.Fprintf(b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
}

// validVersionNumber reports whether s is a parameter version: they are counted
// from 1 (API GetParameter).
func validVersionNumber(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == s
}
