package secretstest

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault is something that goes wrong, or slowly, for the requests it
// matches. With none of Delay, Err, Reset and Truncate it does nothing.
//
// A request is held for the sum of the delays of all faults that match it. The
// first injected one with Err, Reset or Truncate decides its end, and faults
// after that one are left unused.
//
// Name is a plain name, and matches however the caller wrote it: as a name, as a
// whole or partial ARN, with a version or label. In SQS it is that of a queue.
// Requests that name nothing (ListSecrets, DescribeParameters, GetRandomPassword)
// are hit only by faults without a Name.
//
// Names follow the semantics of AWS. In BatchGetSecretValue an error for a
// name, injected for any operation, for BatchGetSecretValue or for
// GetSecretValue (whose permission each item needs), becomes an entry of
// Errors in a successful answer; without a name it fails the whole call. An
// error for one name of GetParameters fails the whole call, as an access that
// is denied does. GetParametersByPath is authorised on its path alone: it
// matches by the path it is called with, not by the parameters it returns.
type Fault struct {
	Operation string        // such as "GetParameter"; "" matches every operation
	Name      string        // secret or parameter name, exact, or a prefix when it ends in "*"; "" matches every request
	Delay     time.Duration // held before the answer; ends early when the client goes away or the server closes
	Err       *Error        // answered instead of the result
	Reset     bool          // the connection is closed without an answer
	Truncate  bool          // the operation takes place, its answer breaks off in the middle
	Times     int           // how many matching requests (or items of a batch) it hits; 0: until removed
	Rate      float64       // share of matching requests that it hits, 0 to 1, drawn from a seeded source; 0: all
}

// An Error is an error answer of AWS. [Throttled], [AccessDenied], [Internal],
// [Unavailable] and [DecryptionFailure] make the usual ones; the SDK turns a Code
// of the service's model into its type.
type Error struct {
	Code    string // as in "__type"
	Message string
	Status  int // HTTP status; 0 stands for 400
}

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Inject adds a fault, from the next request on. The returned function removes it
// and may be called more than once; requests that are already held stay held.
//
//	srv.Inject(secretstest.Fault{Delay: 20 * time.Millisecond})
//	srv.Inject(secretstest.Fault{Operation: "GetSecretValue", Err: secretstest.Throttled(), Times: 2})
//	srv.Inject(secretstest.Fault{Name: "/prod/*", Err: secretstest.AccessDenied()})
func (s *Server) Inject(f Fault) (remove func()) {
	entry := &fault{Fault: f, left: f.Times}
	if f.Err != nil {
		err := *f.Err
		entry.Err = &err
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, entry)
	return func() {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		s.faults.drop(entry)
	}
}

// ClearFaults removes all faults. Requests that are already held stay held.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// Throttled is the answer to a caller above its quota. The SDK retries it.
func Throttled() *Error {
	return &Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: http.StatusBadRequest}
}

// AccessDenied is the answer to a caller without permission.
func AccessDenied() *Error {
	return &Error{
		Code:    "AccessDeniedException",
		Message: "User is not authorized to perform this operation because no identity-based policy allows it",
		Status:  http.StatusBadRequest,
	}
}

// Internal is a failure on AWS's side. Its code is InternalServiceError in
// Secrets Manager and InternalServerError in Parameter Store. The SDK retries it.
func Internal() *Error {
	return &Error{
		Code:    "InternalServiceError",
		Message: "An error occurred on the server side.",
		Status:  http.StatusInternalServerError,
	}
}

// Unavailable is the answer of an endpoint that is down. The SDK retries it.
func Unavailable() *Error {
	return &Error{
		Code:    "ServiceUnavailableException",
		Message: "The service is temporarily unavailable.",
		Status:  http.StatusServiceUnavailable,
	}
}

// DecryptionFailure is the answer of Secrets Manager when KMS cannot decrypt.
func DecryptionFailure() *Error {
	return &Error{
		Code:    "DecryptionFailure",
		Message: "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
		Status:  http.StatusBadRequest,
	}
}

type fault struct {
	Fault
	left int
}

type faultSet struct {
	mu     sync.Mutex
	list   []*fault
	random *rand.Rand
}

// A verdict is what the faults decided about one request or item.
type verdict struct {
	delay    time.Duration
	err      *Error
	reset    bool
	truncate bool
}

func (v *verdict) final() bool { return v.err != nil || v.reset || v.truncate }

// judge applies the faults that matches accepts, in order of injection.
func (fs *faultSet) judge(matches func(Fault) bool) verdict {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var v verdict
	for _, f := range slices.Clone(fs.list) {
		if !matches(f.Fault) || f.Rate > 0 && fs.random.Float64() >= f.Rate {
			continue
		}
		if f.Times > 0 {
			if f.left--; f.left == 0 {
				fs.drop(f)
			}
		}
		v.delay += max(f.Delay, 0)
		v.err, v.reset, v.truncate = f.Err, f.Reset, f.Truncate
		if v.final() {
			break
		}
	}
	return v
}

// empty lets the common case skip the aliases that matching by name needs.
func (fs *faultSet) empty() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.list) == 0
}

func (fs *faultSet) drop(f *fault) {
	if i := slices.Index(fs.list, f); i >= 0 {
		fs.list = slices.Delete(fs.list, i, i+1)
	}
}

func (f Fault) forOperation(operations ...string) bool {
	return f.Operation == "" || slices.Contains(operations, f.Operation)
}

func (f Fault) forName(aliases []string) bool {
	prefix, isPrefix := strings.CutSuffix(f.Name, "*")
	return slices.ContainsFunc(aliases, func(alias string) bool {
		return alias == f.Name || isPrefix && strings.HasPrefix(alias, prefix)
	})
}
