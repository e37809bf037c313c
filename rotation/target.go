package rotation

import (
	"context"

	"github.com/c0629bfc/secrets/provider"
)

// Target is the system whose credential changes: a database, an API. Its methods
// are called in the order Next, Set, Test, and Set and Test again and again
// where a rotation was interrupted: each must succeed where it has succeeded
// before. When a method returns, nothing of what it did is still under way; its
// errors must not contain a value.
type Target interface {
	// Next returns the content of the version that is to become current, and
	// changes nothing: step createSecret.
	Next(ctx context.Context, current provider.Value) (content string, err error)
	// Set makes the system accept pending, and does nothing where it does so
	// already: step setSecret. Previous is the zero Value where there is none.
	Set(ctx context.Context, current, pending, previous provider.Value) error
	// Test shows that the system accepts pending: step testSecret.
	Test(ctx context.Context, pending provider.Value) error
}
