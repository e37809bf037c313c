package sm

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/c0629bfc/secrets/internal/awsread"
)

// still reports whether the version that the caller knows is the one that the
// item asks for, by the staging labels of a secret and the date of its making.
func (it *item) still(stages map[string][]string, made *time.Time) bool {
	// A version's ID is the ClientRequestToken of the call that made it, and may
	// come again when a secret was deleted and made anew (API CreateSecret). The
	// first version of a secret is about as old as the secret.
	if !it.known.Created.IsZero() && aws.ToTime(made).After(it.known.Created.Add(time.Second)) {
		return false
	}
	if it.pinned != "" {
		return it.known.ID == it.pinned && stages[it.pinned] != nil
	}
	return slices.Contains(stages[it.known.ID], it.wantedStage())
}

// compareDescribed settles the items whose known version is still the one, by
// describing their secrets.
func (s *Store) compareDescribed(ctx context.Context, items []*item) {
	d := s.dates(slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.known.ID == "" }))
	s.limit.Run(ctx, d.jobs(ctx))
	d.settle()
	for _, it := range d.items {
		switch desc := d.secrets[it.whole()]; {
		case desc.err != nil && concerns(desc.err): // it is read
		case desc.err != nil:
			it.fail(describeOp, desc.err)
		case !desc.described(): // ctx ended before its turn came
			it.fail("", ctx.Err())
		case desc.DeletedDate != nil:
			it.fail(describeOp, errDeleted)
		default:
			it.unchanged = it.still(desc.VersionIdsToStages, desc.CreatedDate)
			it.done = it.unchanged
		}
	}
}

// descriptions learns when secrets are to be rotated.
type descriptions struct {
	store   *Store
	items   []*item
	keys    []key // of the secrets, each once
	secrets map[key]*description
	ended   atomic.Pointer[error] // what is not of one secret, and ends the asking
}

// dates returns what is to be described so that it is known when the items
// change.
func (s *Store) dates(items []*item) *descriptions {
	d := &descriptions{store: s, secrets: make(map[key]*description)}
	for _, it := range items {
		k := it.whole()
		if it.seen || it.pinned != "" && it.known.ID == "" || s.noDescribe.On(k) {
			continue
		}
		d.items = append(d.items, it)
		if d.secrets[k] == nil {
			d.keys = append(d.keys, k)
			d.secrets[k] = &description{}
		}
	}
	return d
}

func (d *descriptions) jobs(ctx context.Context) []func() {
	jobs := make([]func(), len(d.keys))
	for i, k := range d.keys {
		desc := d.secrets[k]
		jobs[i] = func() {
			if ended := d.ended.Load(); ended != nil {
				desc.err = *ended
				return
			}
			d.store.describeOne(ctx, k, desc)
			if desc.err != nil && !concerns(desc.err) {
				d.ended.Store(&desc.err)
			}
		}
	}
	return jobs
}

// settle gives the items what was learnt, and remembers refusals.
func (d *descriptions) settle() {
	for _, it := range d.items {
		it.seen = true
		if desc := d.secrets[it.whole()]; desc.described() {
			it.changes = aws.ToTime(desc.NextRotationDate)
		}
	}
	for _, k := range d.keys {
		err := d.secrets[k].err
		if (awsread.Denied(err) || awsread.UnknownOperation(err)) && d.store.noDescribe.Begin(k) {
			d.store.log().Warn("the versions of a secret cannot be compared, and it is read instead: allow secretsmanager:DescribeSecret on it",
				"secret", k.id, "error", awsread.Clean(err), "next_try", awsread.Pause)
		}
	}
}

// concerns reports whether an error of describing or listing leaves it open
// whether reading works. An outage or a throttled call is not answered with
// more of them.
func concerns(err error) bool { return awsread.Concerns(err) || awsread.UnknownOperation(err) }
