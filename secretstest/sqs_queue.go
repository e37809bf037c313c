package secretstest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A queueKey is what a queue is found by.
type queueKey struct {
	place
	name string
}

// A queue is guarded by Server.mu, as all that it points to.
type queue struct {
	name       string
	attributes map[string]string
	messages   []*queueMessage // in the order of sending
	sent       chan struct{}   // closed when there may be something to receive
}

type queueMessage struct {
	id       string
	body     string
	sent     time.Time
	visible  time.Time // from then on
	receipt  string    // of the last receive; empty: never
	received int
}

var queueNamePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

const maxVisibility = 43_200 // seconds (API ReceiveMessage)

var (
	errVisibility = badParameter("VisibilityTimeout is from 0 to 43200.")

	errNoQueue = fail("QueueDoesNotExist", "The specified queue does not exist.")
	errReceipt = fail("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
)

func badParameter(message string) error { return fail("InvalidParameterValue", "%s", message) }

// makeQueue returns the queue of a name, which it makes if there is none.
func (s *Server) makeQueue(at place, name string, attributes map[string]string) *queue {
	key := queueKey{at, name}
	if s.queues[key] == nil {
		if s.queues == nil {
			s.queues = make(map[queueKey]*queue)
		}
		s.queues[key] = &queue{name: name, attributes: attributes, sent: make(chan struct{})}
	}
	return s.queues[key]
}

func (s *Server) queueURL(at place, q *queue) string {
	return fmt.Sprintf("%s/%s/%s", s.url, at.account, q.name)
}

// named returns the place and the name that the queue URL of a call means.
func (c *queueCall) named() (place, string, bool) {
	u, err := url.Parse(c.in.QueueUrl)
	if err != nil {
		return place{}, "", false
	}
	account, name, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return place{account, c.place.region}, name, ok
}

func (c *queueCall) queue() (*queue, error) {
	at, name, _ := c.named()
	if q := c.queues[queueKey{at, name}]; q != nil {
		return q, nil
	}
	return nil, errNoQueue
}

// send adds a message.
func (q *queue) send(body string, visible time.Time) *queueMessage {
	m := &queueMessage{id: newUUID(), body: body, sent: visible, visible: visible}
	q.messages = append(q.messages, m)
	q.arrived()
	return m
}

// arrived lets those look again who wait.
func (q *queue) arrived() {
	close(q.sent)
	q.sent = make(chan struct{})
}

func (q *queue) visibility() time.Duration {
	if n, err := strconv.Atoi(q.attributes["VisibilityTimeout"]); err == nil {
		return time.Duration(n) * time.Second
	}
	return 30 * time.Second // the default (API CreateQueue)
}

// receive takes up to most messages, and says when to look again if there are
// none: when sent is closed, or when the next becomes visible.
func (c *queueCall) receive(most int) (messages []receivedMessage, sent <-chan struct{}, next time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, err := c.queue()
	if err != nil {
		return nil, nil, 0, err
	}
	timeout := q.visibility()
	if c.in.VisibilityTimeout != nil {
		timeout = time.Duration(*c.in.VisibilityTimeout) * time.Second
	}
	now := c.now()
	next = time.Hour
	c.redrive(q, now)
	for _, m := range q.messages {
		if m.visible.After(now) {
			next = min(next, m.visible.Sub(now))
			continue
		}
		if len(messages) == most {
			break
		}
		m.received++
		m.receipt = q.newReceipt(m)
		m.visible = now.Add(timeout)
		messages = append(messages, receivedMessage{
			Attributes: c.attributes(m), Body: m.body, MD5OfBody: digest(m.body), MessageId: m.id, ReceiptHandle: m.receipt,
		})
	}
	return messages, q.sent, next, nil
}

// redrive moves what was received too often to the dead-letter queue.
func (c *queueCall) redrive(q *queue, now time.Time) {
	var policy struct {
		DeadLetterTargetArn string      `json:"deadLetterTargetArn"`
		MaxReceiveCount     json.Number `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(q.attributes["RedrivePolicy"]), &policy) != nil {
		return
	}
	a, _ := parseARN(policy.DeadLetterTargetArn)
	dead := c.queues[queueKey{a.place, a.resource}]
	most, err := policy.MaxReceiveCount.Int64()
	if dead == nil || err != nil {
		return
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *queueMessage) bool {
		if m.visible.After(now) || int64(m.received) < most {
			return false
		}
		dead.messages = append(dead.messages, m)
		dead.arrived()
		return true
	})
}

// attributes are those of a message that the call asks for.
func (c *queueCall) attributes(m *queueMessage) map[string]string {
	asked := slices.Concat(c.in.AttributeNames, c.in.MessageSystemAttributeNames)
	attributes := make(map[string]string)
	for name, value := range map[string]string{
		"ApproximateReceiveCount": strconv.Itoa(m.received),
		"SentTimestamp":           strconv.FormatInt(m.sent.UnixMilli(), 10),
	} {
		if slices.Contains(asked, name) || slices.Contains(asked, "All") {
			attributes[name] = value
		}
	}
	return attributes
}

// newReceipt makes the handle of one receive: it names queue and message.
func (q *queue) newReceipt(m *queueMessage) string {
	return base64.StdEncoding.EncodeToString([]byte(q.name + " " + m.id + " " + newUUID()))
}

// find returns the message of a receipt handle, nil where it is gone or was
// received again since. What this queue never handed out is an error.
func (q *queue) find(receipt string) (*queueMessage, error) {
	raw, err := base64.StdEncoding.DecodeString(receipt)
	if name, _, _ := strings.Cut(string(raw), " "); err != nil || name != q.name {
		return nil, errReceipt
	}
	i := slices.IndexFunc(q.messages, func(m *queueMessage) bool { return m.receipt == receipt })
	if i < 0 {
		return nil, nil
	}
	return q.messages[i], nil
}

// remove deletes the message of a receipt handle. An old one deletes nothing, and
// succeeds (API DeleteMessage).
func (q *queue) remove(receipt string) error {
	m, err := q.find(receipt)
	if err == nil {
		q.messages = slices.DeleteFunc(q.messages, func(other *queueMessage) bool { return other == m })
	}
	return err
}
