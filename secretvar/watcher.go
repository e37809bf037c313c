package secretvar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/runtimevar"
	"gocloud.dev/runtimevar/driver"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// watcher follows one variable. WatchVariable and Close are called one after the
// other.
type watcher struct {
	client  *secrets.Client
	ref     string
	parsed  provider.Ref
	decoder *runtimevar.Decoder
	wait    time.Duration

	// handle keeps the value fresh and tells of changes; nil before the first
	// good value.
	handle  *secrets.Handle[secrets.Value]
	changed chan struct{}
}

var _ driver.Watcher = (*watcher)(nil)

// state is a value, decoded, or an error; with both, the value that could not be
// decoded.
type state struct {
	raw     secrets.Value
	decoded any
	err     error
}

func (s *state) Value() (any, error)   { return s.decoded, s.err }
func (s *state) UpdateTime() time.Time { return s.raw.Version().Created }

func (s *state) As(i any) bool {
	p, ok := i.(*secrets.Value)
	if ok {
		*p = s.raw
	}
	return ok
}

// WatchVariable implements driver.Watcher: it returns when the state is another
// than prev, or with nil when ctx ends.
func (w *watcher) WatchVariable(ctx context.Context, prev driver.State) (driver.State, time.Duration) {
	before, _ := prev.(*state)
	for {
		now := w.look(ctx, before)
		switch {
		case now != nil && now.err != nil:
			return now, w.wait
		case now != nil:
			return now, 0
		}
		again := time.NewTimer(w.wait)
		select {
		case <-w.changed:
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, 0
		}
		again.Stop()
	}
}

// look returns the state, or nil if it is still that before.
func (w *watcher) look(ctx context.Context, before *state) *state {
	raw, err := w.client.Get(ctx, w.ref)
	if err == nil {
		w.follow(ctx)
	}
	switch {
	case err != nil:
		if before != nil && (ctx.Err() != nil || before.err != nil && kindOf(before.err) == kindOf(err)) {
			return nil
		}
		return &state{err: err}
	case before != nil && before.raw != (secrets.Value{}) && before.raw.Text() == raw.Text():
		return nil
	}
	now := &state{raw: raw}
	if now.decoded, err = w.decoder.Decode(ctx, raw.Bytes()); err != nil {
		now.decoded = nil
		now.err = &provider.Error{Ref: w.parsed, Kind: provider.ErrDecode, Hint: fmt.Sprintf("the decoder failed with a %T", err)}
		if before != nil && before.err != nil && before.err.Error() == now.err.Error() {
			before.raw = raw // it is the same error, of another value
			return nil
		}
	}
	return now
}

// follow has the client keep the value fresh, from the first good one on.
func (w *watcher) follow(ctx context.Context) {
	if w.handle != nil {
		return
	}
	h, err := secrets.Bind(ctx, w.client, w.ref, func(v secrets.Value) (secrets.Value, error) { return v, nil })
	if err != nil {
		return // the next look tries again
	}
	w.handle = h
	h.OnChange(func(secrets.Value) {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	})
}

// Close implements driver.Watcher.
func (w *watcher) Close() error {
	if w.handle != nil {
		w.handle.Close()
	}
	return nil
}

// ErrorAs implements driver.Watcher.
func (w *watcher) ErrorAs(err error, i any) bool { return errors.As(err, i) }

// ErrorCode implements driver.Watcher.
func (w *watcher) ErrorCode(err error) gcerrors.ErrorCode {
	switch kindOf(err) {
	case provider.ErrNotFound, provider.ErrVersionNotFound, provider.ErrFieldNotFound:
		return gcerrors.NotFound
	case provider.ErrAccessDenied:
		return gcerrors.PermissionDenied
	case provider.ErrThrottled:
		return gcerrors.ResourceExhausted
	case provider.ErrInvalidRef, provider.ErrDecode:
		return gcerrors.InvalidArgument
	case provider.ErrDeleted:
		return gcerrors.FailedPrecondition
	case provider.ErrDecryption:
		return gcerrors.Internal
	}
	return gcerrors.Code(err) // of a context
}

// kindOf returns the Err value of an error, or what it is if there is none.
func kindOf(err error) error {
	if e, ok := errors.AsType[*provider.Error](err); ok {
		return e.Kind
	}
	if errors.Is(err, secrets.ErrClosed) {
		return secrets.ErrClosed
	}
	return err
}
