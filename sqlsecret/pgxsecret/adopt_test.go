package pgxsecret_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/sqlsecret/internal/loadtest"
)

// fake returns a pool's configuration for a server that does what a real one does
// not do at will: serve gets each connection.
func fake(t *testing.T, options string, serve func(net.Conn)) (*loadtest.World, *pgxpool.Config) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() { // after the pool was closed: each connection ends
		_ = l.Close()
		wg.Wait()
	})
	w := loadtest.NewWorld(t, loadtest.Database{Engine: "postgres", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port})
	w.Server.SetSecret("db", w.Secret("app", "hunter2"))
	cfg, err := pgxpool.ParseConfig(options)
	require.NoError(t, err)
	cfg.MaxConns = 1
	return w, cfg
}

// letIn takes a login, and adds something to the last message of its answer.
func letIn(c net.Conn, more ...byte) *pgproto3.Backend {
	b := pgproto3.NewBackend(c, c)
	_, _ = b.ReceiveStartupMessage()
	var out []byte
	for _, m := range []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}, &pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte("1234")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}} {
		out = encoded(out, m)
	}
	_, _ = c.Write(append(out, more...))
	return b
}

func encoded(b []byte, m pgproto3.BackendMessage) []byte {
	b, err := m.Encode(b)
	if err != nil {
		panic(err)
	}
	return b
}

// answer says after each query that it is done, until the connection ends.
func answer(b *pgproto3.Backend) {
	for {
		m, err := b.Receive()
		if err != nil {
			return
		}
		if _, ok := m.(*pgproto3.Query); ok {
			b.Send(&pgproto3.EmptyQueryResponse{})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			_ = b.Flush()
		}
	}
}

// What a server says by itself right after the login comes to who asks next,
// whatever of it was there when the connection was adopted.
func TestWhatFollowsTheLoginIsNotLost(t *testing.T) {
	notification := encoded(nil, &pgproto3.NotificationResponse{PID: 2, Channel: "c", Payload: "p"})
	notice := encoded(nil, &pgproto3.NoticeResponse{Severity: "NOTICE", Message: "n"})
	for _, cut := range []int{0, 1, 5, len(notice) / 2, len(notice)} {
		w, cfg := fake(t, "sslmode=disable", func(c net.Conn) {
			b := letIn(c, append(notification, notice[:cut]...)...)
			if _, err := b.Receive(); err == nil {
				_, _ = c.Write(encoded(encoded(notice[cut:], &pgproto3.EmptyQueryResponse{}), &pgproto3.ReadyForQuery{TxStatus: 'I'}))
			}
			answer(b)
		})
		var notices []string
		cfg.ConnConfig.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Message) }
		c, err := newPool(w, cfg).Acquire(t.Context())
		require.NoError(t, err)
		defer c.Release()
		require.NoError(t, c.Ping(t.Context()))
		require.Equal(t, []string{"n"}, notices)
		n, err := c.Conn().WaitForNotification(t.Context())
		require.NoError(t, err)
		require.Equal(t, "p", n.Payload)
		require.NoError(t, c.Ping(t.Context()))
	}
}

// A server that does not answer a request to cancel holds up nobody for longer
// than his context lasts, though the connection that it is for is not pgx's own.
func TestRequestToCancelEndsWithItsContext(t *testing.T) {
	https := httptest.NewTLSServer(nil)
	certificates := https.TLS.Certificates
	https.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	w, cfg := fake(t, "sslmode=require", func(c net.Conn) {
		request := make([]byte, 8)
		_, _ = io.ReadFull(c, request)
		first := false
		if once.Do(func() { first = true }); !first {
			cancel()
			_, _ = c.Read(request)
			return
		}
		_, _ = c.Write([]byte{'S'})
		answer(letIn(tls.Server(c, &tls.Config{Certificates: certificates})))
	})
	c, err := newPool(w, cfg).Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	require.Error(t, c.Conn().PgConn().CancelRequest(ctx))
	require.NoError(t, c.Ping(t.Context()))
}

// A pool that is closed while pgx is about to adopt a connection leaves none.
func TestPoolClosedBeforeTheAdoption(t *testing.T) {
	w, cfg := fake(t, "sslmode=disable", func(c net.Conn) { answer(letIn(c)) })
	closed := make(chan struct{})
	var pool *pgxpool.Pool
	cfg.ConnConfig.Tracer = atConnect(func(ctx context.Context) {
		go func() {
			pool.Close()
			close(closed)
		}()
		<-ctx.Done()
	})
	pool = newPool(w, cfg)
	if c, err := pool.Acquire(t.Context()); err == nil {
		c.Release()
	}
	<-closed
}

// atConnect is called when pgx connects.
type atConnect func(context.Context)

func (f atConnect) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	f(ctx)
	return ctx
}
func (atConnect) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) {}
func (atConnect) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (atConnect) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A connection that cannot be adopted ends.
func TestConnectionThatIsBusyAfterItsValidation(t *testing.T) {
	w, cfg := fake(t, "sslmode=disable", func(c net.Conn) { answer(letIn(c)) })
	cfg.ConnConfig.ValidateConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		c.Exec(ctx, "-- never read")
		return nil
	}
	require.ErrorContains(t, newPool(w, cfg).Ping(t.Context()), "busy")
}

// What pgconn keeps of an adopted connection cannot be used to open another.
func TestConfigurationOfAnAdoptedConnection(t *testing.T) {
	w, cfg := fake(t, "sslmode=disable", func(c net.Conn) { answer(letIn(c)) })
	cfg.ConnConfig.ValidateConnect = func(_ context.Context, c *pgconn.PgConn) error {
		c.CustomData()["validated"] = true
		return nil
	}
	c, err := newPool(w, cfg).Acquire(t.Context())
	require.NoError(t, err)
	defer c.Release()
	require.Equal(t, true, c.Conn().PgConn().CustomData()["validated"])
	_, err = pgx.ConnectConfig(t.Context(), c.Conn().Config())
	require.ErrorContains(t, err, "opens no other")
}
