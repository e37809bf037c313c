package sqltarget

import (
	"context"
	"database/sql"
	"strings"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
)

// postgres is PostgreSQL, of RDS and Aurora too.
type postgres struct{}

func (postgres) rules() dbuser.Rules {
	// NAMEDATALEN is 64 with the NUL that ends it.
	valid := func(user string) error { return name(user, 63, "bytes") }
	return dbuser.Rules{
		Database:  "postgres",
		Password:  passwordOf(32, ":"+excluded),
		Alternate: dbuser.Alternate("_clone", valid),
		Valid: func(user, password string) error {
			if err := valid(user); err != nil {
				return err
			}
			return text("password", password)
		},
	}
}

func (postgres) probe() string { return "SELECT 1" }

func (e postgres) change(ctx context.Context, c *sql.Conn, _, pending secrets.DBSecret) error {
	return e.set(ctx, c, pending)
}

func (postgres) set(ctx context.Context, c *sql.Conn, pending secrets.DBSecret) error {
	password, err := postgresPassword(ctx, c, pending.Password())
	if err != nil {
		return err
	}
	return execute(ctx, c, "ALTER ROLE "+identifier(pending.Username)+" WITH PASSWORD "+password)
}

// clone needs no password that nobody knows: roles are made in transactions.
func (e postgres) clone(ctx context.Context, c *sql.Conn, current, pending secrets.DBSecret, _ string) error {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	found, err := exists(ctx, c, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", pending.Username)
	if err != nil {
		return err
	}
	if !found {
		if err := execute(ctx, c, "CREATE ROLE "+identifier(pending.Username)+" WITH LOGIN"); err != nil {
			return err
		}
	}
	// Which of the two is the clone, its membership tells.
	member, err := exists(ctx, c, `SELECT 1 FROM pg_catalog.pg_auth_members m
		JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles u ON u.oid = m.member
		WHERE r.rolname = $1 AND u.rolname = $2 OR r.rolname = $2 AND u.rolname = $1`, current.Username, pending.Username)
	if err != nil {
		return err
	}
	if !member {
		if err := execute(ctx, c, "GRANT "+identifier(current.Username)+" TO "+identifier(pending.Username)); err != nil {
			return err
		}
	}
	if err := e.set(ctx, c, pending); err != nil {
		return err
	}
	return tx.Commit()
}

// postgresPassword returns a password as it is written in a statement. Where the
// server keeps SCRAM verifiers, and no normalization of the password is at issue,
// it is the verifier, as psql's \password has it: statements may be logged.
func postgresPassword(ctx context.Context, c *sql.Conn, password string) (string, error) {
	var kept string
	if err := c.QueryRowContext(ctx, "SHOW password_encryption").Scan(&kept); err != nil {
		return "", err
	}
	if kept == "scram-sha-256" && !strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r > '~' }) {
		return literal(scram(password)), nil
	}
	if !strings.Contains(password, `\`) {
		return literal(password), nil
	}
	// Whatever standard_conforming_strings says.
	return " E" + literal(strings.ReplaceAll(password, `\`, `\\`)), nil
}
