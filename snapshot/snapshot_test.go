package snapshot_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/davecgh/go-spew/spew"
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

func TestTheKeyIsChanged(t *testing.T) {
	path, _ := sample(t)
	next := snapshot.Secret(bytes.Repeat([]byte("next"), 8))
	s, err := snapshot.Open(t.Context(), path, binding, next, snapshot.WithOldKey(snapshot.Secret(key)))
	require.NoError(t, err)
	require.NoError(t, s.Status().Refused)
	require.Equal(t, "hunter2", text(t, s, "sm://prod/db"))
	s.Keep(value(t, "sm://other", "x"))
	require.NoError(t, s.Close())

	s, err = snapshot.Open(t.Context(), path, binding, next, (&log{}).option())
	require.NoError(t, err)
	require.Equal(t, "hunter2", text(t, s, "sm://prod/db"))
	require.NoError(t, s.Close())
	require.ErrorIs(t, open(t, path).Status().Refused, snapshot.ErrWrongKey)
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

// The clock of a bubble begins in 2000: what was kept outside it is of the future.
func TestAValueOfTheFutureIsNotUsed(t *testing.T) {
	path, _ := sample(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		require.ErrorIs(t, s.Status().Refused, snapshot.ErrTooOld)
		empty(t, s, "sm://prod/db")
	})
}

func TestWritesAreFewAndLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := inTemp(t)
		s := open(t, path)
		same := value(t, "sm://a", "x")
		for i := range 1000 {
			s.Keep(value(t, fmt.Sprintf("sm://n%d", i), "x"))
		}
		s.Keep(same)
		synctest.Wait()
		require.NoFileExists(t, path, "Keep does not write")
		time.Sleep(3 * time.Second)
		written := s.Status().Written
		require.WithinRange(t, written, time.Now().Add(-2*time.Second), time.Now())
		require.Equal(t, 1001, open(t, path).Status().Loaded)

		time.Sleep(time.Second)
		same = value(t, "sm://a", "x")
		s.Keep(same)
		time.Sleep(3 * time.Second)
		require.True(t, s.Status().Written.After(written), "another version is written soon")

		written = s.Status().Written
		writes := 0
		for end := time.Now().Add(12 * time.Hour); time.Now().Before(end); time.Sleep(5 * time.Minute) {
			s.Keep(same)
			if now := s.Status().Written; !now.Equal(written) {
				written, writes = now, writes+1
			}
		}
		require.InDelta(t, 12, writes, 1, "once in an hour that nothing changed")
		_, at, _ := open(t, path).Last(same.Ref())
		require.WithinRange(t, at, time.Now().Add(-70*time.Minute), time.Now())
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

func TestWritingFailsAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		path := filepath.Join(dir, "app.snapshot")
		var l log
		s := open(t, path, l.option())
		s.Keep(value(t, "sm://a", "hunter2"))
		time.Sleep(time.Hour)
		require.ErrorIs(t, s.Status().Err, os.ErrNotExist)
		require.ErrorContains(t, s.Status().Err, path)
		require.Zero(t, s.Status().Written)
		require.Equal(t, 1, strings.Count(l.String(), "level=WARN"), "it is logged once")
		require.Equal(t, "hunter2", text(t, s, "sm://a"))
		require.NotContains(t, l.String()+s.Status().Err.Error(), "hunter2")

		require.NoError(t, os.Mkdir(dir, 0o700))
		time.Sleep(2 * time.Minute)
		require.NoError(t, s.Status().Err)
		require.Contains(t, l.String(), "written again")
		require.Equal(t, "hunter2", text(t, open(t, path), "sm://a"))

		s.Keep(value(t, "sm://b", "x"))
		require.NoError(t, os.RemoveAll(dir))
		require.ErrorIs(t, s.Close(), os.ErrNotExist, "Close says that it failed")
		require.NoError(t, s.Close(), "again does nothing")
		s.Keep(value(t, "sm://c", "x"))
		s.Forget(parse(t, "sm://c"))
		require.Zero(t, s.Status().Kept)
	})
}

func TestNothingWaitsForTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := snapshot.Envelope(func(ctx context.Context) ([]byte, []byte, error) {
			<-ctx.Done()
			return nil, nil, ctx.Err()
		}, func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no") })
		s, err := snapshot.Open(t.Context(), inTemp(t), binding, hangs, (&log{}).option())
		require.NoError(t, err)
		s.Keep(value(t, "sm://a", "x"))
		time.Sleep(3 * time.Second) // the writer hangs
		began := time.Now()
		s.Keep(value(t, "sm://b", "x"))
		require.Equal(t, "x", text(t, s, "sm://a"))
		s.Forget(parse(t, "sm://a"))
		require.Equal(t, began, time.Now())
		require.ErrorIs(t, s.Close(), snapshot.ErrKeyService)
		require.LessOrEqual(t, time.Since(began), 20*time.Second)
	})
}

// kms stands for a service that makes data keys.
type kms struct {
	mu           sync.Mutex
	made, opened int
	err          error
}

func (k *kms) is(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

func (k *kms) calls(t *testing.T, made, opened int) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	require.Equal(t, []int{made, opened}, []int{k.made, k.opened})
}

func (k *kms) key() snapshot.Key {
	return snapshot.Envelope(
		func(context.Context) ([]byte, []byte, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.made++
			data := bytes.Repeat([]byte{byte(k.made)}, 32)
			return data, append([]byte("sealed:"), data[0]^0xAA), k.err
		},
		func(_ context.Context, sealed []byte) ([]byte, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.opened++
			if k.err != nil {
				return nil, k.err
			}
			return bytes.Repeat([]byte{sealed[len(sealed)-1] ^ 0xAA}, 32), nil
		},
	)
}

func TestEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := inTemp(t)
		var service kms
		openWith := func() *snapshot.Snapshot {
			s, err := snapshot.Open(t.Context(), path, binding, service.key(), (&log{}).option())
			require.NoError(t, err)
			return s
		}
		s := openWith()
		service.calls(t, 0, 0) // no key before something is written
		for i := range 5 {
			s.Keep(value(t, "sm://a", fmt.Sprint(i)))
			time.Sleep(10 * time.Second)
		}
		require.NoError(t, s.Close())
		service.calls(t, 1, 0) // one data key for a process
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(b), "sealed:")
		require.NotContains(t, string(b), strings.Repeat("\x01", 32))

		s = openWith()
		require.Equal(t, "4", text(t, s, "sm://a"))
		require.NoError(t, s.Close())
		service.calls(t, 1, 1)

		// While the service is down there is nothing, and what follows is kept
		// once it is back.
		down := errors.New("unreachable")
		service.is(down)
		s = openWith()
		require.ErrorIs(t, s.Status().Refused, snapshot.ErrKeyService)
		require.ErrorIs(t, s.Status().Refused, down)
		s.Keep(value(t, "sm://a", "new"))
		time.Sleep(time.Minute)
		require.ErrorIs(t, s.Status().Err, snapshot.ErrKeyService)
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, b, now)
		service.is(nil)
		time.Sleep(2 * time.Minute)
		require.NoError(t, s.Close())
		s = openWith()
		require.Equal(t, "new", text(t, s, "sm://a"))
		require.NoError(t, s.Close())
	})
}

// An old key that is wrong does not make an outage of the key service a mistake.
func TestAKeyServiceThatIsDownIsNoWrongKey(t *testing.T) {
	path := inTemp(t)
	var service kms
	s, err := snapshot.Open(t.Context(), path, binding, service.key())
	require.NoError(t, err)
	s.Keep(value(t, "sm://a", "x"))
	require.NoError(t, s.Close())
	service.is(errors.New("unreachable"))
	s, err = snapshot.Open(t.Context(), path, binding, service.key(), snapshot.WithOldKey(snapshot.Secret(key)), (&log{}).option())
	require.NoError(t, err)
	require.ErrorIs(t, s.Status().Refused, snapshot.ErrKeyService)
	require.NoError(t, s.Close())
}

func TestNothingInTheClear(t *testing.T) {
	const canary, name = "canary-7f3a91c4", "prod/very-special-name"
	path := inTemp(t)
	var l log
	s := open(t, path, l.option())
	s.Keep(value(t, "sm://"+name, canary))
	require.NoError(t, s.Close())
	s = open(t, path, l.option())
	require.Equal(t, canary, text(t, s, "sm://"+name))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, hidden := range []string{canary, name, string(key), binding} {
		require.NotContains(t, string(b), hidden)
		for skip := range 3 { // however it falls into groups of three
			whole := base64.RawStdEncoding.EncodeToString([]byte(hidden)[skip:])
			require.NotContains(t, string(b), whole[:len(whole)-2])
		}
	}
	k := snapshot.Secret(key)
	printed := fmt.Sprintf("%v %+v %#v %s %v %+v %#v", s, s, s, s, k, k, k) + fmt.Sprintf("%+v", reflect.ValueOf(s).Elem()) + spew.Sdump(s, k) + l.String()
	require.NotContains(t, printed, canary)
	require.NotContains(t, printed, string(key))
	require.NotContains(t, printed, fmt.Sprint(key[:8])[1:20])
	require.NotContains(t, printed, "0x6b, 0x33, 0x79")
	require.NotContains(t, printed, "6b 33 79 21")

	first, err := os.ReadFile(path)
	require.NoError(t, err)
	s.Keep(value(t, "sm://other", "x"))
	s.Forget(parse(t, "sm://other"))
	require.NoError(t, s.Close())
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, len(first), len(again))
	require.NotEqual(t, first[17:49], again[17:49], "another salt")
	require.NotEqual(t, first[len(first)-40:], again[len(again)-40:])
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

// A power loss in the middle of writing leaves a temporary file of any length
// beside the snapshot.
func TestAWriterThatLostItsPower(t *testing.T) {
	path, b := sample(t)
	for i, n := range []int{0, 1, len(b) / 2, len(b)} {
		tmp := fmt.Sprintf("%s.%d.tmp", path, 1000+i)
		require.NoError(t, os.WriteFile(tmp, b[:n], 0o600))
		if i%2 == 0 {
			ago := time.Now().Add(-time.Hour)
			require.NoError(t, os.Chtimes(tmp, ago, ago))
		}
		foreign := fmt.Sprintf("%s.bak%d.tmp", path, i)
		require.NoError(t, os.WriteFile(foreign, nil, 0o600))
		ago := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(foreign, ago, ago))
	}
	s := open(t, path)
	require.NoError(t, s.Status().Refused)
	require.Equal(t, "hunter2", text(t, s, "sm://prod/db"))
	require.NoFileExists(t, path+".1000.tmp")
	require.NoFileExists(t, path+".1002.tmp")
	require.FileExists(t, path+".1001.tmp", "somebody may be writing it")
	require.FileExists(t, path+".bak0.tmp", "it is not ours")
}

// The process that writes refuses, too, what it finds to be damaged.
func TestAWriterThatIsKilled(t *testing.T) {
	path := inTemp(t)
	for i := range 6 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), writesTo+"="+path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for range i%4 + 1 {
			require.True(t, lines.Scan())
			require.NotContains(t, lines.Text(), "refused")
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() {
			require.NotContains(t, lines.Text(), "refused")
		}
		_ = cmd.Wait()
		s := open(t, path)
		require.NoError(t, s.Status().Refused)
		require.Equal(t, 20, s.Status().Loaded)
		require.NoError(t, s.Close())
	}
}

func TestAWriteReplacesTheFileInOneStep(t *testing.T) {
	path, before := sample(t)
	link := path + "-link"
	require.NoError(t, os.Link(path, link))
	s := open(t, path)
	s.Keep(value(t, "sm://prod/db", "another"))
	require.NoError(t, s.Close())
	old, err := os.ReadFile(link)
	require.NoError(t, err)
	require.Equal(t, before, old, "nothing was written over it")
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 2, "and no temporary file is left")
}
