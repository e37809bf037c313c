package sm

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/provider"
)

const stagePending = "AWSPENDING"

// rotationLabel begins the staging label of a version that wants to be the
// pending one. It is followed by the version's ID.
const rotationLabel = "rotation-"

var _ provider.Rotator = (*Store)(nil)

// BeginRotation implements [provider.Rotator]: one DescribeSecret, and a
// GetSecretValue for each of the current, the pending and the previous version.
//
// The version that has AWSPENDING while another has AWSCURRENT is the pending
// one: of a rotation that was interrupted, of one that RotateSecret began, or of
// one that another process is busy with. All take part in it with its one
// content, and it is promoted once.
func (s *Store) BeginRotation(ctx context.Context, ref provider.Ref, opts provider.RotationOptions) (provider.Rotation, error) {
	t, err := s.targetOf(ref)
	if err != nil {
		return nil, err
	}
	if err := t.checkToken(opts.Token); err != nil {
		return nil, err
	}
	r := &rotating{store: s, t: t, caller: opts.Caller}
	if r.now, err = r.describe(ctx); err != nil {
		return nil, err
	}
	r.current, r.state.Token = r.now.holder(stageCurrent), opts.Token
	if r.state.Token == "" {
		if pending := r.now.holder(stagePending); pending != r.current {
			r.state.Token = pending
		}
	}
	r.state.Token = tokenOr(r.state.Token)
	r.learn()
	return r, r.read(ctx)
}

// rotating is a [provider.Rotation] of a secret.
type rotating struct {
	store   *Store
	t       target
	caller  provider.Value
	now     stages
	current string // the version that the rotation replaces
	state   provider.RotationState
}

func (r *rotating) State() provider.RotationState { return r.state }

func (r *rotating) Close() {}

// describe is [Store.stages], which tells more than that.
func (r *rotating) describe(ctx context.Context) (stages, error) {
	out, err := call(ctx, r.store, r.t, describeOp, r.t.client.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: &r.t.id})
	if err != nil {
		return nil, err
	}
	if out.DeletedDate != nil {
		return nil, r.store.explain(r.t.ref, describeOp, errDeleted)
	}
	r.state.Enabled = aws.ToBool(out.RotationEnabled)
	return out.VersionIdsToStages, nil
}

// learn makes the state of the labels.
func (r *rotating) learn() {
	r.state.Labels = r.now[r.state.Token]
	r.state.Promoted = slices.Contains(r.state.Labels, stageCurrent)
}

// read reads the versions by their IDs, so that all are of one moment.
func (r *rotating) read(ctx context.Context) error {
	pending := r.state.Token
	if r.state.Labels == nil {
		pending = ""
	}
	var refs []provider.Ref
	var to []*provider.Value
	for _, v := range []struct {
		id, stage string
		to        *provider.Value
	}{
		{r.current, "", &r.state.Current},
		{pending, stagePending, &r.state.Pending},
		{r.now.holder(stagePrevious), stagePrevious, &r.state.Previous},
	} {
		if v.id != "" {
			ref := r.t.ref
			ref.Version = v.id
			refs, to = append(refs, ref), append(to, v.to)
		}
	}
	for i, result := range r.store.Fetch(ctx, refs...) {
		switch {
		case result.Err == nil:
			*to[i] = result.Value
		case errors.Is(result.Err, provider.ErrVersionNotFound) && refs[i].Version == pending:
			// RotateSecret makes the version without a content.
		default:
			return result.Err
		}
	}
	return nil
}

// conflict is the error of what another process did.
func (r *rotating) conflict(hint string, err error) error {
	return &provider.Error{Ref: r.t.ref, Kind: provider.ErrConflict, Hint: hint, Err: err}
}

// StorePending is one PutSecretValue for a version that has AWSPENDING already.
// Else the version is put under a label of its own, since PutSecretValue would
// take AWSPENDING from whoever has it; UpdateSecretVersionStage moves it only
// from where it is expected.
func (r *rotating) StorePending(ctx context.Context, content string) error {
	typ := provider.SecretString
	if r.state.Current.Binary() {
		typ = provider.SecretBinary
	}
	v := provider.NewValue(r.t.ref, provider.Version{ID: r.state.Token}, typ, content)
	switch holder := r.now.holder(stagePending); {
	case r.state.Promoted:
		return r.conflict("the version "+r.state.Token+" is the current one already", nil)
	case r.state.Pending != (provider.Value{}) && r.state.Pending.Text() == content:
		return nil
	case r.state.Pending != (provider.Value{}):
		return r.conflict("the pending version has another content: go on with that", nil)
	case holder == r.state.Token:
		if _, err := r.store.put(ctx, r.t, v, PutOptions{Token: r.state.Token, Stages: []string{stagePending}, RotationToken: r.caller}); err != nil {
			return err
		}
	case holder != "" && holder != r.current:
		return r.conflict("a rotation to version "+holder+" is in progress", nil)
	default:
		if err := r.claim(ctx, v, holder); err != nil {
			return err
		}
	}
	r.learn()
	r.state.Pending = v
	return nil
}

// claim puts v as the pending version, where holder has AWSPENDING or none has.
func (r *rotating) claim(ctx context.Context, v provider.Value, holder string) error {
	token, own := r.state.Token, rotationLabel+r.state.Token
	if len(own) > maxStageName {
		return r.t.invalid("the token is too long to be part of a staging label")
	}
	put, err := r.store.put(ctx, r.t, v, PutOptions{Token: token, Stages: []string{own}})
	if err != nil {
		return err
	}
	if !put.HasLabel(stageCurrent) { // which the first version of a secret gets
		if _, err := r.store.move(ctx, r.t, stagePending, holder, token); err != nil {
			// Who has AWSPENDING may have let go of it since it was refused.
			if errors.Is(err, provider.ErrConflict) || errors.Is(err, ErrInvalid) || errors.Is(err, provider.ErrVersionNotFound) {
				r.store.settle(ctx, r.t, own, token)
				return r.conflict("another rotation began a moment ago: take part in it", err)
			}
			return err
		}
	}
	now, err := r.describe(ctx)
	if err != nil {
		return err
	}
	r.now = now
	for id, labels := range now {
		// Also of those who lost, or who did not live to know.
		if at := slices.IndexFunc(labels, func(l string) bool { return strings.HasPrefix(l, rotationLabel) }); at >= 0 && (id == token || len(labels) == 1) {
			r.store.settle(ctx, r.t, labels[at], id)
		}
	}
	if current := now.holder(stageCurrent); current != r.current && current != token {
		// The content was made from a version that is current no more.
		if err := r.Abandon(ctx); err != nil {
			return err
		}
		return r.conflict("version "+current+" was made current meanwhile, not "+r.current, nil)
	}
	return nil
}

// Promote is DescribeSecret, to see that the version still has AWSPENDING;
// UpdateSecretVersionStage, which moves AWSCURRENT only from the version that the
// rotation replaces, and AWSPREVIOUS to that; and once more, to take AWSPENDING
// away.
func (r *rotating) Promote(ctx context.Context) error {
	token := r.state.Token
	now, err := r.describe(ctx)
	if err != nil {
		return err
	}
	switch labels := now[token]; {
	case current(labels): // or it was, and another followed
	case !slices.Contains(labels, stagePending):
		return r.conflict("version "+token+" is not the pending one", nil)
	default:
		if now, err = r.store.move(ctx, r.t, stageCurrent, r.current, token); err != nil && !current(now[token]) {
			return err
		}
	}
	r.state.Promoted = true
	if _, err := r.store.move(ctx, r.t, stagePending, token, ""); err != nil && !errors.Is(err, provider.ErrConflict) {
		return err
	}
	r.state.Labels = []string{stageCurrent}
	return nil
}

// Abandon takes AWSPENDING from the version, which then has no label and goes in
// time.
func (r *rotating) Abandon(ctx context.Context) error {
	if r.state.Promoted {
		return r.conflict("version "+r.state.Token+" is current: Rollback makes the previous one current again", nil)
	}
	if _, err := r.store.move(ctx, r.t, stagePending, r.state.Token, ""); err != nil {
		return err
	}
	r.state.Pending, r.state.Labels = provider.Value{}, nil
	return nil
}
