package provider_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

// Any field of any content is found or refused, and a refusal shows neither the
// content nor more of it than the field's own name.
func FuzzField(f *testing.F) {
	f.Add(`{"a":{"b":[1,"x"]}}`, "/a/b/1")
	f.Add(`{"password":"p"}`, "password")
	f.Add(`[]`, "/0")
	f.Fuzz(func(t *testing.T, content, field string) {
		r := provider.Ref{Scheme: "sm", Name: "x"}
		whole := provider.NewValue(r, provider.Version{}, provider.SecretString, content)
		v, err := whole.Field(field)
		r.Field = field
		if err != nil {
			require.ErrorIs(t, err, provider.ErrFieldNotFound)
			require.Zero(t, v)
			refused := &provider.Error{Ref: r, Kind: provider.ErrFieldNotFound}
			require.LessOrEqual(t, len(err.Error()), len(refused.Error())+200, "a hint has a bound, and content has none")
			return
		}
		require.Equal(t, r, v.Ref())
		require.True(t, json.Valid([]byte(content)))
		again, err := whole.Field(field)
		require.NoError(t, err)
		require.Equal(t, v.Text(), again.Text())
	})
}
