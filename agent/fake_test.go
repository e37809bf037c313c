package agent_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/c0629bfc/secrets/agent"
	"github.com/c0629bfc/secrets/secretstest"
)

const token = "ssrf-token"

// fake stands in for the agent, or for the extension: it answers as they do,
// with what the real SDK reads from a secretstest server.
//
// What is the agent's is from its README and sources: the order of the checks,
// the texts of its own errors, {"__type","message"} with AWS's status, a date as
// seconds in a string, a cache by secretId, versionId and versionStage that
// errors do not enter, refreshNow, and no other parameter. Of the extension the
// guide has the paths, the parameters, the token and that it is not ready
// outside of an invocation; its errors are made up here, as a text with the
// SDK's error in it, and its dates are those of a Go program.
type fake struct {
	sm  *secretsmanager.Client
	ssm *ssm.Client

	extension bool
	old       bool // from before refreshNow
	ttl       time.Duration

	mu      sync.Mutex
	ready   time.Time // not before
	cache   map[string]cached
	queries []string // of all requests
	auth    []string // their tokens
	arrived chan struct{}
	reads   int // of AWS
	most    int // requests in flight
	flying  int
}

type cached struct {
	body []byte
	read time.Time
}

func newFake(cfg aws.Config) *fake {
	cfg.RetryMaxAttempts = 1 // no waits: how often the agent itself tries is not what is tested
	return &fake{sm: secretsmanager.NewFromConfig(cfg), ssm: ssm.NewFromConfig(cfg), ttl: 5 * time.Minute, cache: make(map[string]cached)}
}

// start serves the fake on the loopback interface.
func (f *fake) start(t testing.TB) agent.Option {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return agent.WithEndpoint(srv.URL)
}

// inProcess serves the fake in memory, for a synctest bubble.
func (f *fake) inProcess() agent.Option {
	return agent.WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return w.Result(), nil
	}))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (rt roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return rt(r) }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := f.answer(r)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (f *fake) answer(r *http.Request) (int, []byte) {
	text := func(status int, s string) (int, []byte) { return status, []byte(s) }
	f.mu.Lock()
	f.queries = append(f.queries, r.URL.RawQuery)
	f.auth = append(f.auth, r.Header.Get("X-Aws-Parameters-Secrets-Token"))
	if f.arrived != nil {
		close(f.arrived)
		f.arrived = nil
	}
	ready := !time.Now().Before(f.ready)
	f.flying++
	f.most = max(f.most, f.flying)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.flying--
	}()
	switch {
	case r.Header.Get("X-Forwarded-For") != "":
		return text(400, "Forwarded")
	case r.Header.Get("X-Aws-Parameters-Secrets-Token") != token:
		return text(403, "Bad Token")
	case r.Method != http.MethodGet:
		return text(405, "Not allowed")
	case !ready && f.extension:
		return text(400, "not ready to serve traffic, please wait")
	case !ready:
		return text(503, "Serving not enabled. Hit the /start_serving endpoint to enable serving requests.")
	}
	q := r.URL.Query()
	var read func(context.Context) ([]byte, error)
	var known []string
	switch {
	case r.URL.Path == "/secretsmanager/get":
		known, read = []string{"secretId", "versionId", "versionStage", "refreshNow"}, func(ctx context.Context) ([]byte, error) {
			out, err := f.sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: opt(q, "secretId"), VersionId: opt(q, "versionId"), VersionStage: opt(q, "versionStage")})
			return f.secret(out), err
		}
	case r.URL.Path == "/systemsmanager/parameters/get" && f.extension:
		known, read = []string{"name", "version", "label", "withDecryption"}, func(ctx context.Context) ([]byte, error) {
			name := q.Get("name")
			if selector := cmp.Or(q.Get("version"), q.Get("label")); selector != "" {
				name += ":" + selector
			}
			decrypt := q.Get("withDecryption") == "true"
			out, err := f.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
			return marshal(out), err
		}
	default:
		return text(404, "Not found")
	}
	for k := range q {
		if !slices.Contains(known, k) || k == "refreshNow" && f.old {
			return text(400, "unknown parameter: "+k)
		}
	}
	refresh := q.Get("refreshNow") == "true"
	q.Del("refreshNow")
	f.mu.Lock()
	have, ok := f.cache[q.Encode()]
	f.mu.Unlock()
	if ok && !refresh && time.Since(have.read) < f.ttl {
		return 200, have.body
	}
	f.mu.Lock()
	f.reads++
	f.mu.Unlock()
	body, err := read(r.Context())
	if err != nil {
		return f.fail(err)
	}
	f.mu.Lock()
	f.cache[q.Encode()] = cached{body, time.Now()}
	f.mu.Unlock()
	return 200, body
}

func opt(q map[string][]string, key string) *string {
	if len(q[key]) == 0 {
		return nil
	}
	return &q[key][0]
}

func (f *fake) secret(out *secretsmanager.GetSecretValueOutput) []byte {
	if f.extension || out == nil {
		return marshal(out)
	}
	body := map[string]any{"ARN": out.ARN, "Name": out.Name, "VersionId": out.VersionId, "VersionStages": out.VersionStages,
		"CreatedDate": strconv.FormatFloat(float64(out.CreatedDate.UnixMilli())/1000, 'f', -1, 64)}
	if out.SecretString != nil {
		body["SecretString"] = *out.SecretString
	} else {
		body["SecretBinary"] = out.SecretBinary
	}
	return marshal(body)
}

func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

func (f *fake) fail(err error) (int, []byte) {
	var api smithy.APIError
	var status interface{ HTTPStatusCode() int }
	if !errors.As(err, &api) || !errors.As(err, &status) {
		return 502, []byte(`{"__type":"ConnectionError", "message":"Read Error"}`)
	}
	if f.extension {
		return status.HTTPStatusCode(), []byte(err.Error())
	}
	return status.HTTPStatusCode(), fmt.Appendf(nil, `{"__type":"%s", "message":"%s"}`, api.ErrorCode(), api.ErrorMessage())
}

func (f *fake) seen() (queries []string, reads int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.queries), f.reads
}

// block makes AWS, and so the fake, hold its answers until the test ends.
func (f *fake) block(srv *secretstest.Server) func(testing.TB) <-chan struct{} {
	return func(t testing.TB) <-chan struct{} {
		t.Cleanup(srv.Inject(secretstest.Fault{Delay: time.Hour}))
		f.mu.Lock()
		defer f.mu.Unlock()
		f.arrived = make(chan struct{})
		return f.arrived
	}
}
