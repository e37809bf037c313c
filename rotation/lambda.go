package rotation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// Event is what Secrets Manager calls a rotation function with (guide: Lambda
// rotation functions).
type Event struct {
	Step               string // one of the Step values
	SecretID           string `json:"SecretId"` // the ARN
	ClientRequestToken string // the ID of the version that is to become current
	// RotationToken shows that Secrets Manager is behind a call; it comes where
	// the function assumes a role or belongs to another account. It is a secret.
	RotationToken string `json:",omitempty"`
}

// Format implements [fmt.Formatter]: the RotationToken is not printed. As JSON,
// which is how it travels, the event has it.
func (e Event) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s of %s, token %s", e.Step, e.SecretID, e.ClientRequestToken)
}

// LogValue implements [slog.LogValuer], likewise.
func (e Event) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(e)) }

// The staging labels that a rotation is about.
const (
	labelCurrent = "AWSCURRENT"
	labelPending = "AWSPENDING"
)

var errRefused = errors.New("refused")

// Lambda returns the rotation function of secrets in Secrets Manager, to be
// handed to lambda.Start:
//
//	lambda.Start(rotation.Lambda(sm.New(cfg), target))
//
// Secrets Manager calls it once for each step, and once more where a step
// failed. As in AWS's template for such functions, an event is refused whose
// secret has no rotation turned on, whose token is no version of it, or whose
// version lacks AWSPENDING; one whose version is current already succeeds and
// does nothing. Besides, [StepFinish] tests the value again, so that an event
// out of order makes nothing current that target does not accept.
func Lambda(store provider.Rotator, target Target, opts ...Option) func(context.Context, Event) error {
	e := newEngine(store, target, opts)
	return func(ctx context.Context, event Event) error {
		ref, err := event.ref()
		switch {
		case err != nil:
			return err
		case target == nil:
			return fmt.Errorf("%s: %w", ref, errNoTarget)
		}
		if !slices.Contains([]string{StepCreate, StepSet, StepTest, StepFinish}, event.Step) {
			return fmt.Errorf("%s: %w: %q is no step of a rotation", ref, errRefused, event.Step)
		}
		if event.ClientRequestToken == "" {
			return fmt.Errorf("%s: %w: the event has no ClientRequestToken", ref, errRefused)
		}
		r, err := e.begin(ctx, ref, provider.RotationOptions{
			Token:  event.ClientRequestToken,
			Caller: provider.NewValue(ref, provider.Version{}, provider.SecretString, event.RotationToken),
		})
		if err != nil {
			return err
		}
		defer r.Close()
		switch s := r.State(); {
		case !s.Enabled:
			return r.refuse("rotation is not turned on for it: RotateSecret does that")
		case s.Labels == nil:
			return r.refuse("it has no version " + event.ClientRequestToken)
		case slices.Contains(s.Labels, labelCurrent):
			e.log().Info("rotation is over: the version is current", "ref", ref.String(), "step", event.Step, "token", s.Token)
			return nil
		case !slices.Contains(s.Labels, labelPending):
			return r.refuse("version " + event.ClientRequestToken + " has no AWSPENDING, so it is not the one that is to become current")
		}
		if event.Step == StepFinish {
			if err := r.step(ctx, StepTest); err != nil {
				return err
			}
		}
		return r.step(ctx, event.Step)
	}
}

func (r *rotation) refuse(why string) error {
	err := fmt.Errorf("%s: %w: %s", r.ref, errRefused, why)
	r.engine.log().Warn("rotation refused", "ref", r.ref.String(), "token", r.State().Token, "error", err)
	return err
}

// ref is the event's secret.
func (e Event) ref() (provider.Ref, error) {
	id := e.SecretID
	if !strings.HasPrefix(id, "arn:") {
		id = "sm://" + id
	}
	return provider.ParseRef(id)
}
