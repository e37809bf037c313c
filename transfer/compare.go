package transfer

import (
	"context"
	"maps"
	"slices"

	"github.com/c0629bfc/secrets/provider"
)

// Status is how a value of one side stands to the other's.
type Status string

const (
	OnlyHere  Status = "only here"
	OnlyThere Status = "only there"
	Different Status = "different"
	Equal     Status = "equal"
	Unknown   Status = "unknown" // one of them cannot be read: Difference.Err says why
)

// Comparison is what two places have. It holds no values.
type Comparison struct {
	Values []Difference // by name
}

// Difference is one name on both sides.
type Difference struct {
	Status      Status
	Here, There provider.Ref
	// What the side has; zero where it has nothing. Versions of two values
	// cannot be compared with each other.
	HereVersion, ThereVersion provider.Version
	HereType, ThereType       provider.Type
	Err                       error
}

// Compare reads both places and says what they have in common, as a copy from
// here to there would see it: a text is the same in a secret and in a parameter
// of any type, while among parameters the type counts.
//
// Both prefixes are listed, and what only one listing has is read by its name on
// the other side. A secret that no listing tells is not compared: with sm on
// both sides that may be so for five minutes after it was created (API
// ListSecrets).
func Compare(ctx context.Context, here, there Place, opts ...Option) (*Comparison, error) {
	a, b, _, err := sides(here, there, opts)
	if err != nil {
		return nil, err
	}
	left, err := a.all(ctx)
	if err != nil {
		return nil, err
	}
	right, err := b.all(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.complete(ctx, right, left); err != nil {
		return nil, err
	}
	if err := a.complete(ctx, left, right); err != nil {
		return nil, err
	}
	c := &Comparison{}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if d := compare(left[name], right[name]); d.Status != "" {
			c.Values = append(c.Values, d)
		}
	}
	return c, nil
}

// complete reads what the other side has and this one's listing does not. What
// cannot have such a name has it not.
func (s *side) complete(ctx context.Context, own, other map[string]reading) error {
	var names []string
	var refs []provider.Ref
	for _, name := range slices.Sorted(maps.Keys(other)) {
		if _, ok := own[name]; ok {
			continue
		}
		ref := s.at(name)
		if err := checkName(ref); err != nil {
			own[name] = reading{ref: ref, err: &provider.Error{Ref: ref, Kind: provider.ErrNotFound, Err: err}}
			continue
		}
		names, refs = append(names, name), append(refs, ref)
	}
	for i, r := range s.read(ctx, refs...) {
		own[names[i]] = r
	}
	return ctx.Err()
}

func compare(a, b reading) Difference {
	d := Difference{
		Here: a.ref, HereVersion: a.value.Version(), HereType: a.value.Type(),
		There: b.ref, ThereVersion: b.value.Version(), ThereType: b.value.Type(),
	}
	switch {
	case a.absent() && b.absent():
	case a.err != nil && !a.absent():
		d.Status, d.Err = Unknown, a.err
	case b.err != nil && !b.absent():
		d.Status, d.Err = Unknown, b.err
	case a.absent():
		d.Status = OnlyThere
	case b.absent():
		d.Status = OnlyHere
	case equal(a.value, b.value):
		d.Status = Equal
	default:
		d.Status = Different
	}
	return d
}

// Count returns how many values have the status.
func (c *Comparison) Count(s Status) int {
	n := 0
	for _, d := range c.Values {
		if d.Status == s {
			n++
		}
	}
	return n
}

// Equal reports whether both sides have the same values.
func (c *Comparison) Equal() bool { return c.Count(Equal) == len(c.Values) }
