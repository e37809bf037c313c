package audit

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrClosed is the error of writing to a [Queue] that was closed. The event is
// not recorded.
var ErrClosed = errors.New("audit: the queue is closed")

// Overflow is what a [Queue] does with an event that it has no room for.
type Overflow int

const (
	// Block makes the reader wait until there is room: nothing is lost, and a
	// sink that hangs stops the application. So does one that reads secrets by
	// the client that it records: it would wait for itself.
	Block Overflow = iota
	// Drop counts the event and forgets it: no reader waits, and the trail says
	// by an event of [ActionDropped] where how many are missing.
	Drop
)

// Queue is a bounded queue before a sink, which one goroutine writes to. It is a
// [Sink], and safe for concurrent use. Close it after the client.
type Queue struct {
	sink     Sink
	size     int
	overflow Overflow
	ended    chan struct{}

	mu       sync.Mutex
	changed  *sync.Cond // any of what follows
	waiting  []Event
	accepted uint64
	written  uint64 // or tried to be
	dropped  uint64
	untold   uint64 // of those dropped: no event says so yet
	failed   uint64
	failure  error // of the sink, until somebody is told
	closed   bool
	spare    []Event
}

// NewQueue returns a queue in which size events may wait while the sink writes
// as many more at most. It starts a goroutine that ends with [Queue.Close].
// Less than 1 means 1.
func NewQueue(sink Sink, size int, overflow Overflow) *Queue {
	q := &Queue{sink: sink, size: max(size, 1), overflow: overflow, ended: make(chan struct{})}
	q.changed = sync.NewCond(&q.mu)
	go q.run()
	return q
}

// Write accepts an event, or with [Drop] counts it. An error of the sink from an
// event before it is returned by the next Write, Flush or Close; the event that
// this Write was called with is accepted all the same. After Close it is
// [ErrClosed], and the event is not.
func (q *Queue) Write(e Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.overflow == Block && len(q.waiting) >= q.size && !q.closed {
		q.changed.Wait()
	}
	if q.closed {
		return ErrClosed
	}
	if len(q.waiting) >= q.size {
		q.dropped++
		q.untold++
		return nil
	}
	q.tell(e.Time)
	q.accept(e)
	return q.takeFailure()
}

// Flush returns when what was accepted before it has been written, with the
// error of the sink if there was one since the last time, or when ctx ends.
func (q *Queue) Flush(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})()
	q.mu.Lock()
	defer q.mu.Unlock()
	for upTo := q.accepted; q.written < upTo; q.changed.Wait() {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return q.takeFailure()
}

// Close has everything written that was accepted, ends the goroutine and returns
// the error of the sink if there was one since the last time. It waits for the
// sink; for a deadline call Flush before. Closing again does nothing. It does
// not close what the sink writes to.
func (q *Queue) Close() error {
	q.mu.Lock()
	q.closed = true
	q.changed.Broadcast()
	q.mu.Unlock()
	<-q.ended
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.takeFailure()
}

// Dropped returns how many events there was no room for.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Failed returns how many events the sink had an error with.
func (q *Queue) Failed() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failed
}

// tell puts an event in the place of those that were dropped.
func (q *Queue) tell(at time.Time) {
	if q.untold > 0 {
		q.accept(Event{Time: at, Action: ActionDropped, Dropped: q.untold})
		q.untold = 0
	}
}

func (q *Queue) accept(e Event) {
	q.waiting = append(q.waiting, e)
	q.accepted++
	if len(q.waiting) == 1 {
		q.changed.Broadcast()
	}
}

func (q *Queue) takeFailure() error {
	err := q.failure
	q.failure = nil
	return err
}

func (q *Queue) run() {
	defer close(q.ended)
	for {
		batch := q.next()
		if batch == nil {
			return
		}
		var failed uint64
		var failure error
		for _, e := range batch {
			if err := q.sink.Write(e); err != nil {
				failed, failure = failed+1, err
			}
		}
		q.mu.Lock()
		q.written += uint64(len(batch))
		q.failed += failed
		if failure != nil {
			q.failure = failure
		}
		clear(batch)
		q.spare = batch[:0]
		q.changed.Broadcast()
		q.mu.Unlock()
	}
}

// next takes all that waits; nil when the queue is closed and empty.
func (q *Queue) next() []Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.changed.Wait()
	}
	if q.closed {
		q.tell(time.Now().UTC().Round(0))
	}
	if len(q.waiting) == 0 {
		return nil
	}
	batch := q.waiting
	q.waiting, q.spare = q.spare, nil
	q.changed.Broadcast() // there is room
	return batch
}
