// Package expvarsecret shows a client of package secrets among the variables of
// package expvar, which serves them as JSON under /debug/vars:
//
//	expvar.Publish("secrets", expvarsecret.Var(client))
//
// It is a package of its own because importing expvar registers that handler
// with [net/http.DefaultServeMux].
package expvarsecret

import (
	"encoding/json"
	"expvar"
	"time"

	"github.com/c0629bfc/secrets"
)

// Var returns a variable that shows [secrets.Client.Stats] at the time it is
// read, by the names of its fields, with errors as text; it has no value in it.
// [expvar.Func] of Stats itself would do until something is stale: the SDK's
// errors cannot be encoded.
func Var(c *secrets.Client) expvar.Var { return variable{c} }

type variable struct{ client *secrets.Client }

// String implements [expvar.Var].
func (v variable) String() string {
	type staleness struct {
		Ref   string
		Since time.Time
		Err   string
	}
	stats := v.client.Stats()
	shown := struct {
		secrets.Stats
		Stale []staleness
	}{stats, []staleness{}}
	for _, s := range stats.Stale {
		shown.Stale = append(shown.Stale, staleness{s.Ref, s.Since, s.Err.Error()})
	}
	b, _ := json.Marshal(shown) // of numbers and text
	return string(b)
}
