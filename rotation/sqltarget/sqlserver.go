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

// sqlserver is SQL Server: a login of the server or, in a contained database, a
// user of that.
type sqlserver struct{}

func (sqlserver) rules() dbuser.Rules {
	valid := func(user string) error { return name(user, 128, "characters") } // sysname
	return dbuser.Rules{
		Database:  "master",
		Password:  passwordOf(32, excluded),
		Alternate: dbuser.Alternate("_clone", valid),
		Valid: func(user, password string) error {
			if err := valid(user); err != nil {
				return err
			}
			// A backslash and the end of a line after it are no part of a literal.
			if strings.ContainsAny(user+password, "\r\n") {
				return errors.New("a user name or password with the end of a line cannot be written in T-SQL")
			}
			if len([]rune(password)) > 128 { // CREATE LOGIN, PASSWORD
				return errors.New("a password of SQL Server has at most 128 characters")
			}
			return text("password", password)
		},
	}
}

func (sqlserver) probe() string { return "SELECT 1" }

func (e sqlserver) change(ctx context.Context, c *sql.Conn, old, pending secrets.DBSecret) error {
	principal, err := e.principal(ctx, c)
	if err != nil {
		return err
	}
	return execute(ctx, c, "ALTER "+principal+" "+bracketed(pending.Username)+" WITH PASSWORD = "+national(pending.Password())+" OLD_PASSWORD = "+national(old.Password()))
}

func (e sqlserver) set(ctx context.Context, c *sql.Conn, pending secrets.DBSecret) error {
	principal, err := e.principal(ctx, c)
	if err != nil {
		return err
	}
	return execute(ctx, c, "ALTER "+principal+" "+bracketed(pending.Username)+" WITH PASSWORD = "+national(pending.Password()))
}

// principal returns what the session's users are.
func (sqlserver) principal(ctx context.Context, c *sql.Conn) (string, error) {
	var containment int
	err := c.QueryRowContext(ctx, "SELECT CAST(containment AS int) FROM sys.databases WHERE name = DB_NAME()").Scan(&containment)
	if containment != 0 {
		return "USER", err
	}
	return "LOGIN", err
}

func (e sqlserver) clone(ctx context.Context, c *sql.Conn, current, pending secrets.DBSecret, unknown string) error {
	principal, err := e.principal(ctx, c)
	if err != nil {
		return err
	}
	catalog := "sys.server_principals"
	if principal == "USER" {
		catalog = "sys.database_principals"
	}
	found, err := exists(ctx, c, "SELECT 1 FROM "+catalog+" WHERE name = "+national(pending.Username))
	if err != nil {
		return err
	}
	if !found {
		if err := execute(ctx, c, "CREATE "+principal+" "+bracketed(pending.Username)+" WITH PASSWORD = "+national(unknown)); err != nil {
			return err
		}
	}
	// What is granted twice stays granted: the copy is made again where a run was
	// interrupted before its end.
	if err := e.copyRights(ctx, c, principal, current.Username, pending.Username); err != nil {
		return err
	}
	return execute(ctx, c, "ALTER "+principal+" "+bracketed(pending.Username)+" WITH PASSWORD = "+national(pending.Password()))
}

func (e sqlserver) copyRights(ctx context.Context, c *sql.Conn, principal, from, to string) error {
	var database string
	if err := c.QueryRowContext(ctx, "SELECT DB_NAME()").Scan(&database); err != nil {
		return err
	}
	switch {
	case principal == "USER":
	case database == "master":
		return e.copyServer(ctx, c, from, to)
	default: // the login has a user in the database, perhaps of another name
		users, err := list(ctx, c, 1, "SELECT d.name FROM sys.database_principals d JOIN sys.server_principals s ON s.sid = d.sid WHERE s.name = "+national(from))
		if err != nil {
			return err
		}
		if len(users) == 0 {
			return fmt.Errorf("the login %q has no user in the database %q", from, database)
		}
		alternate, err := e.rules().Alternate(users[0][0])
		if err != nil {
			return err
		}
		found, err := exists(ctx, c, "SELECT 1 FROM sys.database_principals WHERE name = "+national(alternate))
		if err != nil {
			return err
		}
		if !found {
			if err := execute(ctx, c, "CREATE USER "+bracketed(alternate)+" FOR LOGIN "+bracketed(to)); err != nil {
				return err
			}
		}
		from, to = users[0][0], alternate
	}
	return e.copyDatabase(ctx, c, from, to)
}

func (sqlserver) copyServer(ctx context.Context, c *sql.Conn, from, to string) error {
	roles, err := list(ctx, c, 1, `SELECT QUOTENAME(r.name) FROM sys.server_role_members m JOIN sys.server_principals r ON r.principal_id = m.role_principal_id
		JOIN sys.server_principals u ON u.principal_id = m.member_principal_id WHERE u.name = `+national(from))
	if err != nil {
		return err
	}
	for _, r := range roles {
		if err := execute(ctx, c, "ALTER SERVER ROLE "+r[0]+" ADD MEMBER "+bracketed(to)); err != nil {
			return err
		}
	}
	// Class 100 is the server itself.
	rows, err := list(ctx, c, 3, `SELECT p.state_desc, p.permission_name, '' FROM sys.server_permissions p
		JOIN sys.server_principals u ON u.principal_id = p.grantee_principal_id WHERE p.class = 100 AND u.name = `+national(from))
	if err != nil {
		return err
	}
	return grantAll(ctx, c, rows, to)
}

func (sqlserver) copyDatabase(ctx context.Context, c *sql.Conn, from, to string) error {
	roles, err := list(ctx, c, 1, `SELECT QUOTENAME(r.name) FROM sys.database_role_members m JOIN sys.database_principals r ON r.principal_id = m.role_principal_id
		JOIN sys.database_principals u ON u.principal_id = m.member_principal_id WHERE u.name = `+national(from))
	if err != nil {
		return err
	}
	for _, r := range roles {
		if err := execute(ctx, c, "ALTER ROLE "+r[0]+" ADD MEMBER "+bracketed(to)); err != nil {
			return err
		}
	}
	// Of a class that is not here the query returns the number: see grantAll.
	rows, err := list(ctx, c, 3, `SELECT p.state_desc, p.permission_name, COALESCE(CASE p.class
		WHEN 0 THEN ''
		WHEN 1 THEN ' ON OBJECT::' + QUOTENAME(OBJECT_SCHEMA_NAME(p.major_id)) + '.' + QUOTENAME(OBJECT_NAME(p.major_id)) + COALESCE(' (' + QUOTENAME(COL_NAME(p.major_id, NULLIF(p.minor_id, 0))) + ')', '')
		WHEN 3 THEN ' ON SCHEMA::' + QUOTENAME(SCHEMA_NAME(p.major_id))
		WHEN 4 THEN (SELECT CASE d.type WHEN 'S' THEN ' ON USER::' WHEN 'R' THEN ' ON ROLE::' WHEN 'A' THEN ' ON APPLICATION ROLE::' END + QUOTENAME(d.name) FROM sys.database_principals d WHERE d.principal_id = p.major_id)
		WHEN 6 THEN (SELECT ' ON TYPE::' + QUOTENAME(SCHEMA_NAME(t.schema_id)) + '.' + QUOTENAME(t.name) FROM sys.types t WHERE t.user_type_id = p.major_id)
		END, 'class ' + CAST(p.class AS varchar(3))) FROM sys.database_permissions p JOIN sys.database_principals u ON u.principal_id = p.grantee_principal_id
		WHERE u.name = `+national(from))
	if err != nil {
		return err
	}
	return grantAll(ctx, c, rows, to)
}

// grantAll repeats permissions, each its state, its name and " ON securable".
func grantAll(ctx context.Context, c *sql.Conn, rows [][]string, to string) error {
	for _, r := range rows {
		state, option := r[0], ""
		if class, unknown := strings.CutPrefix(r[2], "class "); unknown {
			return fmt.Errorf("a permission on a securable of class %s (sys.database_permissions): make the clone by hand, and grant it what the user has", class)
		}
		if state == "GRANT_WITH_GRANT_OPTION" {
			state, option = "GRANT", " WITH GRANT OPTION"
		}
		if err := execute(ctx, c, state+" "+r[1]+r[2]+" TO "+bracketed(to)+option); err != nil {
			return err
		}
	}
	return nil
}

func bracketed(s string) string { return quoted("[", s, "]") }

// national is a literal in Unicode.
func national(s string) string { return "N" + literal(s) }
