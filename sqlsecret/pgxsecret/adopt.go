package pgxsecret

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/sqlsecret"
)

// A pgxpool has a hook before it connects, and none for what to do if the login
// is refused: whoever waits for the connection gets the error. So the hook opens
// the connection itself, and has pgx adopt it: where pgx would dial, it is handed
// the open connection, which answers the startup message by itself, with what
// the server said at the login.

// leaseKey is that of the lease in [pgconn.PgConn.CustomData].
const leaseKey = "github.com/c0629bfc/secrets/sqlsecret"

// replaced reports whether a connection should not be used any more.
func replaced(c *pgx.Conn) bool {
	lease, ok := c.PgConn().CustomData()[leaseKey].(*sqlsecret.Lease)
	return ok && lease.Replaced()
}

// open logs in as cfg says, with the credentials that work, and changes cfg so
// that the next connection that it makes is this one.
func open(ctx context.Context, credentials *sqlsecret.Credentials, cfg *pgx.ConnConfig) error {
	var used *pgx.ConnConfig
	var conn *pgconn.PgConn
	var read *messages // what pgconn reads the connection by
	lease, err := credentials.Login(ctx, func(ctx context.Context, s secrets.DBSecret) (err error) {
		if used, err = configure(cfg, s); err != nil {
			return err
		}
		used.AfterConnect = nil // pgx calls it for the connection it has in the end
		build := used.BuildFrontend
		used.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
			read = &messages{next: r, buffer: bufio.NewReader(r)}
			return build(read, w)
		}
		conn, err = pgconn.ConnectConfig(ctx, &used.Config)
		used.BuildFrontend = build
		return err
	})
	if err != nil {
		return err
	}
	h, err := conn.Hijack()
	if err != nil {
		_ = conn.Close(ctx)
		return err
	}
	greeting, err := greet(h)
	if err != nil {
		_ = h.Conn.Close()
		return err
	}
	var first atomic.Pointer[adopted]
	first.Store(&adopted{Conn: h.Conn, reader: read.next, greeting: append(greeting, read.ahead()...)})
	h.Frontend = nil

	after := cfg.AfterConnect
	*cfg = *used
	cfg.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		maps.Copy(c.CustomData(), h.CustomData)
		c.CustomData()[leaseKey] = lease
		if after != nil {
			return after(ctx, c)
		}
		return nil
	}
	// What follows has been heeded.
	cfg.TLSConfig, cfg.Fallbacks = nil, nil
	cfg.ValidateConnect, cfg.AfterNetConnect, cfg.OAuthTokenProvider = nil, nil, nil
	cfg.RequireAuth, cfg.ChannelBinding, cfg.SSLCertMode = "", "", ""
	cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"adopted"}, nil }
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if c := first.Swap(nil); c != nil {
			return c, nil
		}
		return &canceler{ctx: ctx, of: h}, nil
	}
	return nil
}

// canceler is what an adopted connection dials to cancel what it does. The
// request is made as the connection that was hijacked would make it, with TLS if
// it has that: the other does not know of it any more.
type canceler struct {
	net.Conn // nil
	ctx      context.Context
	of       *pgconn.HijackedConn
}

func (c *canceler) Write(b []byte) (int, error) {
	if len(b) < 8 || binary.BigEndian.Uint32(b[4:]) != cancelRequest {
		return 0, errors.New("pgxsecret: the configuration of a pool's connection opens no other: use that of the pool")
	}
	h := *c.of
	conn, err := pgconn.Construct(&h)
	if err != nil {
		return 0, err
	}
	return len(b), conn.CancelRequest(c.ctx)
}

func (*canceler) Read([]byte) (int, error)    { return 0, io.EOF }
func (*canceler) Close() error                { return nil }
func (*canceler) SetDeadline(time.Time) error { return nil } // the context ends the request

// cancelRequest is where a startup message has its version (PostgreSQL manual,
// "Message formats").
const cancelRequest = 80877102

// messages gives its reader no more than one message at once, so that none is in
// a frontend's buffer when the connection is taken from it.
type messages struct {
	next   io.Reader // after a slow write, pgconn has a goroutine that reads ahead into it
	buffer *bufio.Reader
	left   int64 // of a message
}

func (m *messages) Read(b []byte) (int, error) {
	if m.left == 0 {
		head, err := m.buffer.Peek(5) // its type, and its length without that (PostgreSQL manual, "Message formats")
		if err != nil {
			return 0, err
		}
		m.left = 1 + int64(binary.BigEndian.Uint32(head[1:]))
	}
	n, err := m.buffer.Read(b[:min(int64(len(b)), m.left)])
	m.left -= int64(n)
	return n, err
}

// ahead returns what was read of the connection and of messages not.
func (m *messages) ahead() []byte {
	b, _ := m.buffer.Peek(m.buffer.Buffered())
	return b
}

// greet returns what a server says to a client that it lets in (PostgreSQL
// manual, "Message flow: start-up").
func greet(h *pgconn.HijackedConn) (b []byte, err error) {
	messages := []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}}
	for _, name := range slices.Sorted(maps.Keys(h.ParameterStatuses)) {
		messages = append(messages, &pgproto3.ParameterStatus{Name: name, Value: h.ParameterStatuses[name]})
	}
	if len(h.SecretKey) > 0 {
		messages = append(messages, &pgproto3.BackendKeyData{ProcessID: h.PID, SecretKey: h.SecretKey})
	}
	for _, m := range append(messages, &pgproto3.ReadyForQuery{TxStatus: h.TxStatus}) {
		if b, err = m.Encode(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// adopted is an open connection that begins with a greeting. The first message
// that is written, which is the startup message, goes nowhere: not even if pgconn
// reads ahead, as it does when a write is slow, and has the greeting before that.
type adopted struct {
	net.Conn
	reader   io.Reader
	greeting []byte // what of it has not been read

	startup []byte // what was written of the startup message
	started bool   // all of it was
}

func (c *adopted) Read(b []byte) (int, error) {
	if len(c.greeting) == 0 {
		return c.reader.Read(b)
	}
	n := copy(b, c.greeting)
	c.greeting = c.greeting[n:]
	return n, nil
}

func (c *adopted) Write(b []byte) (int, error) {
	if c.started {
		return c.Conn.Write(b)
	}
	c.startup = append(c.startup, b...)
	if len(c.startup) < 4 {
		return len(b), nil
	}
	// It begins with its length (PostgreSQL manual, "Message formats").
	rest := len(c.startup) - int(binary.BigEndian.Uint32(c.startup))
	if rest < 0 {
		return len(b), nil
	}
	c.started, c.startup = true, nil
	if rest == 0 {
		return len(b), nil
	}
	n, err := c.Conn.Write(b[len(b)-rest:])
	return len(b) - rest + n, err
}
