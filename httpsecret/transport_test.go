package httpsecret_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/httpsecret"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world returns a server that stands in for AWS, and a client of it.
func world(t testing.TB, opts ...secrets.Option) (*secretstest.Server, *secrets.Client) {
	t.Helper()
	server := secretstest.NewServer(t, secretstest.InProcess())
	cfg := server.Config()
	client, err := secrets.New(append(opts, secrets.WithLogger(slog.New(slog.DiscardHandler)),
		secrets.WithProvider(sm.New(cfg)), secrets.WithProvider(ssm.New(cfg)))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return server, client
}

// api is a web server that accepts one Authorization header.
type api struct {
	*httptest.Server
	accepts  atomic.Pointer[string]
	requests atomic.Int64
	refused  atomic.Int64

	mu     sync.Mutex
	bodies []string // of requests that were accepted
}

func newAPI(t testing.TB, accepts string) *api {
	a := &api{}
	a.accept(accepts)
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func (a *api) accept(header string) { a.accepts.Store(&header) }

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("Authorization") != *a.accepts.Load() {
		a.refused.Add(1)
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "refused")
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bodies = append(a.bodies, string(body))
	_, _ = io.WriteString(w, "accepted")
}

// through returns an HTTP client whose transport puts what ref names on requests
// to the origins.
func through(t testing.TB, c *secrets.Client, ref string, put httpsecret.Credential, origins ...string) (*http.Client, *httpsecret.Transport) {
	t.Helper()
	transport, err := httpsecret.New(c, ref, put, origins...)
	require.NoError(t, err)
	transport.Base = new(http.Transport)
	client := &http.Client{Transport: transport}
	t.Cleanup(client.CloseIdleConnections)
	return client, transport
}

// do sends a request and returns the status and the body.
func do(client *http.Client, req *http.Request) (int, string, error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func get(t testing.TB, client *http.Client, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	status, body, err := do(client, req)
	require.NoError(t, err)
	return status, body
}

func TestRequestsFollowTheSecret(t *testing.T) {
	server, c := world(t)
	server.SetSecret("api", `{"token":"one"}`)
	a := newAPI(t, "Bearer one")
	client, _ := through(t, c, "sm://api#token", httpsecret.Bearer, a.URL)
	for range 3 {
		status, body := get(t, client, a.URL+"/path?query")
		require.Equal(t, 200, status, body)
	}
	require.Equal(t, 1, server.Calls(), "through the cache")

	server.SetSecret("api", `{"token":"two"}`)
	a.accept("Bearer two")
	status, body := get(t, client, a.URL)
	require.Equal(t, 200, status, "refused, read again, and sent once more")
	require.Equal(t, "accepted", body)
	require.EqualValues(t, 1, a.refused.Load())
	require.EqualValues(t, 1, c.Stats().Rejected)
	status, _ = get(t, client, a.URL)
	require.Equal(t, 200, status)
	require.EqualValues(t, 1, a.refused.Load(), "the next request has it from the start")
}

func TestBodyIsSentAgain(t *testing.T) {
	server, c := world(t)
	server.SetSecret("api", "one")
	a := newAPI(t, "Bearer two")
	client, _ := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
	_, err := c.Get(t.Context(), "sm://api")
	require.NoError(t, err)
	server.SetSecret("api", "two")

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, strings.NewReader("the body"))
	require.NoError(t, err)
	status, _, err := do(client, req)
	require.NoError(t, err)
	require.Equal(t, 200, status)
	require.Equal(t, []string{"the body"}, a.bodies)
	require.Empty(t, req.Header, "the request is not changed")
}

func TestBodyThatCannotBeSentAgain(t *testing.T) {
	for name, getBody := range map[string]func() (io.ReadCloser, error){
		"no GetBody":    nil,
		"GetBody fails": func() (io.ReadCloser, error) { return nil, errors.New("gone") },
	} {
		t.Run(name, func(t *testing.T) {
			server, c := world(t)
			server.SetSecret("api", "one")
			a := newAPI(t, "Bearer two")
			client, _ := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
			_, err := c.Get(t.Context(), "sm://api")
			require.NoError(t, err)
			server.SetSecret("api", "two")
			for _, want := range []int{401, 200} { // the second has the new value from the start
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, io.NopCloser(strings.NewReader("the body")))
				require.NoError(t, err)
				req.GetBody = getBody
				status, body, err := do(client, req)
				require.NoError(t, err)
				require.Equal(t, want, status)
				require.Equal(t, map[int]string{401: "refused", 200: "accepted"}[want], body)
			}
		})
	}
}

// The request is retried once, and what every version is refused for is the
// server's own response.
func TestWrongCredentialsAreNoStorm(t *testing.T) {
	server, c := world(t, secrets.WithRejectInterval(time.Hour))
	server.SetSecret("api", "zero")
	server.SetSecret("api", "one")
	a := newAPI(t, "Bearer nothing")
	client, _ := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
	status, body := get(t, client, a.URL)
	require.Equal(t, 401, status)
	require.Equal(t, "refused", body)
	require.EqualValues(t, 2, a.requests.Load(), "with the current version and the previous one")
	status, _ = get(t, client, a.URL)
	require.Equal(t, 401, status)
	calls, requests := server.Calls(), a.requests.Load()
	for range 20 {
		status, body = get(t, client, a.URL)
		require.Equal(t, 401, status)
		require.Equal(t, "refused", body)
	}
	require.EqualValues(t, 20, a.requests.Load()-requests, "no version is left to try: each is sent once")
	require.Equal(t, calls, server.Calls(), "and the store is not asked each time")
}

// While the server has the pending token already, requests use that from the
// start, and the current one as soon as it is current.
func TestGapOfARotation(t *testing.T) {
	server, c := world(t)
	old := server.SetSecret("api", "one")
	api := secretsmanager.NewFromConfig(server.Config())
	put, err := api.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("api"),
		SecretString: aws.String("two"), VersionStages: []string{"AWSPENDING"}})
	require.NoError(t, err)
	a := newAPI(t, "Bearer two")
	client, _ := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
	for range 10 {
		status, _ := get(t, client, a.URL)
		require.Equal(t, 200, status)
	}
	require.EqualValues(t, 1, a.refused.Load())

	_, err = api.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("api"),
		VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: &old, MoveToVersionId: put.VersionId})
	require.NoError(t, err)
	require.NoError(t, c.Refresh(t.Context()))
	status, _ := get(t, client, a.URL)
	require.Equal(t, 200, status)
	require.EqualValues(t, 1, a.refused.Load())

	// What was found then does not stick: the next change is followed.
	server.SetSecret("api", "three")
	require.NoError(t, c.Refresh(t.Context()))
	a.accept("Bearer three")
	status, _ = get(t, client, a.URL)
	require.Equal(t, 200, status)
	require.EqualValues(t, 1, a.refused.Load())
}

// A pending version that the server does not have is given up for the current
// one or the previous.
func TestSubstituteThatIsRefusedIsDropped(t *testing.T) {
	server, c := world(t, secrets.WithRejectInterval(time.Nanosecond))
	server.SetSecret("api", "zero")
	server.SetSecret("api", "one")
	_, err := secretsmanager.NewFromConfig(server.Config()).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("api"),
		SecretString: aws.String("two"), VersionStages: []string{"AWSPENDING"}})
	require.NoError(t, err)
	a := newAPI(t, "Bearer zero")
	client, _ := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
	status, _ := get(t, client, a.URL)
	require.Equal(t, 401, status, "the current one and the pending one were refused")
	status, _ = get(t, client, a.URL)
	require.Equal(t, 200, status, "the previous one")
	requests := a.requests.Load()
	status, _ = get(t, client, a.URL)
	require.Equal(t, 200, status)
	require.EqualValues(t, 1, a.requests.Load()-requests)

	a.accept("Bearer one") // rolled back
	status, _ = get(t, client, a.URL)
	require.Equal(t, 401, status, "all were refused within the minute")
	status, _ = get(t, client, a.URL)
	require.Equal(t, 200, status, "but it begins with the current one again")
}

func TestManyRefusalsReadTheStoreOnce(t *testing.T) {
	const n = 200
	server, c := world(t)
	server.SetSecret("api", "one")
	a := newAPI(t, "Bearer two")
	client, transport := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
	transport.Base.(*http.Transport).MaxConnsPerHost = 50
	_, err := c.Get(t.Context(), "sm://api")
	require.NoError(t, err)
	server.SetSecret("api", "two")
	server.ResetCalls()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, strings.NewReader("x"))
			status, body, err := do(client, req)
			if err != nil || status != 200 || body != "accepted" {
				t.Error(status, body, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, server.Calls())
}

// No request fails while the token is replaced again and again, the server
// taking only the newest.
func TestNoRequestFailsWhileTheSecretIsReplaced(t *testing.T) {
	server, c := world(t, secrets.WithRejectInterval(time.Nanosecond))
	server.SetSecret("api", "0")
	a := newAPI(t, "Bearer 0")
	client, _ := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var served atomic.Int64
	var turn sync.RWMutex // a request that was sent twice saw at most one change
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				turn.RLock()
				status, _ := get(t, client, a.URL)
				turn.RUnlock()
				if status != 200 {
					t.Error(status)
				}
				served.Add(1)
			}
		})
	}
	for _, token := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		until := served.Load() + 50
		require.Eventually(t, func() bool { return served.Load() >= until }, time.Minute, time.Millisecond)
		turn.Lock()
		server.SetSecret("api", token)
		a.accept("Bearer " + token)
		turn.Unlock()
	}
	close(stop)
	wg.Wait()
	require.GreaterOrEqual(t, a.refused.Load(), int64(8))
}

func TestOnlyWhatCountsAsRefused(t *testing.T) {
	server, c := world(t)
	server.SetSecret("api", "one")
	var requests atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer web.Close()
	client, transport := through(t, c, "sm://api", httpsecret.Bearer, web.URL)
	status, _ := get(t, client, web.URL)
	require.Equal(t, 403, status)
	require.Zero(t, c.Stats().Rejected, "403 is not 401")

	transport.Refused = func(resp *http.Response) bool { return resp.StatusCode == http.StatusForbidden }
	server.SetSecret("api", "two")
	status, _ = get(t, client, web.URL)
	require.Equal(t, 403, status)
	require.EqualValues(t, 1, c.Stats().Rejected)
	require.EqualValues(t, 3, requests.Load())
}

func TestNoSecretIsSentWithoutOne(t *testing.T) {
	server, c := world(t)
	a := newAPI(t, "")
	client, _ := through(t, c, "sm://nowhere", httpsecret.Bearer, a.URL)
	body := &closing{Reader: strings.NewReader("x")}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL, body)
	require.NoError(t, err)
	_, _, err = do(client, req)
	require.ErrorIs(t, err, provider.ErrNotFound)
	require.ErrorContains(t, err, "sm://nowhere")
	require.True(t, body.closed.Load())
	require.Zero(t, a.requests.Load())

	server.SetSecret("bad", "to ken")
	client, _ = through(t, c, "sm://bad", httpsecret.Bearer, a.URL)
	req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL, nil)
	require.NoError(t, err)
	_, _, err = do(client, req)
	require.ErrorIs(t, err, provider.ErrDecode)
	require.NotContains(t, err.Error(), "to ken")
}

type closing struct {
	io.Reader
	closed atomic.Bool
}

func (c *closing) Close() error {
	c.closed.Store(true)
	return nil
}

// Where the store cannot be asked, or has nothing that can be sent, the server's
// response stands.
func TestRefusalWithNothingToTry(t *testing.T) {
	for name, after := range map[string]func(*secretstest.Server){
		"unreachable": func(server *secretstest.Server) { server.Inject(secretstest.Fault{Err: secretstest.AccessDenied()}) },
		"malformed":   func(server *secretstest.Server) { server.SetSecret("api", "x y") },
	} {
		t.Run(name, func(t *testing.T) {
			server, c := world(t)
			server.SetSecret("api", "one")
			a := newAPI(t, "Bearer two")
			client, _ := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
			_, err := c.Get(t.Context(), "sm://api")
			require.NoError(t, err)
			after(server)
			status, body := get(t, client, a.URL)
			require.Equal(t, 401, status)
			require.Equal(t, "refused", body)
			require.EqualValues(t, 1, a.requests.Load())
		})
	}
}

func TestCancelledWhileTheStoreIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("api", "one")
		client, transport := through(t, c, "sm://api", httpsecret.Bearer, "https://api.example.com")
		refusal := &closing{Reader: strings.NewReader("refused")}
		transport.Base = roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 401, Body: refusal}, nil
		})
		_, err := c.Get(t.Context(), "sm://api")
		require.NoError(t, err)
		defer server.Inject(secretstest.Fault{Delay: time.Hour})()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com", nil)
		require.NoError(t, err)
		_, _, err = do(client, req)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		require.True(t, refusal.closed.Load())
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestResponseIsWithoutTheSecret(t *testing.T) {
	server, c := world(t)
	server.SetSecret("api", "hunter2")
	a := newAPI(t, "Bearer hunter2")
	client, _ := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "mine")
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode, "the secret takes the place of a header of the request's")
	require.Equal(t, http.Header{"Authorization": {"mine"}}, resp.Request.Header)
	require.Equal(t, http.Header{"Authorization": {"mine"}}, req.Header)
}

// A refusal is read to its end and closed, so that its connection can serve the
// retry. Whether it does is up to net/http, which gives up on a connection whose
// goroutines were not scheduled for 50 ms.
func TestRefusalIsReadToItsEnd(t *testing.T) {
	server, c := world(t)
	server.SetSecret("api", "one")
	a := newAPI(t, "Bearer two")
	client, transport := through(t, c, "sm://api", httpsecret.Bearer, a.URL)
	base := &counting{RoundTripper: transport.Base}
	transport.Base = base
	_, err := c.Get(t.Context(), "sm://api")
	require.NoError(t, err)
	server.SetSecret("api", "two")
	status, _ := get(t, client, a.URL)
	require.Equal(t, 200, status)
	require.Len(t, base.bodies, 2)
	require.True(t, base.bodies[0].closed.Load(), "the refusal is closed")
	require.Equal(t, io.EOF, base.bodies[0].end)
}

// counting notes how the bodies of responses end.
type counting struct {
	http.RoundTripper
	bodies []*watched
}

type watched struct {
	io.ReadCloser
	closed atomic.Bool
	end    error
}

func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(req)
	if err == nil {
		w := &watched{ReadCloser: resp.Body}
		resp.Body = w
		c.bodies = append(c.bodies, w)
	}
	return resp, err
}

func (w *watched) Read(p []byte) (n int, err error) {
	n, err = w.ReadCloser.Read(p)
	w.end = err
	return n, err
}

func (w *watched) Close() error {
	w.closed.Store(true)
	return w.ReadCloser.Close()
}
