package audit_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trail keeps events.
type trail struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (t *trail) Write(e audit.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	t.events = append(t.events, e)
	return nil
}

// take returns the events since the last time.
func (t *trail) take() []audit.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := t.events
	t.events = nil
	return events
}

var errSink = errors.New("the disk is full")

// open returns a client of srv that tells observer.
func open(t testing.TB, srv *secretstest.Server, observer secrets.Observer, opts ...secrets.Option) *secrets.Client {
	t.Helper()
	c, err := secrets.New(append(opts, secrets.WithProvider(sm.New(srv.Config())), secrets.WithProvider(ssm.New(srv.Config())),
		secrets.WithObserver(observer), secrets.WithLogger(slog.New(slog.DiscardHandler)))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func get(ctx context.Context, t testing.TB, c *secrets.Client, ref string) secrets.Value {
	t.Helper()
	v, err := c.Get(ctx, ref)
	require.NoError(t, err)
	return v
}

// of returns one thing of each event.
func of[T any](events []audit.Event, f func(audit.Event) T) []T {
	var all []T
	for _, e := range events {
		all = append(all, f(e))
	}
	return slices.Clip(all)
}

func source(e audit.Event) string    { return e.Source }
func principal(e audit.Event) string { return e.Principal }
