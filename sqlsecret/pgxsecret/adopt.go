package pgxsecret

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"sync/atomic"

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
	var reader io.Reader // what pgconn reads the connection by
	lease, err := credentials.Login(ctx, func(ctx context.Context, s secrets.DBSecret) (err error) {
		if used, err = configure(cfg, s); err != nil {
			return err
		}
		used.AfterConnect = nil // pgx calls it for the connection it has in the end
		build := used.BuildFrontend
		used.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
			reader = r
			return build(r, w)
		}
		conn, err = pgconn.ConnectConfig(ctx, &used.Config)
		return err
	})
	if err != nil {
		return err
	}
	first, tlsConfig, err := adopt(conn, reader)
	if err != nil {
		return err
	}
	after, build := cfg.AfterConnect, cfg.BuildFrontend
	*cfg = *used
	cfg.BuildFrontend = build
	cfg.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error {
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
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if c := first.Swap(nil); c != nil {
			return c, nil
		}
		return dialAgain(ctx, used, tlsConfig, network, addr)
	}
	return nil
}

// dialAgain dials the server of a connection to cancel what that does, with TLS
// if the connection has it: pgx does not know that any more.
func dialAgain(ctx context.Context, used *pgx.ConnConfig, tlsConfig *tls.Config, network, addr string) (net.Conn, error) {
	conn, err := used.DialFunc(ctx, network, addr)
	if err != nil || tlsConfig == nil {
		return conn, err
	}
	if used.SSLNegotiation != "direct" {
		if err := askForTLS(conn); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return tls.Client(conn, tlsConfig), nil
}

// askForTLS sends an SSLRequest (PostgreSQL manual, "Message formats").
func askForTLS(conn net.Conn) error {
	request := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if answer[0] != 'S' {
		return errors.New("pgxsecret: the server refused TLS for a cancel request")
	}
	return nil
}

// adopt takes the network connection out of an open one, and the TLS
// configuration that it was opened with. What comes next is read by r: after a
// slow write pgconn has a goroutine that reads ahead, and may have it still.
func adopt(c *pgconn.PgConn, r io.Reader) (*atomic.Pointer[adopted], *tls.Config, error) {
	h, err := c.Hijack()
	if err != nil {
		return nil, nil, err
	}
	for h.Frontend.ReadBufferLen() > 0 { // what the server said after the login
		msg, err := h.Frontend.Receive()
		if err != nil {
			_ = h.Conn.Close()
			return nil, nil, err
		}
		if p, ok := msg.(*pgproto3.ParameterStatus); ok {
			h.ParameterStatuses[p.Name] = p.Value
		}
	}
	greeting, err := greet(h)
	if err != nil {
		_ = h.Conn.Close()
		return nil, nil, err
	}
	var first atomic.Pointer[adopted]
	first.Store(&adopted{Conn: h.Conn, reader: r, greeting: greeting})
	return &first, h.TLSConfig, nil
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
