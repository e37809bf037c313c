package secrets_test

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
)

// Any tag fills the field or is refused with the field's name, and what a
// variable stands for ends no part of a ref.
func FuzzTag(f *testing.F) {
	for _, s := range []string{"mem://db", "mem://${env}/db,optional", "mem://db#password,json", "mem://none,default=a,b", "mem://${env", "mem://${other}", ",json,json", "mem://db,nonsense", "sm://x"} {
		f.Add(s)
	}
	s := &store{}
	s.set("db", `{"password":"hunter2"}`)
	f.Fuzz(func(t *testing.T, tag string) {
		c := open(t, secrets.WithProvider(s), secrets.WithVar("env", "prod"))
		into := reflect.New(reflect.StructOf([]reflect.StructField{{
			Name: "Field", Type: reflect.TypeFor[string](), Tag: reflect.StructTag("secret:" + strconv.Quote(tag))}}))
		err := c.Load(t.Context(), into.Interface())
		if err != nil {
			require.ErrorContains(t, err, "Field: ")
			require.NotContains(t, err.Error(), "hunter2")
			require.Zero(t, into.Elem().Field(0).String())
		}
	})
}
