package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// The steps of a rotation, by the names that Secrets Manager has for them
// (guide: Lambda rotation functions).
const (
	StepCreate = "createSecret" // Target.Next, and the pending version is stored
	StepSet    = "setSecret"    // Target.Set
	StepTest   = "testSecret"   // Target.Test
	StepFinish = "finishSecret" // the pending version becomes current
)

// Option configures what rotates: [Rotate], [Lambda], [Scheduled] and [NewScheduler].
type Option func(*engine)

// WithLogger sets where each step is logged, by its ref and what came of it and
// never a value; the default is what [slog.Default] returns then.
func WithLogger(logger *slog.Logger) Option {
	return func(e *engine) { e.logger = logger }
}

// Rotate replaces the value of ref, "sm://prod/db" or "ssm:///prod/db/password",
// in store and in target, in this process. Where a rotation was interrupted, it
// goes on with that one, and with its value, which target may have already; it
// begins no other then.
//
// The error names the ref and the step. It wraps [provider.ErrConflict] where
// another process rotates the value or has changed it: nothing is wrong then, and
// the next run finds out. After any other error the rotation is where it stopped,
// and the next run goes on from there; a value that target will never accept is
// dropped by [Abandon].
func Rotate(ctx context.Context, store provider.Rotator, ref string, target Target, opts ...Option) error {
	e := newEngine(store, target, opts)
	parsed, err := provider.ParseRef(ref)
	if err != nil {
		return err
	}
	if target == nil {
		return fmt.Errorf("%s: %w", parsed, errNoTarget)
	}
	r, err := e.begin(ctx, parsed, provider.RotationOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	steps := []string{StepCreate, StepSet, StepTest, StepFinish}
	if r.State().Promoted {
		steps = steps[3:]
	}
	for _, step := range steps {
		if err := r.step(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// Abandon drops the pending value of ref, which no run can get into target: a
// password that breaks its rules, say. It refuses where target accepts that
// value, which is then the one to keep, or does not accept the current one,
// whose readers would be left without any.
func Abandon(ctx context.Context, store provider.Rotator, ref string, target Target, opts ...Option) error {
	e := newEngine(store, target, opts)
	parsed, err := provider.ParseRef(ref)
	if err != nil {
		return err
	}
	r, err := e.begin(ctx, parsed, provider.RotationOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	const step = "abandon"
	ctx, cancel := r.bound(ctx)
	defer cancel()
	switch s := r.State(); {
	case s.Pending == provider.Value{}:
		return nil
	case s.Promoted, target.Test(ctx, s.Pending) == nil:
		return r.done(step, time.Now(), errors.New("the target accepts the pending value: rotate again, which keeps it"))
	default:
		began := time.Now()
		if err := target.Test(ctx, s.Current); err != nil {
			return r.done(step, began, fmt.Errorf("the target does not accept the current value: %w", err))
		}
		return r.done(step, began, r.Abandon(ctx))
	}
}

// engine is what rotates.
type engine struct {
	store  provider.Rotator
	target Target
	logger *slog.Logger
}

var errNoTarget = errors.New("there is no target to rotate it at: Token is one for a value that no other system knows")

func newEngine(store provider.Rotator, target Target, opts []Option) *engine {
	e := &engine{store: store, target: target}
	for _, opt := range opts {
		opt(e)
	}
	return e
}

func (e *engine) log() *slog.Logger {
	if e.logger == nil {
		return slog.Default()
	}
	return e.logger
}

// rotation is one that has begun.
type rotation struct {
	provider.Rotation
	engine *engine
	ref    provider.Ref
}

func (e *engine) begin(ctx context.Context, ref provider.Ref, opts provider.RotationOptions) (*rotation, error) {
	r, err := e.store.BeginRotation(ctx, ref, opts)
	if err != nil {
		level := slog.LevelError
		if errors.Is(err, provider.ErrConflict) {
			level = slog.LevelInfo
		}
		e.log().Log(ctx, level, "rotation not begun", "ref", ref.String(), "error", err)
		return nil, err
	}
	return &rotation{r, e, ref}, nil
}

// step takes one step, which does nothing where it has been taken.
func (r *rotation) step(ctx context.Context, step string) error {
	began, s := time.Now(), r.State()
	ctx, cancel := r.bound(ctx)
	defer cancel()
	if step != StepCreate && s.Pending == (provider.Value{}) {
		return r.done(step, began, fmt.Errorf("there is no pending value: %s comes first", StepCreate))
	}
	var err error
	switch step {
	case StepCreate:
		err = r.create(ctx)
	case StepSet:
		err = r.engine.target.Set(ctx, s.Current, s.Pending, s.Previous)
	case StepTest:
		err = r.engine.target.Test(ctx, s.Pending)
	case StepFinish:
		err = r.Promote(ctx)
	}
	return r.done(step, began, err)
}

func (r *rotation) create(ctx context.Context) error {
	s := r.State()
	if s.Pending != (provider.Value{}) {
		return nil // of the run that was interrupted
	}
	content, err := r.engine.target.Next(ctx, s.Current)
	switch {
	case err != nil:
		return err
	case content == "":
		return errors.New("the target's next value is empty")
	case content == s.Current.Text():
		return errors.New("the target's next value is the current one")
	}
	return r.StorePending(ctx, content)
}

// bound is ctx, ended when another process may take the rotation over.
func (r *rotation) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if until := r.State().Until; !until.IsZero() {
		return context.WithDeadline(ctx, until)
	}
	return context.WithCancel(ctx)
}

// done logs what came of a step and names the step in its error.
func (r *rotation) done(step string, began time.Time, err error) error {
	attrs := []any{"ref", r.ref.String(), "step", step, "token", r.State().Token, "took", time.Since(began)}
	if err == nil {
		r.engine.log().Info("rotation", attrs...)
		return nil
	}
	r.engine.log().Warn("rotation stopped", append(attrs, "error", err)...)
	if ref := r.ref.String(); !strings.HasPrefix(err.Error(), ref) {
		return fmt.Errorf("%s: %s: %w", ref, step, err)
	}
	return fmt.Errorf("%s: %w", step, err)
}
