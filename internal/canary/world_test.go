package canary_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/davecgh/go-spew/spew"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/iampolicy"
	"github.com/c0629bfc/secrets/internal/canary"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/statuspage"
)

func TestMain(m *testing.M) {
	if how := os.Getenv("SECRETS_CANARY_CRASH"); how != "" {
		crash(how)
		return
	}
	goleak.VerifyTestMain(m)
}

// world is an embedded AWS with canaries for secrets, a client of both stores,
// and a net for all that they print.
type world struct {
	*testing.T
	net    *canary.Net
	server *secretstest.Server
	wire   *wire
	log    *slog.Logger
	client *secrets.Client
	pages  []http.Handler // of all clients

	handles []any // kept, so that what is printed of them is not being released
}

// watched runs a test in virtual time. When it has ended, none of the canaries is
// in what was caught: log lines, audit trail, what observers are told, standard
// output and error, and what the test showed.
func watched(t *testing.T, test func(w *world), opts ...secrets.Option) {
	t.Helper()
	net := new(canary.Net)
	output := redirect(t, net)
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, net: net}
		w.log = slog.New(slog.NewMultiHandler(
			slog.NewTextHandler(net.Writer("the log as text"), &slog.HandlerOptions{AddSource: true, Level: slog.LevelDebug - 100}),
			slog.NewJSONHandler(net.Writer("the log as JSON"), &slog.HandlerOptions{AddSource: true, Level: slog.LevelDebug - 100})))
		slog.SetDefault(w.log)
		w.server = secretstest.NewServer(t, secretstest.InProcess())
		w.wire = &wire{world: w}
		w.client = w.open(opts...)
		test(w)
		synctest.Wait()
		w.status()
		runtime.KeepAlive(w.handles)
	})
	output()
	for _, from := range []string{"the status page as text/html", "the status page as application/json", "expvar", "Stats"} {
		require.NotZero(t, net.Size(from), from)
	}
	require.Empty(t, net.Leaks())
}

// redirect has the process write to the net what it prints, until the function
// it returns is called.
func redirect(t *testing.T, net *canary.Net) (restore func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(path)
	require.NoError(t, err)
	stdout, stderr, logger := os.Stdout, os.Stderr, slog.Default()
	os.Stdout, os.Stderr = file, file
	log.SetOutput(file)
	back := sync.OnceFunc(func() {
		os.Stdout, os.Stderr = stdout, stderr
		log.SetOutput(stderr)
		slog.SetDefault(logger)
		_ = file.Close()
		printed, err := os.ReadFile(path)
		require.NoError(t, err)
		net.Catch("standard output and error", string(printed))
	})
	t.Cleanup(back)
	return back
}

// config is that of the SDK, which speaks to the server through the wire.
func (w *world) config() aws.Config {
	cfg := w.server.Config()
	w.wire.to = cfg.HTTPClient
	cfg.HTTPClient = w.wire
	return cfg
}

// open returns a client that tells all it can tell.
func (w *world) open(opts ...secrets.Option) *secrets.Client {
	w.Helper()
	chain, err := audit.NewChain(w.net.Writer("the audit chain"), []byte("key of the chain, and no secret here"), audit.Checkpoint{})
	require.NoError(w, err)
	queue := audit.NewQueue(audit.NewSlog(w.log), 1000, audit.Block)
	recorder, recent := new(iampolicy.Recorder), statuspage.NewRecent(100)
	observer := secrets.Observer{
		Read:      func(_ context.Context, r secrets.Read) { w.show("Observer.Read", r); w.err("Observer.Read", r.Err) },
		Refreshed: func(r secrets.Refresh) { w.show("Observer.Refreshed", r); w.err("Observer.Refreshed", r.Err) },
		Rejected: func(_ context.Context, r secrets.Rejection) {
			w.show("Observer.Rejected", r)
			w.err("Observer.Rejected", r.Err)
		},
		Wrote:  func(_ context.Context, r secrets.Write) { w.show("Observer.Wrote", r); w.err("Observer.Wrote", r.Err) },
		Listed: func(_ context.Context, prefix string) { w.net.Catch("Observer.Listed", prefix) },
		Called: func(c provider.Call) { w.show("Observer.Called", c); w.err("Observer.Called", c.Err) },
	}
	cfg := w.config()
	c, err := secrets.New(append([]secrets.Option{
		secrets.WithProvider(sm.New(cfg)), secrets.WithProvider(ssm.New(cfg)),
		secrets.WithLogger(w.log), secrets.WithObserver(observer), secrets.WithObserver(recorder.Observer()),
		secrets.WithObserver(audit.New(chain)), secrets.WithObserver(audit.New(audit.NewJSON(w.net.Writer("the audit trail")))),
		secrets.WithObserver(audit.New(queue)), secrets.WithObserver(audit.New(recent)),
	}, opts...)...)
	require.NoError(w, err)
	w.pages = append(w.pages, statuspage.New(c, statuspage.WithRecent(recent)))
	w.Cleanup(func() {
		require.NoError(w, c.Close())
		require.NoError(w, queue.Close())
		w.show("a closed client", c)
		use := iampolicy.Use{Account: "123456789012", Region: "us-east-1"}
		w.err("Recorder.Add", recorder.Add(&use))
		policies, err := use.Policies()
		w.err("Use.Policies", err)
		w.show("the policy", policies)
	})
	return c
}

// status shows what a client says of itself.
func (w *world) status() {
	stats := w.client.Stats()
	w.show("Stats", stats)
	for _, s := range stats.Stale {
		w.show("Stats.Stale", s)
		w.err("Stats.Stale", s.Err)
	}
	for _, e := range w.client.Entries() {
		w.show("Entries", e)
		w.err("Entries", e.Err)
	}
	w.net.Catch("expvar", expvar.Func(func() any { return w.client.Stats() }).String())
	for _, page := range w.pages {
		for _, accept := range []string{"text/html", "application/json"} {
			answer, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/debug/secrets", nil)
			req.Header.Set("Accept", accept)
			page.ServeHTTP(answer, req)
			require.Equal(w, http.StatusOK, answer.Code)
			require.NoError(w, answer.Result().Header.Write(w.net.Writer("the status page's header")))
			w.net.Catch("the status page as "+accept, answer.Body.String())
		}
	}
	w.show("secretstest's requests", w.server.Requests())
}

// show prints x in every way that programs print things. Verbs that do not go
// with a type have fmt follow its pointers, which what others use at the same time
// does not bear: those are dump's.
func (w *world) show(from string, x any) {
	verbs := []string{"%v", "%+v", "%#v", "%T"}
	switch x.(type) {
	case error, fmt.Stringer:
		verbs = append(verbs, "%s", "%q", "%x", "%X")
	}
	for _, verb := range verbs {
		w.net.Catch(from, fmt.Sprintf(verb, x))
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, xml.Marshal} {
		text, err := marshal(x)
		w.net.Catch(from, string(text))
		w.err(from, err)
	}
	for _, h := range []func(io.Writer) slog.Handler{
		func(out io.Writer) slog.Handler { return slog.NewTextHandler(out, nil) },
		func(out io.Writer) slog.Handler { return slog.NewJSONHandler(out, nil) },
	} {
		var line bytes.Buffer
		slog.New(h(&line)).Info("shown", "it", x, slog.Group("group", "it", []any{x}))
		w.net.Catch(from, line.String())
	}
}

// dump shows a value that has nothing of the SDK's in it by a printer that
// ignores methods and follows pointers.
func (w *world) dump(from string, x any) {
	w.show(from, x)
	for _, verb := range []string{"%s", "%q", "%x", "%X", "%d"} {
		w.net.Catch(from, fmt.Sprintf(verb, x))
	}
	dumper := spew.ConfigState{Indent: " ", DisableMethods: true, MaxDepth: 12}
	w.net.Catch(from, dumper.Sdump(x))
	w.net.Catch(from, spew.Sdump(x))
}

// err shows an error and all that it wraps.
func (w *world) err(from string, err error) {
	if err == nil {
		return
	}
	w.show(from+"'s error", err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		w.err(from, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, wrapped := range e.Unwrap() {
			w.err(from, wrapped)
		}
	}
}

// failed is err for what has to fail.
func (w *world) failed(from string, err error) {
	w.Helper()
	require.Error(w, err, from)
	w.err(from, err)
}

// panics catches what f panics with, and the stack.
func (w *world) panics(from string, f func()) {
	w.Helper()
	panicked := true
	func() {
		defer func() {
			p := recover()
			w.net.Catch(from, fmt.Sprint(p))
			w.net.Catch(from, string(debug.Stack()))
		}()
		f()
		panicked = false
	}()
	require.True(w, panicked, from)
}

// wire is the network between the SDK and the server, and breaks what goes over
// it.
type wire struct {
	*world
	to aws.HTTPClient

	mu     sync.Mutex
	answer func(request []byte, status int, body []byte) (int, []byte)
	limit  int // of the bytes of an answer after which the connection breaks; 0 is none
}

var errBroken = errors.New("the connection broke")

// broken breaks all answers until the function that it returns is called.
func (w *wire) broken(answer func(request []byte, status int, body []byte) (int, []byte), limit int) (mend func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer, w.limit = answer, limit
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answer, w.limit = nil, 0
	}
}

func (w *wire) Do(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := w.to.Do(req)
	w.mu.Lock()
	answer, limit := w.answer, w.limit
	w.mu.Unlock()
	if err != nil || answer == nil && limit == 0 {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	if answer != nil {
		resp.StatusCode, body = answer(sent, resp.StatusCode, body)
		resp.Status = fmt.Sprint(resp.StatusCode, " ", http.StatusText(resp.StatusCode))
	}
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", fmt.Sprint(len(body)))
	resp.Header.Del("X-Amz-Crc32")
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if limit > 0 && limit < len(body) {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:limit]), failing{}))
	}
	return resp, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

// replacing returns an answer that has one text in the place of another.
func replacing(before, after string) func([]byte, int, []byte) (int, []byte) {
	return func(_ []byte, status int, body []byte) (int, []byte) {
		return status, []byte(strings.ReplaceAll(string(body), before, after))
	}
}
