package mysqlsecret_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/sqlsecret"
	"github.com/c0629bfc/secrets/sqlsecret/internal/loadtest"
	"github.com/c0629bfc/secrets/sqlsecret/mysqlsecret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mariadb returns the database that SECRETS_TEST_MARIADB, a data source name of
// go-sql-driver's, names: that of a user who may create others and grants them
// the database.
func mariadb(t *testing.T) (db loadtest.Database, base *mysql.Config) {
	dsn := os.Getenv("SECRETS_TEST_MARIADB")
	if dsn == "" {
		t.Skip("SECRETS_TEST_MARIADB names no database")
	}
	base, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	admin, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	host, port, err := net.SplitHostPort(base.Addr)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	return loadtest.Database{
		Engine: "mariadb", Host: host, Port: number, DBName: base.DBName,
		SetPassword: func(ctx context.Context, user, password string) error {
			_, err := admin.ExecContext(ctx, "CREATE USER IF NOT EXISTS "+quote(user))
			if err == nil {
				_, err = admin.ExecContext(ctx, "ALTER USER "+quote(user)+" IDENTIFIED BY "+quote(password))
			}
			if err == nil {
				_, err = admin.ExecContext(ctx, "GRANT SELECT ON `"+base.DBName+"`.* TO "+quote(user))
			}
			return err
		},
		Drop: func(ctx context.Context, user string) error {
			_, err := admin.ExecContext(ctx, "DROP USER IF EXISTS "+quote(user))
			return err
		},
		Login: func(ctx context.Context, user, password string) error {
			return login(ctx, base, func(c *mysql.Config) { c.User, c.Passwd = user, password })
		},
	}, base
}

func login(ctx context.Context, base *mysql.Config, change func(*mysql.Config)) error {
	cfg := base.Clone()
	change(cfg)
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

func openDB(w *loadtest.World, base *mysql.Config) *sql.DB {
	connector, err := sqlsecret.New(w.Context(), w.Client, w.Ref, mysqlsecret.Connect(base))
	require.NoError(w, err)
	pool := sql.OpenDB(connector)
	w.Cleanup(func() { require.NoError(w, pool.Close()) })
	pool.SetMaxOpenConns(loadtest.Connections)
	return pool
}

func TestNoQueryFails(t *testing.T) {
	db, base := mariadb(t)
	loadtest.Rotate(t, db, func(w *loadtest.World, warm bool) func(context.Context) (string, error) {
		pool := openDB(w, base)
		if pool.SetMaxIdleConns(loadtest.Connections); !warm {
			pool.SetMaxIdleConns(-1)
			pool.SetMaxOpenConns(loadtest.Workers) // nobody waits for a connection, so none is handed over
		}
		return func(ctx context.Context) (user string, err error) {
			err = pool.QueryRowContext(ctx, "SELECT SUBSTRING_INDEX(USER(), '@', 1) WHERE 1 = ?", 1).Scan(&user)
			return user, err
		}
	})
}

func number(err error) uint16 {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number
	}
	return 0
}

// What MariaDB says of credentials, and of what is none of theirs.
func TestAuthFailed(t *testing.T) {
	db, base := mariadb(t)
	w := loadtest.NewWorld(t, db)
	w.SetPassword(w.User(0), "0")
	for _, user := range []string{w.User(0), w.User(9)} {
		err := db.Login(t.Context(), user, "wrong")
		require.EqualValues(t, 1045, number(err))
		require.True(t, sqlsecret.AuthFailed(err))
	}
	err := login(t.Context(), base, func(c *mysql.Config) { c.User, c.Passwd, c.DBName = w.User(0), "0", "mysql" })
	require.EqualValues(t, 1044, number(err), "ER_DBACCESS_DENIED_ERROR")
	require.False(t, sqlsecret.AuthFailed(err))
	err = login(t.Context(), base, func(c *mysql.Config) { c.DBName = "nowhere" })
	require.EqualValues(t, 1049, number(err))
	require.False(t, sqlsecret.AuthFailed(err))
	err = login(t.Context(), base, func(c *mysql.Config) { c.Addr = "127.0.0.1:1" })
	require.Error(t, err)
	require.False(t, sqlsecret.AuthFailed(err))
}

func TestWrongCredentialsCoolDown(t *testing.T) {
	db, base := mariadb(t)
	w := loadtest.NewWorld(t, db)
	w.SetPassword(w.User(0), "0")
	w.Server.SetSecret("db", w.Secret(w.User(0), "hunter2"))
	pool := openDB(w, base)
	for range 100 {
		err := pool.PingContext(t.Context())
		require.ErrorIs(t, err, secrets.ErrRejected)
		require.EqualValues(t, 1045, number(err))
		require.ErrorContains(t, err, w.Ref)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
