package pgxsecret_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/sqlsecret"
	"github.com/c0629bfc/secrets/sqlsecret/internal/loadtest"
	"github.com/c0629bfc/secrets/sqlsecret/pgxsecret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// postgres returns the database that SECRETS_TEST_POSTGRES, a connection string,
// names: that of a superuser who logs in by password over TCP.
func postgres(t *testing.T) (db loadtest.Database, base string) {
	base = os.Getenv("SECRETS_TEST_POSTGRES")
	if base == "" {
		t.Skip("SECRETS_TEST_POSTGRES names no database")
	}
	admin, err := pgxpool.New(t.Context(), base)
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	cfg := admin.Config().ConnConfig
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	return loadtest.Database{
		Engine: "postgres", Host: cfg.Host, Port: int(cfg.Port), DBName: cfg.Database,
		SetPassword: func(ctx context.Context, user, password string) error {
			_, err := admin.Exec(ctx, "ALTER USER "+user+" PASSWORD "+quote(password))
			if sqlState(err) == "42704" { // undefined_object
				_, err = admin.Exec(ctx, "CREATE USER "+user+" PASSWORD "+quote(password))
			}
			return err
		},
		Drop: func(ctx context.Context, user string) error {
			_, err := admin.Exec(ctx, "DROP USER IF EXISTS "+user)
			return err
		},
		Login: func(ctx context.Context, user, password string) error {
			c := cfg.Copy()
			c.User, c.Password = user, password
			conn, err := pgx.ConnectConfig(ctx, c)
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
	}, base
}

func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

func config(t *testing.T, base string) *pgxpool.Config {
	cfg, err := pgxpool.ParseConfig(base)
	require.NoError(t, err)
	cfg.MaxConns = loadtest.Connections
	return cfg
}

func newPool(w *loadtest.World, cfg *pgxpool.Config, opts ...sqlsecret.Option) *pgxpool.Pool {
	w.Helper()
	pool, err := pgxsecret.NewPool(w.Context(), w.Client, w.Ref, cfg, opts...)
	require.NoError(w, err)
	w.Cleanup(pool.Close)
	return pool
}

func TestNoQueryOfAPoolFails(t *testing.T) {
	db, base := postgres(t)
	loadtest.Rotate(t, db, func(w *loadtest.World, warm bool) func(context.Context) (string, error) {
		cfg := config(w.T, base)
		if warm {
			cfg.MinConns = cfg.MaxConns
		} else {
			cfg.AfterRelease = func(*pgx.Conn) bool { return false }
		}
		pool := newPool(w, cfg)
		return func(ctx context.Context) (user string, err error) {
			return user, pool.QueryRow(ctx, "SELECT current_user").Scan(&user)
		}
	})
}

func TestNoQueryOfDatabaseSQLFails(t *testing.T) {
	db, base := postgres(t)
	loadtest.Rotate(t, db, func(w *loadtest.World, warm bool) func(context.Context) (string, error) {
		pool := openDB(w, base)
		if pool.SetMaxIdleConns(loadtest.Connections); !warm {
			pool.SetMaxIdleConns(-1)
			pool.SetMaxOpenConns(loadtest.Workers) // nobody waits for a connection, so none is handed over
		}
		return func(ctx context.Context) (user string, err error) {
			return user, pool.QueryRowContext(ctx, "SELECT current_user").Scan(&user)
		}
	})
}

func openDB(w *loadtest.World, base string, opts ...sqlsecret.Option) *sql.DB {
	cfg, err := pgx.ParseConfig(base)
	require.NoError(w, err)
	connector, err := sqlsecret.New(w.Context(), w.Client, w.Ref, pgxsecret.Connect(cfg), opts...)
	require.NoError(w, err)
	pool := sql.OpenDB(connector)
	w.Cleanup(func() { require.NoError(w, pool.Close()) })
	pool.SetMaxOpenConns(loadtest.Connections)
	return pool
}

// world is one with a user whose password the secret has.
func world(t *testing.T, db loadtest.Database) *loadtest.World {
	w := loadtest.NewWorld(t, db)
	w.SetPassword(w.User(0), "0")
	w.Server.SetSecret("db", w.Secret(w.User(0), "0"))
	return w
}

// A connection that pgx adopted does all that others do.
func TestAdoptedConnection(t *testing.T) {
	db, base := postgres(t)
	w := world(t, db)
	cfg := config(t, base)
	var hooks []string
	hook := func(name string) { hooks = append(hooks, name) }
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		hook("BeforeConnect")
		c.RuntimeParams["application_name"] = "adopted"
		return nil
	}
	cfg.AfterConnect = func(context.Context, *pgx.Conn) error { hook("AfterConnect"); return nil }
	cfg.ConnConfig.AfterConnect = func(context.Context, *pgconn.PgConn) error { hook("ConnConfig.AfterConnect"); return nil }
	cfg.ConnConfig.ValidateConnect = func(context.Context, *pgconn.PgConn) error { hook("ValidateConnect"); return nil }
	cfg.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) { hook("PrepareConn"); return true, nil }
	cfg.AfterRelease = func(*pgx.Conn) bool { hook("AfterRelease"); return true }
	cfg.ConnConfig.RequireAuth = "scram-sha-256"
	var dialed, encrypted atomic.Int64
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		conn, err := dial(ctx, network, addr)
		return &firstWrite{Conn: conn, encrypted: &encrypted}, err
	}
	pool := newPool(w, cfg)

	c, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	require.Equal(t, []string{"BeforeConnect", "ValidateConnect", "ConnConfig.AfterConnect", "AfterConnect", "PrepareConn"}, hooks)
	var user, name string
	var ssl bool
	require.NoError(t, c.QueryRow(t.Context(), "SELECT current_user, current_setting('application_name'), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&user, &name, &ssl))
	require.Equal(t, w.User(0), user)
	require.Equal(t, "adopted", name)
	require.Equal(t, strings.Contains(base, "verify-full"), ssl)
	require.Equal(t, user, c.Conn().Config().User)
	require.Equal(t, "UTF8", c.Conn().PgConn().ParameterStatus("client_encoding"))
	require.Equal(t, byte('I'), c.Conn().PgConn().TxStatus())

	tx, err := c.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "CREATE TEMP TABLE t (n int, s text) ON COMMIT DROP")
	require.NoError(t, err)
	n, err := tx.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n", "s"}, pgx.CopyFromSlice(10_000, func(i int) ([]any, error) {
		return []any{i, strings.Repeat("x", i%100)}, nil
	}))
	require.NoError(t, err)
	require.EqualValues(t, 10_000, n)
	require.NoError(t, tx.Commit(t.Context()))

	// A request to cancel finds its way, with TLS or without.
	admin, err := pgx.Connect(t.Context(), base)
	require.NoError(t, err)
	defer admin.Close(context.Background())
	own := c.Conn().PgConn()
	whenAsleep := func(f func()) {
		const query = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1"
		for asleep := (*bool)(nil); asleep == nil || !*asleep; {
			if err := admin.QueryRow(t.Context(), query, own.PID()).Scan(&asleep); err != nil {
				t.Error(err)
				return
			}
		}
		f()
	}
	go whenAsleep(func() { _ = own.CancelRequest(t.Context()) })
	_, err = c.Exec(t.Context(), "SELECT pg_sleep(60)")
	require.Equal(t, "57014", sqlState(err), "query_canceled: %v", err)
	require.EqualValues(t, 2, dialed.Load())
	if ssl {
		require.EqualValues(t, 2, encrypted.Load(), "the request to cancel is as encrypted as the connection")
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go whenAsleep(cancel)
	_, err = c.Exec(ctx, "SELECT pg_sleep(60)")
	require.ErrorIs(t, err, context.Canceled)
	c.Release()
	require.NoError(t, pool.Ping(t.Context()), "the one that was cancelled is replaced")
}

// Where a write is slow, pgconn reads ahead. So it may have all that an adopted
// connection answers to the startup message before that is written.
func TestAdoptedConnectionThatIsReadAhead(t *testing.T) {
	db, base := postgres(t)
	w := world(t, db)
	cfg := config(t, base)
	cfg.MaxConns = 1
	frontends := 0
	build := cfg.ConnConfig.BuildFrontend
	cfg.ConnConfig.BuildFrontend = func(r io.Reader, out io.Writer) *pgproto3.Frontend {
		if frontends++; frontends != 2 {
			return build(r, out)
		}
		ahead := new(bytes.Buffer)
		return build(io.MultiReader(ahead, r), &slowStart{Writer: out, first: func() error {
			greeting := make([]byte, 8192)
			n, err := r.Read(greeting)
			ahead.Write(greeting[:n])
			return err
		}})
	}
	require.NoError(t, newPool(w, cfg).Ping(t.Context()))
	require.Equal(t, 2, frontends, "that of the login, and that of the connection that was adopted")
}

// slowStart does something first, and makes its first write in two parts.
type slowStart struct {
	io.Writer
	first func() error
	once  sync.Once
}

func (w *slowStart) Write(b []byte) (n int, err error) {
	w.once.Do(func() {
		if err = w.first(); err == nil {
			n, err = w.Writer.Write(b[:2])
		}
	})
	if err != nil {
		return n, err
	}
	m, err := w.Writer.Write(b[n:])
	return n + m, err
}

// firstWrite counts the connections that begin with an SSLRequest.
type firstWrite struct {
	net.Conn
	once      sync.Once
	encrypted *atomic.Int64
}

func (c *firstWrite) Write(b []byte) (int, error) {
	c.once.Do(func() {
		if len(b) >= 8 && binary.BigEndian.Uint32(b[4:]) == 80877103 {
			c.encrypted.Add(1)
		}
	})
	return c.Conn.Write(b)
}

func TestReplacedConnectionsOfAPoolAreRetired(t *testing.T) {
	db, base := postgres(t)
	w := world(t, db)
	pid := func(c *pgxpool.Conn) uint32 { return c.Conn().PgConn().PID() }
	cfg := config(t, base)
	var acquired atomic.Int64
	//lint:ignore SA1019 it goes on being called
	cfg.BeforeAcquire = func(context.Context, *pgx.Conn) bool { acquired.Add(1); return true }
	pool, kept := newPool(w, cfg), newPool(w, cfg, sqlsecret.WithKeepConnections())
	var busy, idle, other []*pgxpool.Conn
	for _, to := range []*[]*pgxpool.Conn{&busy, &idle} {
		c, err := pool.Acquire(t.Context())
		require.NoError(t, err)
		defer c.Release()
		*to = append(*to, c)
	}
	c, err := kept.Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	other = append(other, c)
	keptPID := pid(c)
	idlePID := pid(idle[0])
	idle[0].Release()
	eventually(t, func() bool { return pool.Stat().IdleConns() == 1 })

	w.SetPassword(w.User(0), "1")
	w.Server.SetSecret("db", w.Secret(w.User(0), "1"))
	require.NoError(t, w.Client.Refresh(t.Context(), w.Ref))
	lease := busy[0].Conn().PgConn().CustomData()["github.com/c0629bfc/secrets/sqlsecret"].(*sqlsecret.Lease)
	eventually(t, lease.Replaced)
	c, err = pool.Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	require.NotEqual(t, idlePID, pid(c), "the idle one is not handed out")
	require.NoError(t, busy[0].Ping(t.Context()))
	busy[0].Release()
	eventually(t, func() bool { return pool.Stat().TotalConns() == 1 }) // c: the pool counts what it closes until that is done

	other[0].Release()
	eventually(t, func() bool { return kept.Stat().IdleConns() == 1 })
	c, err = kept.Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	require.Equal(t, keptPID, pid(c))
	require.GreaterOrEqual(t, acquired.Load(), int64(4))
}

// eventually waits for what happens soon on a machine that has the time for it.
func eventually(t *testing.T, f func() bool) {
	t.Helper()
	require.Eventually(t, f, time.Minute, time.Millisecond)
}

// What PostgreSQL says of credentials, and of what is none of theirs.
func TestAuthFailed(t *testing.T) {
	db, base := postgres(t)
	w := world(t, db)
	require.True(t, sqlsecret.AuthFailed(db.Login(t.Context(), w.User(0), "wrong")))
	require.True(t, sqlsecret.AuthFailed(db.Login(t.Context(), w.User(9), "nobody")))
	cfg, err := pgx.ParseConfig(base)
	require.NoError(t, err)
	cfg.Database = "nowhere"
	_, err = pgx.ConnectConfig(t.Context(), cfg)
	require.Equal(t, "3D000", sqlState(err))
	require.False(t, sqlsecret.AuthFailed(err))
	cfg.Port = 1
	_, err = pgx.ConnectConfig(t.Context(), cfg)
	require.Error(t, err)
	require.False(t, sqlsecret.AuthFailed(err))
}

func TestWrongCredentialsCoolDown(t *testing.T) {
	db, base := postgres(t)
	w := loadtest.NewWorld(t, db)
	w.SetPassword(w.User(0), "0")
	w.Server.SetSecret("db", w.Secret(w.User(0), "hunter2"))
	pool, database := newPool(w, config(t, base)), openDB(w, base)
	for range 100 {
		for _, err := range []error{pool.Ping(t.Context()), database.PingContext(t.Context())} {
			require.ErrorIs(t, err, secrets.ErrRejected)
			require.Equal(t, "28P01", sqlState(err))
			require.ErrorContains(t, err, w.Ref)
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
	w.Server.SetSecret("db", w.Secret(w.User(0), "0"))
	require.NoError(t, w.Client.Refresh(t.Context(), w.Ref))
	eventually(t, func() bool { return pool.Ping(t.Context()) == nil && database.PingContext(t.Context()) == nil })
}

func TestRawReachesTheDriversConnection(t *testing.T) {
	db, base := postgres(t)
	c, err := openDB(world(t, db), base).Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Raw(func(c any) error {
		return sqlsecret.DriverConn(c).(*stdlib.Conn).Conn().Ping(t.Context())
	}))
}
