package sm

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

var _ provider.Writer = (*Store)(nil)

// Put implements [provider.Writer]. It is one PutSecretValue, and for a secret
// that does not exist a CreateSecret, or on condition of a version what
// compare-and-swap takes: DescribeSecret, PutSecretValue under a staging label
// of its own, "put-" and the token, and UpdateSecretVersionStage to move
// AWSCURRENT and to remove that label. A value without a type costs a
// GetSecretValue more, to learn the type of the current one.
//
// Put makes sure of what cond says by what AWS does in one step, so that of
// several writers one wins. It may report [provider.ErrConflict] for a short
// while after another write, because DescribeSecret is eventually consistent:
// read the value again, and try again.
//
// A Put that is repeated with the same Token and value goes on where the one
// before it broke off. If its version was made current, and then two more were,
// AWS no longer tells it from one that lost: it gives ErrConflict.
//
// If Put fails otherwise on condition of a version, or its context ends, the new
// version may be left with its label, and AWS keeps it until that is removed: by
// repeating the Put with its Token, or by [Store.RemoveStage].
func (s *Store) Put(ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
	ctx = awsread.Aside(ctx) // what it reads, too
	t, err := s.targetOf(v.Ref())
	if err != nil {
		return provider.Version{}, err
	}
	if cond.Absent && cond.Version != "" {
		return provider.Version{}, t.invalid("what is to be absent has no version: set one of Absent and Version")
	}
	if err := t.checkToken(cond.Token); err != nil {
		return provider.Version{}, err
	}
	if v, err = s.typed(ctx, t, v, cond.Absent); err != nil {
		return provider.Version{}, err
	}
	if err := t.checkValue(v); err != nil {
		return provider.Version{}, err
	}
	token := tokenOr(cond.Token)
	switch {
	case cond.Absent:
		return s.create(ctx, t, v, CreateOptions{Token: token})
	case cond.Version != "":
		return s.swap(ctx, t, v, cond.Version, token, cond.Token != "")
	}
	version, err := s.put(ctx, t, v, PutOptions{Token: token})
	if !errors.Is(err, provider.ErrNotFound) || t.ref.IsARN() {
		return version, err
	}
	version, err = s.create(ctx, t, v, CreateOptions{Token: token})
	if errors.Is(err, provider.ErrConflict) { // it was created meanwhile
		return s.put(ctx, t, v, PutOptions{Token: token})
	}
	return version, err
}

// Delete implements [provider.Writer]: the secret is scheduled to be deleted in
// 30 days, as is AWS's default, and until then [Store.Restore] brings it back.
// [Store.DeleteAfter] and [Store.DeleteNow] delete sooner. One that is scheduled
// already gives [provider.ErrDeleted].
func (s *Store) Delete(ctx context.Context, ref provider.Ref) error {
	t, err := s.targetOf(ref)
	if err != nil {
		return err
	}
	_, err = call(ctx, s, t, deleteOp, t.client.DeleteSecret, &secretsmanager.DeleteSecretInput{SecretId: &t.id})
	return err
}

// typed gives a value that has no type the type of the current one.
func (s *Store) typed(ctx context.Context, t target, v provider.Value, absent bool) (provider.Value, error) {
	if v.Type() != "" {
		return v, nil
	}
	typ := provider.SecretString
	if !absent {
		r := s.Fetch(ctx, t.ref)[0]
		e, _ := r.Err.(*provider.Error)
		switch {
		case e == nil:
			typ = r.Value.Type()
		case e.Kind == provider.ErrNotFound, e.Kind == provider.ErrVersionNotFound:
		case e.Kind == provider.ErrAccessDenied:
			denied := *e
			denied.Hint = "a value without a type gets that of the current one, which has to be read: give it the type SecretString or SecretBinary, or " + e.Hint
			return v, &denied
		default:
			return v, e
		}
	}
	return provider.NewValue(v.Ref(), v.Version(), typ, v.Text()), nil
}

// swap makes v the current version if expected is. The new version's own label
// says that the outcome is still open; whoever knows the outcome removes it.
// Tokened is whether the caller can repeat the write.
func (s *Store) swap(ctx context.Context, t target, v provider.Value, expected, token string, tokened bool) (provider.Version, error) {
	own := "put-" + token
	done := func(labels []string) (provider.Version, error) {
		if slices.Contains(labels, own) {
			s.settle(ctx, t, own, token)
		}
		return provider.NewVersion(token, time.Time{}, slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == own })...), nil
	}
	lost := func(now stages, err error) (provider.Version, error) {
		if slices.Contains(now[token], own) {
			s.settle(ctx, t, own, token)
		}
		e := &provider.Error{Ref: t.ref, Kind: provider.ErrConflict, Err: err, Hint: "the secret has no current version, not " + expected}
		if current := now.holder(stageCurrent); current != "" {
			e.Hint = "version " + current + " is the current one, not " + expected + ": read it and try again"
		}
		return provider.Version{}, e
	}

	now, err := s.stages(ctx, t)
	if e, ok := errors.AsType[*provider.Error](err); ok && e.Kind == provider.ErrNotFound {
		return provider.Version{}, &provider.Error{Ref: t.ref, Kind: provider.ErrConflict, Hint: "there is no such secret, so " + expected + " is not its current version", Err: e.Err}
	}
	switch {
	case err != nil:
		return provider.Version{}, err
	case current(now[token]):
		return done(now[token])
	case now.holder(stageCurrent) != expected:
		return lost(now, nil)
	}
	put, err := s.put(ctx, t, v, PutOptions{Token: token, Stages: []string{own}})
	switch {
	case err != nil:
		return provider.Version{}, err
	case current(put.Labels()): // which DescribeSecret did not know yet
		return done(put.Labels())
	case !put.HasLabel(own):
		return provider.Version{}, &provider.Error{Ref: t.ref, Kind: provider.ErrConflict, Hint: "a write with this token was settled before: it lost, or two more versions followed it"}
	}
	now, err = s.move(ctx, t, stageCurrent, expected, token)
	switch {
	case err == nil:
		return done([]string{stageCurrent, own})
	case current(now[token]): // and then another followed
		return done(now[token])
	case errors.Is(err, provider.ErrConflict):
		return lost(now, err.(*provider.Error).Err)
	case !tokened && ctx.Err() == nil:
		s.settle(ctx, t, own, token)
	}
	return provider.Version{}, err
}

// current reports whether a version with these labels is the current one or was
// until a moment ago.
func current(labels []string) bool {
	return slices.Contains(labels, stageCurrent) || slices.Contains(labels, stagePrevious)
}

// settle removes the label of a write whose outcome is known. The write does not
// fail for it.
func (s *Store) settle(ctx context.Context, t target, own, token string) {
	if _, err := s.move(ctx, t, own, token, ""); err != nil {
		s.log().Warn("a secret's version keeps a staging label that nothing needs, and with it is never removed: take the label off by UpdateSecretVersionStage",
			"secret", t.id, "version", token, "label", own, "error", awsread.Clean(err))
	}
}
