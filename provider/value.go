package provider

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Type says what kind of value the store holds, in the store's own words.
type Type string

// The types of AWS Secrets Manager and of Parameter Store.
const (
	SecretString Type = "SecretString"
	SecretBinary Type = "SecretBinary"
	String       Type = "String"
	StringList   Type = "StringList"
	SecureString Type = "SecureString"
)

// Value is one version of a secret or parameter, or of one field of it. It is
// immutable, small (one word) and cheap to pass by value; == tells whether two
// are the same object, which is what a value that did not change stays.
//
// Only [Value.Text] and [Value.Bytes] give the content away. Formatting a
// Value in any way (every fmt verb, slog, encoding/json, encoding/xml,
// text/template, a debug dump that follows pointers) prints a redaction.
//
// The zero Value is empty and belongs to the zero [Ref].
type Value struct{ p *payload }

// payload keeps the content behind a function, because printers that ignore
// methods and follow pointers by reflection print a func as its address.
type payload struct {
	ref     Ref
	version Version
	typ     Type
	reveal  func() string
}

// NewValue is for providers: it makes the value of ref from what the store
// returned. Content is text or, for [SecretBinary], arbitrary bytes.
func NewValue(ref Ref, version Version, typ Type, content string) Value {
	return Value{&payload{ref: ref, version: version, typ: typ, reveal: func() string { return content }}}
}

// Text returns the content as a string. For a binary value it is the bytes
// unchanged; [Value.Binary] tells.
func (v Value) Text() string {
	if v.p == nil {
		return ""
	}
	return v.p.reveal()
}

// Bytes returns a copy of the content.
func (v Value) Bytes() []byte { return []byte(v.Text()) }

// Version returns the version that the content belongs to. All fields of one
// version of a secret share it.
func (v Value) Version() Version {
	if v.p == nil {
		return Version{}
	}
	return v.p.version
}

// Ref returns the ref that the value was read by.
func (v Value) Ref() Ref {
	if v.p == nil {
		return Ref{}
	}
	return v.p.ref
}

// Type returns the store's type of the value that was read. A field has the
// type of the value it is part of.
func (v Value) Type() Type {
	if v.p == nil {
		return ""
	}
	return v.p.typ
}

// Binary reports whether the store holds the value as bytes and not as text.
func (v Value) Binary() bool { return v.Type() == SecretBinary }

// WithRef returns the same content under another ref: the name that a caller
// used for it.
func (v Value) WithRef(ref Ref) Value {
	if v.p == nil || v.p.ref == ref {
		return v
	}
	p := *v.p
	p.ref = ref
	return Value{&p}
}

// Field returns one field of a JSON value: a member of the object by its name
// or, where field begins with "/", what an RFC 6901 pointer points at. Of a
// JSON string it is the text; of anything else the JSON as it is written. The
// result's ref is the value's with the field added.
//
// A value that is not JSON, a field that is not there and one that is null
// give an [Error] that wraps [ErrFieldNotFound].
func (v Value) Field(field string) (Value, error) {
	ref := v.Ref()
	ref.Field = field
	fail := func(hint string) (Value, error) {
		return Value{}, &Error{Ref: ref, Kind: ErrFieldNotFound, Hint: hint}
	}
	steps, err := fieldSteps(field)
	if err != nil {
		return fail(err.Error())
	}
	// The errors of encoding/json quote their input, so none of them is wrapped.
	raw := json.RawMessage(v.Text())
	if !json.Valid(raw) {
		return fail("the value is not JSON: drop the #field to read it whole")
	}
	for i, step := range steps {
		next, ok := member(raw, step)
		if !ok {
			if i == 0 && len(steps) == 1 && kindOf(raw) != '{' {
				return fail("the value is JSON but not an object")
			}
			return fail("the JSON has no such member")
		}
		raw = next
	}
	content := strings.TrimSpace(string(raw))
	switch kindOf(raw) {
	case 'n':
		return fail("the field is null")
	case '"':
		if err := json.Unmarshal(raw, &content); err != nil {
			return fail("the field is not a valid JSON string")
		}
	}
	return NewValue(ref, v.Version(), v.Type(), content), nil
}

// redacted is what every way of printing a Value prints.
const redacted = "[redacted]"

// String returns a redaction.
func (v Value) String() string { return redacted }

// GoString returns a redaction.
func (v Value) GoString() string { return redacted }

// Format implements [fmt.Formatter]: every verb prints a redaction.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer] with a redaction.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler with a redaction.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler with a redaction.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
