package sqltarget

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
)

// oracle is Oracle Database. User names are those of unquoted identifiers: in
// upper case, whatever the secret has, as in AWS's functions.
type oracle struct{}

func (oracle) rules() dbuser.Rules {
	valid := func(user string) error {
		if strings.Contains(user, `"`) {
			return fmt.Errorf("the user name %q has a double quote, which no Oracle identifier can have", user)
		}
		return name(user, 128, "bytes") // since 12.2; 30 before
	}
	alternate := dbuser.Alternate("_CLONE", valid)
	return dbuser.Rules{
		Password:  passwordOf(30, excluded), // API CreateDBInstance: RDS for Oracle has at most 30
		Alternate: func(user string) (string, error) { return alternate(strings.ToUpper(user)) },
		Valid: func(user, password string) error {
			if err := valid(user); err != nil {
				return err
			}
			if strings.Contains(password, `"`) {
				return errors.New("the password has a double quote, which no Oracle password can have")
			}
			return text("password", password)
		},
	}
}

func (oracle) probe() string { return "SELECT 1 FROM DUAL" }

// change gives the old password, as users with a password verify function must.
func (oracle) change(ctx context.Context, c *sql.Conn, old, pending secrets.DBSecret) error {
	return execute(ctx, c, "ALTER USER "+upper(pending.Username)+" IDENTIFIED BY "+identifier(pending.Password())+" REPLACE "+identifier(old.Password()))
}

func (oracle) set(ctx context.Context, c *sql.Conn, pending secrets.DBSecret) error {
	return execute(ctx, c, "ALTER USER "+upper(pending.Username)+" IDENTIFIED BY "+identifier(pending.Password()))
}

func (e oracle) clone(ctx context.Context, c *sql.Conn, current, pending secrets.DBSecret, unknown string) error {
	to, grantee := upper(pending.Username), literal(strings.ToUpper(current.Username))
	found, err := exists(ctx, c, "SELECT 1 FROM DBA_USERS WHERE USERNAME = "+literal(strings.ToUpper(pending.Username)))
	if err != nil {
		return err
	}
	if !found {
		if err := execute(ctx, c, "CREATE USER "+to+" IDENTIFIED BY "+identifier(unknown)); err != nil {
			return err
		}
	}
	// Each row is what stands before TO, and after it.
	for _, query := range []string{
		`SELECT '"' || GRANTED_ROLE || '"', CASE ADMIN_OPTION WHEN 'YES' THEN ' WITH ADMIN OPTION' END FROM DBA_ROLE_PRIVS WHERE GRANTEE = `,
		`SELECT PRIVILEGE, CASE ADMIN_OPTION WHEN 'YES' THEN ' WITH ADMIN OPTION' END FROM DBA_SYS_PRIVS WHERE GRANTEE = `,
		`SELECT PRIVILEGE || CASE TYPE WHEN 'DIRECTORY' THEN ' ON DIRECTORY "' || TABLE_NAME ELSE ' ON "' || OWNER || '"."' || TABLE_NAME END || '"',
			CASE HIERARCHY WHEN 'YES' THEN ' WITH HIERARCHY OPTION' END || CASE GRANTABLE WHEN 'YES' THEN ' WITH GRANT OPTION' END FROM DBA_TAB_PRIVS WHERE TYPE <> 'USER' AND GRANTEE = `,
		`SELECT PRIVILEGE || ' ("' || COLUMN_NAME || '") ON "' || OWNER || '"."' || TABLE_NAME || '"',
			CASE GRANTABLE WHEN 'YES' THEN ' WITH GRANT OPTION' END FROM DBA_COL_PRIVS WHERE GRANTEE = `,
	} {
		grants, err := list(ctx, c, 2, query+grantee)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if err := execute(ctx, c, "GRANT "+g[0]+" TO "+to+g[1]); err != nil {
				return err
			}
		}
	}
	return e.set(ctx, c, pending)
}

func upper(user string) string { return identifier(strings.ToUpper(user)) }
