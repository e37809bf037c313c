package secretstest

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CreateQueue makes a standard Amazon SQS queue in the server's default region
// and account, as the API does, and returns its URL; of one that exists, its
// URL. The server speaks as much of SQS (awsJson1.0) as a consumer and its tests
// need: CreateQueue, DeleteQueue, GetQueueUrl, GetQueueAttributes, SendMessage,
// ReceiveMessage, DeleteMessage, DeleteMessageBatch, ChangeMessageVisibility. It
// knows long polling, the visibility timeout, and a RedrivePolicy; a [Fault] may
// name a queue.
func (s *Server) CreateQueue(name string) (url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queueURL(s.home(), s.makeQueue(s.home(), name, nil))
}

// Messages returns how many messages a queue of the default region and account
// has, those included that are invisible for the time being.
func (s *Server) Messages(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[queueKey{s.home(), name}]; q != nil {
		return len(q.messages)
	}
	return 0
}

const (
	queueService     = "AmazonSQS"
	queueContentType = "application/x-amz-json-1.0"
)

// A queueCall is one request to SQS.
type queueCall struct {
	*Server
	r     *http.Request
	place place
	in    queueInput
}

// A queueInput has the members of all operations.
type queueInput struct {
	QueueUrl                    string
	QueueName                   string
	Attributes                  map[string]string
	AttributeNames              []string // of a queue, or as MessageSystemAttributeNames
	MessageSystemAttributeNames []string
	MessageBody                 string
	DelaySeconds                int
	MaxNumberOfMessages         *int
	WaitTimeSeconds             *int
	VisibilityTimeout           *int
	ReceiptHandle               string
	Entries                     []struct{ Id, ReceiptHandle string }
}

var queueOperations = map[string]func(*queueCall) (any, error){
	"ChangeMessageVisibility": changeMessageVisibility,
	"CreateQueue":             createQueue,
	"DeleteMessage":           deleteMessage,
	"DeleteMessageBatch":      deleteMessageBatch,
	"DeleteQueue":             deleteQueue,
	"GetQueueAttributes":      getQueueAttributes,
	"GetQueueUrl":             getQueueURL,
	"ReceiveMessage":          receiveMessage,
	"SendMessage":             sendMessage,
}

// serveQueue answers one HTTP request to SQS. Unlike the operations on secrets
// and parameters, one that receives may wait, so each takes the lock itself.
func (s *Server) serveQueue(w http.ResponseWriter, r *http.Request, operation string) {
	c := &queueCall{Server: s, r: r, place: s.caller(r.Header.Get("Authorization"))}
	record := s.calls.arrive(Request{Operation: operation, Region: c.place.region, Account: c.place.account, Time: s.Now()})
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2*maxBody))
	run := queueOperations[operation]
	switch {
	case err != nil || json.Unmarshal(body, &c.in) != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), queueContentType):
		err = fail("SerializationException", "The request is not JSON of the expected types.")
	case run == nil:
		err = fail("UnknownOperationException", "The operation is none of this server's.")
	}
	name := c.in.QueueName
	if name == "" {
		_, name, _ = c.named()
	}
	s.calls.identify(record, []string{name}, false)
	v := s.faults.judge(func(f Fault) bool {
		return f.forOperation(operation) && (f.Name == "" || f.forName([]string{name}))
	})
	if !s.hold(r, v.delay) || v.reset {
		drop(w)
		return
	}
	var out any
	switch {
	case v.err != nil:
		err = v.err
	case err == nil:
		out, err = run(c)
	}
	status, code := http.StatusOK, ""
	if err != nil {
		status, code, body = encodeError(queueService, asError(err))
		w.Header().Set("X-Amzn-Query-Error", queryError(status, code))
	} else {
		body, _ = json.Marshal(out) // of strings and numbers
	}
	s.calls.finish(record, status, code, 0)
	w.Header().Set("Content-Type", queueContentType)
	w.Header().Set("X-Amzn-Requestid", newUUID())
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if v.truncate {
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body)
}

// queryCodes are the errors that have another code in the older query protocol
// (the model's awsQueryError). It is the one that the SDK's ErrorCode returns.
var queryCodes = map[string]string{
	"BatchEntryIdsNotDistinct":     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
	"EmptyBatchRequest":            "AWS.SimpleQueueService.EmptyBatchRequest",
	"MessageNotInflight":           "AWS.SimpleQueueService.MessageNotInflight",
	"QueueDoesNotExist":            "AWS.SimpleQueueService.NonExistentQueue",
	"TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
}

func queryError(status int, code string) string {
	fault := "Sender"
	if status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	return cmp.Or(queryCodes[code], code) + ";" + fault
}

func createQueue(c *queueCall) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !queueNamePattern.MatchString(c.in.QueueName) {
		return nil, badParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	q := c.makeQueue(c.place, c.in.QueueName, c.in.Attributes)
	return struct{ QueueUrl string }{c.queueURL(c.place, q)}, nil
}

func deleteQueue(c *queueCall) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	at, name, _ := c.named()
	delete(c.queues, queueKey{at, name})
	q.arrived()
	return struct{}{}, nil
}

func getQueueURL(c *queueCall) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queues[queueKey{c.place, c.in.QueueName}]
	if q == nil {
		return nil, errNoQueue
	}
	return struct{ QueueUrl string }{c.queueURL(c.place, q)}, nil
}

func getQueueAttributes(c *queueCall) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	at, name, _ := c.named()
	visible, now := 0, c.now()
	for _, m := range q.messages {
		if !m.visible.After(now) {
			visible++
		}
	}
	all := map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(len(q.messages) - visible),
		"QueueArn":                              "arn:" + partition(at.region) + ":sqs:" + at.region + ":" + at.account + ":" + name,
		"VisibilityTimeout":                     strconv.Itoa(int(q.visibility() / time.Second)),
	}
	for key, value := range q.attributes {
		all[key] = value
	}
	attributes := make(map[string]string)
	for _, key := range c.in.AttributeNames {
		if value, ok := all[key]; ok {
			attributes[key] = value
		}
		if key == "All" {
			attributes = all
		}
	}
	return struct{ Attributes map[string]string }{attributes}, nil
}

func sendMessage(c *queueCall) (any, error) {
	if c.in.MessageBody == "" {
		return nil, fail("MissingParameter", "The request must contain the parameter MessageBody.")
	}
	if c.in.DelaySeconds < 0 || c.in.DelaySeconds > 900 {
		return nil, badParameter("DelaySeconds is from 0 to 900.")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	m := q.send(c.in.MessageBody, c.now().Add(time.Duration(c.in.DelaySeconds)*time.Second))
	return struct{ MD5OfMessageBody, MessageId string }{digest(m.body), m.id}, nil
}

// A receivedMessage is a Message.
type receivedMessage struct {
	Attributes    map[string]string `json:",omitempty"` // as far as they were asked for
	Body          string
	MD5OfBody     string
	MessageId     string
	ReceiptHandle string
}

// receiveMessage waits for a message for as long as WaitTimeSeconds says, at
// most 20.
func receiveMessage(c *queueCall) (any, error) {
	most, wait := 1, 0
	if c.in.MaxNumberOfMessages != nil {
		most = *c.in.MaxNumberOfMessages
	}
	if c.in.WaitTimeSeconds != nil {
		wait = *c.in.WaitTimeSeconds
	}
	if most < 1 || most > 10 || wait < 0 || wait > 20 {
		return nil, badParameter("MaxNumberOfMessages is from 1 to 10, and WaitTimeSeconds from 0 to 20.")
	}
	if v := c.in.VisibilityTimeout; v != nil && (*v < 0 || *v > maxVisibility) {
		return nil, errVisibility
	}
	deadline := time.NewTimer(time.Duration(wait) * time.Second)
	defer deadline.Stop()
	for last := wait == 0; ; {
		messages, sent, next, err := c.receive(most)
		if err != nil || len(messages) > 0 || last {
			return struct{ Messages []receivedMessage }{messages}, err
		}
		visible := time.NewTimer(next)
		select {
		case <-sent:
		case <-visible.C:
		case <-deadline.C:
			last = true
		case <-c.r.Context().Done():
			last = true
		case <-c.closing:
			last = true
		}
		visible.Stop()
	}
}

func deleteMessage(c *queueCall) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, err := c.queue()
	if err == nil {
		err = q.remove(c.in.ReceiptHandle)
	}
	return struct{}{}, err
}

// A batchFailure is a BatchResultErrorEntry.
type batchFailure struct {
	Code, Id, Message string
	SenderFault       bool
}

func deleteMessageBatch(c *queueCall) (any, error) {
	switch n := len(c.in.Entries); {
	case n == 0:
		return nil, fail("EmptyBatchRequest", "There should be at least one DeleteMessageBatchRequestEntry in the request.")
	case n > 10:
		return nil, fail("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", n)
	}
	seen := make(map[string]bool)
	for _, entry := range c.in.Entries {
		if seen[entry.Id] {
			return nil, fail("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
		}
		seen[entry.Id] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	out := struct {
		Successful []struct{ Id string }
		Failed     []batchFailure
	}{Successful: []struct{ Id string }{}, Failed: []batchFailure{}}
	for _, entry := range c.in.Entries {
		if err := q.remove(entry.ReceiptHandle); err != nil {
			e := asError(err)
			out.Failed = append(out.Failed, batchFailure{e.Code, entry.Id, e.Message, true})
			continue
		}
		out.Successful = append(out.Successful, struct{ Id string }{entry.Id})
	}
	return out, nil
}

func changeMessageVisibility(c *queueCall) (any, error) {
	if v := c.in.VisibilityTimeout; v == nil || *v < 0 || *v > maxVisibility {
		return nil, errVisibility
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q, err := c.queue()
	if err != nil {
		return nil, err
	}
	m, err := q.find(c.in.ReceiptHandle)
	switch {
	case err != nil:
		return nil, err
	case m == nil || !m.visible.After(c.now()):
		return nil, fail("MessageNotInflight", "The specified message isn't in flight.")
	}
	m.visible = c.now().Add(time.Duration(*c.in.VisibilityTimeout) * time.Second)
	q.arrived()
	return struct{}{}, nil
}

// digest is the MD5 digest that the SDK checks a body by.
func digest(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}
