package audit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/c0629bfc/secrets"
)

// Sink takes events. It is called by many goroutines at once, on the path of the
// reads that the events are of unless a [Queue] is between. An error means that
// the event may be lost; the read goes on, and the error goes to [OnError].
type Sink interface {
	Write(Event) error
}

// Option configures [New]. Of [Sample], [EveryNth] and [FirstRead] the last one
// holds; with none of them every access is recorded.
type Option func(*auditor)

// OnError sets what is called with the errors of the sink, by many goroutines
// at once. By default they are logged as errors to [slog.Default], one a minute
// at most.
func OnError(f func(error)) Option { return func(a *auditor) { a.failed = f } }

// New returns an observer for [secrets.WithObserver] that records what the
// client gives away and what is written through it.
func New(sink Sink, opts ...Option) secrets.Observer {
	a := &auditor{sink: sink, failed: new(failureLog).note}
	for _, opt := range opts {
		opt(a)
	}
	return secrets.Observer{Read: a.read, Rejected: a.rejected, Wrote: a.wrote}
}

type auditor struct {
	sink   Sink
	failed func(error)
	skip   func(context.Context, secrets.Read) bool // asked of reads that gave a value
}

func (a *auditor) read(ctx context.Context, r secrets.Read) {
	if r.Err == nil && a.skip != nil && a.skip(ctx, r) {
		return
	}
	a.write(ctx, Event{Action: ActionRead, Ref: r.Ref, Version: r.Version.ID, Source: r.Source.String(), Outcome: outcomeOf(r.Err), RequestID: requestOf(r.RequestID, r.Err)})
}

func (a *auditor) rejected(ctx context.Context, r secrets.Rejection) {
	a.write(ctx, Event{Action: ActionReject, Ref: r.Ref, Version: r.Next.ID, Refused: r.Version.ID, Outcome: outcomeOf(r.Err), RequestID: requestOf("", r.Err)})
}

func (a *auditor) wrote(ctx context.Context, w secrets.Write) {
	action := ActionWrite
	if w.Deleted {
		action = ActionDelete
	}
	a.write(ctx, Event{Action: action, Ref: w.Ref, Version: w.Version.ID, Outcome: outcomeOf(w.Err), RequestID: requestOf("", w.Err)})
}

func (a *auditor) write(ctx context.Context, e Event) {
	e.Time = time.Now().UTC().Round(0)
	e.Principal, e.Purpose = Principal(ctx), Purpose(ctx)
	if len(e.Ref) > maxRef {
		e.Ref = clip(e.Ref, maxRef)
	}
	if err := a.sink.Write(e); err != nil {
		a.failed(err)
	}
}

// failureLog logs that the trail has a gap, without flooding the log.
type failureLog struct {
	next   atomic.Int64 // when to log again
	silent atomic.Uint64
}

func (f *failureLog) note(err error) {
	now, next := time.Now().UnixNano(), f.next.Load()
	if now < next || !f.next.CompareAndSwap(next, now+int64(time.Minute)) {
		f.silent.Add(1)
		return
	}
	slog.Error("audit: an access could not be recorded", "error", err, "errors_since_the_last_line", f.silent.Swap(0))
}
