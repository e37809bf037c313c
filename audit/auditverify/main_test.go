package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/audit"
)

func TestFilesAreVerifiedInTheirOrder(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	key := bytes.Repeat([]byte("k"), audit.MinKey)
	require.NoError(t, os.WriteFile(path("key"), key, 0o600))
	var middle, last audit.Checkpoint
	for _, name := range []string{"1", "2"} {
		file, err := os.Create(path(name))
		require.NoError(t, err)
		chain, err := audit.NewChain(file, key, last)
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, chain.Write(audit.Event{Ref: "sm://prod/db"}))
		}
		require.NoError(t, file.Close())
		middle, last = last, chain.Checkpoint()
	}
	verify := func(stdin string, args ...string) (string, error) {
		var out strings.Builder
		err := run(flag.NewFlagSet("auditverify", flag.ContinueOnError), append([]string{"-key-file", path("key")}, args...), strings.NewReader(stdin), &out)
		return out.String(), err
	}
	out, err := verify("", "-last", last.String(), path("1"), path("2"))
	require.NoError(t, err)
	require.Equal(t, "6 lines in order, the last is "+last.String()+"\n", out)
	_, err = verify("", "-after", middle.String(), path("2"))
	require.NoError(t, err)
	_, err = verify("", path("2"), path("1"))
	require.ErrorIs(t, err, audit.ErrReordered)
	out, err = verify("", "-last", last.String(), path("1"))
	require.ErrorIs(t, err, audit.ErrTruncated)
	require.Contains(t, out, "3 lines in order")
	text, err := os.ReadFile(path("1"))
	require.NoError(t, err)
	_, err = verify(string(text))
	require.NoError(t, err, "from the standard input")
	_, err = verify("", "-after", "x")
	require.ErrorContains(t, err, "checkpoint")
	_, err = verify("", path("3"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
