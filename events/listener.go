package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/c0629bfc/secrets"
)

// Listener receives from a queue and has a client refresh what it holds of the
// values that changed. It is safe for concurrent use; make it with [Listen].
type Listener struct {
	queue  *sqs.Client
	url    string
	client *secrets.Client
	home   Home
	spread time.Duration
	logger *slog.Logger

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	arrived chan struct{} // something is pending

	mu      sync.Mutex // guards what follows
	pending []string   // refs to refresh
	seen    recent     // events and messages
	stats   Stats
}

// Stats says what a [Listener] did since it was made, and how it is.
type Stats struct {
	Messages   uint64 // received, each time that they came
	Events     uint64 // among them that said something had changed
	Duplicates uint64 // among them whose event had come before
	Ignored    uint64 // among them that were events of something else
	Unreadable uint64 // among them that were none, and were left in the queue
	Undeleted  uint64 // messages that could not be deleted
	Refreshes  uint64 // calls of [secrets.Client.Changed]

	Err   error     // why the queue cannot be received from; nil if it can
	Since time.Time // since when it cannot
}

const (
	// longPoll is how long a request waits for messages: SQS's longest (API
	// ReceiveMessage, WaitTimeSeconds).
	longPoll = 20 * time.Second
	// late is how much longer an answer may take before it is given up.
	late = 10 * time.Second
	// batch is how many messages a request brings or deletes at most (API
	// ReceiveMessage, DeleteMessageBatch).
	batch = 10

	// gather is how long after the first event of a burst the client is told,
	// and pause how long it is left alone after that.
	gather = 100 * time.Millisecond
	pause  = time.Second

	minBackoff = time.Second
	maxBackoff = time.Minute
)

// Listen starts to receive from the queue and to tell client, until
// [Listener.Close]. It makes no call itself. The queue is this process's own.
//
// The client is told a tenth of a second after an event, of all that came by
// then; what comes within a second of that waits for the second's end. So a
// burst of events costs one batch of calls, and never more than one a second.
// [WithSpread] adds jitter, for a fleet. Events that come twice count once.
//
// A message that is an event is deleted as soon as it was read: it has done its
// work once it is noted, for all it can do is to refresh this process's memory.
// One that is no event is logged, once, and left to the queue's redrive policy,
// because the listener cannot know whose it is; without a dead-letter queue it
// comes back until its retention period ends. While the queue cannot be received
// from, the listener asks it again with exponential backoff and full jitter, from
// one second to one minute, logs that once, and [Listener.Stats] says why; the
// client's TTL is in force all the time.
//
// It needs sqs:ReceiveMessage and sqs:DeleteMessage on the queue.
func Listen(queue *sqs.Client, queueURL string, client *secrets.Client, opts ...Option) (*Listener, error) {
	u, err := url.Parse(queueURL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("events: queue URL %q: want one such as GetQueueUrl returns", queueURL)
	}
	l := &Listener{queue: queue, url: queueURL, client: client, arrived: make(chan struct{}, 1)}
	l.home.Region = queue.Options().Region
	if account, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/"); validAccount(account) {
		l.home.Account = account
	}
	for _, opt := range opts {
		opt(l)
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.running.Go(l.receiver)
	l.running.Go(l.teller)
	return l, nil
}

// Stats returns what the listener did so far.
func (l *Listener) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Close stops the listener and returns when its goroutines have ended. What it
// has received and not told yet is dropped. Closing again does nothing.
func (l *Listener) Close() {
	l.cancel()
	l.running.Wait()
}

func (l *Listener) log() *slog.Logger {
	if l.logger != nil {
		return l.logger
	}
	return slog.Default()
}

// receiver takes messages from the queue.
func (l *Listener) receiver() {
	failures := 0
	for l.ctx.Err() == nil {
		began := time.Now()
		messages, err := l.receive()
		switch {
		case l.ctx.Err() != nil:
			return
		case err != nil:
			failures++
			l.lost(err)
			most := min(minBackoff<<min(failures-1, 16), maxBackoff)
			l.wait(most/20 + rand.N(most-most/20))
			continue
		case failures > 0:
			failures = 0
			l.found()
		}
		if !l.take(messages) {
			// Nothing, or what stays in the queue: not again at once, however soon
			// this came or is visible again.
			l.wait(time.Second - time.Since(began))
		}
	}
}

func (l *Listener) receive() ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(l.ctx, longPoll+late)
	defer cancel()
	out, err := l.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &l.url, MaxNumberOfMessages: batch, WaitTimeSeconds: int32(longPoll / time.Second),
	})
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

// take notes what messages say and deletes those that are events. It reports
// whether the queue got shorter.
func (l *Listener) take(messages []types.Message) bool {
	var done []types.DeleteMessageBatchRequestEntry
	for i, m := range messages {
		if l.note(m) {
			done = append(done, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle})
		}
	}
	if len(done) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(l.ctx, late)
	defer cancel()
	out, err := l.queue.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &l.url, Entries: done})
	undeleted := len(done)
	if err == nil {
		undeleted = len(out.Failed)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Undeleted += uint64(undeleted) // they come again, as duplicates
	return undeleted < len(done)
}

// note takes note of one message and reports whether it has done its work.
func (l *Listener) note(m types.Message) bool {
	e, err := parse([]byte(aws.ToString(m.Body)))
	if err != nil {
		if id := aws.ToString(m.MessageId); l.unreadable(id) {
			l.log().Warn("events: a message cannot be read: it is left to the queue's redrive policy", "queue", l.url, "message", id, "error", err)
		}
		return false
	}
	refs := e.refs(l.home)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Messages++
	switch {
	case len(refs) == 0:
		l.stats.Ignored++
		return true
	case e.ID != "" && l.seen.add(e.ID):
		l.stats.Duplicates++
		return true
	}
	l.stats.Events++
	l.pending = append(l.pending, refs...)
	select {
	case l.arrived <- struct{}{}:
	default:
	}
	return true
}

// unreadable counts a message that is no event and reports whether it is a new one.
func (l *Listener) unreadable(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Messages++
	l.stats.Unreadable++
	return !l.seen.add(id)
}

// teller tells the client what is pending.
func (l *Listener) teller() {
	var next time.Time // not before
	for {
		select {
		case <-l.arrived:
		case <-l.ctx.Done():
			return
		}
		delay := max(gather, time.Until(next))
		if l.spread > 0 {
			delay += rand.N(l.spread)
		}
		if !l.wait(delay) {
			return
		}
		l.mu.Lock()
		refs := l.pending
		l.pending = nil
		if len(refs) > 0 {
			l.stats.Refreshes++
		}
		l.mu.Unlock()
		if len(refs) > 0 {
			l.client.Changed(refs...)
			next = time.Now().Add(pause)
		}
	}
}

// wait waits and reports whether the listener is still open.
func (l *Listener) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// lost notes that the queue cannot be received from.
func (l *Listener) lost(err error) {
	l.mu.Lock()
	first := l.stats.Err == nil
	if first {
		l.stats.Since = time.Now()
	}
	l.stats.Err = err
	l.mu.Unlock()
	if first {
		l.log().Warn("events: the queue cannot be received from: changes show when their TTL ends", "queue", l.url, "error", err)
	}
}

// found notes that it can.
func (l *Listener) found() {
	l.mu.Lock()
	since := l.stats.Since
	l.stats.Err, l.stats.Since = nil, time.Time{}
	l.mu.Unlock()
	l.log().Info("events: the queue is received from again", "queue", l.url, "after", time.Since(since).Round(time.Millisecond))
}

// Option configures a [Listener]; see [Listen].
type Option func(*Listener)

// WithSpread has the listener wait a random time, up to d, before it tells the
// client, so that a fleet does not ask a store in the same moment: as long as it
// takes the store's quota to answer all processes, such as 25 seconds for a
// thousand at 40 GetParameters a second. The default is 0, which is right for
// GetSecretValue, of which an account may make 10,000 a second. It is at most an
// hour.
func WithSpread(d time.Duration) Option {
	return func(l *Listener) { l.spread = d }
}

// WithHome sets where the client's refs by name are read. The default is the
// account in the queue's URL and the Region of the SQS client.
func WithHome(h Home) Option {
	return func(l *Listener) { l.home = h }
}

// WithLogger sets where the listener logs; the default is what [slog.Default]
// returns at the time. It logs when the queue is lost (Warn) and found again
// (Info), and each message that it cannot read, once (Warn); never a message.
func WithLogger(logger *slog.Logger) Option {
	return func(l *Listener) { l.logger = logger }
}

func (l *Listener) check() error {
	switch {
	case l.client == nil:
		return errors.New("events: the client is nil")
	case l.spread < 0 || l.spread > time.Hour:
		return fmt.Errorf("events: WithSpread(%v): want from 0 to an hour", l.spread)
	case l.home.Account != "" && !validAccount(l.home.Account):
		return fmt.Errorf("events: WithHome: account %q is not twelve digits", l.home.Account)
	}
	return nil
}

func validAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// recent remembers the last identifiers that were added, the oldest of which
// make room.
type recent struct {
	known map[string]bool
	order [1024]string
	next  int
}

// add adds an identifier and reports whether it was there already.
func (r *recent) add(id string) bool {
	if r.known[id] {
		return true
	}
	if r.known == nil {
		r.known = make(map[string]bool)
	}
	delete(r.known, r.order[r.next])
	r.known[id] = true
	r.order[r.next] = id
	r.next = (r.next + 1) % len(r.order)
	return false
}
