package ssm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// The times of the protocol.
const (
	// lease is for how long who created or took over the pending parameter holds
	// the rotation.
	lease = 15 * time.Minute
	// flight is for how long a request may take effect after it was signed: AWS
	// denies one that reaches it more than five minutes after its time stamp
	// (IAM guide: Elements of an AWS API request signature). The stamp may be
	// wrong by as much as maxAhead.
	flight   = 5*time.Minute + maxAhead
	maxAhead = 30 * time.Second
	// claimWithin is for how long what was read of another's lease may be acted
	// upon.
	claimWithin = time.Minute
)

// calls is what a rotation asks of Parameter Store. A write whose outcome is not
// known gives an error that wraps errLost; it may still take effect, until
// flight has passed. A fence is asked once the request is signed.
type calls interface {
	now() time.Time
	id() string // a new one
	wait(ctx context.Context, d time.Duration) error
	// get reads the parameter's latest version, or the one of the selector;
	// ErrNotFound or ErrVersionNotFound where there is none.
	get(ctx context.Context, selector string) (content, error)
	// look reads the pending parameter; zero where there is none.
	look(ctx context.Context) (seen, error)
	// create makes the pending parameter, as the parameter is: with its type and
	// key. ErrConflict where there is one.
	create(ctx context.Context, value, description string, f fence) error
	// claim puts the pending parameter anew.
	claim(ctx context.Context, s seen, description string, f fence) (version int64, err error)
	// put adds a version to the parameter.
	put(ctx context.Context, value string, f fence) (version int64, err error)
	label(ctx context.Context, version int64, f fence) error
	// remove deletes the pending parameter. It makes one attempt.
	remove(ctx context.Context, f fence) error
}

// fence says whether a request that has just been signed may be sent.
type fence func() error

var (
	errLost  = errors.New("the answer was lost")
	errLease = errors.New("the lease of the rotation is over")
)

// content is a version of the parameter.
type content struct {
	number int64
	value  provider.Value
}

// seen is the pending parameter, as it was read.
type seen struct {
	content
	claim
	modified time.Time // by AWS's clock
	now      time.Time // likewise
}

// claim is what the description of the pending parameter says.
type claim struct {
	Rotation string `json:"rotation"` // the token
	Claim    string `json:"claim"`    // unique for each attempt to hold it
	Seconds  int    `json:"seconds"`  // how long the lease is, from when this version was written
}

func newClaim(token, id string) claim {
	return claim{Rotation: token, Claim: id, Seconds: int(lease / time.Second)}
}

func (c claim) String() string {
	text, _ := json.Marshal(c) // strings and a number
	return string(text)
}

// over reports whether the lease has ended, by AWS's clock alone.
func (s seen) over() bool { return !s.now.Before(s.ends()) }

func (s seen) ends() time.Time { return s.modified.Add(time.Duration(s.Seconds) * time.Second) }

// held is what a process knows of its hold on a rotation. Nothing that is stored
// says that it is ours, since what stored it may have been a process before.
type held struct {
	claim
	version int64     // of the pending parameter, by our claim
	began   time.Time // before that was signed
	busy    bool      // a Rotation of this process uses it

	// Until then a request may take effect that was signed before.
	settled time.Time
	// The answer to our claim was lost, or to the removal that ends the rotation.
	doubtful, removing bool
	// The version that the pending value was made from, while it is not known
	// that it was still the latest when the pending parameter was created; else 0.
	unchecked int64
}

// live reports whether what is signed now takes effect before the lease ends. A
// process may have been stopped: monotonic clocks may stand still then, and wall
// clocks be set.
func (h *held) live(now time.Time) bool {
	return now.Sub(h.began) < lease-flight && now.Round(0).Sub(h.began.Round(0)) < lease-flight
}

func (h *held) until() time.Time { return h.began.Add(lease - flight) }

func (h *held) unsettled(until time.Time) {
	if until.After(h.settled) {
		h.settled = until
	}
}

// rotating is a [provider.Rotation] of a parameter.
type rotating struct {
	api          calls
	ref, pending provider.Ref
	all          *rotations
	at           place

	held  *held // what the process holds or tried to; nil: nothing
	owner bool  // it holds the rotation
	state provider.RotationState
	base  int64 // the version of state.Current
}

func (r *rotating) State() provider.RotationState { return r.state }

// Close leaves what is held to the next BeginRotation of the process.
func (r *rotating) Close() {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	if r.held != nil {
		r.held.busy = false
	}
}

// enter takes what the process holds, which one goroutine at a time may use.
func (r *rotating) enter() error {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	h := r.all.held[r.at]
	if h == nil {
		h = &held{}
	}
	if h.busy {
		return conflict(r.ref, "this process is rotating it already", nil)
	}
	h.busy = true
	r.hold(h)
	return nil
}

// hold sets what the process holds; the lock is held.
func (r *rotating) hold(h *held) {
	if r.all.held == nil {
		r.all.held = make(map[place]*held)
	}
	r.held, r.all.held[r.at] = h, h
}

func (r *rotating) begin(ctx context.Context, token string) error {
	if err := r.enter(); err != nil {
		return err
	}
	began := r.api.now()
	s, err := r.api.look(ctx)
	if err != nil {
		return err
	}
	if s.number == 0 && r.held.version != 0 && !r.held.removing && r.held.settled.After(began) {
		// It may be about to come: its creation is under way.
		if err := r.settle(ctx); err != nil {
			return err
		}
		began = r.api.now()
		if s, err = r.api.look(ctx); err != nil {
			return err
		}
	}
	if s.number != 0 && (token != "" && token != s.Rotation) {
		return conflict(r.ref, "a rotation with another token is in progress: "+s.Rotation, nil)
	}
	switch {
	case s.number == 0:
		r.forget()
	case s.number == r.held.version && s.claim == r.held.claim && r.held.live(r.api.now()):
		r.owner = true
		if r.held.doubtful {
			r.held.doubtful = false
			r.held.unsettled(r.api.now().Add(claimWithin + flight))
		}
	case !s.over():
		return conflict(r.ref, "another process is rotating it, or was when it died: until "+s.ends().UTC().Format(time.RFC3339)+" it is left alone", nil)
	default:
		if err := r.takeOver(ctx, s, began); err != nil {
			return err
		}
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	if !r.owner {
		r.state.Token = token
		if token == "" {
			r.state.Token = r.api.id()
		}
		return nil
	}
	r.state.Token, r.state.Until = s.Rotation, r.held.until()
	r.state.Pending = s.value
	r.state.Promoted = s.value.Text() == r.state.Current.Text()
	return r.check(ctx)
}

// read reads the current version and the previous one.
func (r *rotating) read(ctx context.Context) error {
	current, err := r.api.get(ctx, "")
	if err != nil {
		return err
	}
	r.base, r.state.Current = current.number, current.value
	previous, err := r.api.get(ctx, previousLabel)
	if err != nil && !errors.Is(err, provider.ErrVersionNotFound) {
		return err
	}
	r.state.Previous = previous.value
	return nil
}

// takeOver claims a rotation whose lease has ended. Of all who try to, one makes
// the version that follows the one they saw; the others may write after it, so
// that nobody takes the pending parameter away until they cannot any more.
func (r *rotating) takeOver(ctx context.Context, s seen, began time.Time) error {
	h := r.anew(newClaim(s.Rotation, r.api.id()), s.number+1)
	h.doubtful = true
	version, err := r.api.claim(ctx, s, h.claim.String(), func() error {
		if r.api.now().Sub(began) >= claimWithin {
			return errLease
		}
		return nil
	})
	switch {
	case err != nil:
		return r.failed(err)
	case version != s.number+1:
		r.forget()
		return conflict(r.ref, "another process has just taken the rotation over", nil)
	}
	// Whoever saw what we saw did so before our version was there.
	h.doubtful = false
	h.unsettled(r.api.now().Add(claimWithin + flight))
	r.owner = true
	return nil
}

// anew makes what the process holds of what it is about to do.
func (r *rotating) anew(c claim, version int64) *held {
	h := &held{claim: c, version: version, began: r.api.now(), busy: true}
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.hold(h)
	return h
}

// forget drops what the process held.
func (r *rotating) forget() {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	h := &held{busy: true}
	r.hold(h)
	r.owner = false
}

// failed is the error of a write, and remembers one that may still take effect.
func (r *rotating) failed(err error) error {
	if errors.Is(err, errLost) {
		r.held.unsettled(r.api.now().Add(flight))
	}
	if errors.Is(err, errLease) {
		return conflict(r.ref, "the lease of the rotation is over: the next run takes it over", err)
	}
	return err
}

// fence lets through what takes effect before the lease ends.
func (r *rotating) fence() error {
	if !r.held.live(r.api.now()) {
		return errLease
	}
	return nil
}

func (r *rotating) StorePending(ctx context.Context, content string) error {
	switch {
	case r.state.Promoted:
		return conflict(r.ref, "the pending value is the current one already", nil)
	case r.owner && r.state.Pending.Text() == content:
		return nil
	case r.owner:
		return conflict(r.ref, "the pending value has another content: go on with that", nil)
	case content == r.state.Current.Text():
		return refuse(r.ref, errors.New("the pending value is the current one: a rotation takes another"))
	}
	h := r.anew(newClaim(r.state.Token, r.api.id()), 1)
	h.unchecked = r.base
	if err := r.api.create(ctx, content, h.claim.String(), r.fence); err != nil {
		if errors.Is(err, provider.ErrConflict) {
			r.forget()
		}
		return r.failed(err)
	}
	r.owner = true
	r.state.Until = h.until()
	r.state.Pending = provider.NewValue(r.pending, version(1), r.state.Current.Type(), content)
	current, err := r.api.get(ctx, "")
	if err != nil {
		return err
	}
	r.base, r.state.Current = current.number, current.value
	return r.check(ctx)
}

// check drops a pending value that was made from a version which was not the
// current one any more: no database has it yet.
func (r *rotating) check(ctx context.Context) error {
	from := r.held.unchecked
	if from == 0 {
		return nil
	}
	if from == r.base {
		r.held.unchecked = 0
		return nil
	}
	if err := r.release(ctx); err != nil {
		return err
	}
	return conflict(r.ref, fmt.Sprintf("version %d was written meanwhile, not %d", r.base, from), nil)
}

// Promote writes the pending value as the parameter's next version, gives the
// version before it the label "previous", and deletes the pending parameter.
func (r *rotating) Promote(ctx context.Context) error {
	if !r.owner {
		return conflict(r.ref, "it has no pending value", nil)
	}
	value := r.state.Pending.Text()
	current, err := r.api.get(ctx, "")
	if err != nil {
		return err
	}
	latest := current.number
	if current.value.Text() != value {
		if latest, err = r.api.put(ctx, value, r.fence); err != nil {
			return r.failed(err)
		}
		r.state.Promoted = true
	}
	previous, err := r.before(ctx, latest, current, value)
	if err != nil {
		return err
	}
	if previous != 0 {
		if err := r.api.label(ctx, previous, r.fence); err != nil {
			return r.failed(err)
		}
	}
	return r.release(ctx)
}

// before is the number of the last version before latest that has another value:
// an attempt whose answer was lost may have written the same one twice. It is 0
// where there is none any more.
func (r *rotating) before(ctx context.Context, latest int64, known content, value string) (int64, error) {
	for n := latest - 1; n > 0; n-- {
		if n == known.number && known.value.Text() != value {
			return n, nil
		}
		c, err := r.api.get(ctx, strconv.FormatInt(n, 10))
		switch {
		case errors.Is(err, provider.ErrVersionNotFound):
			return 0, nil
		case err != nil:
			return 0, err
		case c.value.Text() != value:
			return n, nil
		}
	}
	return 0, nil
}

// Abandon deletes the pending parameter.
func (r *rotating) Abandon(ctx context.Context) error {
	switch {
	case r.state.Promoted:
		return conflict(r.ref, "the pending value is the current one: write the previous one again to go back", nil)
	case !r.owner:
		return nil
	}
	return r.release(ctx)
}

// release deletes the pending parameter once nothing that was done under its
// lock can still take effect.
func (r *rotating) release(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	if r.held.removing {
		// Two removals are never on their way at once: the second could find the
		// next rotation's.
		s, err := r.api.look(ctx)
		if err != nil {
			return err
		}
		if s.number == 0 {
			r.over()
			return nil
		}
	}
	if err := r.api.remove(ctx, r.fence); err != nil && !errors.Is(err, provider.ErrNotFound) {
		r.held.removing = errors.Is(err, errLost)
		return r.failed(err)
	}
	r.over()
	return nil
}

// over is the end of the rotation.
func (r *rotating) over() {
	r.forget()
	r.state.Pending, r.state.Until = provider.Value{}, time.Time{}
}

// settle waits until no request that was signed before can take effect.
func (r *rotating) settle(ctx context.Context) error {
	for {
		left := r.held.settled.Sub(r.api.now())
		if left <= 0 {
			return nil
		}
		if err := r.api.wait(ctx, left); err != nil {
			return err
		}
	}
}
