package rotation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// Store is what a [Scheduler] rotates in: the stores of packages sm and ssm.
type Store interface {
	provider.Provider
	provider.Rotator
}

// Job is a value that a [Scheduler] rotates.
type Job struct {
	Ref      string
	Target   Target
	Schedule string // see ParseSchedule
	// Window is for how long a rotation may begin once it is due, at a moment
	// that is drawn by lot, so that not all begin at once. What could not be done
	// in it waits for the next. Zero is no such bound: it begins when it is due,
	// and what was missed while no process ran is done at the start.
	Window time.Duration
}

// Scheduler rotates values as their schedules say, in this process, one after
// the other on one goroutine. When a value was rotated last is what the store
// says of the current version's date: so a restart neither repeats a rotation
// nor puts it off, any number of processes may run the same jobs, and a value
// that was written by hand counts as rotated.
//
// A rotation that fails is logged and tried again a minute later, then after two
// minutes and so on up to an hour, each time less a random part of up to a
// quarter.
type Scheduler struct {
	engine *engine
	store  Store
	opts   []Option
	jobs   []*job
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// job is a [Job] and when it is due.
type job struct {
	Job
	ref      provider.Ref
	schedule Schedule
	planned  bool      // all below is known
	last     time.Time // when it was rotated
	opens    time.Time // zero: never
	due      time.Time
	failures int
}

// The delays between two tries.
const (
	minRetry = time.Minute
	maxRetry = time.Hour
)

// maxSleep is how long the scheduler sleeps at once: timers do not run while a
// computer is suspended.
const maxSleep = 10 * time.Minute

// NewScheduler starts a scheduler. Close it.
//
// A job that could never rotate anything is an error: one without a target, of
// another store or of a part or a version of a value, or by a schedule that has
// no next time.
func NewScheduler(store Store, jobs []Job, opts ...Option) (*Scheduler, error) {
	if store == nil {
		return nil, errors.New("rotation: there is no store to rotate in")
	}
	s := &Scheduler{engine: newEngine(store, nil, opts), store: store, opts: opts}
	for _, j := range jobs {
		ref, err := provider.ParseRef(j.Ref)
		if err != nil {
			return nil, err
		}
		schedule, err := ParseSchedule(j.Schedule)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", ref, err)
		case ref.Scheme != store.Scheme():
			return nil, fmt.Errorf("%s: the store is of scheme %q", ref, store.Scheme())
		case ref.Field+ref.Stage+ref.Version+ref.Label != "":
			return nil, fmt.Errorf("%s: name the whole value, without field, version, stage or label", ref)
		case schedule.Next(time.Now(), time.Now()).IsZero():
			return nil, fmt.Errorf("%s: %s has no next time", ref, j.Schedule)
		case j.Window < 0:
			return nil, fmt.Errorf("%s: the window is negative", ref)
		case j.Target == nil:
			return nil, fmt.Errorf("%s: %w", ref, errNoTarget)
		case slices.ContainsFunc(s.jobs, func(other *job) bool { return other.ref == ref }):
			return nil, fmt.Errorf("%s: two jobs rotate it: want one", ref)
		}
		s.jobs = append(s.jobs, &job{Job: j, ref: ref, schedule: schedule})
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.run(ctx) })
	return s, nil
}

// Close stops the scheduler and waits for it. The rotation that is under way is
// broken off: the next run goes on with it. It returns nil.
func (s *Scheduler) Close() error {
	s.cancel()
	s.done.Wait()
	return nil
}

func (s *Scheduler) run(ctx context.Context) {
	for {
		next := s.first()
		if next == nil {
			return // nothing is ever due
		}
		sleep := time.Until(next.due.Round(0))
		if sleep <= 0 {
			s.work(ctx, next)
		}
		timer := time.NewTimer(min(max(sleep, 0), maxSleep))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// first is the job that is due first.
func (s *Scheduler) first() (first *job) {
	for _, j := range s.jobs {
		if j.planned && j.opens.IsZero() {
			continue
		}
		if first == nil || j.due.Before(first.due) {
			first = j
		}
	}
	return first
}

// work does what is due of a job.
func (s *Scheduler) work(ctx context.Context, j *job) {
	result := s.store.Fetch(ctx, j.ref)[0]
	now := time.Now()
	if result.Err != nil {
		s.retry(ctx, j, now, result.Err)
		return
	}
	if !j.planned || result.Value.Version().Created.After(j.last) {
		j.plan(result.Value.Version().Created, now)
		if j.opens.IsZero() || j.due.After(now) {
			return
		}
	}
	if err := Rotate(ctx, s.store, j.Ref, j.Target, s.opts...); err != nil {
		s.retry(ctx, j, time.Now(), err)
		return
	}
	j.failures = 0
	now = time.Now()
	j.plan(now, now)
}

// plan sets when a job is due that was done at last.
func (j *job) plan(last, now time.Time) {
	if last.IsZero() {
		last = now
	}
	j.planned, j.last, j.failures = true, last, 0
	j.opens = j.schedule.Next(last, last)
	if j.Window > 0 && !j.opens.IsZero() && !j.opens.Add(j.Window).After(now) {
		j.opens = j.schedule.Next(last, now.Add(-j.Window)) // the window was missed
	}
	j.due = j.opens
	if j.Window > 0 {
		j.due = j.due.Add(rand.N(j.Window))
	}
	if j.due.Before(now) {
		j.due = now
	}
}

// retry puts a job off that could not be done.
func (s *Scheduler) retry(ctx context.Context, j *job, now time.Time, err error) {
	if ctx.Err() != nil {
		return
	}
	delay := min(minRetry<<min(j.failures, 10), maxRetry)
	delay -= rand.N(delay / 4)
	j.failures++
	j.due = now.Add(delay)
	if j.planned && j.Window > 0 && !j.due.Before(j.opens.Add(j.Window)) {
		failures := j.failures
		j.opens = j.schedule.Next(j.opens, j.opens.Add(j.Window))
		j.due = j.opens.Add(rand.N(j.Window))
		j.failures = 0
		s.engine.log().Error("rotation window missed", "ref", j.ref.String(), "failures", failures, "next", j.due, "error", err)
		return
	}
	if !errors.Is(err, provider.ErrConflict) {
		s.engine.log().Error("rotation failed", "ref", j.ref.String(), "failures", j.failures, "next_try", j.due, "error", err)
	}
}

// Scheduled returns a function for lambda.Start that a schedule of EventBridge
// calls, whatever its event: it is [Rotate], and succeeds where another process
// is rotating the value. It is for parameters, which AWS rotates in no other way;
// its timeout should be the 15 minutes that Lambda allows.
//
//	lambda.Start(rotation.Scheduled(ssm.New(cfg), "ssm:///prod/db", target))
func Scheduled(store provider.Rotator, ref string, target Target, opts ...Option) func(context.Context) error {
	return func(ctx context.Context) error {
		err := Rotate(ctx, store, ref, target, opts...)
		if errors.Is(err, provider.ErrConflict) {
			return nil
		}
		return err
	}
}
