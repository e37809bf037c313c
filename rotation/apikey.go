package rotation

import (
	"context"
	"errors"

	"github.com/c0629bfc/secrets/provider"
)

// APIKey is a [Target] for the keys of an API, given by what the API can do. A
// key works from before it is current until the one after it has been made:
// when a rotation begins there are the current key and the previous one, then
// the new one too, and the previous is revoked. So the API must allow three at
// a time, and readers have a whole period to follow.
type APIKey struct {
	// Create returns the content of the new version: by having the API make a
	// key, or by making one up. If a rotation is interrupted before the answer
	// is stored it is called again, and the key it made is in no version: have
	// Create name its keys, so that leftovers can be told. Required.
	Create func(ctx context.Context, current provider.Value) (content string, err error)
	// Activate makes the API accept pending, and does nothing where it does
	// already. Nil where a key works as soon as it was created.
	Activate func(ctx context.Context, current, pending provider.Value) error
	// Check fails unless the API accepts pending. Required.
	Check func(ctx context.Context, pending provider.Value) error
	// Revoke makes the API refuse old, and does nothing where it does already.
	// Nil where keys end by themselves.
	Revoke func(ctx context.Context, old provider.Value) error
}

// Next implements [Target].
func (k APIKey) Next(ctx context.Context, current provider.Value) (string, error) {
	if k.Create == nil || k.Check == nil {
		return "", errors.New("rotation: an APIKey needs Create and Check")
	}
	return k.Create(ctx, current)
}

// Set implements [Target]: it activates pending, then revokes previous.
func (k APIKey) Set(ctx context.Context, current, pending, previous provider.Value) error {
	if k.Activate != nil {
		if err := k.Activate(ctx, current, pending); err != nil {
			return err
		}
	}
	// A value that was put back, by hand or by its content, is not old.
	if old := previous.Text(); k.Revoke == nil || old == "" || old == current.Text() || old == pending.Text() {
		return nil
	}
	return k.Revoke(ctx, previous)
}

// Test implements [Target].
func (k APIKey) Test(ctx context.Context, pending provider.Value) error {
	if k.Check == nil {
		return errors.New("rotation: an APIKey needs Create and Check")
	}
	return k.Check(ctx, pending)
}
