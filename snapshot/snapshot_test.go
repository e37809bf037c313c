package snapshot_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/snapshot"
)

func TestOpenRefusesArguments(t *testing.T) {
	path, good := inTemp(t), snapshot.Secret(key)
	for says, open := range map[string]func() (*snapshot.Snapshot, error){
		"there is no path":    func() (*snapshot.Snapshot, error) { return snapshot.Open(t.Context(), "", binding, good) },
		"there is no binding": func() (*snapshot.Snapshot, error) { return snapshot.Open(t.Context(), path, "", good) },
		"there is no key":     func() (*snapshot.Snapshot, error) { return snapshot.Open(t.Context(), path, binding, snapshot.Key{}) },
		"31 bytes: want 32": func() (*snapshot.Snapshot, error) {
			return snapshot.Open(t.Context(), path, binding, snapshot.Secret(key[1:]))
		},
		"all zeros": func() (*snapshot.Snapshot, error) {
			return snapshot.Open(t.Context(), path, binding, snapshot.Secret(make([]byte, 32)))
		},
		"both functions": func() (*snapshot.Snapshot, error) {
			return snapshot.Open(t.Context(), path, binding, snapshot.Envelope(nil, nil))
		},
		"0 bytes": func() (*snapshot.Snapshot, error) {
			return snapshot.Open(t.Context(), path, binding, good, snapshot.WithOldKey(snapshot.Secret(nil)))
		},
		"WithMaxAge(1s)": func() (*snapshot.Snapshot, error) {
			return snapshot.Open(t.Context(), path, binding, good, snapshot.WithMaxAge(time.Second))
		},
		"WithMaxAge(2562047h": func() (*snapshot.Snapshot, error) {
			return snapshot.Open(t.Context(), path, binding, good, snapshot.WithMaxAge(math.MaxInt64))
		},
	} {
		s, err := open()
		require.ErrorContains(t, err, says)
		require.Nil(t, s)
	}
	require.NoFileExists(t, path)
}

func TestAllOfAValueIsKept(t *testing.T) {
	path := inTemp(t)
	created := time.Date(2026, 3, 1, 12, 0, 0, 123, time.FixedZone("", 3600))
	values := []secrets.Value{
		provider.NewValue(parse(t, "sm://prod/db"), provider.NewVersion("v", created, "AWSCURRENT", "mine"), provider.SecretString, "text ü \x00"),
		provider.NewValue(parse(t, "sm://prod/db?stage=AWSPREVIOUS&region=eu-west-1"), provider.NewVersion("w", time.Time{}, "AWSPREVIOUS"), provider.SecretBinary, "\xff\xfe\x00"),
		provider.NewValue(parse(t, "sm://prod/db?version=w"), provider.NewVersion("w", time.Time{}), provider.SecretString, ""),
		provider.NewValue(parse(t, "ssm:///a/b?label=blue"), provider.NewVersion("12", created, "blue"), provider.StringList, "a,b"),
		provider.NewValue(parse(t, "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf"), provider.NewVersion("v", created), provider.SecretString, strings.Repeat("x", 65_536)),
	}
	s := open(t, path)
	for _, v := range values {
		s.Keep(v)
	}
	require.NoError(t, s.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	s = open(t, path)
	require.Equal(t, snapshot.Status{Loaded: len(values), Kept: len(values)}, s.Status())
	for _, want := range values {
		got, at, ok := s.Last(want.Ref())
		require.True(t, ok)
		require.WithinRange(t, at, time.Now().Add(-time.Minute), time.Now())
		require.Equal(t, want.Text(), got.Text())
		require.Equal(t, want.Ref(), got.Ref())
		require.Equal(t, want.Type(), got.Type())
		require.Equal(t, want.Version().ID, got.Version().ID)
		require.Equal(t, want.Version().Labels(), got.Version().Labels())
		require.True(t, want.Version().Created.Equal(got.Version().Created))
		require.Equal(t, want.Version().Created.IsZero(), got.Version().Created.IsZero())
	}
}

func TestPendingIsNeverKept(t *testing.T) {
	s := open(t, inTemp(t))
	s.Keep(value(t, "sm://a?stage=AWSPENDING", "x", "AWSPENDING"))
	s.Keep(value(t, "sm://a?stage=AWSPENDING", "x", "AWSCURRENT", "AWSPENDING"))
	s.Keep(value(t, "sm://a?version=v", "x", "AWSPENDING"))
	s.Keep(value(t, "sm://a?stage=mine", "x", "AWSPENDING", "mine"))
	require.Zero(t, s.Status().Kept)
	s.Keep(value(t, "sm://a", "x", "AWSCURRENT", "AWSPENDING")) // as after a rotation
	require.Equal(t, "x", text(t, s, "sm://a"))
	s.Keep(value(t, "sm://b?stage=mine", "x", "mine"))
	s.Keep(value(t, "sm://b?stage=mine", "y", "AWSPENDING", "mine"))
	empty(t, s, "sm://b?stage=mine")
}

// Nor is what is no whole value, or could not be found again.
func TestOddRefsAreNotKept(t *testing.T) {
	s := open(t, inTemp(t))
	s.Keep(value(t, "sm://a#field", "x"))
	s.Keep(provider.NewValue(provider.Ref{Scheme: "sm", Name: "\xff"}, provider.Version{}, provider.SecretString, "x"))
	s.Keep(secrets.Value{})
	s.Keep(provider.NewValue(parse(t, "sm://a"), provider.NewVersion("\xff", time.Time{}), provider.SecretString, "x"))
	s.Keep(provider.NewValue(parse(t, "sm://a"), provider.NewVersion("v", time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)), provider.SecretString, "x"))
	require.Zero(t, s.Status().Kept)
}

func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := inTemp(t)
		s := open(t, path)
		s.Keep(value(t, "sm://old", "x"))
		time.Sleep(23 * time.Hour)
		s.Keep(value(t, "sm://young", "x"))
		began := time.Now()
		require.Equal(t, "x", text(t, s, "sm://old"))
		time.Sleep(2 * time.Hour)
		empty(t, s, "sm://old")
		require.NoError(t, s.Close())

		s = open(t, path)
		require.NoError(t, s.Status().Refused)
		require.Equal(t, 1, s.Status().Loaded)
		_, at, ok := s.Last(parse(t, "sm://young"))
		require.True(t, ok)
		require.True(t, began.Equal(at))
		short := open(t, path, snapshot.WithMaxAge(time.Hour))
		require.ErrorIs(t, short.Status().Refused, snapshot.ErrTooOld)
		empty(t, short, "sm://young")
	})
}

// A pinned version cannot change and is asked for once, so for the process that
// read it it does not age; once no process reads it, it does.
func TestAPinnedVersionAgesFromWhenAProcessHadItLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pinned, other = "ssm:///prod/url?version=3", "sm://prod/db"
		path := inTemp(t)
		s := open(t, path)
		s.Keep(value(t, pinned, "x"))
		s.Keep(value(t, other, "y"))
		time.Sleep(100 * time.Hour)
		require.Equal(t, "x", text(t, s, pinned))
		empty(t, s, other)
		killed := open(t, path) // as it is on disk, without a Close
		require.Equal(t, 1, killed.Status().Loaded)
		_, at, ok := killed.Last(parse(t, pinned))
		require.True(t, ok)
		require.WithinRange(t, at, time.Now().Add(-2*time.Hour), time.Now())
		require.NoError(t, s.Close())

		s = open(t, path)
		s.Keep(value(t, other, "y")) // and never the pinned one
		time.Sleep(23 * time.Hour)
		require.Equal(t, "x", text(t, s, pinned))
		time.Sleep(2 * time.Hour)
		empty(t, s, pinned)
		s.Keep(value(t, other, "y"))
		require.NoError(t, s.Close())
		require.Equal(t, 1, open(t, path).Status().Loaded)

		s = open(t, path)
		s.Keep(value(t, pinned, "x"))
		require.NoError(t, s.Close())
		time.Sleep(25 * time.Hour)
		require.ErrorIs(t, open(t, path).Status().Refused, snapshot.ErrTooOld, "a file that nobody writes is too old, pinned or not")
	})
}

// The clock of a bubble begins in 2000: what was kept outside it is of the future.
func TestAValueOfTheFutureIsNotUsed(t *testing.T) {
	path, _ := sample(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		require.ErrorIs(t, s.Status().Refused, snapshot.ErrTooOld)
		empty(t, s, "sm://prod/db")
	})
}

func TestForgettingIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, _ := sample(t)
		s := open(t, path)
		s.Forget(parse(t, "sm://prod/db"))
		s.Forget(parse(t, "sm://never"))
		time.Sleep(3 * time.Second)
		now := open(t, path)
		empty(t, now, "sm://prod/db")
		require.Equal(t, "https://example.com", text(t, now, "ssm:///prod/url"))
	})
}

func TestThereIsABound(t *testing.T) {
	path := inTemp(t)
	s := open(t, path)
	for i := range snapshot.MaxValues + 10 {
		s.Keep(value(t, fmt.Sprintf("sm://n%d", i), "x"))
	}
	require.Equal(t, snapshot.MaxValues, s.Status().Kept)
	empty(t, s, "sm://n0", "sm://n9")
	require.NoError(t, s.Close())
	require.Equal(t, snapshot.MaxValues, open(t, path).Status().Loaded)
}
