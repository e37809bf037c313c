package snapshot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// MaxSize is how many bytes a file has at most.
const MaxSize = 64 << 20

const (
	mode      = 0o600
	tmpSuffix = ".tmp"
	// leftover is how old a temporary file is that no process is writing any more.
	leftover = time.Minute
)

var errTooLarge = fmt.Errorf("it has more than %d bytes", MaxSize)

// readFile returns what is in the file; nil if there is none.
func readFile(path string) ([]byte, error) {
	listed, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = safe(listed)
	}
	if err != nil {
		return nil, unsafe(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unsafe(err)
	}
	defer f.Close()
	opened, err := f.Stat()
	if err == nil {
		err = safe(opened)
	}
	if err == nil && opened.Size() > MaxSize {
		err = errTooLarge
	}
	if err == nil && !os.SameFile(listed, opened) {
		err = errors.New("it was replaced while it was opened")
	}
	if err != nil {
		return nil, unsafe(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(b) > MaxSize {
		err = errTooLarge
	}
	if err != nil {
		return nil, unsafe(err)
	}
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

func unsafe(err error) error { return fmt.Errorf("%w: %w", ErrUnsafe, err) }

// safe says why a file is not what a snapshot can be in. Windows has no modes.
func safe(info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is not a regular file but %v", info.Mode().Type())
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return fmt.Errorf("its mode is %#o: want %#o, so that only its owner reads it (chmod 600)", info.Mode().Perm(), mode)
	}
	return nil
}

// writeFile puts b in the place of the file, which at any moment is as it was or
// as it shall be.
func writeFile(path string, b []byte) (err error) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, base+".*"+tmpSuffix) // its mode is 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil || runtime.GOOS == "windows" { // which has no fsync of directories
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// clean removes the temporary files that writers have left who were killed.
func clean(path string) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		middle, ok := strings.CutPrefix(e.Name(), base+".")
		middle, tmp := strings.CutSuffix(middle, tmpSuffix)
		if !ok || !tmp || middle == "" || strings.Trim(middle, "0123456789") != "" {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > leftover {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
