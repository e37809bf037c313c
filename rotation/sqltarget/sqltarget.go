// Package sqltarget rotates the password of a database user, over database/sql
// and with whatever driver the program has.
//
//	target := sqltarget.SingleUser(pgxsecret.Connect(nil))
//	target := sqltarget.AlternatingUsers(pgxsecret.Connect(nil), sqltarget.Master(client))
//
// The values are database secrets as AWS documents them ([secrets.DBSecret]), in
// Secrets Manager or in Parameter Store, with at least engine, host, username and
// password. The engine decides on the statements: postgres, aurora-postgresql,
// redshift, mysql, mariadb, aurora-mysql, sqlserver and oracle, or as RDS names
// them (API CreateDBInstance, parameter Engine). The rest follows AWS's rotation
// functions (user guide, "AWS Secrets Manager rotation function templates").
//
// # Single user
//
// The user changes its own password: Set tries the pending password and is done
// if it works; else it logs in with the current one or, if that is refused, with
// the previous one. From then on the database refuses the old password, while
// readers get it as the current one until the rotation is finished: package
// sqlsecret bridges that gap, and retries are what helps other readers. Sessions
// that are open live on. With [WithSuperuser] another user changes it. Where MySQL
// or MariaDB have accounts of the user at several hosts, the user changes that
// which it logs in by, and a superuser changes all.
//
// # Alternating users
//
// Two users, user and user_clone, take turns, and a superuser sets the password of
// the one that is not current. The current one works through the whole rotation,
// and up to the next: readers have a whole period to follow. The first rotation
// makes the clone, with the rights of the user:
//
//   - PostgreSQL: the clone becomes a member of the user's role, and so has what
//     that has, now and later. What the clone creates is the clone's own. Role
//     attributes and settings (CREATEDB, search_path) are not copied.
//   - MySQL and MariaDB: each rotation grants to the one what the other has, roles
//     and TLS requirements too, for the accounts at all hosts. What is revoked from
//     one must be revoked from both. Resource limits are not copied.
//   - Redshift: the first rotation grants what the user can do with databases,
//     schemas and tables then. Groups, roles and later grants are not copied.
//   - SQL Server: the first rotation copies the roles and permissions, of the
//     server where the secret names no database or master, else of the database;
//     permissions on what is neither a database, a schema, an object, a column, a
//     user or a type make it fail.
//   - Oracle: each rotation grants the roles, system, object and column privileges
//     of the one to the other. Quotas and profiles are not copied.
//
// The superuser needs the rights to create users, to set their passwords and to
// grant whatever the user has; in MySQL and MariaDB to read the database mysql, in
// Oracle the DBA views. The suffix is _CLONE in Oracle, as in AWS's functions.
//
// # What is refused
//
// The pending version must have the engine, host, port and, by the strategy, the
// user name of the current one, and the current (or previous) password must work,
// even where a superuser sets the new one: a secret that somebody else wrote gets
// no password set.
//
// Set fails, and changes nothing, if a name or password is such that the engine or
// its syntax cannot have it. After a user's password was changed Set logs in with
// it and, if that is refused, changes it back. A server that lets in whoever asks
// (trust in pg_hba.conf) takes the pending password for set, and gets none.
//
// # Encryption
//
// Where the secret's ssl is true or false, connect gets it so. Where it is absent,
// connect is asked for an encrypted connection first, and for another if that
// fails, except for a wrong password. With ssl true there is no fall-back.
//
// # What was tested
//
// PostgreSQL and MariaDB are tested against servers. The statements for MySQL,
// Redshift, SQL Server and Oracle are tested as texts only.
package sqltarget

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
)

// Connect turns a database secret into the connector of a driver; those of
// packages pgxsecret and mysqlsecret are made for it. The secret's SSL is never
// nil, and to be heeded; its database is the one it names, or by AWS's defaults
// postgres, dev (Redshift) or master (SQL Server).
type Connect func(secrets.DBSecret) (driver.Connector, error)

// Superuser returns the secret of a user that may set the password of another,
// create users and grant them what the current one has. One with only username
// and password, as RDS manages it, is taken to be of the same host; any other
// must be. (AWS's functions also allow the master of a replica, by asking RDS.)
type Superuser func(ctx context.Context, current secrets.DBSecret) (provider.Value, error)

// Master returns the [Superuser] whose secret masterarn of the current one names,
// as AWS has it. It is read from the store each time.
func Master(client *secrets.Client) Superuser {
	return dbuser.Master(client)
}

// SingleUser returns a target for a user that changes its own password.
func SingleUser(connect Connect, opts ...Option) rotation.Target {
	return newTarget(connect, opts)
}

// AlternatingUsers returns a target for two users that take turns.
func AlternatingUsers(connect Connect, superuser Superuser, opts ...Option) rotation.Target {
	t := newTarget(connect, opts)
	t.Alternating, t.Superuser = true, dbuser.Superuser(superuser)
	return t
}

// Option configures a target.
type Option func(*dbuser.Target)

// WithPassword sets what makes passwords. The default is what AWS's functions ask
// GetRandomPassword for: 32 characters, one of each type, none of /@"'\ nor, for
// PostgreSQL and Redshift, a colon; for Oracle 30.
func WithPassword(g rotation.Generator) Option {
	return func(t *dbuser.Target) { t.Generate = g }
}

// WithSuperuser has a superuser set the password of a single user, who need not be
// allowed to. The old password must still work.
func WithSuperuser(s Superuser) Option {
	return func(t *dbuser.Target) { t.Superuser = dbuser.Superuser(s) }
}

// WithCheck sets what Test does in a session with the pending password, to see
// that it has the rights it needs; the default is a query without a table.
func WithCheck(check func(context.Context, *sql.Conn) error) Option {
	return func(t *dbuser.Target) { t.System = system{t.System.(system).connect, check} }
}

func newTarget(connect Connect, opts []Option) *dbuser.Target {
	t := &dbuser.Target{System: system{connect: connect}}
	for _, opt := range opts {
		opt(t)
	}
	return t
}
