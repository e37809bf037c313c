package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// TestAnAccountOfOnesOwn is what -aws does: it reads what it was told to, prints
// no value and writes nothing.
func TestAnAccountOfOnesOwn(t *testing.T) {
	server := secretstest.NewServer(t)
	server.SetSecret("prod/db", `{"username":"hush"}`)
	server.SetParameter("/prod/app/url", "hush")
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, server.Config(), time.Hour, []string{"ssm:///prod/app/", "sm://prod/db#username"}, nil))
	require.Contains(t, out.String(), "sm://prod/db#username  SecretString")
	require.Contains(t, out.String(), "ssm:///prod/app/url    String")
	require.Contains(t, out.String(), "200000 hits, 1 misses, 2 API calls: 1 GetParametersByPath, 1 GetSecretValue")
	require.NotContains(t, out.String(), "hush")
	require.Equal(t, map[string]int{"GetParametersByPath": 1, "GetSecretValue": 1}, server.CallsByOperation())
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	cfg := secretstest.NewServer(t).Config()
	require.ErrorContains(t, run(t.Context(), io.Discard, cfg, time.Hour, nil, nil), "name what to read")
	require.ErrorContains(t, run(t.Context(), io.Discard, cfg, time.Hour, []string{"ssm:///none/"}, nil), "nothing below it")
	require.ErrorIs(t, run(t.Context(), io.Discard, cfg, time.Hour, []string{"sm://none"}, nil), provider.ErrNotFound)
}
