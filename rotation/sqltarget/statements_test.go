package sqltarget_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation/sqltarget"
)

// unknown stands for the password that nobody knows, in what is expected.
const unknown = "a-password-nobody-knows"

// TestStatements holds the texts for engines that no test has a server of, as far
// as their manuals can be read.
func TestStatements(t *testing.T) {
	for name, c := range map[string]struct {
		engine, user, password string
		more                   []string
		answers                map[string][][]any
		alternating            bool
		want                   []string
	}{
		"SQL Server, own": {engine: "sqlserver-se", user: "a]b'", password: `p'\"`, answers: map[string][][]any{"containment": {{int64(0)}}},
			want: []string{`a]b': ALTER LOGIN [a]]b'] WITH PASSWORD = N'p''\"' OLD_PASSWORD = N'first'`}},
		"SQL Server, contained": {engine: "sqlserver", user: "app", password: "second", answers: map[string][][]any{"containment": {{int64(1)}}},
			want: []string{"app: ALTER USER [app] WITH PASSWORD = N'second' OLD_PASSWORD = N'first'"}},
		"SQL Server, clone in master": {engine: "sqlserver", user: "app", password: "second", alternating: true,
			answers: map[string][][]any{"containment": {{int64(0)}}, "SELECT DB_NAME()": {{"master"}}, "server_role_members": {{"[dbcreator]"}},
				"server_permissions": {{"GRANT", "VIEW SERVER STATE", ""}, {"GRANT_WITH_GRANT_OPTION", "ALTER TRACE", ""}, {"DENY", "SHUTDOWN", ""}}},
			want: []string{
				"master: CREATE LOGIN [app_clone] WITH PASSWORD = N'" + unknown + "'",
				"master: ALTER SERVER ROLE [dbcreator] ADD MEMBER [app_clone]",
				"master: GRANT VIEW SERVER STATE TO [app_clone]",
				"master: GRANT ALTER TRACE TO [app_clone] WITH GRANT OPTION",
				"master: DENY SHUTDOWN TO [app_clone]",
				"master: ALTER LOGIN [app_clone] WITH PASSWORD = N'second'",
			}},
		"SQL Server, clone in a database": {engine: "sqlserver", user: "app", password: "second", alternating: true, more: []string{"dbname", "shop"},
			answers: map[string][][]any{"containment": {{int64(0)}}, "SELECT DB_NAME()": {{"shop"}}, "SELECT d.name FROM sys.database_principals d JOIN sys.server": {{"shopper"}},
				"database_role_members": {{"[db_datareader]"}}, "database_permissions": {{"GRANT", "INSERT", " ON OBJECT::[dbo].[t] ([c])"}}},
			want: []string{
				"master: CREATE LOGIN [app_clone] WITH PASSWORD = N'" + unknown + "'",
				"master: CREATE USER [shopper_clone] FOR LOGIN [app_clone]",
				"master: ALTER ROLE [db_datareader] ADD MEMBER [shopper_clone]",
				"master: GRANT INSERT ON OBJECT::[dbo].[t] ([c]) TO [shopper_clone]",
				"master: ALTER LOGIN [app_clone] WITH PASSWORD = N'second'",
			}},
		"Oracle, own": {engine: "oracle-ee", user: "app", password: `p'\`,
			want: []string{`app: ALTER USER "APP" IDENTIFIED BY "p'\" REPLACE "first"`}},
		"Oracle, clone": {engine: "oracle", user: "APP", password: "second", alternating: true,
			answers: map[string][][]any{"DBA_ROLE_PRIVS": {{`"CONNECT"`, " WITH ADMIN OPTION"}}, "DBA_SYS_PRIVS": {{"CREATE SESSION", nil}}, "DBA_TAB_PRIVS": {{`SELECT ON "S"."T"`, " WITH GRANT OPTION"}}, "DBA_COL_PRIVS": {{`UPDATE ("C") ON "S"."T"`, nil}}},
			want: []string{
				`master: CREATE USER "APP_CLONE" IDENTIFIED BY "` + unknown + `"`,
				`master: GRANT "CONNECT" TO "APP_CLONE" WITH ADMIN OPTION`,
				`master: GRANT CREATE SESSION TO "APP_CLONE"`,
				`master: GRANT SELECT ON "S"."T" TO "APP_CLONE" WITH GRANT OPTION`,
				`master: GRANT UPDATE ("C") ON "S"."T" TO "APP_CLONE"`,
				`master: ALTER USER "APP_CLONE" IDENTIFIED BY "second"`,
			}},
		"Oracle, clone that exists": {engine: "oracle", user: "APP_CLONE", password: "second", alternating: true, answers: map[string][][]any{"DBA_USERS": {{int64(1)}}},
			want: []string{`master: ALTER USER "APP" IDENTIFIED BY "second"`}},
		"Redshift, own": {engine: "redshift", user: `a"b`, password: "Second-1",
			want: []string{`a"b: ALTER USER "a""b" PASSWORD 'Second-1'`}},
		"Redshift, clone": {engine: "redshift", user: "app", password: "Second-1", alternating: true,
			answers: map[string][][]any{"datname, 'TEMP'": {{"dev"}}, "nspname, 'USAGE'": {{"public"}}, "'INSERT'": {{`public."T"`}}},
			want: []string{
				"master: BEGIN",
				`master: CREATE USER "app_clone" PASSWORD 'Second-1'`,
				`master: GRANT TEMP ON DATABASE dev TO "app_clone"`,
				`master: GRANT USAGE ON SCHEMA public TO "app_clone"`,
				`master: GRANT INSERT ON TABLE public."T" TO "app_clone"`,
				"master: COMMIT",
			}},
		"MySQL 8, own": {engine: "aurora-mysql", user: "app", password: `p'\`, answers: map[string][][]any{"VERSION()": {{"8.0.36"}}},
			want: []string{
				"app: SET NAMES utf8mb4",
				"app: SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'",
				`app: SET PASSWORD = 'p''\'`,
			}},
		"MySQL 5.6, own": {engine: "mysql", user: "app", password: "second", answers: map[string][][]any{"VERSION()": {{"5.6.51-log"}}},
			want: []string{"app: SET NAMES utf8mb4", "app: SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'", "app: SET PASSWORD = PASSWORD('second')"}},
		"MySQL 8, clone at two hosts": {engine: "mysql", user: "app", password: "second", alternating: true,
			answers: map[string][][]any{"VERSION()": {{"8.4.0"}}, "SELECT Host": {{"%"}, {"10.%"}},
				"SHOW GRANTS FOR 'app'@'%'":    {{"GRANT SELECT ON `shop`.* TO `app`@`%` WITH GRANT OPTION"}, {"REVOKE INSERT ON `x`.* FROM `app`@`%`"}, {"GRANT `r`@`%` TO `app`@`%`"}},
				"SHOW GRANTS FOR 'app'@'10.%'": {{"GRANT USAGE ON *.* TO `app`@`10.%`"}},
				"ssl_type":                     {{"SPECIFIED", "", "/CN=ca", "/CN=it's"}}, "default_roles": {{"r", "%"}}},
			want: []string{
				"master: SET NAMES utf8mb4",
				"master: SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'",
				"master: CREATE USER 'app_clone'@'%' IDENTIFIED BY '" + unknown + "'",
				"master: GRANT SELECT ON `shop`.* TO 'app_clone'@'%' WITH GRANT OPTION",
				"master: REVOKE INSERT ON `x`.* FROM 'app_clone'@'%'",
				"master: GRANT `r`@`%` TO 'app_clone'@'%'",
				"master: ALTER USER 'app_clone'@'%' REQUIRE ISSUER '/CN=ca' AND SUBJECT '/CN=it''s'",
				"master: SET DEFAULT ROLE 'r'@'%' TO 'app_clone'@'%'",
				"master: CREATE USER 'app_clone'@'10.%' IDENTIFIED BY '" + unknown + "'",
				"master: GRANT USAGE ON *.* TO 'app_clone'@'10.%'",
				"master: ALTER USER 'app_clone'@'10.%' REQUIRE ISSUER '/CN=ca' AND SUBJECT '/CN=it''s'",
				"master: SET DEFAULT ROLE 'r'@'%' TO 'app_clone'@'10.%'",
				"master: SET PASSWORD FOR 'app_clone'@'%' = 'second'",
				"master: SET PASSWORD FOR 'app_clone'@'10.%' = 'second'",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{passwords: map[string]string{c.user: "first", "master": "master-password"}, answers: c.answers}
			opts := []sqltarget.Option{sqltarget.WithPassword(func(context.Context) (string, error) { return c.password, nil })}
			target := sqltarget.SingleUser(s.connect, opts...)
			if c.alternating {
				target = sqltarget.AlternatingUsers(s.connect, master(t, c.engine), opts...)
			}
			current := secret(t, c.engine, c.user, "first", c.more...)
			content, err := target.Next(t.Context(), current)
			require.NoError(t, err)
			pending := provider.NewValue(current.Ref(), provider.Version{}, provider.SecretString, content)
			s.becomes = decode(t, pending)

			// The same generator makes the password that nobody knows.
			if c.alternating {
				target = sqltarget.AlternatingUsers(s.connect, master(t, c.engine), sqltarget.WithPassword(func(context.Context) (string, error) { return unknown, nil }))
			}
			require.NoError(t, target.Set(t.Context(), current, pending, provider.Value{}))
			require.Equal(t, c.want, withoutRollback(s.log))
			if c.alternating {
				return
			}
			s.log = nil
			require.NoError(t, target.Set(t.Context(), current, pending, provider.Value{}))
			require.Empty(t, s.log, "it was set before")
		})
	}
}

func withoutRollback(log []string) []string {
	if n := len(log); n > 0 && strings.HasSuffix(log[n-1], "ROLLBACK") {
		return log[:n-1]
	}
	return log
}

func master(t *testing.T, engine string) sqltarget.Superuser {
	return func(context.Context, secrets.DBSecret) (provider.Value, error) {
		return secret(t, engine, "master", "master-password"), nil
	}
}

func TestPermissionsThatCannotBeCopiedAreNotLeftOut(t *testing.T) {
	s := &server{passwords: map[string]string{"app": "first", "master": "master-password"}, answers: map[string][][]any{
		"containment": {{int64(1)}}, "SELECT DB_NAME()": {{"shop"}}, "database_permissions": {{"GRANT", "CONTROL", "class 25"}}}}
	target := sqltarget.AlternatingUsers(s.connect, master(t, "sqlserver"))
	err := target.Set(t.Context(), secret(t, "sqlserver", "app", "first"), secret(t, "sqlserver", "app_clone", "second"), provider.Value{})
	require.ErrorContains(t, err, "class 25")
	require.NotContains(t, strings.Join(s.log, "\n"), "second", "an account without its rights has no password anybody knows")
}

func TestWhatAnEngineCannotHaveIsRefused(t *testing.T) {
	for _, c := range []struct{ engine, user, password, message string }{
		{"postgres", strings.Repeat("n", 64), "p", "63 bytes"},
		{"postgres", "a", "p\x00q", "NUL"},
		{"mysql", strings.Repeat("é", 33), "p", "32 characters"},
		{"mariadb", "a🔑", "p", "Basic Multilingual Plane"},
		{"oracle", `a"`, "p", "double quote"},
		{"oracle", "a", `p"`, "double quote"},
		{"sqlserver", "a", "p\\\nq", "end of a line"},
		{"sqlserver", "a", strings.Repeat("p", 129), "128 characters"},
		{"redshift", "a", "short", "8 to 64"},
		{"redshift", "a", `long-enough-but\`, "8 to 64"},
		{"db2", "a", "p", `no statements for the engine "db2"`},
		{"", "a", "p", "name its engine"},
	} {
		s := &server{passwords: map[string]string{c.user: "first"}}
		target := sqltarget.SingleUser(s.connect, sqltarget.WithPassword(func(context.Context) (string, error) { return c.password, nil }))
		current := secret(t, c.engine, c.user, "first")
		_, err := target.Next(t.Context(), current)
		require.ErrorContains(t, err, c.message)
		require.ErrorContains(t, err, "sm://db")
		require.ErrorContains(t, target.Set(t.Context(), current, secret(t, c.engine, c.user, c.password), provider.Value{}), c.message)
		require.Empty(t, s.asked)
	}
}

func TestDefaultPasswordsAndDatabases(t *testing.T) {
	for engine, want := range map[string]struct {
		length   int
		excluded string
		database string
	}{
		"postgres": {32, `:/@"'\`, "postgres"}, "aurora-postgresql": {32, `:/@"'\`, "postgres"}, "redshift": {32, `:/@"'\`, "dev"},
		"mysql": {32, `/@"'\`, ""}, "mariadb": {32, `/@"'\`, ""}, "sqlserver": {32, `/@"'\`, "master"}, "oracle": {30, `/@"'\`, ""},
	} {
		s := &server{passwords: map[string]string{"app": "first"}, answers: map[string][][]any{"SELECT 1": {{int64(1)}}}}
		target := sqltarget.SingleUser(s.connect)
		for range 50 {
			content, err := target.Next(t.Context(), secret(t, engine, "app", "first"))
			require.NoError(t, err)
			password := decode(t, provider.NewValue(provider.Ref{}, provider.Version{}, provider.SecretString, content)).Password()
			require.Len(t, password, want.length)
			require.False(t, strings.ContainsAny(password, want.excluded))
		}
		require.NoError(t, target.Test(t.Context(), secret(t, engine, "app", "first")))
		require.Equal(t, want.database, s.asked[0].DBName)
	}
}

func TestErrorsHaveNoPieceOfAPassword(t *testing.T) {
	s := &server{passwords: map[string]string{"app": "first-password"}, answers: map[string][][]any{"VERSION()": {{"8.0.36"}}}}
	current, pending := secret(t, "mysql", "app", "first-password"), secret(t, "mysql", "app", "correct horse battery")
	for _, message := range []string{`syntax error near 'horse battery''`, `near 'ttery'`, "at 'firs'"} {
		s.refuses = func(string) error { return errors.New(message) }
		err := sqltarget.SingleUser(s.connect).Set(t.Context(), current, pending, provider.Value{})
		require.ErrorContains(t, err, "is left out")
		require.NotContains(t, err.Error(), message)
	}
	s.refuses = func(string) error { return context.DeadlineExceeded }
	require.ErrorIs(t, sqltarget.SingleUser(s.connect).Set(t.Context(), current, pending, provider.Value{}), context.DeadlineExceeded)
}

func TestAPasswordThatIsThenRefusedIsSetBack(t *testing.T) {
	s := &server{passwords: map[string]string{"app": "first"}, answers: map[string][][]any{"VERSION()": {{"8.0.36"}}}}
	err := sqltarget.SingleUser(s.connect).Set(t.Context(), secret(t, "mysql", "app", "first"), secret(t, "mysql", "app", "second"), provider.Value{})
	require.ErrorContains(t, err, "the old one was set back")
	require.Equal(t, []string{"app: SET PASSWORD = 'second'", "app: SET PASSWORD = 'first'"}, []string{s.log[2], s.log[5]})
}

// Some drivers log in no earlier than for the first ping.
func TestLoginsThatAreRefusedLateLeaveNoConnection(t *testing.T) {
	s := &server{late: true, passwords: map[string]string{"app": "first"}, answers: map[string][][]any{"VERSION()": {{"8.0.36"}}}}
	pending := secret(t, "mysql", "app", "second")
	s.becomes = decode(t, pending)
	require.NoError(t, sqltarget.SingleUser(s.connect).Set(t.Context(), secret(t, "mysql", "app", "first"), pending, provider.Value{}))
	require.Equal(t, "second", s.passwords["app"])
	require.Zero(t, s.open)
}

// A database that cannot be reached says nothing of a password.
func TestWhatIsNotARefusalIsNotTakenForOne(t *testing.T) {
	down := errors.New("no route to host")
	for _, unreachable := range []string{"third", "second"} { // with the pending, and with the current one
		s := &server{passwords: map[string]string{"app": "first"}, answers: map[string][][]any{"VERSION()": {{"8.0.36"}}}}
		if unreachable == "third" {
			s.passwords["app"] = "second"
		}
		target := sqltarget.SingleUser(func(d secrets.DBSecret) (driver.Connector, error) {
			if d.Password() == unreachable {
				return nil, down
			}
			return s.connect(d)
		})
		err := target.Set(t.Context(), secret(t, "mysql", "app", "second"), secret(t, "mysql", "app", "third"), secret(t, "mysql", "app", "first"))
		require.ErrorIs(t, err, down)
		require.Empty(t, s.log)
	}
}
