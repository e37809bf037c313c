package dbtest

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/sqltarget"
	"github.com/c0629bfc/secrets/sqlsecret"
	"github.com/c0629bfc/secrets/sqlsecret/pgxsecret"
)

// postgres returns the database that SECRETS_TEST_POSTGRES, a connection string,
// names: that of a superuser who logs in by password over TCP.
func postgres(t *testing.T) database {
	base := os.Getenv("SECRETS_TEST_POSTGRES")
	if base == "" {
		t.Skip("SECRETS_TEST_POSTGRES names no database")
	}
	cfg, err := pgx.ParseConfig(base)
	require.NoError(t, err)
	admin := stdlib.OpenDB(*cfg)
	t.Cleanup(func() { require.NoError(t, admin.Close()) })
	ident := func(s string) string { return pgx.Identifier{s}.Sanitize() }
	return database{
		engine: "postgres", host: cfg.Host, port: int(cfg.Port), name: cfg.Database, user: cfg.User, password: cfg.Password,
		admin: admin, connect: pgxsecret.Connect(cfg),
		create: func(t *testing.T, user, password string) {
			_, err := admin.ExecContext(t.Context(), "CREATE ROLE "+ident(user)+" LOGIN PASSWORD '"+password+"'")
			require.NoError(t, err)
			t.Cleanup(func() {
				for _, u := range []string{user + "_clone", user} {
					_, err := admin.ExecContext(context.Background(), "DROP ROLE IF EXISTS "+ident(u))
					require.NoError(t, err)
				}
			})
		},
		odd: []string{`'`, `"`, `\`, `%s`, `$1`, ` x `, `a;--`, `ü`, `用户`, `🔑`, "`", "@host", "\t", strings.Repeat("n", 63-9-6)},
	}
}

func TestPostgreSQL(t *testing.T) { testAll(t, postgres(t)) }

// statements notes what pgx sends.
type statements struct{ sent []string }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.sent = append(s.sent, d.SQL)
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A server may log statements: what it keeps of a password is computed here.
func TestPostgreSQLStatementsDoNotShowPasswords(t *testing.T) {
	d := postgres(t)
	w := newWorld(t, d)
	user := unique()
	d.create(t, user, "first")
	cfg, err := pgx.ParseConfig(os.Getenv("SECRETS_TEST_POSTGRES"))
	require.NoError(t, err)
	log := new(statements)
	cfg.Tracer = log
	w.connect = pgxsecret.Connect(cfg)
	current := w.secret(user, "first", nil)
	for _, target := range []rotation.Target{w.single(), w.alternating()} {
		pending := w.next(target, current)
		require.NoError(t, target.Set(t.Context(), value(current), value(pending), provider.Value{}))
		current = pending
		sent := strings.Join(log.sent, "\n")
		require.Contains(t, sent, "PASSWORD 'SCRAM-SHA-256$4096:")
		require.NotContains(t, sent, w.decode(pending).Password())
	}
}

func TestPostgreSQLStringsWithBackslashes(t *testing.T) {
	d := postgres(t)
	w := newWorld(t, d)
	for _, conforming := range []string{"on", "off"} {
		user := unique()
		d.create(t, user, "first")
		for setting, v := range map[string]string{"standard_conforming_strings": conforming, "backslash_quote": "off", "escape_string_warning": "off"} {
			_, err := d.admin.ExecContext(t.Context(), "ALTER ROLE "+user+" SET "+setting+" = '"+v+"'")
			require.NoError(t, err)
		}
		current := w.secret(user, "first", nil)
		for _, password := range []string{`é\`, `é\\`, `é\'`, `é'\`, `é''`, `é\x27`, `é' OR '`} { // none is sent as a verifier
			pending := w.next(w.single(always(password)), current)
			require.NoError(t, w.single().Set(t.Context(), value(current), value(pending), provider.Value{}), "%q", password)
			current = pending
		}
	}
}

// pg_hba.conf demands SCRAM here, and the user's settings have the server keep
// what is no use for that.
func TestPostgreSQLPasswordThatIsRefusedIsSetBack(t *testing.T) {
	d := postgres(t)
	w := newWorld(t, d)
	user := unique()
	d.create(t, user, "first")
	current := w.secret(user, "first", nil)
	pending := w.next(w.single(), current)
	setting := func(who, kept string) {
		_, err := d.admin.ExecContext(t.Context(), "ALTER ROLE "+who+" SET password_encryption = '"+kept+"'")
		require.NoError(t, err)
	}
	setting(user, "md5")
	err := w.single().Set(t.Context(), value(current), value(pending), provider.Value{})
	require.ErrorContains(t, err, "took the pending password, and refuses it")
	require.ErrorContains(t, err, "the old one")
	require.True(t, sqlsecret.AuthFailed(err))
	// The server keeps the old one as it was told to as well: only its hash shows
	// that it is back.
	sum := md5.Sum([]byte("first" + user))
	var stored string
	require.NoError(t, d.admin.QueryRowContext(t.Context(), "SELECT rolpassword FROM pg_authid WHERE rolname = $1", user).Scan(&stored))
	require.Equal(t, "md5"+hex.EncodeToString(sum[:]), stored)
}

func TestPostgreSQLCloneHasTheRightsOfTheUser(t *testing.T) {
	d := postgres(t)
	w := newWorld(t, d)
	user, table := unique(), unique()
	d.create(t, user, "first")
	for _, s := range []string{"CREATE TABLE " + table + " (n int)", "GRANT SELECT, INSERT ON " + table + " TO " + user} {
		_, err := d.admin.ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	t.Cleanup(func() { _, _ = d.admin.ExecContext(context.Background(), "DROP TABLE "+table) })
	check := func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, "INSERT INTO "+table+" VALUES (1)")
		return err
	}
	current := w.secret(user, "first", nil)
	for range 3 {
		target := w.alternating(sqltarget.WithCheck(check))
		pending := w.next(target, current)
		require.NoError(t, target.Set(t.Context(), value(current), value(pending), provider.Value{}))
		require.NoError(t, target.Test(t.Context(), value(pending)))
		current = pending
	}
	_, err := d.admin.ExecContext(t.Context(), "REVOKE INSERT ON "+table+" FROM "+user)
	require.NoError(t, err)
	require.ErrorContains(t, w.alternating(sqltarget.WithCheck(check)).Test(t.Context(), value(current)), "permission denied", "what is revoked of the user")
}

func TestPostgreSQLEncryptsFirst(t *testing.T) {
	d := postgres(t)
	w := newWorld(t, d)
	user := unique()
	d.create(t, user, "first")
	base, err := pgx.ParseConfig(strings.ReplaceAll(os.Getenv("SECRETS_TEST_POSTGRES"), "sslmode=verify-full", "sslmode=prefer"))
	require.NoError(t, err)
	var encrypted bool
	target := sqltarget.SingleUser(pgxsecret.Connect(base), sqltarget.WithCheck(func(ctx context.Context, c *sql.Conn) error {
		return c.QueryRowContext(ctx, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&encrypted)
	}))
	require.NoError(t, target.Test(t.Context(), value(w.secret(user, "first", nil))))
	require.True(t, encrypted)
}

func TestPostgreSQLNamesThatWouldBeCutOff(t *testing.T) {
	w := newWorld(t, postgres(t))
	long := strings.Repeat("é", 29) // 58 bytes, 64 with _clone
	_, err := w.alternating().Next(t.Context(), value(w.secret(long, "first", nil)))
	require.ErrorContains(t, err, "63 bytes")
}
