package ssm

import (
	"context"
	"strings"
	"sync"

	"github.com/c0629bfc/secrets/provider"
)

var (
	_ provider.Rotator    = (*Store)(nil)
	_ provider.Alternates = (*Store)(nil)
)

// rotationPrefix is where pending values are kept unless [WithRotationPrefix]
// says otherwise.
const rotationPrefix = "/.rotation"

// previousLabel is the parameter label of the version before a rotation.
const previousLabel = "previous"

// WithRotationPrefix sets below which path [Store.BeginRotation] keeps the
// pending value of a parameter, and [Store.Alternates] looks for it; the default
// is "/.rotation", so that "/prod/db" has "/.rotation/prod/db". All who rotate a
// parameter must agree on it. Nobody who reads the values of a hierarchy should
// meet it there: it is outside of what they list.
func WithRotationPrefix(path string) Option {
	return func(s *Store) { s.rotations.prefix = strings.TrimSuffix(path, "/") }
}

// rotations is what a store keeps of the rotations that its process takes part
// in.
type rotations struct {
	prefix string

	mu   sync.Mutex
	held map[place]*held
}

// place is a parameter in a Region.
type place struct{ region, name string }

// pendingName is the name of the parameter that has the pending value.
func (r *rotations) pendingName(name string) string {
	prefix := r.prefix
	if prefix == "" {
		prefix = rotationPrefix
	}
	if !strings.HasPrefix(name, "/") {
		prefix += "." // "plain" and "/plain" are not the same
	}
	return prefix + name
}

// BeginRotation implements [provider.Rotator]. Parameter Store has nothing for
// rotation, so the pending value is a parameter of its own, which is also the
// lock of the rotation: whoever created it holds it, for a lease of fifteen
// minutes. A rotation whose process died is taken over by another when that has
// ended; the same process goes on with its own at once. docs/rotation.md has the
// protocol, what it rests on and what a crash at each point leads to.
//
// A rotation takes GetParameterHistory and PutParameter on the parameter and
// on the pending one, GetParameter, LabelParameterVersion for the label
// "previous", and DeleteParameter on the pending one: about ten calls. After a
// takeover, or a write whose answer was lost, Promote and Abandon wait for up to
// seven minutes, until no request from before can take effect.
func (s *Store) BeginRotation(ctx context.Context, ref provider.Ref, opts provider.RotationOptions) (provider.Rotation, error) {
	if err := s.checkWrite(ref); err != nil {
		return nil, err
	}
	pending := provider.Ref{Scheme: ref.Scheme, Name: s.rotations.pendingName(ref.Name), Region: ref.Region}
	if err := s.checkWrite(pending); err != nil {
		return nil, err
	}
	r := &rotating{
		api:     &rotationCalls{store: s, ref: ref, pending: pending},
		ref:     ref,
		pending: pending,
		all:     &s.rotations,
		at:      place{s.clients.Region(ref.Region), ref.Name},
	}
	if err := r.begin(ctx, opts.Token); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Alternates implements [provider.Alternates]. While a rotation is under way the
// database may have its pending value already, and after one that was undone the
// previous one.
func (s *Store) Alternates(ref provider.Ref) []provider.Ref {
	ref = ref.Base()
	if ref.Version != "" || ref.Label != "" {
		return nil
	}
	previous := ref
	previous.Label = previousLabel
	if ref.IsARN() {
		return []provider.Ref{previous}
	}
	pending := ref
	pending.Name = s.rotations.pendingName(ref.Name)
	return []provider.Ref{pending, previous}
}
