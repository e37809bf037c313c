package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// database is a target that has one password, its whole value.
type database struct {
	mu       sync.Mutex
	password string
	made     int
	log      []string // of the methods called
	effect   func(step string, after bool) error
}

// hit lets a test break in before and after the effect of a step.
func (d *database) hit(step string, after bool) error {
	if d.effect == nil {
		return nil
	}
	return d.effect(step, after)
}

func (d *database) Next(context.Context, provider.Value) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.hit("next", false); err != nil {
		return "", err
	}
	d.made++
	d.log = append(d.log, "next")
	return fmt.Sprintf("hunter2-%d", d.made), nil
}

func (d *database) Set(_ context.Context, current, pending, previous provider.Value) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.hit("set", false); err != nil {
		return err
	}
	d.log = append(d.log, "set")
	switch d.password {
	case pending.Text():
	case current.Text(), previous.Text():
		d.password = pending.Text()
	default:
		return errors.New("no version opens the database")
	}
	return d.hit("set", true)
}

func (d *database) Test(_ context.Context, pending provider.Value) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.hit("test", false); err != nil {
		return err
	}
	d.log = append(d.log, "test")
	if d.password != pending.Text() {
		return errors.New("the database refuses the password")
	}
	return nil
}

func (d *database) now() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.password
}

func secret(t testing.TB, opts ...secretstest.Option) (*secretstest.Server, *sm.Store, *database) {
	t.Helper()
	srv := secretstest.NewServer(t, opts...)
	srv.SetSecret("db", "hunter2-0")
	return srv, sm.New(srv.Config(), sm.WithLogger(silent)), &database{password: "hunter2-0"}
}

func parameter(t testing.TB, opts ...secretstest.Option) (*secretstest.Server, *ssm.Store, *database) {
	t.Helper()
	srv := secretstest.NewServer(t, opts...)
	srv.SetSecureParameter("/prod/db", "hunter2-0")
	return srv, ssm.New(srv.Config(), ssm.WithLogger(silent)), &database{password: "hunter2-0"}
}

// bothStores is a value in each store, and the database that it opens.
var bothStores = map[string]func(testing.TB, ...secretstest.Option) (*secretstest.Server, rotation.Store, string, *database){
	"sm": func(t testing.TB, opts ...secretstest.Option) (*secretstest.Server, rotation.Store, string, *database) {
		srv, store, db := secret(t, opts...)
		return srv, store, "sm://db", db
	},
	"ssm": func(t testing.TB, opts ...secretstest.Option) (*secretstest.Server, rotation.Store, string, *database) {
		srv, store, db := parameter(t, opts...)
		return srv, store, "ssm:///prod/db", db
	},
}

// read returns the text of a ref, or the kind of its error.
func read(t testing.TB, p provider.Provider, ref string) string {
	t.Helper()
	parsed, err := provider.ParseRef(ref)
	require.NoError(t, err)
	r := p.Fetch(context.WithoutCancel(t.Context()), parsed)[0]
	if r.Err != nil {
		e, ok := errors.AsType[*provider.Error](r.Err)
		require.True(t, ok)
		return e.Kind.Error()
	}
	return r.Value.Text()
}
