package sqltarget

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
)

// mysql is MySQL and MariaDB, of RDS and Aurora too. Which of the two it talks to
// the server says.
type mysql struct {
	maxName int // characters: 32 in MySQL, 80 in MariaDB
}

func (e mysql) rules() dbuser.Rules {
	valid := func(user string) error {
		// The system tables are in three bytes a character.
		if strings.ContainsFunc(user, func(r rune) bool { return r > 0xffff }) {
			return fmt.Errorf("the user name %q has a character outside the Basic Multilingual Plane, which no MySQL user name can have", user)
		}
		return name(user, e.maxName, "characters")
	}
	return dbuser.Rules{
		Password:  passwordOf(32, excluded),
		Alternate: dbuser.Alternate("_clone", valid),
		Valid: func(user, password string) error {
			if err := valid(user); err != nil {
				return err
			}
			return text("password", password)
		},
	}
}

func (mysql) probe() string { return "SELECT 1" }

// dialect is what the statements depend on.
type dialect struct {
	mariadb bool
	version int // 506 is 5.6
}

// begin fixes how the server reads the statements that follow, and asks which
// one it is. None of them can have a parameter where a password goes.
func (mysql) begin(ctx context.Context, c *sql.Conn) (d dialect, err error) {
	if err := execute(ctx, c, "SET NAMES utf8mb4", "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'"); err != nil {
		return d, err
	}
	var version string
	if err := c.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return d, err
	}
	d.mariadb = strings.Contains(version, "MariaDB")
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, err1 := strconv.Atoi(major)
	y, err2 := strconv.Atoi(minor)
	d.version = 100*x + y
	return d, errors.Join(err1, err2)
}

// password returns what stands after SET PASSWORD … =. SET PASSWORD keeps the
// account's authentication plugin, where ALTER USER may put in the default one.
func (d dialect) password(password string) string {
	if d.mariadb || d.version < 507 {
		return "PASSWORD(" + literal(password) + ")"
	}
	return literal(password)
}

func (e mysql) change(ctx context.Context, c *sql.Conn, _, pending secrets.DBSecret) error {
	d, err := e.begin(ctx, c)
	if err != nil {
		return err
	}
	return execute(ctx, c, "SET PASSWORD = "+d.password(pending.Password()))
}

func (e mysql) set(ctx context.Context, c *sql.Conn, pending secrets.DBSecret) error {
	d, err := e.begin(ctx, c)
	if err != nil {
		return err
	}
	hosts, err := hostsOf(ctx, c, pending.Username)
	if err != nil {
		return err
	}
	if len(hosts) == 0 {
		return fmt.Errorf("there is no account of the user %q", pending.Username)
	}
	return d.setPasswords(ctx, c, pending, hosts)
}

func (d dialect) setPasswords(ctx context.Context, c *sql.Conn, pending secrets.DBSecret, hosts []string) error {
	for _, host := range hosts {
		if err := execute(ctx, c, "SET PASSWORD FOR "+account(pending.Username, host)+" = "+d.password(pending.Password())); err != nil {
			return err
		}
	}
	return nil
}

func (e mysql) clone(ctx context.Context, c *sql.Conn, current, pending secrets.DBSecret, unknown string) error {
	d, err := e.begin(ctx, c)
	if err != nil {
		return err
	}
	hosts, err := hostsOf(ctx, c, current.Username)
	if err != nil {
		return err
	}
	if len(hosts) == 0 {
		return fmt.Errorf("there is no account of the user %q", current.Username)
	}
	for _, host := range hosts {
		from, to := account(current.Username, host), account(pending.Username, host)
		found, err := exists(ctx, c, "SELECT 1 FROM mysql.user WHERE User = "+literal(pending.Username)+" AND Host = "+literal(host))
		if err != nil {
			return err
		}
		if !found {
			if err := execute(ctx, c, "CREATE USER "+to+" IDENTIFIED BY "+literal(unknown)); err != nil {
				return err
			}
		}
		grants, err := list(ctx, c, 1, "SHOW GRANTS FOR "+from)
		if err != nil {
			return err
		}
		for _, g := range grants {
			statement, err := regrant(g[0], to)
			if err != nil {
				return err
			}
			if err := execute(ctx, c, statement); err != nil {
				return err
			}
		}
		if err := d.copyRest(ctx, c, current.Username, host, to); err != nil {
			return err
		}
	}
	return d.setPasswords(ctx, c, pending, hosts) // last, so that an account that works has its rights
}

// copyRest copies what is not in the grants: TLS requirements, and in MySQL which
// roles are active by default.
func (d dialect) copyRest(ctx context.Context, c *sql.Conn, user, host, to string) error {
	which := " WHERE User = " + literal(user) + " AND Host = " + literal(host)
	rows, err := list(ctx, c, 4, "SELECT ssl_type, ssl_cipher, x509_issuer, x509_subject FROM mysql.user"+which)
	if err != nil || len(rows) == 0 {
		return err
	}
	require := "NONE"
	switch r := rows[0]; r[0] {
	case "":
	case "ANY":
		require = "SSL"
	case "X509":
		require = "X509"
	default: // SPECIFIED
		var parts []string
		for i, what := range []string{"CIPHER", "ISSUER", "SUBJECT"} {
			if r[i+1] != "" {
				parts = append(parts, what+" "+literal(r[i+1]))
			}
		}
		require = strings.Join(parts, " AND ")
	}
	statement := "ALTER USER " + to + " REQUIRE " + require
	if !d.mariadb && d.version < 507 {
		statement = "GRANT USAGE ON *.* TO " + to + " REQUIRE " + require
	}
	if err := execute(ctx, c, statement); err != nil || d.mariadb || d.version < 800 {
		return err
	}
	roles, err := list(ctx, c, 2, "SELECT DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST FROM mysql.default_roles"+which)
	if err != nil || len(roles) == 0 {
		return err
	}
	var names []string
	for _, r := range roles {
		names = append(names, account(r[0], r[1]))
	}
	return execute(ctx, c, "SET DEFAULT ROLE "+strings.Join(names, ", ")+" TO "+to)
}

// hostsOf returns the hosts of a user's accounts. MariaDB has its roles among the
// users, without a host.
func hostsOf(ctx context.Context, c *sql.Conn, user string) (hosts []string, err error) {
	rows, err := list(ctx, c, 1, "SELECT Host FROM mysql.user WHERE User = "+literal(user)+" AND Host <> '' ORDER BY Host")
	for _, r := range rows {
		hosts = append(hosts, r[0])
	}
	return hosts, err
}

func account(user, host string) string { return literal(user) + "@" + literal(host) }
