package sqltarget_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// server is a database that notes what it is told. It stands in for those that
// cannot be had for tests.
type server struct {
	passwords map[string]string  // of the users
	answers   map[string][][]any // to queries that contain the key
	becomes   *secrets.DBSecret  // what a statement with its password sets
	log       []string           // "user: statement"
	asked     []secrets.DBSecret // logins
	refuses   func(string) error // statements
	late      bool               // logins are refused by the first ping
	open      int                // connections
}

type refused struct{}

func (refused) Error() string    { return "refused" }
func (refused) SQLState() string { return "28P01" }

func (s *server) connect(d secrets.DBSecret) (driver.Connector, error) { return connector{s, d}, nil }

type connector struct {
	*server
	as secrets.DBSecret
}

func (c connector) Connect(context.Context) (driver.Conn, error) {
	c.server.asked = append(c.server.asked, c.as)
	if !c.late && c.passwords[c.as.Username] != c.as.Password() {
		return nil, refused{}
	}
	c.server.open++
	return conn(c), nil
}

func (c connector) Driver() driver.Driver { return nil }

type conn connector

func (c conn) Close() error                        { c.server.open--; return nil }
func (c conn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not prepared here") }
func (c conn) Begin() (driver.Tx, error)           { c.note("BEGIN"); return tx(c), nil }

func (c conn) Ping(context.Context) error {
	if c.passwords[c.as.Username] != c.as.Password() {
		return refused{}
	}
	return nil
}

func (c conn) note(statement string) {
	c.server.log = append(c.server.log, c.as.Username+": "+strings.Join(strings.Fields(statement), " "))
}

type tx conn

func (t tx) Commit() error   { conn(t).note("COMMIT"); return nil }
func (t tx) Rollback() error { conn(t).note("ROLLBACK"); return nil }

func (c conn) ExecContext(_ context.Context, statement string, _ []driver.NamedValue) (driver.Result, error) {
	if c.refuses != nil {
		if err := c.refuses(statement); err != nil {
			return nil, err
		}
	}
	c.note(statement)
	if p := c.becomes; p != nil && strings.Contains(strings.ReplaceAll(statement, "''", "'"), p.Password()) {
		c.passwords[p.Username] = p.Password()
	}
	return driver.ResultNoRows, nil
}

func (c conn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	for key, answer := range c.answers {
		if strings.Contains(query, key) {
			return &rows{answer}, nil
		}
	}
	return &rows{}, nil
}

type rows struct{ left [][]any }

func (r *rows) Columns() []string {
	if len(r.left) == 0 {
		return nil
	}
	return make([]string, len(r.left[0]))
}
func (r *rows) Close() error { return nil }
func (r *rows) Next(to []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	for i, v := range r.left[0] {
		to[i] = v
	}
	r.left = r.left[1:]
	return nil
}

func secret(t *testing.T, engine, user, password string, more ...string) provider.Value {
	members := map[string]any{"engine": engine, "host": "db.internal", "username": user, "password": password, "ssl": true}
	for i := 0; i < len(more); i += 2 {
		members[more[i]] = more[i+1]
	}
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return provider.NewValue(provider.Ref{Scheme: "sm", Name: "db"}, provider.Version{}, provider.SecretString, string(text))
}

func decode(t *testing.T, v provider.Value) *secrets.DBSecret {
	s, err := secrets.JSON[secrets.DBSecret](v)
	require.NoError(t, err)
	return &s
}
