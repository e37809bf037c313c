package transfer

import (
	"context"
	"errors"
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// reading is a value of one side, or why there is none.
type reading struct {
	ref   provider.Ref
	value provider.Value
	err   error
}

// absent reports whether there is no such value. A secret that waits to be
// deleted is in the way, but it is no value either.
func (r reading) absent() bool {
	return errors.Is(r.err, provider.ErrNotFound) || errors.Is(r.err, provider.ErrDeleted)
}

// all reads what the side names: one value, which has the name "", or those of a
// listing by their names below the prefix.
func (s *side) all(ctx context.Context) (map[string]reading, error) {
	found := make(map[string]reading)
	if !s.prefix {
		found[""] = s.read(ctx, s.ref)[0]
		return found, ctx.Err()
	}
	for v, err := range s.store.(provider.Lister).List(s.paced(ctx), s.ref) {
		r := reading{ref: v.Ref(), value: v, err: err}
		if err != nil {
			e, ok := errors.AsType[*provider.Error](err)
			if !ok || ctx.Err() != nil || !strings.HasPrefix(e.Ref.Name, s.ref.Name) || e.Ref.Name == s.ref.Name {
				return nil, err // of the listing itself
			}
			r.ref = e.Ref
		}
		if !r.absent() { // it was listed and is gone
			found[strings.TrimPrefix(r.ref.Name, s.ref.Name)] = r
		}
	}
	return found, ctx.Err()
}

// read reads refs by their names, in order.
func (s *side) read(ctx context.Context, refs ...provider.Ref) []reading {
	bases := make([]provider.Ref, len(refs))
	for i, ref := range refs {
		bases[i] = ref.Base()
	}
	out := make([]reading, len(refs))
	if len(refs) == 0 {
		return out
	}
	for i, r := range s.store.Fetch(s.paced(ctx), bases...) {
		out[i] = reading{refs[i], r.Value, r.Err}
		if field := refs[i].Field; field != "" && r.Err == nil {
			out[i].value, out[i].err = r.Value.Field(field)
		}
	}
	return out
}

// at returns the ref on this side of what has a name below the prefix.
func (s *side) at(name string) provider.Ref {
	r := s.ref
	r.Name += name
	return r
}

// equal reports whether two values are the same, as far as their stores can say
// it: text is text in both, and only Parameter Store tells three kinds of it.
func equal(a, b provider.Value) bool {
	return a.Text() == b.Text() && a.Binary() == b.Binary() &&
		(a.Ref().Scheme != b.Ref().Scheme || a.Type() == b.Type())
}
