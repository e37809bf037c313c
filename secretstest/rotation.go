package secretstest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A RotationEvent is what Secrets Manager hands a rotation function (user
// guide, "Lambda rotation functions"). As JSON it is the event of the Lambda.
type RotationEvent struct {
	Step               string // createSecret, setSecret, testSecret or finishSecret
	SecretId           string // the ARN
	ClientRequestToken string // the ID of the new version, which has AWSPENDING
	RotationToken      string // of this rotation; PutSecretValue may send it
}

// HandleRotation makes fn the Lambda function with the given ARN, such as
// arn:aws:lambda:us-east-1:123456789012:function:rotate: RotateSecret calls it,
// and so does the schedule that RotateSecret sets. For a secret that another
// service owns ([Server.SetManagedSecret]) it is registered under the name of
// that service, for a managed external secret under its Type. A nil fn takes
// the function away; RotateSecret refuses a function that is not registered as
// AWS refuses one that it may not invoke.
//
// As on AWS, rotation is asynchronous: RotateSecret creates the label
// AWSPENDING on a version that has no value yet and returns. The four steps are
// then called one after the other on a goroutine of the server, with a context
// that ends when the server closes. The server moves no label: finishSecret
// does, and the rotation has succeeded when AWSCURRENT is on the new version at
// its end. [Server.WaitRotations] waits for that.
//
// With RotateImmediately false only testSecret is called, on a version that is
// taken away afterwards.
//
// A rotation that fails is tried again from createSecret on and with the same
// token: a minute later by the server's clock, then after two, four and eight
// minutes. Then it is left until the next window, or until someone calls
// RotateSecret, which is refused while AWSPENDING is on a version other than
// AWSCURRENT's, and tries the old rotation again. AWS does not document its
// delays.
//
// A scheduled rotation begins when its window opens. Time that [Server.Advance]
// skips holds one rotation of each secret, however many windows were in it.
func (s *Server) HandleRotation(arn string, fn func(ctx context.Context, event RotationEvent) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fn == nil {
		delete(s.functions, arn)
		return
	}
	s.functions[arn] = fn
}

// WaitRotations waits until no rotation function runs. It returns the errors of
// the attempts that failed since it was called last, joined, or ctx's error.
// What waits for the clock, a retry or a window, it does not wait for: use
// [Server.Advance], or the time of a testing/synctest bubble.
func (s *Server) WaitRotations(ctx context.Context) error {
	for {
		s.mu.Lock()
		if s.rotating == 0 {
			err := errors.Join(s.rotationErrs...)
			s.rotationErrs = nil
			s.mu.Unlock()
			return err
		}
		idle := s.idle
		s.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var rotationSteps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

const (
	rotationAttempts   = 5
	rotationRetryDelay = time.Minute // doubled each time
)

// A rotation is the configuration and the state of a secret's rotation.
type rotation struct {
	enabled  bool
	lambda   string
	rules    *rotationRules
	schedule *schedule // nil: only RotateSecret rotates
	metadata []externalMetadata
	role     string
	rotated  time.Time // zero: never
	opens    time.Time // when the next scheduled rotation begins
	closes   time.Time // NextRotationDate
	run      *rotationRun
}

// A rotationRun is a rotation that has begun and has not ended: it runs, or it
// failed and waits for its retry.
type rotationRun struct {
	token     string
	secret    string // RotationToken
	test      bool   // runs testSecret only, and leaves no version behind
	running   bool
	cancelled bool
	failures  int
	retry     time.Time // zero: none planned
}

// plan sets the next scheduled rotation.
func (r *rotation) plan(last time.Time) {
	r.opens, r.closes = time.Time{}, time.Time{}
	if r.enabled && r.schedule != nil {
		r.opens, r.closes = r.schedule.next(last)
	}
}

// due is when something is to begin; zero: nothing is planned.
func (r *rotation) due() time.Time {
	run := r.run
	switch {
	case run != nil && run.running:
		return time.Time{}
	case run != nil && !run.retry.IsZero() && (r.opens.IsZero() || run.retry.Before(r.opens)):
		return run.retry
	}
	return r.opens
}

// function is the name that the secret's function is registered under, empty
// when it has none.
func (sec *secret) function() string {
	switch {
	case sec.owner != "":
		return sec.owner
	case sec.kind != "":
		return sec.kind
	case sec.rotation != nil:
		return sec.rotation.lambda
	}
	return ""
}

// begin starts a run on a goroutine of its own. s.mu is held.
func (s *Server) begin(sec *secret, run *rotationRun) {
	if s.closed {
		return
	}
	sec.rotation.run = run
	run.running, run.retry = true, time.Time{}
	if s.rotating == 0 {
		s.idle = make(chan struct{})
	}
	s.rotating++
	s.rotationEvent("RotationStarted", sec)
	fn := s.functions[sec.function()]
	event := RotationEvent{SecretId: sec.arn, ClientRequestToken: run.token, RotationToken: run.secret}
	steps := rotationSteps
	if run.test {
		steps = []string{"testSecret"}
	}
	s.running.Go(func() {
		// The function may end the goroutine, as t.FailNow does.
		err := errors.New("the function did not return")
		defer func() { s.ended(sec, run, event.Step, err) }()
		if fn == nil {
			err = errInvoke
			return
		}
		for _, event.Step = range steps {
			if s.stopped(run) {
				return
			}
			if err = fn(s.ctx, event); err != nil {
				return
			}
			err = errors.New("the function did not return")
		}
		err = nil
	})
}

func (s *Server) stopped(run *rotationRun) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return run.cancelled || s.closed
}

// ended records the outcome of a run.
func (s *Server) ended(sec *secret, run *rotationRun, step string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	run.running = false
	rot := sec.rotation
	current := sec.labelled(stageCurrent)
	if err == nil && !run.test && (current == nil || current.id != run.token) {
		err = errors.New("AWSCURRENT was not moved to the new version")
	}
	switch {
	case run.cancelled || s.closed:
		err = nil
		rot.forget(run)
	case run.test:
		sec.removeVersion(run.token)
		rot.forget(run)
	case err == nil:
		s.rotationEvent("RotationSucceeded", sec)
		rot.rotated = now
		sec.changed = now
		rot.plan(now)
		rot.forget(run)
	default:
		s.rotationEvent("RotationFailed", sec)
		run.failures++
		run.retry = time.Time{}
		if run.failures < rotationAttempts {
			run.retry = now.Add(rotationRetryDelay << (run.failures - 1))
		}
		if !rot.opens.After(now) {
			rot.plan(now)
		}
	}
	if err != nil {
		s.rotationErrs = append(s.rotationErrs, fmt.Errorf("secretstest: rotation of %s: %s: %w", sec.name, step, err))
	}
	if s.rotating--; s.rotating == 0 {
		close(s.idle)
	}
	s.arm()
}

func (r *rotation) forget(run *rotationRun) {
	if r.run == run {
		r.run = nil
	}
}

// removeVersion takes away the version that a test made.
func (sec *secret) removeVersion(id string) {
	for i, v := range sec.versions {
		if v.id == id {
			sec.versions = append(sec.versions[:i:i], sec.versions[i+1:]...)
			return
		}
	}
}

func newRun(token string) *rotationRun { return &rotationRun{token: token, secret: newUUID()} }

// unfinished returns the rotation that has AWSPENDING on a version other than
// AWSCURRENT's; nil when there is none.
func (sec *secret) unfinished() *rotationRun {
	pending := sec.labelled(stagePending)
	if pending == nil || pending == sec.labelled(stageCurrent) {
		return nil
	}
	if run := sec.rotation.run; run != nil && run.token == pending.id {
		return run
	}
	return newRun(pending.id)
}

// addPending makes the version of a rotation.
func (sec *secret) addPending(now time.Time, id string, value secretValue) error {
	if err := sec.makeRoom(now); err != nil {
		return err
	}
	v := &secretVersion{id: id, value: value, kmsKeyID: sec.kmsKeyID, created: now}
	sec.versions = append(sec.versions, v)
	sec.label(v, stagePending)
	sec.changed = now
	return nil
}
