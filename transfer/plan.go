package transfer

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/c0629bfc/secrets/provider"
)

// Action is what a plan does with an item.
type Action string

const (
	Create    Action = "create"    // there is nothing at the target
	Update    Action = "update"    // the target has another value
	Unchanged Action = "unchanged" // the target has the value already
	Refused   Action = "refused"   // it cannot be: Item.Err says why
)

// Plan is what is to be copied or moved. It holds the values that were read, and
// shows none of them however it is printed. Items may be taken out of it before
// it is run.
type Plan struct {
	Items []Item // by name
	Move  bool   // each source is deleted once the target is seen to be equal

	from, to *side
	writer   provider.Writer // of to
	remover  provider.Writer // of from, if Move
}

// Item is one value of a plan.
type Item struct {
	Action  Action
	Source  provider.Ref
	Version provider.Version // that is copied
	Type    provider.Type    // of the source
	Size    int              // in bytes

	Target     provider.Ref
	TargetType provider.Type    // that is written
	Existing   provider.Version // that the target has, zero if none
	// Tier is what a parameter of that size needs: Standard or Advanced. One
	// that is advanced already stays so. It is empty for other stores.
	Tier string
	// Left is what the source has besides the value and the target will not
	// have, such as "description", "tag team" or "KMS key alias/app": names, and
	// not what is secret. It is empty with [WithValuesOnly], where the store
	// cannot tell, and of what is refused or, in a copy, unchanged.
	Left []string

	Err error // why it is refused

	value   provider.Value // of the source
	written bool           // by a Run
	done    bool
}

// PlanCopy reads both sides and says what a copy does. It writes nothing.
//
// Prefixes are mapped by what follows them: with "ssm:///dev/app/" and
// "sm://prod/", the parameter /dev/app/db/url becomes the secret prod/db/url.
// What only the target has is left alone. It fails if the source cannot be
// listed or a place is not what the operation needs; what concerns one value is
// that item's error.
func PlanCopy(ctx context.Context, from, to Place, opts ...Option) (*Plan, error) {
	return newPlan(ctx, from, to, false, opts)
}

// PlanMove is [PlanCopy] for a move: after an item was copied, or found to be
// equal, both sides are read again, and the source is deleted if the target has
// its value and it has not changed since it was read. A secret can be
// restored for thirty days, a parameter is gone with its history. A write to
// the source between that reading and the deletion goes with it: no store
// deletes on condition of a version.
func PlanMove(ctx context.Context, from, to Place, opts ...Option) (*Plan, error) {
	return newPlan(ctx, from, to, true, opts)
}

func newPlan(ctx context.Context, from, to Place, move bool, opts []Option) (*Plan, error) {
	a, b, o, err := sides(from, to, opts)
	if err != nil {
		return nil, err
	}
	p := &Plan{Move: move, from: a, to: b}
	if p.writer, err = b.writer(); err != nil {
		return nil, err
	}
	if move {
		if p.remover, err = a.writer(); err != nil {
			return nil, err
		}
	}
	found, err := a.all(ctx)
	if err != nil {
		return nil, err
	}
	var asked []provider.Ref
	var items []int
	for _, name := range slices.Sorted(maps.Keys(found)) {
		r := found[name]
		it := Item{Source: r.ref, Version: r.value.Version(), Type: r.value.Type(), Size: len(r.value.Text()), Target: b.at(name), value: r.value}
		if it.refuse(cmp.Or(r.err, checkName(it.Target))); it.Err == nil {
			asked, items = append(asked, it.Target), append(items, len(p.Items))
		}
		p.Items = append(p.Items, it)
	}
	for i, there := range b.read(ctx, asked...) {
		p.Items[items[i]].decide(there, move, o)
	}
	for _, i := range items {
		if !o.valuesOnly {
			p.leave(ctx, &p.Items[i])
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func (it *Item) refuse(err error) {
	if err != nil {
		it.Action, it.Err = Refused, err
	}
}

// decide says what is to be done, given what is at the target.
func (it *Item) decide(there reading, move bool, o options) {
	it.Existing = there.value.Version()
	v := it.value.WithRef(it.Source)
	switch {
	case errors.Is(there.err, provider.ErrNotFound):
		it.Action = Create
	case errors.Is(there.err, provider.ErrVersionNotFound): // a secret without a value
		it.Action = Update
	case there.err != nil:
		it.refuse(there.err)
		return
	case move && it.same():
		it.refuse(&provider.Error{Ref: it.Target, Kind: provider.ErrInvalid, Hint: "source and target have the same version: they seem to be one, and a move would delete it"})
		return
	case equal(v, there.value):
		it.Action = Unchanged
	default:
		it.Action = Update
	}
	it.TargetType = targetType(it.Type, it.Target.Scheme)
	if it.Action == Unchanged {
		it.TargetType = there.value.Type()
	}
	it.Tier = tier(it.Target.Scheme, it.Size)
	if it.Action != Unchanged {
		it.refuse(it.check(there.value, o))
	}
}

// same reports whether source and target seem to be one and the same, reached by
// two stores or by two names. A VersionId is unique, a parameter's number is not.
func (it *Item) same() bool {
	return it.Source.Scheme == it.Target.Scheme && it.Version.ID == it.Existing.ID && it.Version.Created.Equal(it.Existing.Created) &&
		(it.Source.Scheme == "sm" || it.Source.Name == it.Target.Name)
}

// Count returns how many items have the action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, it := range p.Items {
		if it.Action == a {
			n++
		}
	}
	return n
}

// Err returns the errors of all items that are refused, joined, or nil.
func (p *Plan) Err() error {
	var errs []error
	for _, it := range p.Items {
		errs = append(errs, it.Err)
	}
	return errors.Join(errs...)
}
