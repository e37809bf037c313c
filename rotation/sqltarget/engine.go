package sqltarget

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
)

// engine is the statements of one. Change, set and clone are those of
// [dbuser.Session].
type engine interface {
	rules() dbuser.Rules
	probe() string
	change(ctx context.Context, c *sql.Conn, old, pending secrets.DBSecret) error
	set(ctx context.Context, c *sql.Conn, pending secrets.DBSecret) error
	clone(ctx context.Context, c *sql.Conn, current, pending secrets.DBSecret, unknown string) error
}

// engineOf returns the engine by its name in the secret or in RDS, such as
// aurora-postgresql or sqlserver-se.
func engineOf(s secrets.DBSecret) (engine, error) {
	name := strings.TrimPrefix(strings.ToLower(s.Engine), "aurora-")
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "custom-"), "-")
	switch name {
	case "postgres", "postgresql":
		return postgres{}, nil
	case "redshift":
		return redshift{}, nil
	case "mysql", "aurora":
		return mysql{maxName: 32}, nil
	case "mariadb":
		return mysql{maxName: 80}, nil
	case "sqlserver":
		return sqlserver{}, nil
	case "oracle":
		return oracle{}, nil
	case "":
		return nil, errors.New(`the secret does not name its engine: add the member "engine", such as "postgres"`)
	}
	return nil, fmt.Errorf("there are no statements for the engine %q", s.Engine)
}

// excluded are the characters that AWS's functions keep out of passwords, as RDS
// does of master passwords (API CreateDBInstance, MasterUserPassword).
const excluded = `/@"'\`

func passwordOf(length int, exclude string) rotation.Password {
	return rotation.Password{Length: length, ExcludeCharacters: exclude}
}

// text refuses what no engine can have in a name or password.
func text(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("the %s is empty", what)
	case !utf8.ValidString(s):
		return fmt.Errorf("the %s is not UTF-8", what)
	case strings.ContainsRune(s, 0):
		return fmt.Errorf("the %s has a NUL in it", what)
	}
	return nil
}

// name refuses a user name that is longer than the engine keeps: PostgreSQL would
// cut it off, and mean another user.
func name(user string, most int, unit string) error {
	n := len(user)
	if unit == "characters" {
		n = utf8.RuneCountInString(user)
	}
	if n > most {
		return fmt.Errorf("the user name %q has more than %d %s", user, most, unit)
	}
	return text("user name", user)
}

// quoted puts s between quotes and doubles the closing one in it.
func quoted(open, s, end string) string { return open + strings.ReplaceAll(s, end, end+end) + end }

// literal is a string in standard SQL, where a backslash means itself.
func literal(s string) string { return quoted("'", s, "'") }

// identifier is a quoted identifier in standard SQL.
func identifier(s string) string { return quoted(`"`, s, `"`) }

// execute runs statements in order.
func execute(ctx context.Context, c *sql.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := c.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// exists reports whether a query has a row.
func exists(ctx context.Context, c *sql.Conn, query string, args ...any) (bool, error) {
	rows, err := c.QueryContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	found := rows.Next()
	return found, rows.Err()
}

// list returns the first columns of a query's rows, as texts.
func list(ctx context.Context, c *sql.Conn, columns int, query string, args ...any) (out [][]string, err error) {
	rows, err := c.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		texts, to := make([]sql.NullString, columns), make([]any, columns)
		for i := range texts {
			to[i] = &texts[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		row := make([]string, columns)
		for i, t := range texts {
			row[i] = t.String
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
