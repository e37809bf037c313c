package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/snapshot"
)

func TestEverySingleByteChangeIsDetected(t *testing.T) {
	path, b := sample(t)
	for i := range b {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			altered := bytes.Clone(b)
			altered[i] ^= flip
			refused(t, path, altered, i)
		}
	}
}

func TestEveryTruncationIsDetected(t *testing.T) {
	path, b := sample(t)
	for n := range b {
		s := refused(t, path, b[:n], n)
		require.ErrorIs(t, s.Refused, snapshot.ErrDamaged)
	}
	refused(t, path, append(bytes.Clone(b), 0), "longer")
	zeros := bytes.Clone(b) // the size is on disk and the blocks are not
	clear(zeros[len(zeros)/2:])
	refused(t, path, zeros, "zeros")
}

func refused(t *testing.T, path string, b []byte, what any) snapshot.Status {
	t.Helper()
	require.NoError(t, os.WriteFile(path, b, 0o600))
	s, err := snapshot.Open(t.Context(), path, binding, snapshot.Secret(key), (&log{}).option())
	require.NoError(t, err, what)
	status := s.Status()
	require.Error(t, status.Refused, what)
	require.Zero(t, status.Loaded)
	empty(t, s, "sm://prod/db", "ssm:///prod/url")
	require.NoError(t, s.Close())
	return status
}

// What is damaged or old is replaced.
func TestAStateThatIsBadIsOverWithTheNextWrite(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string, b []byte) error
		want  error
	}{
		"altered":   {func(path string, b []byte) error { b[len(b)-1] ^= 1; return os.WriteFile(path, b, 0o600) }, snapshot.ErrDamaged},
		"truncated": {func(path string, b []byte) error { return os.Truncate(path, int64(len(b)/2)) }, snapshot.ErrDamaged},
		"empty":     {func(path string, b []byte) error { return os.Truncate(path, 0) }, snapshot.ErrDamaged},
		"too old":   {func(string, []byte) error { time.Sleep(25 * time.Hour); return nil }, snapshot.ErrTooOld},
		"not yet":   {func(path string, b []byte) error { return nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path, b := sample(t)
				require.NoError(t, c.spoil(path, b))
				var l log
				s := open(t, path, l.option())
				if c.want == nil {
					require.NoError(t, s.Status().Refused)
					require.Empty(t, l.String())
					return
				}
				require.ErrorIs(t, s.Status().Refused, c.want)
				require.Contains(t, l.String(), "level=WARN")
				require.Contains(t, l.String(), c.want.Error())
				require.Contains(t, l.String(), path)
				empty(t, s, "sm://prod/db")
				s.Keep(value(t, "sm://prod/db", "anew"))
				require.NoError(t, s.Close())
				require.Equal(t, "anew", text(t, open(t, path), "sm://prod/db"))
			})
		})
	}
}

// What may be somebody else's, or a mistake, stays as it is.
func TestAFileThatIsNotOursIsLeftAlone(t *testing.T) {
	other := snapshot.Secret(bytes.Repeat([]byte{7}, 32))
	for name, c := range map[string]struct {
		spoil   func(path string, b []byte) error
		binding string
		key     snapshot.Key
		want    error
		says    string
	}{
		"another key":     {key: other, want: snapshot.ErrWrongKey},
		"another account": {binding: "210987654321/us-east-1/app", want: snapshot.ErrForeign},
		"an envelope": {key: snapshot.Envelope(func(context.Context) ([]byte, []byte, error) { return key, key, nil },
			func(context.Context, []byte) ([]byte, error) { return key, nil }), want: snapshot.ErrWrongKey},
		"no snapshot":     {spoil: func(path string, _ []byte) error { return os.WriteFile(path, []byte("root:x:0:0"), 0o600) }, want: snapshot.ErrFormat},
		"another version": {spoil: func(path string, b []byte) error { b[16]++; return os.WriteFile(path, b, 0o600) }, want: snapshot.ErrFormat, says: "version is 2"},
		"an older format": {spoil: func(path string, b []byte) error { b[16] = 0; return os.WriteFile(path, b, 0o600) }, want: snapshot.ErrFormat, says: "version is 0"},
		"others read it":  {spoil: func(path string, _ []byte) error { return os.Chmod(path, 0o644) }, want: snapshot.ErrUnsafe, says: "0644: want 0600"},
		"a group writes":  {spoil: func(path string, _ []byte) error { return os.Chmod(path, 0o620) }, want: snapshot.ErrUnsafe},
		"a symlink": {spoil: func(path string, _ []byte) error {
			return errors.Join(os.Rename(path, path+"-real"), os.Symlink(path+"-real", path))
		}, want: snapshot.ErrUnsafe, says: "not a regular file"},
		"a directory": {spoil: func(path string, _ []byte) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, want: snapshot.ErrUnsafe},
		"too large":   {spoil: func(path string, _ []byte) error { return os.Truncate(path, snapshot.MaxSize+1) }, want: snapshot.ErrUnsafe},
	} {
		t.Run(name, func(t *testing.T) {
			path, b := sample(t)
			if c.spoil != nil {
				require.NoError(t, c.spoil(path, b))
			}
			before, _ := os.Lstat(path)
			with, k := c.binding, c.key
			if with == "" {
				with = binding
			}
			if fmt.Sprint(k) == fmt.Sprint(snapshot.Key{}) {
				k = snapshot.Secret(key)
			}
			var l log
			s, err := snapshot.Open(t.Context(), path, with, k, l.option())
			require.NoError(t, err, "a start does not fail for it")
			require.ErrorIs(t, s.Status().Refused, c.want)
			require.ErrorContains(t, s.Status().Refused, c.says)
			require.Contains(t, l.String(), "level=ERROR", "it is noticed")
			require.NotContains(t, l.String(), "hunter2")
			empty(t, s, "sm://prod/db")
			s.Keep(value(t, "sm://prod/db", "anew"))
			s.Forget(parse(t, "ssm:///prod/url"))
			require.NoError(t, s.Close())
			after, _ := os.Lstat(path)
			require.True(t, os.SameFile(before, after))
			require.Equal(t, before.Size(), after.Size())
			require.Equal(t, before.ModTime(), after.ModTime())
		})
	}
}
