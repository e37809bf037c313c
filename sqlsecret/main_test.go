package sqlsecret_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/sqlsecret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ref = "sm://db"

// world is a store, a client and a database that knows a user.
type world struct {
	*testing.T
	server *secretstest.Server
	client *secrets.Client
	db     *database
}

func in(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess())
		client, err := secrets.New(secrets.WithProvider(sm.New(server.Config())), secrets.WithLogger(slog.New(slog.DiscardHandler)))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		f(&world{t, server, client, &database{passwords: map[string]string{}}})
	})
}

func secretOf(user, password string) string {
	return fmt.Sprintf(`{"engine":"fake","username":%q,"password":%q}`, user, password)
}

// set makes a version current that the database accepts.
func (w *world) set(user, password string) (id string) {
	w.db.alter(user, password)
	return w.server.SetSecret("db", secretOf(user, password))
}

// pend puts an AWSPENDING version, as createSecret does.
func (w *world) pend(user, password string) (id string) {
	out, err := secretsmanager.NewFromConfig(w.server.Config()).PutSecretValue(w.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("db"), SecretString: aws.String(secretOf(user, password)), VersionStages: []string{"AWSPENDING"}})
	require.NoError(w, err)
	return *out.VersionId
}

// finish makes a version AWSCURRENT, as finishSecret does.
func (w *world) finish(from, to string) {
	_, err := secretsmanager.NewFromConfig(w.server.Config()).UpdateSecretVersionStage(w.Context(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String("db"), VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: &from, MoveToVersionId: &to})
	require.NoError(w, err)
}

// refresh lets the client see what is in the store by now.
func (w *world) refresh() {
	require.NoError(w, w.client.Refresh(w.Context(), ref))
	synctest.Wait()
}

func (w *world) connector(opts ...sqlsecret.Option) *sqlsecret.Connector {
	w.Helper()
	c, err := sqlsecret.New(w.Context(), w.client, ref, w.db.connect, opts...)
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, c.Close()) })
	return c
}

func (w *world) pool(opts ...sqlsecret.Option) *sql.DB {
	w.Helper()
	db := sql.OpenDB(w.connector(opts...))
	w.Cleanup(func() { require.NoError(w, db.Close()) })
	return db
}

// open opens a connection of a pool and returns it with its user and password.
func (w *world) open(db *sql.DB) (c *sql.Conn, login string) {
	w.Helper()
	c, err := db.Conn(w.Context())
	require.NoError(w, err)
	return c, w.login(c)
}

func (w *world) login(c *sql.Conn) (login string) {
	w.Helper()
	require.NoError(w, c.QueryRowContext(w.Context(), "login").Scan(&login))
	return login
}

// once opens a connection, closes it, and returns what it logged in with.
func (w *world) once(c *sqlsecret.Connector) string {
	w.Helper()
	conn, err := c.Connect(w.Context())
	require.NoError(w, err)
	defer conn.Close()
	return sqlsecret.DriverConn(conn).(*connection).login
}

// database is one that knows passwords, and a driver for it.
type database struct {
	mu        sync.Mutex
	passwords map[string]string
	delay     time.Duration // of a login
	fail      error         // of each login
	logins    int
	refused   int
	open      int
	most      int // open at once
}

// alter sets a password; an empty one drops the user.
func (d *database) alter(user, password string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passwords[user] = password; password == "" {
		delete(d.passwords, user)
	}
}

func (d *database) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// counts returns the logins and how many were refused since the last call.
func (d *database) counts() (logins, refused int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	logins, refused = d.logins, d.refused
	d.logins, d.refused = 0, 0
	return logins, refused
}

func (d *database) refusals() int {
	_, refused := d.counts()
	return refused
}

func (d *database) opened() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

func (d *database) connect(s secrets.DBSecret) (driver.Connector, error) {
	return connector{d, s.Username, s.Password()}, nil
}

type connector struct {
	db             *database
	user, password string
}

type refusedError struct{ user string }

func (e *refusedError) Error() string    { return "password authentication failed for user " + e.user }
func (e *refusedError) SQLState() string { return "28P01" }

func (c connector) Driver() driver.Driver { return fakeDriver{} }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.db.mu.Lock()
	delay := c.db.delay
	c.db.logins++
	c.db.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	switch {
	case c.db.fail != nil:
		return nil, c.db.fail
	case c.db.passwords[c.user] != c.password:
		c.db.refused++
		return nil, fmt.Errorf("connecting: %w", &refusedError{c.user})
	}
	c.db.open++
	c.db.most = max(c.db.most, c.db.open)
	return &connection{db: c.db, login: c.user + "/" + c.password}, nil
}

type fakeDriver struct{}

func (fakeDriver) Open(string) (driver.Conn, error) { return nil, errors.New("not used") }

// connection answers each query with what it logged in with.
type connection struct {
	db     *database
	login  string
	closed bool
}

func (c *connection) Close() error {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.db.open--
	}
	return nil
}

func (c *connection) Begin() (driver.Tx, error)                 { return fakeTx{}, nil }
func (c *connection) Prepare(query string) (driver.Stmt, error) { return &statement{c, query}, nil }

type fakeTx struct{}

func (fakeTx) Commit() error   { return nil }
func (fakeTx) Rollback() error { return nil }

type statement struct {
	c     *connection
	query string
}

func (*statement) Close() error  { return nil }
func (*statement) NumInput() int { return -1 }
func (s *statement) Exec([]driver.Value) (driver.Result, error) {
	return driver.ResultNoRows, s.err()
}
func (s *statement) Query([]driver.Value) (driver.Rows, error) {
	return &rows{values: []driver.Value{s.c.login}}, s.err()
}
func (s *statement) err() error {
	if s.query == "refuse" {
		return &refusedError{"somebody"}
	}
	return nil
}

type rows struct{ values []driver.Value }

func (*rows) Columns() []string { return []string{"value"} }
func (*rows) Close() error      { return nil }
func (r *rows) Next(dest []driver.Value) error {
	if len(r.values) == 0 {
		return io.EOF
	}
	dest[0], r.values = r.values[0], r.values[1:]
	return nil
}
