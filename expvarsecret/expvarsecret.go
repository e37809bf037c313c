// Package expvarsecret shows a client of package secrets among the variables of
// package expvar, which serves them as JSON under /debug/vars:
//
//	expvar.Publish("secrets", expvarsecret.Var(client))
//
// It is a package of its own because importing expvar registers that handler
// with [net/http.DefaultServeMux].
package expvarsecret

import (
	"expvar"

	"github.com/c0629bfc/secrets"
)

// Var returns a variable that shows [secrets.Client.Stats] at the time it is
// read, by the names of its fields, with errors as text; it has no value in it.
func Var(c *secrets.Client) expvar.Var {
	return expvar.Func(func() any { return c.Stats() })
}
