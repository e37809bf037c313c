package secretstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A Server is an embedded AWS Secrets Manager, SSM Parameter Store and small Amazon
// SQS. All its methods are safe for concurrent use.
type Server struct {
	region     string
	account    string
	inProcess  bool
	seed       uint64
	pageSize   int
	emptyPages bool

	maxParameters map[string]int // by tier
	eventQueues   []string       // that events go to

	url       string
	http      *http.Server
	transport *http.Transport
	closing   chan struct{}
	ctx       context.Context // of rotation functions
	stop      context.CancelFunc
	closeOnce sync.Once
	running   sync.WaitGroup // the accept loop, each connection and each rotation

	calls  callLog
	faults faultSet

	mu     sync.Mutex // guards what follows
	offset time.Duration
	stores map[place]*store
	public map[string]*parameter
	queues map[queueKey]*queue
	closed bool

	functions    map[string]func(context.Context, RotationEvent) error
	scheduled    map[*secret]struct{} // secrets that have a rotation
	timer        *time.Timer          // of the next scheduled rotation or retry
	rotating     int                  // functions that run
	idle         chan struct{}        // closed when rotating becomes zero
	rotationErrs []error
}

// NewServer starts a server that is closed when the test and its subtests have
// ended. It fails the test at once when the server cannot start.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, err := Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server for a program or an example; Close it. It fails when
// an option is invalid or no loopback port can be opened.
func Start(opts ...Option) (*Server, error) {
	s := &Server{
		region:  "us-east-1",
		account: "123456789012",
		seed:    1,
		closing: make(chan struct{}),
		stores:  make(map[place]*store),
		public:  make(map[string]*parameter),

		functions: make(map[string]func(context.Context, RotationEvent) error),
		scheduled: make(map[*secret]struct{}),

		maxParameters: map[string]int{tierStandard: 10_000, tierAdvanced: 100_000},
	}
	for _, opt := range opts {
		opt(s)
	}
	switch {
	case !regionPattern.MatchString(s.region):
		return nil, fmt.Errorf("secretstest: invalid region %q", s.region)
	case !accountPattern.MatchString(s.account):
		return nil, fmt.Errorf("secretstest: account %q is not twelve digits", s.account)
	case s.pageSize < 0:
		return nil, errors.New("secretstest: negative page size")
	case s.maxParameters[tierStandard] < 0 || s.maxParameters[tierAdvanced] < 0:
		return nil, errors.New("secretstest: negative limit of parameters")
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.faults.random = rand.New(rand.NewPCG(s.seed, 0))
	s.calls.byOperation = make(map[string]int)
	s.seedPublicParameters()

	for _, name := range s.eventQueues {
		if !queueNamePattern.MatchString(name) {
			return nil, fmt.Errorf("secretstest: invalid queue name %q", name)
		}
		s.makeQueue(s.home(), name, nil)
	}
	listener, err := s.listen()
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("secretstest: %w", err)
	}
	s.http = &http.Server{
		Handler:   http.HandlerFunc(s.serve),
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnState: s.trackConn,
	}
	s.running.Go(func() { _ = s.http.Serve(listener) })
	return s, nil
}

// listen opens the listener and sets the URL and the transport that reach it.
func (s *Server) listen() (net.Listener, error) {
	// Every connection may be kept: a test that fans out should not spend its
	// time dialling.
	s.transport = &http.Transport{MaxIdleConnsPerHost: 256}
	if s.inProcess {
		pipes := newPipeListener()
		s.transport.DialContext = pipes.dial
		s.url = "http://secretstest.invalid"
		return pipes, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + listener.Addr().String()
	return listener, nil
}

// trackConn lets Close wait for the goroutine of each connection.
func (s *Server) trackConn(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	}
}

// Close stops the server: requests under way are dropped, injected delays end,
// the context of rotation functions too, and the idle connections of the HTTP
// client that [Server.Config] hands out are closed. It returns when the
// server's goroutines have ended. Closing again does nothing.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.arm()
		s.mu.Unlock()
		s.stop()
		close(s.closing)
		_ = s.http.Close()
		s.transport.CloseIdleConnections()
	})
	s.running.Wait()
}

// URL returns the address of the server, such as "http://127.0.0.1:40123". It
// serves as AWS_ENDPOINT_URL for another process, with any credentials; see the
// package comment for region and account.
func (s *Server) URL() string { return s.url }

// Config returns an AWS configuration for the SDK's clients (secretsmanager, ssm,
// sqs) that reaches this server: its region,
// static credentials of its default account, its address as the base endpoint
// and its own HTTP client. The SDK's default retryer stays in place, as in
// production: a throttled call is tried three times.
func (s *Server) Config() aws.Config {
	return s.config(s.region, "AKIASECRETSTEST00000")
}

// ConfigFor is Config for another region and account; an empty string stands
// for the server's default. The account must be twelve digits to be taken.
func (s *Server) ConfigFor(region, account string) aws.Config {
	if region == "" {
		region = s.region
	}
	if account == "" {
		account = s.account
	}
	return s.config(region, account)
}

func (s *Server) config(region, accessKey string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(s.url),
		HTTPClient:   &http.Client{Transport: wholeBody{s.transport}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     accessKey,
				SecretAccessKey: "secretstest",
				Source:          "secretstest",
			}, nil
		}),
	}
}
