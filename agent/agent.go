// Package agent reads through a local process that AWS provides and that has
// the credentials in the program's place: the AWS Secrets Manager Agent (now
// AWS Workload Credentials Provider), or the AWS Parameters and Secrets Lambda
// Extension. Its stores take the place of sm.New(cfg) and ssm.New(cfg), and all
// refs stay as they are:
//
//	client, err := secrets.New(
//		secrets.WithProvider(agent.Secrets()),
//		secrets.WithProvider(agent.Parameters()), // the extension only
//	)
//
// It links no AWS SDK.
//
// # Requests
//
// Both are asked by HTTP on the loopback interface, port 2773 or that of
// PARAMETERS_SECRETS_EXTENSION_HTTP_PORT, one secret or parameter a request:
// /secretsmanager/get and, of the extension, /systemsmanager/parameters/get
// (README of aws-workload-credentials-provider; guides: retrieving-secrets_lambda,
// ps-integration-lambda-extensions). Neither can list, tell versions without
// values, batch or write. An answer of more than 1 MiB, a redirect, a proxy and
// an address that is not a loopback one are refused.
//
// # Two caches
//
// The agent has a cache of its own, of five minutes if it is not configured
// otherwise, and does not notice a rotation. So that the client's TTL means what
// it says, each read has the agent ask AWS (refreshNow), except of a pinned
// version; [WithSharedCache] relaxes that for renewals. An agent from before
// refreshNow refuses it, and is then asked without. Of the extension it is not
// documented: parameters are read without it, and of secrets it may be refused or
// ignored. In these cases a change is seen later by up to the age of what is
// cached there, even by Refresh and Reject. Turn that cache off, as the client
// has one: ttl_seconds = 0 for the agent, SECRETS_MANAGER_TTL and
// SSM_PARAMETER_STORE_TTL = 0 for the extension.
//
// # Lambda
//
// The extension answers while a function is invoked, and not before (guide:
// ps-integration-lambda-extensions): make the client at start-up, which makes no
// call, and read, bind and load in the handler. A request that comes before the
// agent is ready is repeated for two seconds.
//
// # Regions and accounts
//
// The agent reads from one Region, its own. A ref with another ?region= is
// refused once the answer's ARN shows where it came from. A secret of another
// account is read by its ARN, with the agent's credentials.
package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// Store reads one kind of value through the agent. It is a [provider.Provider]
// and [provider.Refetcher], and safe for concurrent use.
type Store struct {
	api       api
	endpoint  *url.URL
	bad       error // what is wrong with the configuration
	transport http.RoundTripper
	token     string
	limit     chan struct{} // of requests in flight
	shared    bool
	logger    *slog.Logger

	noRefresh atomic.Bool // refreshNow is not known there
}

var (
	_ provider.Provider   = (*Store)(nil)
	_ provider.Refetcher  = (*Store)(nil)
	_ provider.Alternates = (*Store)(nil)
	_ provider.Limited    = (*Store)(nil)
)

const (
	defaultPort        = "2773"
	portVariable       = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT" // guide: ps-integration-lambda-extensions
	defaultConcurrency = 4
)

// Option configures a [Store].
type Option func(*Store)

// WithEndpoint sets where the agent listens, such as "http://localhost:3000".
// The default is http://localhost and the port of
// PARAMETERS_SECRETS_EXTENSION_HTTP_PORT, or 2773. What the name resolves to
// must be a loopback address.
func WithEndpoint(u string) Option {
	return func(s *Store) { s.endpoint, s.bad = parseEndpoint(u) }
}

// WithToken sets the token by which the agent tells its clients from forged
// requests: itself or, after "file://", the path of a file, which is read at
// each request since the agent makes a new one when it starts. By default it is
// what AWS_TOKEN says in this form; else what /var/run/awssmatoken holds, if
// there is such a file; else AWS_SESSION_TOKEN, as on Lambda; else
// AWS_CONTAINER_AUTHORIZATION_TOKEN, as on Lambda with SnapStart.
func WithToken(token string) Option {
	return func(s *Store) { s.token = token }
}

// WithSharedCache lets renewals, by which the client keeps what it has fresh,
// take what the agent has cached: the processes of a machine then share its
// calls of AWS, and a change is seen later by up to the agent's TTL. What is
// read for the first time, by Refresh or by Reject still comes from AWS, and so
// does what the agent's cache says to have changed.
func WithSharedCache() Option {
	return func(s *Store) { s.shared = true }
}

// WithConcurrency bounds the requests that the store has in flight at any time,
// over all its callers; the default is 4, and less than 1 means 1.
func WithConcurrency(requests int) Option {
	return func(s *Store) { s.limit = make(chan struct{}, max(requests, 1)) }
}

// WithTransport sends requests by rt, to an address of any kind: the store
// checks none of rt's connections. It must not log headers, one of which is the
// token. The default transport knows no proxy, and keeps no connection.
func WithTransport(rt http.RoundTripper) Option {
	return func(s *Store) { s.transport = rt }
}

// WithLogger sets where the store says, once, that refreshNow is not known; the
// default is what [slog.Default] returns then. It logs nothing else.
func WithLogger(logger *slog.Logger) Option {
	return func(s *Store) { s.logger = logger }
}

// Secrets returns the store of "sm://" refs and of Secrets Manager's ARNs. It
// makes no call. What is wrong with the options shows when it is read from.
func Secrets(opts ...Option) *Store { return newStore(secretsAPI, opts) }

// Parameters returns the store of "ssm://" refs and of parameters' ARNs, which
// the extension can read and the agent cannot. It makes no call.
func Parameters(opts ...Option) *Store { return newStore(parametersAPI, opts) }

func newStore(api api, opts []Option) *Store {
	s := &Store{api: api, limit: make(chan struct{}, defaultConcurrency), transport: loopback()}
	port := os.Getenv(portVariable)
	if port == "" {
		port = defaultPort
	}
	s.endpoint, s.bad = parseEndpoint("http://" + net.JoinHostPort("localhost", port))
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Scheme returns "sm" or "ssm".
func (s *Store) Scheme() string { return s.api.scheme }

// Alternates implements [provider.Alternates] as package sm does.
func (s *Store) Alternates(ref provider.Ref) []provider.Ref {
	ref = ref.Base()
	if s.api.scheme != "sm" || ref.Stage != "" || ref.Version != "" {
		return nil
	}
	pending, previous := ref, ref
	pending.Stage, previous.Stage = "AWSPENDING", "AWSPREVIOUS"
	return []provider.Ref{pending, previous}
}

// RateLimit implements [provider.Limited] with the quotas of packages sm and
// ssm: what is read through the agent counts against the same.
func (s *Store) RateLimit() (perSecond float64, burst int) { return s.api.perSecond, s.api.burst }

func (s *Store) log() *slog.Logger {
	if s.logger == nil {
		return slog.Default()
	}
	return s.logger
}

func parseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil, err != nil && strings.Contains(text, "@"):
		return nil, fmt.Errorf("the agent's endpoint has a user or password, which the agent does not take: see WithEndpoint and %s", portVariable)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("the agent's endpoint %q is not a URL such as http://localhost:2773: see WithEndpoint and %s", text, portVariable)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the agent's endpoint %q has more than an address: want http://localhost:2773", text)
	}
	return u, nil
}

// loopback returns a transport that connects to loopback addresses only,
// whatever names resolve to. It keeps no connection: the agent counts each
// against its max_conn, and cuts it off after a minute.
func loopback() http.RoundTripper {
	dialer := &net.Dialer{Timeout: 2 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err == nil && to.Addr().Unmap().IsLoopback() {
			return nil
		}
		return errNotLoopback
	}}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
