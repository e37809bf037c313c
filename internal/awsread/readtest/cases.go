package readtest

import (
	"errors"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// Case is what a server refuses, and the error that is made of it.
type Case struct {
	secretstest.Error
	kind error
	is   func(error) bool // what the SDK makes of it
	hint string
}

// Refused makes a Case; hint is a part of the error's.
func Refused(by secretstest.Error, kind error, is func(error) bool, hint string) Case {
	return Case{by, kind, is, hint}
}

// Is reports whether err has an error of type E in its tree.
func Is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// Require checks that err is that error of ref.
func (c Case) Require(t testing.TB, err error, ref provider.Ref) {
	t.Helper()
	code := c.Code
	if code == "InternalServiceError" && ref.Scheme == "ssm" { // as the server calls it there
		code = "InternalServerError"
	}
	require.ErrorIs(t, err, c.kind)
	e, ok := err.(*provider.Error)
	require.True(t, ok)
	require.Equal(t, c.kind, e.Kind)
	require.Equal(t, ref, e.Ref)
	require.Contains(t, e.Hint, c.hint)
	require.True(t, c.is(err), "%#v", err)
	api, ok := errors.AsType[smithy.APIError](err)
	require.True(t, ok)
	require.Equal(t, code, api.ErrorCode())
	require.ErrorContains(t, err, ref.String())
	require.ErrorContains(t, err, code)
}
