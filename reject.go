package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/c0629bfc/secrets/provider"
)

// ErrRejected is the error of [Client.Reject] when no version is left to try.
var ErrRejected = errors.New("every version was refused")

// rejectMemory is how long a version counts as refused. A server that was wrong
// or a password that was mended gets another chance after that.
const rejectMemory = int64(time.Minute)

// Reject says that a server refused used, a password say, and returns the value
// to try next. A rotation changes a password in the database before the secret
// that holds it becomes current, and a cache learns of it later still.
//
// If the cache has another version by now, Reject returns that at once.
// Otherwise it reads the store again, in one call for all who reject the value
// (and one for each alternate below, where it comes to that), and at most once in
// [WithRejectInterval] for each secret and once more for each version that it
// found and that is refused in turn: in between it answers with what was found
// the last time, so a password that is simply wrong makes no storm. Where the current version is still the refused one, it offers the
// versions that the server may know instead ([provider.Alternates]): of
// AWS Secrets Manager AWSPENDING, whose password the database has between the
// steps setSecret and finishSecret of a rotation, then AWSPREVIOUS. No other
// method returns AWSPENDING unless its ref says so.
//
// The value returned has the ref of used, and can be rejected in turn. When all
// versions were refused within the last minute, or the one that the ref pins
// was, the error wraps [ErrRejected]; back off before trying again. When ctx
// ends, Reject returns ctx.Err(). All other errors are those of [Client.Get].
func (c *Client) Reject(ctx context.Context, used Value) (Value, error) {
	next, err := c.reject(ctx, used)
	c.stats.rejected.Add(1)
	if c.observer.Rejected != nil {
		c.observer.Rejected(ctx, Rejection{Ref: used.Ref().String(), Version: used.Version(), Next: next.Version(), Err: err})
	}
	return next, err
}

func (c *Client) reject(ctx context.Context, used Value) (Value, error) {
	ref := used.Ref()
	s := ref.String()
	if used == (Value{}) {
		return Value{}, &provider.Error{Kind: provider.ErrInvalidRef, Hint: "Reject was given the zero Value: pass the one that was used"}
	}
	if c.ctx.Err() != nil {
		return Value{}, named(s, ErrClosed)
	}
	l, err := c.lane(s, ref)
	if err != nil {
		return Value{}, err
	}
	if ref.Pinned() {
		return Value{}, fmt.Errorf("%s: %w: the ref pins a version; one without follows rotation", s, ErrRejected)
	}
	key := ref.Base()
	r := c.rejections.get(key)
	r.refuse(used.Version(), c.clock.read())
	if held := c.cache.has(key); held != (Value{}) && held.Version().ID != used.Version().ID && !r.refused(held.Version()) {
		return view(held, ref)
	}
	candidates := []provider.Ref{key}
	if p, ok := l.provider.(provider.Alternates); ok {
		candidates = append(candidates, p.Alternates(key)...)
	}
	var current string
	var errs []error
	for i, candidate := range candidates {
		f := r.look(c, l, i, candidate)
		v, err := c.arrive(ctx, candidate.String(), candidate, f, wantNews)
		switch {
		case err != nil && ctx.Err() != nil:
			return Value{}, ctx.Err()
		case err != nil && (i == 0 || c.ctx.Err() != nil):
			return Value{}, named(s, err)
		case errors.Is(err, provider.ErrVersionNotFound), errors.Is(err, provider.ErrNotFound):
			continue
		case err != nil:
			errs = append(errs, err)
			continue
		}
		if i == 0 {
			current = v.Version().ID
		} else if v.Version().ID == current && candidate.Name == key.Name {
			continue // the same version, by another label
		}
		if r.refused(v.Version()) || r.refusedAs(v.Version(), used.Version(), c.clock.read()) {
			continue
		}
		return view(v.WithRef(key), ref)
	}
	err = fmt.Errorf("%s: %w: check that the server accepts what the store holds; the store is asked again after %v", s, ErrRejected, c.rejectInterval)
	return Value{}, errors.Join(append([]error{err}, errs...)...)
}

// rejections are what is known of values that were refused, the latest of them.
type rejections struct {
	mu sync.Mutex
	of *simplelru.LRU[provider.Ref, *rejection]
}

func newRejections(most int) *rejections {
	of, _ := simplelru.NewLRU[provider.Ref, *rejection](most, nil) // most is positive, which is all it asks
	return &rejections{of: of}
}

// get returns the rejection of a key, and makes it if there is none.
func (r *rejections) get(key provider.Ref) *rejection {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, ok := r.of.Get(key)
	if !ok {
		one = &rejection{versions: make(map[provider.Version]int64)}
		r.of.Add(key, one)
	}
	return one
}

// rejection is what is known of one value that was refused.
type rejection struct {
	mu       sync.Mutex
	versions map[provider.Version]int64 // when each was refused; a version that got another label is another
	looks    []look                     // at the current version and at each alternate
}

// look is the last reading of a candidate.
type look struct {
	at     int64
	flight *flight
}

// found reports whether a version is what the look has brought.
func (l look) found(v provider.Version) bool {
	return l.flight != nil && l.flight.landed() && l.flight.err == nil && sameVersion(l.flight.value.Version(), v)
}

// sameVersion reports whether found is the version that was used. What
// [Client.Put] wrote has neither date nor labels until it is read; and a version
// may lose a label, but one that got another has come further in a rotation.
func sameVersion(found, used provider.Version) bool {
	switch {
	case found.ID != used.ID:
		return false
	case found.Created.IsZero() || used.Created.IsZero():
		return true
	}
	return found.Created.Equal(used.Created) && !slices.ContainsFunc(found.Labels(), func(label string) bool { return !used.HasLabel(label) })
}

// refuse notes that a version was refused. The first time that it is the one
// which the last look found current, the store has to be asked anew, for it may
// have another by now.
func (r *rejection) refuse(v provider.Version, now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for old, at := range r.versions {
		if now-at >= rejectMemory {
			delete(r.versions, old)
		}
	}
	_, again := r.versions[v]
	r.versions[v] = now
	if !again && len(r.looks) > 0 && r.looks[0].found(v) {
		r.looks[0].flight = nil
	}
}

func (r *rejection) refused(v provider.Version) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.versions[v]
	return ok
}

// refusedAs reports whether found is the version that was used, and refused, and
// notes that it was.
func (r *rejection) refusedAs(found, used provider.Version, now int64) bool {
	if !sameVersion(found, used) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions[found] = now
	return true
}

// look returns the flight that reads a candidate: the last one, or a new one if
// that left too long ago.
func (r *rejection) look(c *Client, l *lane, i int, ref provider.Ref) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.looks) <= i {
		r.looks = append(r.looks, look{})
	}
	last := &r.looks[i]
	if now := c.clock.read(); last.flight == nil || now-last.at >= int64(c.rejectInterval) {
		d := wantNews
		if i > 0 {
			d = wantAside
		}
		*last = look{now, l.join(d, ref)[0]}
	}
	return last.flight
}
