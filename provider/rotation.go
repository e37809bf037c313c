package provider

import (
	"context"
	"time"
)

// Rotator is an optional capability of a [Provider]: to replace a value in the
// steps of a rotation, where the new value is stored before it is the current
// one, so that it is not lost while a server learns it. Package rotation drives
// it.
type Rotator interface {
	// BeginRotation reads what there is of a rotation of the value that ref
	// names, and takes part in it: in one that was interrupted, or in one that is
	// yet to be begun by [Rotation.StorePending]. The ref names neither a version
	// nor a field. Where the store lets one process at a time rotate a value, and
	// another does, the error wraps [ErrConflict] and says until when.
	BeginRotation(ctx context.Context, ref Ref, opts RotationOptions) (Rotation, error)
}

// RotationOptions is how a rotation is begun.
type RotationOptions struct {
	// Token is the ID of the version that is to become current; empty is that of
	// the rotation which was interrupted, or else one that the store makes.
	Token string
	// Caller is what Secrets Manager gave the rotation function to show that it
	// was called by it, the event's RotationToken; zero elsewhere.
	Caller Value
}

// Rotation is the part that one process takes in the rotation of one value. Each
// of its methods may be called again after it failed or its answer was lost: what
// has been done is not done twice. Where the value is not any more as the
// rotation found it, they change nothing and the error wraps [ErrConflict]; then
// begin anew. (That is as far as a store can tell: in Parameter Store a value
// that is written by hand between StorePending and Promote becomes the previous
// one.) A Rotation is for one goroutine.
type Rotation interface {
	// State is what BeginRotation found, and what the other methods made of it.
	// It makes no call.
	State() RotationState
	// StorePending stores the content of the version that is to become current,
	// with the type of the current one. Nobody reads it who does not ask for it.
	StorePending(ctx context.Context, content string) error
	// Promote makes the pending version current and the current one the previous,
	// for all readers at once, and ends the rotation.
	Promote(ctx context.Context) error
	// Abandon drops the pending version, which is lost, and ends the rotation.
	Abandon(ctx context.Context) error
	// Close frees what the process keeps of the rotation, and makes no call. A
	// rotation that has not ended is there for the next BeginRotation.
	Close()
}

// RotationState is how far a rotation is.
type RotationState struct {
	Current  Value // zero: the value has no version yet
	Pending  Value // zero: there is none, or one without content
	Previous Value // zero: there is none

	// Token is the ID of the rotation and, where versions have IDs that a caller
	// chooses, of its version.
	Token string
	// Labels are the staging labels of that version; nil where there is no such
	// version, or the store has no such labels.
	Labels []string
	// Enabled: the store calls a rotation function for the value.
	Enabled bool
	// Promoted: the pending version is the current one, and Promote has only to
	// end the rotation.
	Promoted bool
	// Until is when another process may take the rotation over, so that this one
	// is to have stopped; zero: there is no such time.
	Until time.Time
}
