package koanfsecret

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// TestNestInAnyOrder: stores list in an order of their own.
func TestNestInAnyOrder(t *testing.T) {
	value := func(name string) secrets.Value {
		return provider.NewValue(provider.Ref{Scheme: "ssm", Name: name}, provider.NewVersion("1", provider.Version{}.Created), provider.String, name)
	}
	prefix := provider.Ref{Scheme: "ssm", Name: "/p/"}
	good := []secrets.Value{value("/p/a"), value("/p/b/c"), value("/p/b/d/e")}
	bad := []secrets.Value{value("/p/a"), value("/p/b/c"), value("/p/a/x/y")}
	for range 2 {
		slices.Reverse(good)
		slices.Reverse(bad)
		got, err := nest(prefix, good)
		require.NoError(t, err)
		require.Equal(t, map[string]any{"a": "/p/a", "b": map[string]any{"c": "/p/b/c", "d": map[string]any{"e": "/p/b/d/e"}}}, got)
		_, err = nest(prefix, bad)
		require.ErrorContains(t, err, "ssm:///p/a: it is both")
	}
}
