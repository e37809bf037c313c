package secretstest

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// maxRequests bounds what Requests remembers; the counters go on.
const maxRequests = 10_000

// A Request is one HTTP request that arrived at the server.
type Request struct {
	Operation string    // "GetSecretValue", without the service; "" when the target names none
	Region    string    // region of the SigV4 scope, else the default
	Account   string    // account of the caller
	Names     []string  // identifiers of secrets or parameters, as the caller wrote them; of a queue its name
	Decrypt   bool      // WithDecryption of Parameter Store
	Time      time.Time // arrival, by the server's clock
	Status    int       // HTTP status; 0 while under way or when no answer was sent
	Code      string    // error code of the answer; "" on success
}

// Requests returns the requests in their order of arrival, those under way
// included. When there are 10,000 the older half is forgotten.
func (s *Server) Requests() []Request {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	requests := make([]Request, len(s.calls.requests))
	for i, r := range s.calls.requests {
		requests[i] = *r
		requests[i].Names = slices.Clone(r.Names)
	}
	return requests
}

// Calls counts the HTTP requests that arrived for the named operations, such as
// "GetSecretValue", or for all when none is named. SDK retries and requests that
// met an injected fault count too. Of a name that two services have, such as
// PutResourcePolicy, both count.
func (s *Server) Calls(operations ...string) int {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	n := 0
	for operation, count := range s.calls.byOperation {
		if len(operations) == 0 || slices.Contains(operations, operation) {
			n += count
		}
	}
	return n
}

// CallsByOperation returns what [Server.Calls] counts, by operation.
func (s *Server) CallsByOperation() map[string]int {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return maps.Clone(s.calls.byOperation)
}

// Decrypts counts the decryptions that AWS would have asked of KMS: one for
// each SecureString returned decrypted and for each secret value returned.
func (s *Server) Decrypts() int {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return s.calls.decrypts
}

// ResetCalls forgets all requests and sets all counters to zero.
func (s *Server) ResetCalls() {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	s.calls.requests = nil
	s.calls.decrypts = 0
	clear(s.calls.byOperation)
}

type callLog struct {
	mu          sync.Mutex
	requests    []*Request
	byOperation map[string]int
	decrypts    int
}

// arrive records a request; finish completes it.
func (l *callLog) arrive(r Request) *Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byOperation[r.Operation]++
	if len(l.requests) == maxRequests {
		// Half at once, so that a long run does not copy the log at each call.
		l.requests = slices.Delete(l.requests, 0, maxRequests/2)
	}
	l.requests = append(l.requests, &r)
	return &r
}

func (l *callLog) identify(r *Request, names []string, decrypt bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Names, r.Decrypt = names, decrypt
}

func (l *callLog) finish(r *Request, status int, code string, decrypts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Status, r.Code = status, code
	l.decrypts += decrypts
}
