package sm

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// The staging labels that Secrets Manager itself moves.
const (
	stageCurrent  = "AWSCURRENT"
	stagePrevious = "AWSPREVIOUS"
)

// Promote makes a version the current one: AWSCURRENT moves to it, and
// AWSPREVIOUS to the version that had it. If another version is made current
// meanwhile, nothing is moved and the error wraps [provider.ErrConflict].
func (s *Store) Promote(ctx context.Context, ref, version string) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	if err := t.checkVersion(version); err != nil {
		return err
	}
	stages, err := s.stages(ctx, t)
	if err != nil {
		return err
	}
	current := stages.holder(stageCurrent)
	if current == version {
		return nil
	}
	_, err = s.move(ctx, t, stageCurrent, current, version)
	return err
}

// Rollback makes the version that carries AWSPREVIOUS the current one and
// returns its ID; AWSPREVIOUS moves to the one that was current, so that a
// second Rollback undoes the first. If another version is made current
// meanwhile, nothing is moved and the error wraps [provider.ErrConflict]; if
// there is no AWSPREVIOUS, [provider.ErrVersionNotFound].
func (s *Store) Rollback(ctx context.Context, ref string) (version string, err error) {
	t, err := s.target(ref)
	if err != nil {
		return "", err
	}
	stages, err := s.stages(ctx, t)
	if err != nil {
		return "", err
	}
	current, previous := stages.holder(stageCurrent), stages.holder(stagePrevious)
	if previous == "" {
		return "", &provider.Error{Ref: t.ref, Kind: provider.ErrVersionNotFound, Hint: "no version carries AWSPREVIOUS: Versions lists those there are, and Promote takes any"}
	}
	if _, err := s.move(ctx, t, stageCurrent, current, previous); err != nil {
		return "", err
	}
	return previous, nil
}

// MoveStage puts a staging label, of 1 to 256 characters, on version to. From
// is the version that has it now, or empty if none has; where that is not so,
// nothing is moved and the error wraps [provider.ErrConflict].
func (s *Store) MoveStage(ctx context.Context, ref, stage, from, to string) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	if err := firstError(t.checkStage(stage), t.checkVersion(to)); err != nil {
		return err
	}
	if from != "" {
		if err := t.checkVersion(from); err != nil {
			return err
		}
	}
	_, err = s.move(ctx, t, stage, from, to)
	return err
}

// RemoveStage takes a staging label from the version that has it. A label that
// no version has is removed already; one that another version has gives
// [provider.ErrConflict]. AWSCURRENT can only be moved.
//
// A version without labels is deprecated, and AWS removes it in time: that is
// how a version is deleted (API DeleteSecret).
func (s *Store) RemoveStage(ctx context.Context, ref, stage, version string) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	if err := firstError(t.checkStage(stage), t.checkVersion(version)); err != nil {
		return err
	}
	if stage == stageCurrent {
		return t.invalid("AWSCURRENT is not removed but moved: Promote another version")
	}
	_, err = s.move(ctx, t, stage, version, "")
	return err
}

// stages is which staging labels the versions of a secret carry. Versions
// without one are not told.
type stages map[string][]string

func (st stages) holder(stage string) (version string) {
	for id, labels := range st {
		if slices.Contains(labels, stage) {
			return id
		}
	}
	return ""
}

// stages asks which versions there are, of a secret that is not deleted.
func (s *Store) stages(ctx context.Context, t target) (stages, error) {
	out, err := call(ctx, s, t, describeOp, t.client.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: &t.id})
	if err != nil {
		return nil, err
	}
	if out.DeletedDate != nil {
		return nil, s.explain(t.ref, describeOp, errDeleted)
	}
	return out.VersionIdsToStages, nil
}

// move moves a label, or with an empty to removes it. UpdateSecretVersionStage
// compares and moves in one step: it fails where from does not have the label.
// So does the second try of a call whose answer was lost, and its wording is not
// documented; hence a refusal is judged by who has the label then, which is
// returned.
func (s *Store) move(ctx context.Context, t target, stage, from, to string) (stages, error) {
	const op = "UpdateSecretVersionStage"
	_, refused := call(ctx, s, t, op, t.client.UpdateSecretVersionStage, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &t.id, VersionStage: &stage, RemoveFromVersionId: orNil(from), MoveToVersionId: orNil(to),
	})
	if refused == nil {
		return nil, nil
	}
	switch awsread.Code(refused) {
	case "InvalidParameterException", "InvalidRequestException", "ResourceNotFoundException":
	default:
		return nil, refused
	}
	now, err := s.stages(ctx, t)
	if err != nil {
		return nil, err
	}
	holder := now.holder(stage)
	if holder == to {
		return now, nil // it was moved, or had been
	}
	e := *refused.(*provider.Error)
	switch {
	case holder != from && holder == "":
		e.Kind, e.Hint = provider.ErrConflict, stage+" is on no version, not on "+from
	case holder != from && from == "":
		e.Kind, e.Hint = provider.ErrConflict, stage+" is on version "+holder+" already"
	case holder != from:
		e.Kind, e.Hint = provider.ErrConflict, stage+" is on version "+holder+", not on "+from
	case e.Kind == ErrInvalid && now[to] == nil, e.Kind == provider.ErrNotFound:
		e.Kind, e.Hint = provider.ErrVersionNotFound, "the secret has no version "+to+", or it was without labels and was removed"
	}
	return now, &e
}
