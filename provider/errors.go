package provider

import (
	"errors"
	"fmt"
	"strings"
)

// The reasons for which a value cannot be read or written. Test for them with
// [errors.Is]; the error of the store's SDK, where there is one, stays
// reachable by [errors.As].
var (
	// ErrNotFound: the store has no such secret or parameter.
	ErrNotFound = errors.New("not found")
	// ErrVersionNotFound: it exists, but not in that version, or no version
	// carries that staging label or parameter label.
	ErrVersionNotFound = errors.New("version not found")
	// ErrFieldNotFound: the value was read, but it is not JSON or has no such
	// field.
	ErrFieldNotFound = errors.New("field not found")
	// ErrNotText: the value is binary and was asked for as text.
	ErrNotText = errors.New("value is binary, not text")
	// ErrDecode: the value was read, but it is not what its reader expects: not
	// a number, not JSON of that shape, not a certificate.
	ErrDecode = errors.New("value cannot be decoded")
	// ErrAccessDenied: the caller's IAM identity may not do this.
	ErrAccessDenied = errors.New("access denied")
	// ErrDecryption: the store could not decrypt it with its KMS key.
	ErrDecryption = errors.New("decryption failed")
	// ErrThrottled: the store refused the call because there were too many.
	ErrThrottled = errors.New("throttled")
	// ErrDeleted: the secret is scheduled for deletion and cannot be read
	// unless it is restored.
	ErrDeleted = errors.New("scheduled for deletion")
	// ErrInvalidRef: the ref is malformed, or names something that the store
	// can never hold.
	ErrInvalidRef = errors.New("invalid ref")
	// ErrInvalid: what was asked for breaks a rule or a quota of the store, and
	// asking again does not help.
	ErrInvalid = errors.New("invalid request")
	// ErrConflict: a write was not made, or not as the current version, because
	// the value is not as the writer expected it.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable: the store could not be reached, failed, or did not
	// answer in time. Every failure that has no kind of its own is of this one.
	ErrUnavailable = errors.New("store unavailable")
)

// Error is a failed read or write of one [Ref]. It prints the ref, what went wrong,
// what to do about it and what the store said; never a value.
type Error struct {
	Ref  Ref
	Kind error  // one of the package's Err values
	Hint string // what to do about it, or more about what is wrong; may be empty
	Err  error  // the store's own error; may be nil

	text string // what was to be a ref, where it could not be parsed
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	if e.text != "" || e.Ref == (Ref{}) {
		fmt.Fprintf(&b, "%q", e.text)
	} else {
		b.WriteString(e.Ref.String())
	}
	b.WriteString(": ")
	b.WriteString(e.Kind.Error())
	if e.Hint != "" {
		b.WriteString(" (")
		b.WriteString(e.Hint)
		b.WriteString(")")
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap makes both the kind and the store's error visible to [errors.Is] and
// [errors.As].
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
