package sqltarget

import (
	"context"
	"database/sql"
	"errors"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
	"github.com/c0629bfc/secrets/sqlsecret"
)

// system is a [dbuser.System] over database/sql.
type system struct {
	connect Connect
	check   func(context.Context, *sql.Conn) error
}

func (y system) Rules(s secrets.DBSecret) (dbuser.Rules, error) {
	e, err := engineOf(s)
	if err != nil {
		return dbuser.Rules{}, err
	}
	return e.rules(), nil
}

func (y system) Login(ctx context.Context, s secrets.DBSecret) (dbuser.Session, error) {
	e, err := engineOf(s)
	if err != nil {
		return nil, err
	}
	connector, err := y.connect(s)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(0)
	conn, err := db.Conn(ctx)
	if err == nil {
		if err = conn.PingContext(ctx); err != nil { // some drivers log in no earlier
			_ = conn.Close()
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	check := y.check
	if check == nil {
		check = func(ctx context.Context, conn *sql.Conn) error {
			var one int
			return conn.QueryRowContext(ctx, e.probe()).Scan(&one)
		}
	}
	return &session{engine: e, conn: conn, db: db, check: check}, nil
}

func (y system) Refused(err error) bool { return sqlsecret.AuthFailed(err) }

func (y system) Final(err error) bool {
	// PostgreSQL says 28000 where pg_hba.conf has no line for the connection, as
	// it may for one that is encrypted or is not.
	var state interface{ SQLState() string }
	return sqlsecret.AuthFailed(err) && !(errors.As(err, &state) && state.SQLState() == "28000")
}

// session is a [dbuser.Session] of one connection.
type session struct {
	engine
	conn  *sql.Conn
	db    *sql.DB
	check func(context.Context, *sql.Conn) error
}

func (s *session) Change(ctx context.Context, old, pending secrets.DBSecret) error {
	return s.engine.change(ctx, s.conn, old, pending)
}

func (s *session) Set(ctx context.Context, pending secrets.DBSecret) error {
	return s.engine.set(ctx, s.conn, pending)
}

func (s *session) Clone(ctx context.Context, current, pending secrets.DBSecret, unknown string) error {
	return s.engine.clone(ctx, s.conn, current, pending, unknown)
}

func (s *session) Check(ctx context.Context) error { return s.check(ctx, s.conn) }

func (s *session) Close() error { return errors.Join(s.conn.Close(), s.db.Close()) }
