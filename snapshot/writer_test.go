package snapshot_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/snapshot"
)

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

// What Close interrupts and does itself has not failed.
func TestWriteThatCloseInterruptsIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		key := snapshot.Envelope(func(ctx context.Context) ([]byte, []byte, error) {
			if calls++; calls == 1 {
				<-ctx.Done()
				return nil, nil, ctx.Err()
			}
			return bytes.Repeat([]byte{1}, 32), []byte("sealed"), nil
		}, func(context.Context, []byte) ([]byte, error) { return nil, errors.New("there is none") })
		var l log
		path := inTemp(t)
		s, err := snapshot.Open(t.Context(), path, binding, key, l.option())
		require.NoError(t, err)
		s.Keep(value(t, "sm://a", "x"))
		time.Sleep(3 * time.Second)
		require.NoError(t, s.Close())
		require.FileExists(t, path)
		require.Equal(t, 2, calls)
		require.NotContains(t, l.String(), "written again")
		require.NotContains(t, l.String(), "cannot be written")
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
		require.LessOrEqual(t, time.Since(began), 10*time.Second)
	})
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
