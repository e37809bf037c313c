package snapshot_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/snapshot"
)

const binding = "123456789012/us-east-1/app"

var key = bytes.Repeat([]byte("k3y!"), 8)

func TestMain(m *testing.M) {
	if path := os.Getenv(writesTo); path != "" {
		writeForEver(path)
	}
	goleak.VerifyTestMain(m)
}

// log is where a snapshot logs.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *log) option() snapshot.Option {
	return snapshot.WithLogger(slog.New(slog.NewTextHandler(l, nil)))
}

func open(t testing.TB, path string, opts ...snapshot.Option) *snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.Open(t.Context(), path, binding, snapshot.Secret(key), append([]snapshot.Option{(&log{}).option()}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func inTemp(t testing.TB) string { return filepath.Join(t.TempDir(), "app.snapshot") }

func parse(t testing.TB, s string) provider.Ref {
	t.Helper()
	ref, err := provider.ParseRef(s)
	require.NoError(t, err)
	return ref
}

func value(t testing.TB, ref, content string, labels ...string) secrets.Value {
	return provider.NewValue(parse(t, ref), provider.NewVersion("v1", time.Now().UTC().Round(0), labels...), provider.SecretString, content)
}

// sample writes a snapshot of two values and returns the path and the bytes.
func sample(t testing.TB) (string, []byte) {
	t.Helper()
	path := inTemp(t)
	s := open(t, path)
	s.Keep(value(t, "sm://prod/db", "hunter2", "AWSCURRENT"))
	s.Keep(value(t, "ssm:///prod/url", "https://example.com"))
	require.NoError(t, s.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return path, b
}

func text(t testing.TB, s *snapshot.Snapshot, ref string) string {
	t.Helper()
	v, _, ok := s.Last(parse(t, ref))
	require.True(t, ok, ref)
	return v.Text()
}

func empty(t testing.TB, s *snapshot.Snapshot, refs ...string) {
	t.Helper()
	for _, ref := range refs {
		v, at, ok := s.Last(parse(t, ref))
		require.False(t, ok, ref)
		require.Zero(t, v)
		require.Zero(t, at)
	}
}

const writesTo = "SNAPSHOT_TEST_WRITES_TO"

// writeForEver is the process that a test kills.
func writeForEver(path string) {
	out := bufio.NewWriterSize(os.Stdout, 1)
	for i := 0; ; i++ {
		s, err := snapshot.Open(context.Background(), path, binding, snapshot.Secret(key))
		if err != nil || s.Status().Refused != nil {
			fmt.Println("refused:", err, s.Status().Refused)
			os.Exit(1)
		}
		for j := range 20 {
			ref, _ := provider.ParseRef(fmt.Sprintf("sm://n%d", j))
			s.Keep(provider.NewValue(ref, provider.NewVersion(fmt.Sprint(i), time.Now()), provider.SecretString, strings.Repeat("x", 10_000)))
		}
		if err := s.Close(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Fprintln(out, i)
		out.Flush()
	}
}
