package sqltarget

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
)

// redshift differs from PostgreSQL in that a user is no role that another can be a
// member of, and in its passwords.
type redshift struct{}

func (redshift) rules() dbuser.Rules {
	valid := func(user string) error { return name(user, 127, "bytes") } // Redshift guide, "Names and identifiers"
	return dbuser.Rules{
		Database:  "dev",
		Password:  passwordOf(32, ":"+excluded),
		Alternate: dbuser.Alternate("_clone", valid),
		Valid: func(user, password string) error {
			if err := valid(user); err != nil {
				return err
			}
			// Redshift guide, CREATE USER: 8 to 64 characters.
			if len(password) < 8 || len(password) > 64 || strings.ContainsFunc(password, func(r rune) bool {
				return r < '!' || r > '~' || strings.ContainsRune(excluded, r)
			}) {
				return errors.New(`a password of Redshift has 8 to 64 characters, of printable ASCII without spaces and /@"'\`)
			}
			return nil
		},
	}
}

func (redshift) probe() string { return "SELECT 1" }

func (e redshift) change(ctx context.Context, c *sql.Conn, _, pending secrets.DBSecret) error {
	return e.set(ctx, c, pending)
}

func (redshift) set(ctx context.Context, c *sql.Conn, pending secrets.DBSecret) error {
	return execute(ctx, c, "ALTER USER "+identifier(pending.Username)+" PASSWORD "+literal(pending.Password()))
}

func (e redshift) clone(ctx context.Context, c *sql.Conn, current, pending secrets.DBSecret, _ string) error {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	found, err := exists(ctx, c, "SELECT 1 FROM pg_user WHERE usename = "+literal(pending.Username))
	if err != nil {
		return err
	}
	if found {
		if err := e.set(ctx, c, pending); err != nil {
			return err
		}
		return tx.Commit()
	}
	to := identifier(pending.Username)
	if err := execute(ctx, c, "CREATE USER "+to+" PASSWORD "+literal(pending.Password())); err != nil {
		return err
	}
	user := literal(current.Username)
	for _, g := range []struct {
		on         string
		privileges []string
		query      string // of the quoted names on which the user has the privilege
	}{
		{"DATABASE", []string{"CREATE", "TEMP"}, "SELECT QUOTE_IDENT(datname) FROM pg_database WHERE HAS_DATABASE_PRIVILEGE(" + user + ", datname, "},
		{"SCHEMA", []string{"CREATE", "USAGE"}, "SELECT QUOTE_IDENT(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND HAS_SCHEMA_PRIVILEGE(" + user + ", nspname, "},
		{"TABLE", []string{"SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES"}, "SELECT QUOTE_IDENT(schemaname) || '.' || QUOTE_IDENT(tablename) FROM pg_tables WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema' AND HAS_TABLE_PRIVILEGE(" + user + ", QUOTE_IDENT(schemaname) || '.' || QUOTE_IDENT(tablename), "},
	} {
		for _, privilege := range g.privileges {
			names, err := list(ctx, c, 1, g.query+literal(privilege)+")")
			if err != nil {
				return err
			}
			for _, n := range names {
				if err := execute(ctx, c, "GRANT "+privilege+" ON "+g.on+" "+n[0]+" TO "+to); err != nil {
					return err
				}
			}
		}
	}
	return tx.Commit()
}
