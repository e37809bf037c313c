// Package pgxsecret opens PostgreSQL connections by pgx whose credentials follow
// the rotation of a secret: a pgxpool, or database/sql over pgx.
//
//	pool, err := pgxsecret.NewPool(ctx, client, "sm://prod/db", nil)
//
//	connector, err := sqlsecret.New(ctx, client, "sm://prod/db", pgxsecret.Connect(nil))
//	…
//	db := sql.OpenDB(connector)
//
// Package sqlsecret says what happens in a rotation, and when nothing works.
package pgxsecret

import (
	"context"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/sqlsecret"
)

// Connect returns what [sqlsecret.New] wants, for pgx's database/sql driver. Of
// the secret it takes user and password and, where they are there, host, port,
// database and ssl; of base, which [pgx.ParseConfig] made, all else. A nil base
// is what libpq's environment variables say, as in ParseConfig("").
//
// A host of the secret replaces all hosts of base, in its TLS configuration too.
// The secret's ssl true demands an encrypted connection where base does not;
// where base has no TLS configuration at all it is one that verifies the server
// by the system's roots. False weakens nothing that base demands.
//
// [database/sql.Conn.Raw] shows a wrapper: pass what it shows to
// [sqlsecret.DriverConn] to get at the [stdlib.Conn].
func Connect(base *pgx.ConnConfig, opts ...stdlib.OptionOpenDB) func(secrets.DBSecret) (driver.Connector, error) {
	return func(s secrets.DBSecret) (driver.Connector, error) {
		cfg, err := configure(base, s)
		if err != nil {
			return nil, err
		}
		return stdlib.GetConnector(*cfg, opts...), nil
	}
}

// NewPool returns a pool whose connections are opened with the credentials that
// ref names, as [sqlsecret.Credentials.Login] does, and closed when these have
// been replaced: as they return to the pool, or when the pool would hand them
// out. What it takes of the secret and of base is said at [Connect]; a nil base
// is pgxpool.ParseConfig(""). The hooks of base are called as ever.
//
// The connection is opened in BeforeConnect, and pgx then adopts it: in
// [pgx.Conn.Config], which opens no other connection, and for a tracer it is one
// without TLS, RequireAuth, ChannelBinding, Fallbacks, ValidateConnect and
// AfterNetConnect, which have been heeded before. A tracer is told of it when it
// is open, and of none that failed to open. The secret is followed as long as the
// pool is reachable.
func NewPool(ctx context.Context, client *secrets.Client, ref string, base *pgxpool.Config, opts ...sqlsecret.Option) (*pgxpool.Pool, error) {
	if base == nil {
		var err error
		if base, err = pgxpool.ParseConfig(""); err != nil {
			return nil, err
		}
	}
	credentials, err := sqlsecret.Bind(ctx, client, ref, opts...)
	if err != nil {
		return nil, err
	}
	cfg := base.Copy()
	cfg.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		if base.BeforeConnect != nil {
			if err := base.BeforeConnect(ctx, c); err != nil {
				return err
			}
		}
		return open(ctx, credentials, c)
	}
	prepare := base.PrepareConn
	//lint:ignore SA1019 PrepareConn would silence it
	if acquire := base.BeforeAcquire; prepare == nil && acquire != nil {
		prepare = func(ctx context.Context, c *pgx.Conn) (bool, error) { return acquire(ctx, c), nil }
	}
	cfg.PrepareConn = func(ctx context.Context, c *pgx.Conn) (bool, error) {
		switch {
		case replaced(c):
			return false, nil
		case prepare == nil:
			return true, nil
		}
		return prepare(ctx, c)
	}
	cfg.AfterRelease = func(c *pgx.Conn) bool {
		return (base.AfterRelease == nil || base.AfterRelease(c)) && !replaced(c)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		credentials.Close()
		return nil, err
	}
	return pool, nil
}
