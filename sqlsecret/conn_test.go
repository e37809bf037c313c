package sqlsecret_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/sqlsecret"
)

// Below are connections with some of the optional interfaces each. What they
// are asked to do they write down.

type journal struct{ lines []string }

func (j *journal) note(format string, args ...any) {
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

// plain has none.
type plain struct{ *journal }

func (c plain) Close() error              { c.note("close"); return nil }
func (c plain) Begin() (driver.Tx, error) { c.note("begin"); return notedTx(c), nil }
func (c plain) Prepare(query string) (driver.Stmt, error) {
	c.note("prepare %s", query)
	return notedStmt(c), nil
}

type notedTx struct{ *journal }

func (t notedTx) Commit() error   { t.note("commit"); return nil }
func (t notedTx) Rollback() error { t.note("rollback"); return nil }

// notedStmt takes complex numbers, which database/sql by itself does not.
type notedStmt struct{ *journal }

func (s notedStmt) Close() error  { s.note("close statement"); return nil }
func (s notedStmt) NumInput() int { return -1 }
func (s notedStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.note("statement exec %v", args)
	return driver.ResultNoRows, nil
}
func (s notedStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.note("statement query %v", args)
	return &rows{}, nil
}
func (s notedStmt) ColumnConverter(int) driver.ValueConverter { return converter{} }

type converter struct{}

func (converter) ConvertValue(v any) (driver.Value, error) { return v, nil }

// legacy has what drivers had before there were contexts.
type legacy struct{ plain }

func (c legacy) Exec(query string, args []driver.Value) (driver.Result, error) {
	c.note("exec %s %v", query, args)
	return driver.ResultNoRows, nil
}
func (c legacy) Query(query string, args []driver.Value) (driver.Rows, error) {
	c.note("query %s %v", query, args)
	return &rows{}, nil
}

// executes and queries have one of the two.
type executes struct{ plain }

func (c executes) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.note("exec %s %v", query, args)
	return driver.ResultNoRows, nil
}

type queries struct{ plain }

func (c queries) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.note("query %s %v", query, args)
	return &rows{}, nil
}

// skips has both, and declines.
type skips struct{ plain }

func (c skips) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	c.note("skip exec")
	return nil, driver.ErrSkip
}
func (c skips) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	c.note("skip query")
	return nil, driver.ErrSkip
}

// resets and validates have one of the two.
type resets struct{ plain }

func (c resets) ResetSession(context.Context) error { c.note("reset"); return nil }

type validates struct{ plain }

func (c validates) IsValid() bool { c.note("valid"); return true }

// invalid is one that its driver gave up.
type invalid struct{ plain }

func (c invalid) IsValid() bool { c.note("invalid"); return false }

// full has all of them.
type full struct{ plain }

func (c full) ResetSession(context.Context) error { c.note("reset"); return nil }
func (c full) IsValid() bool                      { c.note("valid"); return true }
func (c full) Ping(context.Context) error         { c.note("ping"); return errors.New("no pong") }
func (c full) CheckNamedValue(v *driver.NamedValue) error {
	c.note("check %v", v.Value)
	return nil
}
func (c full) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	c.note("prepare in context %s", query)
	return notedStmt{c.journal}, nil
}
func (c full) BeginTx(_ context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.note("begin %v", opts)
	return notedTx{c.journal}, nil
}
func (c full) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.note("exec %s %v", query, args)
	return driver.ResultNoRows, nil
}
func (c full) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.note("query %s %v", query, args)
	return &rows{}, nil
}

// dialer is a connector of such connections.
type dialer struct {
	open func() driver.Conn
}

func (d dialer) Connect(context.Context) (driver.Conn, error) { return d.open(), nil }
func (d dialer) Driver() driver.Driver                        { return fakeDriver{} }

// use does with a pool all that database/sql has, and returns what failed.
func use(t *testing.T, db *sql.DB) (failures []error) {
	note := func(err error) { failures = append(failures, err) }
	ctx := t.Context()
	note(db.PingContext(ctx))
	for _, args := range [][]any{{}, {1, "two"}, {complex(1, 2)}, {sql.Named("n", 3)}} {
		_, err := db.ExecContext(ctx, "e", args...)
		note(err)
		rows, err := db.QueryContext(ctx, "q", args...)
		if note(err); err == nil {
			note(rows.Close())
		}
		stmt, err := db.PrepareContext(ctx, "s")
		require.NoError(t, err)
		_, err = stmt.ExecContext(ctx, args...)
		note(err)
		note(stmt.Close())
	}
	for _, opts := range []*sql.TxOptions{nil, {ReadOnly: true}, {Isolation: sql.LevelSerializable}} {
		tx, err := db.BeginTx(ctx, opts)
		if note(err); err == nil {
			note(tx.Commit())
		}
	}
	ended, cancel := context.WithCancel(ctx)
	tx, err := db.BeginTx(ended, nil)
	note(err)
	cancel()
	synctest.Wait()
	note(tx.Rollback())
	ended, cancel = context.WithCancel(ctx)
	tx, err = db.BeginTx(ended, nil)
	note(err)
	note(tx.Rollback())
	cancel()
	_, err = db.ExecContext(ended, "late")
	note(err)
	_, err = db.ExecContext(ctx, "last")
	note(err)
	return failures
}

// A pool notices nothing of the wrapper.
func TestWrappedConnectionsWorkAsTheDrivers(t *testing.T) {
	for name, as := range map[string]func(plain) driver.Conn{
		"plain":     func(c plain) driver.Conn { return c },
		"legacy":    func(c plain) driver.Conn { return legacy{c} },
		"executes":  func(c plain) driver.Conn { return executes{c} },
		"queries":   func(c plain) driver.Conn { return queries{c} },
		"skips":     func(c plain) driver.Conn { return skips{c} },
		"resets":    func(c plain) driver.Conn { return resets{c} },
		"validates": func(c plain) driver.Conn { return validates{c} },
		"invalid":   func(c plain) driver.Conn { return invalid{c} },
		"full":      func(c plain) driver.Conn { return full{c} },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				w.set("app", "1")
				var journals [2]journal
				var failures [2][]error
				var dialers [2]dialer
				for i := range dialers {
					dialers[i].open = func() driver.Conn {
						journals[i].note("open")
						return as(plain{&journals[i]})
					}
				}
				bare := sql.OpenDB(dialers[0])
				defer bare.Close()
				c, err := sqlsecret.New(w.Context(), w.client, ref, func(secrets.DBSecret) (driver.Connector, error) { return dialers[1], nil })
				require.NoError(w, err)
				wrapped := sql.OpenDB(c)
				defer wrapped.Close()
				for i, db := range []*sql.DB{bare, wrapped} {
					failures[i] = use(w.T, db)
				}
				require.NotEmpty(w, journals[0].lines)
				require.Equal(w, journals[0], journals[1])
				require.Equal(w, len(failures[0]), len(failures[1]))
				for i, err := range failures[0] {
					require.Equal(w, err == nil, failures[1][i] == nil, "%v, %v", err, failures[1][i])
				}
			})
		})
	}
}

func TestRawReachesTheDriversConnection(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c, _ := w.open(w.pool())
		require.NoError(w, c.Raw(func(c any) error {
			require.Implements(w, (*driver.Pinger)(nil), c)
			require.IsType(w, (*connection)(nil), sqlsecret.DriverConn(c))
			require.Equal(w, sqlsecret.DriverConn(c), sqlsecret.DriverConn(sqlsecret.DriverConn(c)))
			return nil
		}))
		require.Equal(w, 1, sqlsecret.DriverConn(1))
	})
}
