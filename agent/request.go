package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// api is one of the two things that can be read.
type api struct {
	scheme, path, operation string
	refresh                 bool // refreshNow is documented
	query                   func(provider.Ref) url.Values
	decode                  func([]byte, provider.Ref) (answer, error)

	// The quota of what the agent calls, as in packages sm and ssm.
	perSecond float64
	burst     int
	cost      float64
}

var (
	secretsAPI = api{
		scheme: "sm", path: "/secretsmanager/get", operation: "GetSecretValue", refresh: true,
		query: func(ref provider.Ref) url.Values {
			return values("secretId", ref.Name, "versionId", ref.Version, "versionStage", ref.Stage)
		},
		decode:    decodeSecret,
		perSecond: 50, burst: 100, cost: 0.01,
	}
	parametersAPI = api{
		scheme: "ssm", path: "/systemsmanager/parameters/get", operation: "GetParameter",
		query: func(ref provider.Ref) url.Values {
			return values("name", ref.Name, "version", ref.Version, "label", ref.Label, "withDecryption", "true")
		},
		decode:    decodeParameter,
		perSecond: 20, burst: 40, cost: 1,
	}
)

func values(pairs ...string) url.Values {
	q := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

const (
	// tokenHeader is one of the two that the agent takes, and the only one of the
	// extension.
	tokenHeader = "X-Aws-Parameters-Secrets-Token"
	tokenFile   = "/var/run/awssmatoken" // the agent's install script makes it

	requestTimeout = 10 * time.Second
	// maxAnswer is room for the largest secret, 65,536 bytes (API GetSecretValue),
	// with each of them escaped.
	maxAnswer = 1 << 20
	maxError  = 16 << 10
	maxToken  = 64 << 10
)

var (
	errNotLoopback = errors.New("it is not a loopback address, and only those are connected to: see WithTransport for another")
	errTooLong     = errors.New("the answer is longer than 1 MiB, which no secret is")
	errLate        = errors.New("no answer within 10s")
)

// request makes one request.
func (s *Store) request(ctx context.Context, ref provider.Ref, refresh bool) (answer, error) {
	if s.bad != nil {
		return answer{}, s.bad
	}
	token, err := s.currentToken()
	if err != nil {
		return answer{}, err
	}
	if err := provider.Pace(ctx, s.api.cost); err != nil {
		return answer{}, err
	}
	began := time.Now()
	body, err := s.exchange(ctx, ref, token, refresh)
	provider.ReportCall(ctx, provider.Call{Operation: s.api.operation, Err: err, Duration: time.Since(began)})
	if err != nil {
		return answer{}, err
	}
	return s.api.decode(body, ref)
}

// exchange returns the body of the answer.
func (s *Store) exchange(ctx context.Context, ref provider.Ref, token string, refresh bool) ([]byte, error) {
	caller := ctx
	ctx, cancel := context.WithTimeoutCause(caller, requestTimeout, errLate)
	defer cancel()
	q := s.api.query(ref)
	if refresh {
		q.Set("refreshNow", "true")
	}
	u := *s.endpoint
	u.Path, u.RawQuery = s.api.path, q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(tokenHeader, token)
	client := http.Client{Transport: s.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, late(caller, ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
		return nil, newError(resp.StatusCode, said)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, late(caller, ctx, err)
	case len(body) > maxAnswer:
		return nil, errTooLong
	}
	return body, nil
}

// late says of a request that took too long that this is why, and leaves the URL
// out of all others. Where the caller's context ended, net/http gives its cause,
// which need not be its error.
func late(caller, ctx context.Context, err error) error {
	switch {
	case caller.Err() != nil:
		return caller.Err()
	case context.Cause(ctx) == errLate:
		return errLate
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// currentToken returns the token of this moment. The order of the variables is
// the agent's own (README of aws-workload-credentials-provider,
// ssrf_env_variables); the file comes before those that are there for other
// reasons.
func (s *Store) currentToken() (string, error) {
	token := s.token
	if token == "" {
		token = os.Getenv("AWS_TOKEN")
	}
	if token == "" {
		if found, err := readToken(tokenFile); !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
		token = os.Getenv("AWS_SESSION_TOKEN")
	}
	if token == "" {
		token = os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	}
	if path, ok := strings.CutPrefix(token, "file://"); ok {
		return readToken(path)
	}
	if token == "" {
		return "", errNoToken
	}
	return token, nil
}

var errNoToken = errors.New("no token for the agent: set AWS_TOKEN or use WithToken; on Lambda AWS_SESSION_TOKEN is it")

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the agent's token cannot be read: is the program's user in the group that may (awssmatokenreader, aws-wcp-token)? %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fmt.Errorf("the agent's token cannot be read: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", fmt.Errorf("the agent's token cannot be read: %s is empty", path)
	}
	return token, nil
}
