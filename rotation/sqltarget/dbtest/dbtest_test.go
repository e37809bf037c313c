// Package dbtest tries sqltarget on real databases, with real drivers.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/sqltarget"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/sqlsecret"
	"github.com/c0629bfc/secrets/ssm"
)

var silent = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database is a real one and its administrator.
type database struct {
	engine   string
	host     string
	port     int
	name     string
	admin    *sql.DB
	user     string // the administrator's
	password string
	connect  sqltarget.Connect

	create func(t *testing.T, user, password string) // a user, dropped with its clone after the test
	odd    []string                                  // user names
}

// world is a database, and stores with a secret and a parameter.
type world struct {
	*testing.T
	database
	server *secretstest.Server
	sm     *sm.Store
	ssm    *ssm.Store
	client *secrets.Client
}

func newWorld(t *testing.T, d database) *world {
	server := secretstest.NewServer(t)
	w := &world{T: t, database: d, server: server, sm: sm.New(server.Config()), ssm: ssm.New(server.Config())}
	var err error
	w.client, err = secrets.New(secrets.WithProvider(w.sm), secrets.WithProvider(w.ssm))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.client.Close()) })
	server.SetSecret("master", w.secret(d.user, d.password, nil))
	return w
}

// secret returns the JSON of one.
func (w *world) secret(user, password string, more map[string]any) string {
	members := map[string]any{"engine": w.engine, "host": w.host, "port": w.port, "dbname": w.name,
		"username": user, "password": password, "masterarn": "sm://master"}
	for k, v := range more {
		members[k] = v
	}
	text, err := json.Marshal(members)
	require.NoError(w, err)
	return string(text)
}

func value(text string) provider.Value {
	return provider.NewValue(provider.Ref{Scheme: "sm", Name: "app"}, provider.Version{}, provider.SecretString, text)
}

func (w *world) decode(text string) secrets.DBSecret {
	s, err := secrets.JSON[secrets.DBSecret](value(text))
	require.NoError(w, err)
	return s
}

// login logs in with a secret, and returns the error.
func (w *world) login(s secrets.DBSecret) error {
	connector, err := w.connect(s)
	require.NoError(w, err)
	db := sql.OpenDB(connector)
	defer db.Close()
	return db.PingContext(w.Context())
}

func (w *world) works(s secrets.DBSecret) {
	w.Helper()
	require.NoError(w, w.login(s), "%s must be able to log in", s.Username)
}

func (w *world) refused(s secrets.DBSecret) {
	w.Helper()
	err := w.login(s)
	require.True(w, sqlsecret.AuthFailed(err), "%s must be refused, and not %v", s.Username, err)
}

func (w *world) single(opts ...sqltarget.Option) rotation.Target {
	return sqltarget.SingleUser(w.connect, opts...)
}

func (w *world) alternating(opts ...sqltarget.Option) rotation.Target {
	return sqltarget.AlternatingUsers(w.connect, sqltarget.Master(w.client), opts...)
}

// unique returns a user name of this test's.
func unique() string { return "t" + strings.ToLower(rand.Text()[:8]) }

// next, set and test take the steps without a store.
func (w *world) next(target rotation.Target, current string) string {
	w.Helper()
	content, err := target.Next(w.Context(), value(current))
	require.NoError(w, err)
	return content
}

func always(password string) sqltarget.Option {
	return sqltarget.WithPassword(func(context.Context) (string, error) { return password, nil })
}

// odd are passwords that are hard to quote, somewhere.
var odd = []string{
	`'`, `''`, `\`, `\'`, `'\`, `\\'; DROP TABLE users; --`, `"`, "`", `%`, `%s%d%%`, `$1 ? :name @p1`, `$$`, `E'\x27'`, `{"a":"b"}`,
	" leading and trailing ", "tab\tand\nline", "pässwörd", "пароль", "密码密码", "🔑🗝️", "a🔑'\\\"%`é", "\x7f\x01", "SCRAM-SHA-256", "md5", `\u0027`, "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
	strings.Repeat("long'\\", 15),
}

func testAll(t *testing.T, d database) {
	t.Run("ten rotations of a single user", func(t *testing.T) { testTen(t, d, (*world).single, true) })
	t.Run("ten rotations of alternating users", func(t *testing.T) { testTen(t, d, (*world).alternating, false) })
	t.Run("ten rotations by a superuser", func(t *testing.T) {
		testTen(t, d, func(w *world, opts ...sqltarget.Option) rotation.Target {
			return w.single(append(opts, sqltarget.WithSuperuser(sqltarget.Master(w.client)))...)
		}, true)
	})
	t.Run("odd passwords", func(t *testing.T) { testOddPasswords(t, d) })
	t.Run("odd names", func(t *testing.T) { testOddNames(t, d) })
	t.Run("set is repeatable", func(t *testing.T) { testRepeat(t, d) })
	t.Run("set goes by the previous password", func(t *testing.T) { testPrevious(t, d) })
	t.Run("what is not asked for is refused", func(t *testing.T) { testRefusals(t, d) })
	t.Run("encrypted", func(t *testing.T) { testSSL(t, d) })
}

// testTen rotates by the engine, in both stores, and looks at the database after
// each step.
func testTen(t *testing.T, d database, target func(*world, ...sqltarget.Option) rotation.Target, single bool) {
	for _, ref := range []string{"sm://app", "ssm:///app/db"} {
		t.Run(ref[:3], func(t *testing.T) {
			w := newWorld(t, d)
			user := unique()
			d.create(t, user, "first")
			var store provider.Rotator = w.sm
			if ref == "sm://app" {
				w.server.SetSecret("app", w.secret(user, "first", nil))
			} else {
				store = w.ssm
				w.server.SetSecureParameter("/app/db", w.secret(user, "first", nil))
			}
			read := func(ref string) secrets.DBSecret {
				require.NoError(t, w.client.Refresh(t.Context(), ref))
				v, err := w.client.Get(t.Context(), ref)
				require.NoError(t, err)
				return w.decode(v.Text())
			}
			history := []secrets.DBSecret{read(ref)}
			for i := range 10 {
				old := history[i]
				during := &watched{Target: target(w), after: func(step string, pending secrets.DBSecret) {
					switch {
					case step == "next":
						w.works(old)
						w.refused(pending)
					case single: // the documented moment
						w.refused(old)
						w.works(pending)
					default:
						w.works(old)
						w.works(pending)
					}
					require.Equal(t, old.Password(), read(ref).Password(), "nobody reads a pending value")
				}, w: w}
				require.NoError(t, rotation.Rotate(t.Context(), store, ref, during, rotation.WithLogger(silent)))
				now := read(ref)
				history = append(history, now)
				w.works(now)
				require.NotEqual(t, old.Password(), now.Password())
				if single {
					require.Equal(t, user, now.Username)
					w.refused(old)
				} else {
					require.Equal(t, []string{user + "_clone", user}[i%2], now.Username)
					w.works(old)
					if i > 0 {
						w.refused(history[i-1]) // two rotations ago
					}
				}
				if ref == "sm://app" {
					previous := read(ref + "?stage=AWSPREVIOUS")
					require.Equal(t, old.Username, previous.Username)
					require.Equal(t, old.Password(), previous.Password())
				}
				require.Equal(t, "sm://master", now.MasterARN, "the rest of the secret stays")
			}
		})
	}
}

// watched looks after each step.
type watched struct {
	rotation.Target
	w     *world
	after func(step string, pending secrets.DBSecret)
}

func (x *watched) Next(ctx context.Context, current provider.Value) (string, error) {
	content, err := x.Target.Next(ctx, current)
	if err == nil {
		x.after("next", x.w.decode(content))
	}
	return content, err
}

func (x *watched) Set(ctx context.Context, current, pending, previous provider.Value) error {
	err := x.Target.Set(ctx, current, pending, previous)
	if err == nil {
		x.after("set", x.w.decode(pending.Text()))
	}
	return err
}

func testOddPasswords(t *testing.T, d database) {
	w := newWorld(t, d)
	user := unique()
	d.create(t, user, "first")
	current := w.secret(user, "first", nil)
	for _, password := range odd {
		pending := w.next(w.single(always(password)), current)
		require.Equal(t, password, w.decode(pending).Password())
		err := w.single().Set(t.Context(), value(current), value(pending), provider.Value{})
		require.NoError(t, err, "%q", password)
		require.NoError(t, w.single().Test(t.Context(), value(pending)), "%q", password)
		w.refused(w.decode(current))
		current = pending
	}
	// Back to where the other strategy begins.
	require.NoError(t, w.single().Set(t.Context(), value(current), value(w.secret(user, "again", nil)), provider.Value{}))
	alternate := w.secret(user, "again", nil)
	for _, password := range odd[:8] { // the same quoting by other statements
		pending := w.next(w.alternating(always(password)), alternate)
		require.NoError(t, w.alternating().Set(t.Context(), value(alternate), value(pending), provider.Value{}), "%q", password)
		require.NoError(t, w.alternating().Test(t.Context(), value(pending)), "%q", password)
		w.works(w.decode(alternate))
		alternate = pending
	}
}

func testOddNames(t *testing.T, d database) {
	for _, name := range d.odd {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			w := newWorld(t, d)
			name := unique() + name
			d.create(t, name, "first")
			current := w.secret(name, "first", nil)
			pending := w.next(w.single(), current)
			require.NoError(t, w.single().Set(t.Context(), value(current), value(pending), provider.Value{}))
			w.works(w.decode(pending))
			w.refused(w.decode(current))
			for range 2 { // the clone, and back
				current = pending
				pending = w.next(w.alternating(), current)
				require.NoError(t, w.alternating().Set(t.Context(), value(current), value(pending), provider.Value{}))
				w.works(w.decode(pending))
				w.works(w.decode(current))
			}
		})
	}
}

func testRepeat(t *testing.T, d database) {
	for i, target := range []func(*world, ...sqltarget.Option) rotation.Target{(*world).single, (*world).alternating} {
		w := newWorld(t, d)
		user := unique()
		d.create(t, user, "first")
		current := w.secret(user, "first", nil)
		pending := w.next(target(w), current)
		for range 3 {
			require.NoError(t, target(w).Set(t.Context(), value(current), value(pending), provider.Value{}))
			require.NoError(t, target(w).Test(t.Context(), value(pending)))
		}
		w.works(w.decode(pending))
		if i == 1 {
			w.works(w.decode(current))
		}
	}
}

func testPrevious(t *testing.T, d database) {
	w := newWorld(t, d)
	user := unique()
	d.create(t, user, "first")
	previous, current := w.secret(user, "first", nil), w.secret(user, "never set", nil)
	pending := w.next(w.single(), current)
	err := w.single().Set(t.Context(), value(current), value(pending), provider.Value{})
	require.ErrorContains(t, err, "refuses the pending, the current and the previous password")
	require.NoError(t, w.single().Set(t.Context(), value(current), value(pending), value(previous)))
	w.works(w.decode(pending))
	w.refused(w.decode(previous))
}

func testRefusals(t *testing.T, d database) {
	w := newWorld(t, d)
	user, other := unique(), unique()
	d.create(t, user, "first")
	d.create(t, other, "first")
	current := w.secret(user, "first", nil)
	for _, target := range []rotation.Target{w.single(), w.alternating()} {
		good := w.next(target, current)
		name := w.decode(good).Username
		for what, pending := range map[string]string{
			"host":     w.secret(name, "secret-value", map[string]any{"host": "localhost"}),
			"engine":   w.secret(name, "secret-value", map[string]any{"engine": "redshift"}),
			"port":     w.secret(name, "secret-value", map[string]any{"port": w.port + 1}),
			"username": w.secret(other, "first", nil), // which works
			"NUL":      w.secret(name, "secret-value\x00", nil),
		} {
			err := target.Set(t.Context(), value(current), value(pending), provider.Value{})
			require.ErrorContains(t, err, what)
			require.NotContains(t, err.Error(), "secret-value")
		}
		// A secret that somebody wrote who does not know the password.
		forged := w.secret(user, "guessed", nil)
		err := target.Set(t.Context(), value(forged), value(good), provider.Value{})
		require.ErrorContains(t, err, "sm://app")
		require.ErrorContains(t, err, "refuses")
		require.NotContains(t, err.Error(), "guessed")
		require.ErrorContains(t, target.Test(t.Context(), value(good)), "sm://app")
	}
	w.works(w.decode(current))
	w.works(w.decode(w.secret(other, "first", nil)))

	// A superuser of another host, and one that is refused.
	w.server.SetSecret("master", w.secret(w.user, w.password, map[string]any{"host": "localhost"}))
	pending := w.next(w.alternating(), current)
	require.ErrorContains(t, w.alternating().Set(t.Context(), value(current), value(pending), provider.Value{}), "superuser's secret is of the host")
	w.server.SetSecret("master", w.secret(w.user, "wrong-password", nil))
	err := w.alternating().Set(t.Context(), value(current), value(pending), provider.Value{})
	require.ErrorContains(t, err, "superuser")
	require.NotContains(t, err.Error(), "wrong-password")
	// One that RDS manages.
	w.server.SetSecret("master", fmt.Sprintf(`{"username":%q,"password":%q}`, w.user, w.password))
	require.NoError(t, w.alternating().Set(t.Context(), value(current), value(pending), provider.Value{}))
	w.works(w.decode(pending))
}

func testSSL(t *testing.T, d database) {
	for ssl, want := range map[any][]bool{true: {true}, false: {false}, nil: {true, false}} {
		w := newWorld(t, d)
		user := unique()
		d.create(t, user, "first")
		current := w.secret(user, "first", map[string]any{"ssl": ssl})
		var asked []bool
		broken := func(s secrets.DBSecret) (driver.Connector, error) {
			asked = append(asked, *s.SSL)
			if *s.SSL {
				return nil, fmt.Errorf("no TLS here")
			}
			return d.connect(s)
		}
		err := sqltarget.SingleUser(broken).Test(t.Context(), value(current))
		require.Equal(t, want, asked)
		if ssl == true {
			require.ErrorContains(t, err, "no TLS here")
		} else {
			require.NoError(t, err)
		}
		// A wrong password is not shown in the clear.
		asked = nil
		spy := func(s secrets.DBSecret) (driver.Connector, error) { asked = append(asked, *s.SSL); return d.connect(s) }
		require.Error(t, sqltarget.SingleUser(spy).Test(t.Context(), value(w.secret(user, "wrong", map[string]any{"ssl": ssl}))))
		require.Equal(t, want[:1], asked)
	}
}
