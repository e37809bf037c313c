package sqlsecret_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/sqlsecret"
)

func TestNewFails(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		w.server.SetSecret("text", "hunter2")
		connect := w.db.connect
		fails := func(ref string, connect func(secrets.DBSecret) (driver.Connector, error), opts ...sqlsecret.Option) error {
			c, err := sqlsecret.New(w.Context(), w.client, ref, connect, opts...)
			require.Nil(w, c)
			require.Error(w, err)
			return err
		}
		require.ErrorIs(w, fails("sm://nowhere", connect), provider.ErrNotFound)
		err := fails("sm://text", connect)
		require.ErrorIs(w, err, provider.ErrDecode)
		require.NotContains(w, err.Error(), "hunter2")
		err = fails(ref, func(secrets.DBSecret) (driver.Connector, error) { return nil, errors.New("no TLS") })
		require.ErrorContains(w, err, ref+": no TLS")
		err = fails(ref, func(secrets.DBSecret) (driver.Connector, error) { return nil, nil })
		require.ErrorContains(w, err, ref)
		require.ErrorContains(w, fails(ref, nil), "connect is nil")
		require.ErrorContains(w, fails(ref, connect, sqlsecret.WithAuthFailed(nil)), "WithAuthFailed")
		for _, d := range [][2]time.Duration{{0, 1}, {-1, 1}, {2, 1}} {
			require.ErrorContains(w, fails(ref, connect, sqlsecret.WithCoolDown(d[0], d[1])), "WithCoolDown")
		}
		w.client.Invalidate()
		require.Zero(w, w.client.Stats().Entries, "nothing is held")
	})
}

// Who parses a connection string with the password in it may get that back in
// the error, in one encoding or other.
func TestErrorsNeverShowThePassword(t *testing.T) {
	const password = "hunter2 %:/?#@é"
	in(t, func(w *world) {
		w.set("app", "1")
		var fail func(s secrets.DBSecret) error
		c, err := sqlsecret.New(w.Context(), w.client, ref, func(s secrets.DBSecret) (driver.Connector, error) {
			if fail == nil {
				return w.db.connect(s)
			}
			return nil, fail(s)
		})
		require.NoError(w, err)
		defer c.Close()
		w.server.SetSecret("db", secretOf("app", password))
		w.refresh()
		for _, f := range []func(s secrets.DBSecret) error{
			func(s secrets.DBSecret) error { return errors.New("parse " + s.Password()) },
			func(s secrets.DBSecret) error { return errors.New("parse " + url.QueryEscape(s.Password())) },
			func(s secrets.DBSecret) error { return errors.New("parse " + url.PathEscape(s.Password())) },
			func(s secrets.DBSecret) error {
				_, err := url.Parse((&url.URL{Scheme: "pg", User: url.UserPassword("app", s.Password()), Host: "h"}).String() + ":x")
				return err
			},
			func(s secrets.DBSecret) error { return fmt.Errorf("%w %s", &refusedError{"app"}, s.Password()) },
		} {
			fail = f
			_, err := c.Connect(w.Context())
			require.ErrorContains(w, err, ref)
			for ; err != nil; err = errors.Unwrap(err) {
				require.NotContains(w, fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2")
			}
		}
	})
}

// A version that is no database secret at all is passed over as a refused one.
func TestPendingVersionThatIsNoSecret(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "0")
		w.server.SetSecret("db", secretOf("app", "1"))
		w.pend("", "")
		require.Equal(w, "app/0", w.once(w.connector()))
	})
}

func TestWithAuthFailed(t *testing.T) {
	in(t, func(w *world) {
		refused := errors.New("login refused")
		w.set("app", "1")
		asked := 0
		c := w.connector(sqlsecret.WithAuthFailed(func(err error) bool { asked++; return errors.Is(err, refused) }))
		w.db.set(func() { w.db.fail = refused })
		_, err := c.Connect(w.Context())
		require.ErrorIs(w, err, secrets.ErrRejected)
		require.ErrorIs(w, err, refused)
		require.Positive(w, asked)
	})
}

// What is not database/sql uses the credentials themselves.
func TestLoginWithoutDatabaseSQL(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		credentials, err := sqlsecret.Bind(w.Context(), w.client, ref)
		require.NoError(w, err)
		defer credentials.Close()
		w.pend("app", "2")
		var tried []string
		login := func(_ context.Context, s secrets.DBSecret) error {
			tried = append(tried, s.Password())
			if s.Password() == "1" {
				return &refusedError{s.Username}
			}
			return nil
		}
		lease, err := credentials.Login(w.Context(), login)
		require.NoError(w, err)
		require.Equal(w, []string{"1", "2"}, tried)
		require.False(w, lease.Replaced())
		w.server.SetSecret("db", secretOf("app", "3"))
		w.refresh()
		require.True(w, lease.Replaced())

		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		_, err = credentials.Login(ctx, func(ctx context.Context, s secrets.DBSecret) error { return fmt.Errorf("x: %w", ctx.Err()) })
		require.Equal(w, context.Canceled, err)
	})
}
