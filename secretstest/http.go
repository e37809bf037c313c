package secretstest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	contentType = "application/x-amz-json-1.1"

	// maxBody bounds a request. The largest valid one puts 65,536 bytes, at
	// most six times that when every byte is escaped.
	maxBody = 1 << 20
)

// A call is one request while it is answered, with s.mu held.
type call struct {
	*Server
	operation string
	place     place  // of the caller
	store     *store // of the caller
	time      time.Time
	decrypts  int
	itemErrs  []*Error // of BatchGetSecretValue, by index of SecretIdList
	late      verdict  // of faults that met items which only the operation finds
}

// serve answers one HTTP request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	service, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if service == queueService {
		s.serveQueue(w, r, name)
		return
	}
	at := s.caller(r.Header.Get("Authorization"))
	record := s.calls.arrive(Request{Operation: name, Region: at.region, Account: at.account, Time: s.Now()})

	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-Requestid", newUUID())

	parsed, failure := parse(w, r, service, name)
	s.calls.identify(record, parsed.names, parsed.decrypt)

	v, itemErrs := s.judge(name, at, parsed.names)
	if !s.hold(r, v.delay) || v.reset {
		drop(w)
		return
	}
	if v.err != nil {
		failure = v.err
	}
	c := &call{Server: s, operation: name, place: at, itemErrs: itemErrs}
	var body []byte
	if failure == nil {
		body, failure = s.run(c, parsed)
	}
	if !s.hold(r, c.late.delay) || c.late.reset {
		drop(w)
		return
	}
	status, code := http.StatusOK, ""
	if failure != nil {
		status, code, body = encodeError(service, failure)
	}
	// Finished before the answer leaves, so that a caller who has it finds the
	// request complete in Requests.
	s.calls.finish(record, status, code, c.decrypts)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if v.truncate || c.late.truncate {
		// net/http closes the connection of an answer that is shorter than its
		// Content-Length.
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body)
}

// run executes the operation and encodes its result under the lock, for the
// result may share memory with the stores.
func (s *Server) run(c *call, p parsedRequest) ([]byte, *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.time = s.now()
	c.store = s.at(c.place)
	out, err := p.run(c)
	if len(s.scheduled) > 0 {
		s.arm() // the operation may have changed what is due
	}
	if err != nil {
		return nil, asError(err)
	}
	if len(p.names) > 0 {
		c.secretWritten(p.names[0], out)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, Internal()
	}
	return body, nil
}

// judge asks the faults about a request and about each item of a
// BatchGetSecretValue.
func (s *Server) judge(operation string, at place, names []string) (verdict, []*Error) {
	if s.faults.empty() {
		return verdict{}, nil
	}
	aliases := make([][]string, len(names))
	s.mu.Lock()
	for i, name := range names {
		aliases[i] = s.aliases(at, name)
	}
	s.mu.Unlock()

	if operation == "BatchGetSecretValue" {
		v := s.faults.judge(func(f Fault) bool {
			return f.Name == "" && f.forOperation(operation)
		})
		if v.final() {
			return v, nil
		}
		errs := make([]*Error, len(names))
		for i := range names {
			errs[i] = s.judgeItem(&v, aliases[i], operation, "GetSecretValue")
		}
		return v, errs
	}
	all := slices.Concat(aliases...)
	return s.faults.judge(func(f Fault) bool {
		return f.forOperation(operation) && (f.Name == "" || f.forName(all))
	}), nil
}

// judgeItem asks the faults about one item, by name only. It returns the
// item's error and adds what concerns the whole request to v.
func (s *Server) judgeItem(v *verdict, aliases []string, operations ...string) *Error {
	item := s.faults.judge(func(f Fault) bool {
		return f.Name != "" && f.forOperation(operations...) && f.forName(aliases)
	})
	v.delay += item.delay
	v.reset = v.reset || item.reset
	v.truncate = v.truncate || item.truncate
	return item.err
}

// hold waits for d and reports whether the request is still wanted.
func (s *Server) hold(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	case <-s.closing:
		return false
	}
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the client sees a reset, not an orderly end
	}
	_ = conn.Close()
}

// A parsedRequest is a decoded request, ready to run.
type parsedRequest struct {
	names   []string
	decrypt bool
	run     func(*call) (any, error)
}

// parse checks and decodes a request.
func parse(w http.ResponseWriter, r *http.Request, service, name string) (parsedRequest, *Error) {
	// The body is read in any case: net/http notices that a client has gone
	// only once the body is consumed.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case err != nil:
		return parsedRequest{}, &Error{Code: "RequestEntityTooLargeException", Message: "The request body is too large or incomplete.", Status: http.StatusRequestEntityTooLarge}
	case r.Method != http.MethodPost:
		return parsedRequest{}, &Error{Code: "UnknownOperationException", Message: "Only POST is supported.", Status: http.StatusMethodNotAllowed}
	case !strings.HasPrefix(r.Header.Get("Content-Type"), contentType):
		return parsedRequest{}, &Error{Code: "UnknownOperationException", Message: "The content type must be " + contentType + ".", Status: http.StatusUnsupportedMediaType}
	}
	decode, ok := operations[service+"."+name]
	if !ok {
		return parsedRequest{}, &Error{Code: "UnknownOperationException"}
	}
	parsed, err := decode(body)
	if err != nil {
		// The decoder's own text may quote the body.
		return parsedRequest{}, &Error{Code: "SerializationException", Message: "The request body is not a JSON object of the expected types."}
	}
	return parsed, nil
}

// operation makes the decoder of one operation. The input tells its names and
// whether it decrypts by the methods ids and decrypts.
func operation[In any](run func(*call, *In) (any, error)) func([]byte) (parsedRequest, error) {
	return func(body []byte) (parsedRequest, error) {
		in := new(In)
		if len(bytes.TrimSpace(body)) > 0 {
			if err := json.Unmarshal(body, in); err != nil {
				return parsedRequest{}, err
			}
		}
		p := parsedRequest{run: func(c *call) (any, error) { return run(c, in) }}
		if named, ok := any(in).(interface{ ids() []string }); ok {
			p.names = named.ids()
		}
		if secure, ok := any(in).(interface{ decrypts() bool }); ok {
			p.decrypt = secure.decrypts()
		}
		return p, nil
	}
}

// operations maps the X-Amz-Target to the decoder of its operation.
var operations = map[string]func([]byte) (parsedRequest, error){
	"secretsmanager.BatchGetSecretValue":          operation(batchGetSecretValue),
	"secretsmanager.CancelRotateSecret":           operation(cancelRotateSecret),
	"secretsmanager.CreateSecret":                 operation(createSecret),
	"secretsmanager.DeleteResourcePolicy":         operation(deleteSecretPolicy),
	"secretsmanager.DeleteSecret":                 operation(deleteSecret),
	"secretsmanager.DescribeSecret":               operation(describeSecret),
	"secretsmanager.GetRandomPassword":            operation(getRandomPassword),
	"secretsmanager.GetResourcePolicy":            operation(getSecretPolicy),
	"secretsmanager.GetSecretValue":               operation(getSecretValue),
	"secretsmanager.ListSecretVersionIds":         operation(listSecretVersionIDs),
	"secretsmanager.ListSecrets":                  operation(listSecrets),
	"secretsmanager.PutResourcePolicy":            operation(putSecretPolicy),
	"secretsmanager.PutSecretValue":               operation(putSecretValue),
	"secretsmanager.RemoveRegionsFromReplication": operation(removeRegionsFromReplication),
	"secretsmanager.ReplicateSecretToRegions":     operation(replicateSecretToRegions),
	"secretsmanager.RestoreSecret":                operation(restoreSecret),
	"secretsmanager.RotateSecret":                 operation(rotateSecret),
	"secretsmanager.StopReplicationToReplica":     operation(stopReplicationToReplica),
	"secretsmanager.TagResource":                  operation(tagSecret),
	"secretsmanager.UntagResource":                operation(untagSecret),
	"secretsmanager.UpdateSecret":                 operation(updateSecret),
	"secretsmanager.UpdateSecretVersionStage":     operation(updateSecretVersionStage),
	"secretsmanager.ValidateResourcePolicy":       operation(validateSecretPolicy),

	"AmazonSSM.AddTagsToResource":       operation(addTagsToResource),
	"AmazonSSM.DeleteParameter":         operation(deleteParameter),
	"AmazonSSM.DeleteParameters":        operation(deleteParameters),
	"AmazonSSM.DeleteResourcePolicy":    operation(deleteParameterPolicy),
	"AmazonSSM.DescribeParameters":      operation(describeParameters),
	"AmazonSSM.GetParameter":            operation(getParameter),
	"AmazonSSM.GetParameterHistory":     operation(getParameterHistory),
	"AmazonSSM.GetParameters":           operation(getParameters),
	"AmazonSSM.GetParametersByPath":     operation(getParametersByPath),
	"AmazonSSM.GetResourcePolicies":     operation(getParameterPolicies),
	"AmazonSSM.GetServiceSetting":       operation(getServiceSetting),
	"AmazonSSM.LabelParameterVersion":   operation(labelParameterVersion),
	"AmazonSSM.ListTagsForResource":     operation(listTagsForResource),
	"AmazonSSM.PutParameter":            operation(putParameter),
	"AmazonSSM.PutResourcePolicy":       operation(putParameterPolicy),
	"AmazonSSM.RemoveTagsFromResource":  operation(removeTagsFromResource),
	"AmazonSSM.ResetServiceSetting":     operation(resetServiceSetting),
	"AmazonSSM.UnlabelParameterVersion": operation(unlabelParameterVersion),
	"AmazonSSM.UpdateServiceSetting":    operation(updateServiceSetting),
}

// newUUID returns a random UUID of version 4.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
