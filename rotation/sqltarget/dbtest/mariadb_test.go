package dbtest

import (
	"context"
	"database/sql"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation/sqltarget"
	"github.com/c0629bfc/secrets/sqlsecret/mysqlsecret"
)

// mariadb returns the database that SECRETS_TEST_MARIADB, a DSN, names: that of a
// user with all privileges and the right to grant them.
func mariadb(t *testing.T) database {
	base := os.Getenv("SECRETS_TEST_MARIADB")
	if base == "" {
		t.Skip("SECRETS_TEST_MARIADB names no database")
	}
	cfg, err := driver.ParseDSN(base)
	require.NoError(t, err)
	connector, err := driver.NewConnector(cfg)
	require.NoError(t, err)
	admin := sql.OpenDB(connector)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	host, port, err := net.SplitHostPort(cfg.Addr)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	return database{
		engine: "mariadb", host: host, port: number, name: cfg.DBName, user: cfg.User, password: cfg.Passwd,
		admin: admin, connect: mysqlsecret.Connect(cfg),
		create: func(t *testing.T, user, password string) {
			exec(t, admin, "CREATE USER "+account(user)+" IDENTIFIED BY '"+password+"'")
			exec(t, admin, "GRANT SELECT ON app.* TO "+account(user)) // to log in to the database at all
			t.Cleanup(func() {
				for _, u := range []string{user + "_clone", user} {
					exec(t, admin, "DROP USER IF EXISTS "+account(u))
				}
			})
		},
		odd: []string{`'`, `"`, `\`, `\'`, `%s`, `%`, ` x`, `a;--`, `ü`, `用户`, "`", "@host", strings.Repeat("n", 80-9-6)},
	}
}

func account(user string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(user) + "'@'127.0.0.1'"
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	_, err := db.ExecContext(context.Background(), statement)
	require.NoError(t, err, statement)
}

func TestMariaDB(t *testing.T) { testAll(t, mariadb(t)) }

func TestMariaDBCloneHasTheRightsOfTheUser(t *testing.T) {
	d := mariadb(t)
	w := newWorld(t, d)
	user, table := unique(), unique()
	role := table + "_role"
	d.create(t, user, "first")
	for _, s := range []string{
		"CREATE TABLE app." + table + " (`n` int, `o TO p` int)",
		"CREATE DATABASE `" + table + " TO ``x``'y'`",
		"CREATE TABLE `" + table + " TO ``x``'y'`.t (n int)",
		"GRANT INSERT (`o TO p`), SELECT ON app." + table + " TO " + account(user) + " REQUIRE SSL WITH GRANT OPTION",
		"GRANT ALL ON `" + table + " TO ``x``'y'`.* TO " + account(user) + " WITH MAX_USER_CONNECTIONS 5",
		"CREATE ROLE " + role,
		"GRANT DELETE ON app." + table + " TO " + role,
		"GRANT " + role + " TO " + account(user) + " WITH ADMIN OPTION",
		"SET DEFAULT ROLE " + role + " FOR " + account(user),
	} {
		exec(t, d.admin, s)
	}
	t.Cleanup(func() {
		exec(t, d.admin, "DROP ROLE "+role)
		exec(t, d.admin, "DROP TABLE app."+table)
		exec(t, d.admin, "DROP DATABASE `"+table+" TO ``x``'y'`")
	})
	check := func(ctx context.Context, c *sql.Conn) error {
		for _, s := range []string{
			"INSERT INTO app." + table + " (`o TO p`) VALUES (1)",
			"DELETE FROM app." + table, // by the role, which is active by default
			"INSERT INTO `" + table + " TO ``x``'y'`.t VALUES (1)",
		} {
			if _, err := c.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
	rest := regexp.MustCompile(` (IDENTIFIED BY PASSWORD '[^']*'|REQUIRE SSL|WITH MAX_USER_CONNECTIONS 5)`)
	shown := func(user string) (rows []string) {
		r, err := d.admin.QueryContext(t.Context(), "SHOW GRANTS FOR "+account(user))
		require.NoError(t, err)
		defer r.Close()
		for r.Next() {
			var row string
			require.NoError(t, r.Scan(&row))
			rows = append(rows, strings.ReplaceAll(rest.ReplaceAllString(row, ""), user, "*"))
		}
		require.NoError(t, r.Err())
		return rows
	}
	current := w.secret(user, "first", nil)
	for range 3 {
		target := w.alternating(sqltarget.WithCheck(check))
		pending := w.next(target, current)
		require.NoError(t, target.Set(t.Context(), value(current), value(pending), provider.Value{}))
		require.NoError(t, target.Test(t.Context(), value(pending)))
		current = pending
	}
	require.Equal(t, shown(user), shown(user+"_clone"))
	var tls string
	require.NoError(t, d.admin.QueryRowContext(t.Context(), "SELECT ssl_type FROM mysql.user WHERE User = ?", user+"_clone").Scan(&tls))
	require.Equal(t, "ANY", tls)
}
