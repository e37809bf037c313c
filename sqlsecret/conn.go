package sqlsecret

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"
)

// DriverConn returns the driver's own connection of one that
// [database/sql.Conn.Raw] shows, and anything else as it is:
//
//	err = conn.Raw(func(c any) error {
//		own := sqlsecret.DriverConn(c).(*stdlib.Conn)
//		…
//	})
func DriverConn(c any) any {
	if w, ok := c.(interface{ own() driver.Conn }); ok {
		return w.own()
	}
	return c
}

// wrap returns a connection that ends when its lease is replaced. It has all
// optional interfaces that database/sql looks for. What database/sql does where
// a driver's connection lacks one, the wrapper does: but for execution and
// queries without a statement, since their arguments are checked differently;
// these it has if the driver's connection has them.
func wrap(c driver.Conn, lease *Lease) driver.Conn {
	w := &conn{Conn: c, lease: lease}
	e, q := execer{w}, queryer{w}
	switch exec, query := e.possible(), q.possible(); {
	case exec && query:
		return struct {
			*conn
			execer
			queryer
		}{w, e, q}
	case exec:
		return struct {
			*conn
			execer
		}{w, e}
	case query:
		return struct {
			*conn
			queryer
		}{w, q}
	}
	return w
}

// conn is what every wrapped connection has.
type conn struct {
	driver.Conn
	lease    *Lease
	spent    bool // a transaction on it was rolled back as its context had ended
	returned time.Time
}

// idle is how long a connection was in the pool that counts as idle there, and
// not as on its way from one user to the next.
const idle = time.Second

func (c *conn) own() driver.Conn { return c.Conn }

// IsValid implements [driver.Validator]: database/sql calls it as the
// connection returns to the pool.
func (c *conn) IsValid() bool {
	c.returned = time.Now()
	if c.spent || c.lease.Replaced() {
		return false
	}
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

// ResetSession implements [driver.SessionResetter]: database/sql calls it as
// the connection leaves the pool. One that was replaced ends here if it was idle,
// and otherwise as it returns: a pool that is busy hands over connections that
// were valid a moment before, and a query fails that gets three in a row that are
// bad by then.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.lease.Replaced() && time.Since(c.returned) >= idle {
		return driver.ErrBadConn
	}
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

// Ping implements [driver.Pinger].
func (c *conn) Ping(ctx context.Context) error {
	if p, ok := c.Conn.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := c.Conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if p, ok := c.Conn.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	stmt, err := c.Prepare(query)
	if err == nil && ctx.Err() != nil {
		_ = stmt.Close()
		return nil, ctx.Err()
	}
	return stmt, err
}

// BeginTx implements [driver.ConnBeginTx].
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	t, err := c.begin(ctx, opts)
	_, reset := c.Conn.(driver.SessionResetter)
	_, valid := c.Conn.(driver.Validator)
	if err != nil || reset && valid {
		return t, err
	}
	return tx{t, ctx, c}, nil
}

func (c *conn) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.Conn.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sqlsecret: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sqlsecret: driver does not support read-only transactions")
	}
	t, err := c.Begin()
	if err == nil && ctx.Err() != nil {
		_ = t.Rollback()
		return nil, ctx.Err()
	}
	return t, err
}

// tx ends its connection if it is rolled back because its context ended:
// database/sql keeps only one that has both SessionResetter and Validator, and
// the wrapper has them where the driver's connection has not.
type tx struct {
	driver.Tx
	ctx context.Context
	c   *conn
}

func (t tx) Rollback() error {
	t.c.spent = t.c.spent || t.ctx.Err() != nil
	return t.Tx.Rollback()
}

// execer is a connection that executes without a statement.
type execer struct{ of *conn }

func (e execer) possible() bool {
	switch e.of.Conn.(type) {
	case driver.ExecerContext, driver.Execer: //lint:ignore SA1019 database/sql looks for it
		return true
	}
	return false
}

// ExecContext implements [driver.ExecerContext].
func (e execer) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c, ok := e.of.Conn.(driver.ExecerContext); ok {
		return c.ExecContext(ctx, query, args)
	}
	values, err := unnamed(ctx, args)
	if err != nil {
		return nil, err
	}
	return e.of.Conn.(driver.Execer).Exec(query, values) //lint:ignore SA1019 all that such a driver has
}

// queryer is a connection that queries without a statement.
type queryer struct{ of *conn }

func (q queryer) possible() bool {
	switch q.of.Conn.(type) {
	case driver.QueryerContext, driver.Queryer: //lint:ignore SA1019 database/sql looks for it
		return true
	}
	return false
}

// QueryContext implements [driver.QueryerContext].
func (q queryer) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c, ok := q.of.Conn.(driver.QueryerContext); ok {
		return c.QueryContext(ctx, query, args)
	}
	values, err := unnamed(ctx, args)
	if err != nil {
		return nil, err
	}
	return q.of.Conn.(driver.Queryer).Query(query, values) //lint:ignore SA1019 all that such a driver has
}

// unnamed returns arguments as drivers take them that know neither names nor
// contexts.
func unnamed(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("sqlsecret: driver does not support the use of Named Parameters")
		}
		values[i] = a.Value
	}
	return values, ctx.Err()
}
