package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// Progress is what [Plan.Run] tells of each item when it is through with it.
type Progress struct {
	Done, Total int // items, those that failed or are refused included
	Item        Item
	Written     provider.Version // that was made at the target; zero if none was
	Err         error
}

// Run does what the plan says, one item after the other, and calls progress
// after each, from its own goroutine; nil is no callback. An item that fails
// takes no other with it. The error joins those of all items, also of those
// that are refused; where ctx ended it says how many were left and wraps ctx's
// error. Each error names its ref.
//
// Run may be called again after an error, once at a time: what it has done it
// does not do again. A plan made anew does the same and knows what has changed
// since.
func (p *Plan) Run(ctx context.Context, progress func(Progress)) error {
	var errs []error
	for i := range p.Items {
		it := &p.Items[i]
		written, err := p.run(ctx, it)
		if err != nil && ctx.Err() != nil {
			return errors.Join(append(errs, fmt.Errorf("%s to %s: %d of %d items are left: %w", p.from.ref, p.to.ref, len(p.Items)-i, len(p.Items), ctx.Err()))...)
		}
		if err != nil {
			errs = append(errs, err)
		}
		if progress != nil {
			progress(Progress{i + 1, len(p.Items), *it, written, err})
		}
	}
	return errors.Join(errs...)
}

func (p *Plan) run(ctx context.Context, it *Item) (written provider.Version, err error) {
	switch {
	case ctx.Err() != nil:
		return written, ctx.Err()
	case it.Action == Refused:
		return written, it.Err
	case it.done:
		return written, nil
	case it.Action != Unchanged && !it.written:
		if written, err = p.write(ctx, it); err != nil {
			return written, err
		}
		it.written = true
	case it.Action == Unchanged && it.Target.Scheme == "sm" && it.Existing.HasLabel(pending(it.Existing.ID)):
		// The write that made it broke off at its last step, and left a label
		// which would keep that version for ever. To repeat it removes that.
		if _, err := p.put(ctx, it, provider.Condition{Version: it.Existing.ID, Token: it.Existing.ID}); err != nil {
			return written, err
		}
	}
	if p.Move {
		err = p.remove(ctx, it)
	}
	it.done = err == nil
	return written, err
}

// write puts an item's value at the target, if that is as the plan found it.
func (p *Plan) write(ctx context.Context, it *Item) (provider.Version, error) {
	cond := provider.Condition{Absent: it.Action == Create, Version: it.Existing.ID}
	var err error
	if cond.Token, err = p.token(ctx, it); err != nil {
		return provider.Version{}, err
	}
	return p.put(ctx, it, cond)
}

func (p *Plan) put(ctx context.Context, it *Item, cond provider.Condition) (provider.Version, error) {
	return p.writer.Put(p.to.paced(ctx), provider.NewValue(it.Target, provider.Version{}, it.TargetType, it.value.Text()), cond)
}

// pending is the staging label by which a write of a secret that is not settled
// is known (sm.Store.Put).
func pending(token string) string { return "put-" + token }

// token names a write by what it copies to what, so that a process which takes
// up the work of another has the same. A source that tells no versions has none:
// different values would share it.
//
// In Secrets Manager the token is the ID of the new version, and a write with
// one that is known is taken for made. That is right where it broke off, which
// its own staging label tells, or where it is the current one. It is not where the version was replaced and the target
// then went back to the version before: that write needs another token.
func (p *Plan) token(ctx context.Context, it *Item) (string, error) {
	if it.Version.ID == "" {
		return "", nil
	}
	for n := 0; ; n++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q %q %q %d", it.Source, it.Version.ID, it.Version.Created.UnixNano(), it.Target, it.TargetType, it.Existing.ID, n))
		token := hex.EncodeToString(sum[:16])
		if it.Target.Scheme != "sm" || it.Action == Create {
			return token, nil
		}
		ref := it.Target
		ref.Version = token
		known := p.to.read(ctx, ref)[0]
		labels := known.value.Version()
		switch {
		case errors.Is(known.err, provider.ErrVersionNotFound), errors.Is(known.err, provider.ErrNotFound):
			return token, nil
		case known.err != nil:
			return "", known.err
		case labels.HasLabel("put-" + token), labels.HasLabel("AWSCURRENT"):
			return token, nil
		}
	}
}

// What was written is read at once by those who ask AWS, as a rule; all reads of
// Secrets Manager are eventually consistent all the same.
var lags = []time.Duration{0, time.Second, 4 * time.Second}

// remove deletes an item's source once the target is seen to have its value.
func (p *Plan) remove(ctx context.Context, it *Item) error {
	conflict := func(ref provider.Ref, hint string) error {
		return &provider.Error{Ref: ref, Kind: provider.ErrConflict, Hint: hint + ", so the source is not deleted: plan again"}
	}
	var err error
	for _, lag := range lags {
		if err := wait(ctx, lag); err != nil {
			return err
		}
		there := p.to.read(ctx, it.Target)[0]
		if err = there.err; err == nil && !equal(it.value, there.value) {
			err = conflict(it.Target, "the target does not have the value")
		}
		if err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	here := p.from.read(ctx, it.Source)[0]
	switch {
	case here.err != nil:
		return here.err
	case here.value.Version().ID != it.Version.ID, !equal(it.value, here.value):
		return conflict(it.Source, "the source has changed since it was read")
	}
	return p.remover.Delete(p.from.paced(ctx), it.Source)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
