package sqlsecret

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/c0629bfc/secrets"
)

// Credentials are those of one database as a secret has them, and what was
// learned of them by logging in. [Connector] is built on them, and so is any
// pool or client that is not database/sql's. They are safe for concurrent use.
type Credentials struct {
	client *secrets.Client
	ref    string
	handle *secrets.Handle[secrets.DBSecret]
	options

	turn chan struct{} // of the one login that looks for what works

	mu sync.Mutex
	state
}

// state is what is known of the current version.
type state struct {
	current  secrets.Value // that which the rest is about
	refusals int           // of it, in a row
	again    time.Time     // when to try it again after these
	standIn  secrets.Value // another version that works meanwhile, if there is one
	err      error         // why none does
	looking  bool          // a login has the turn
	changes  uint64        // counts what was learned
}

// Lease says with which version a connection was opened.
type Lease struct {
	credentials *Credentials
	value       secrets.Value
}

const (
	// tries bounds how many versions one login looks at: two that are current
	// one after the other, AWSPENDING, AWSPREVIOUS and one that worked before.
	tries = 5
	// patience is how long a login waits for the store. Only a value that
	// expired makes it wait, which nothing refreshes in time where nothing runs
	// in the background, as on Lambda.
	patience = time.Second
)

var decode = secrets.JSON[secrets.DBSecret]

// Bind reads the database secret that ref names and follows it until Close, or
// until nobody has the credentials any more. Errors are those of
// [secrets.Bind].
func Bind(ctx context.Context, client *secrets.Client, ref string, opts ...Option) (*Credentials, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	handle, err := secrets.Bind(ctx, client, ref, decode)
	if err != nil {
		return nil, err
	}
	return &Credentials{client: client, ref: ref, handle: handle, options: o, turn: make(chan struct{}, 1)}, nil
}

// Login calls login with the credentials that work, as far as is known: the
// current version or, while the database refuses that, the one that worked
// last. If the database refuses them ([WithAuthFailed]), Login rejects the
// version ([secrets.Client.Reject]) and calls login again with the next, until
// one works; no other failure is repeated. One login at a time looks for what
// works, and the others that were refused wait for what it finds.
//
// When every version was refused the error wraps [secrets.ErrRejected] and the
// database's, and for the cool-down ([WithCoolDown]) Login fails with it at
// once. After that one login tries again; a new version ends the cool-down. All
// other errors are login's. Each names the ref, and none has the password in it.
// When ctx ends, Login returns ctx.Err().
func (c *Credentials) Login(ctx context.Context, login func(context.Context, secrets.DBSecret) error) (*Lease, error) {
	c.refresh(ctx)
	var err error
	for range tries {
		var p pick
		if p, err = c.pick(ctx); err != nil {
			return nil, err
		}
		if err = c.try(ctx, p.value, login); err == nil {
			c.works(p)
			return &Lease{c, p.value}, nil
		}
		if !isRefusal(err) || ctx.Err() != nil {
			c.giveBack(p)
			return nil, c.failure(ctx, err)
		}
		value, found, lookErr := c.look(ctx, p, err, login)
		if lookErr != nil {
			return nil, lookErr
		}
		if found {
			return &Lease{c, value}, nil
		}
	}
	return nil, c.failure(ctx, err)
}

// Replaced reports whether new connections use another version than this one,
// so that the connection should be closed when its user is done with it. It
// takes some nanoseconds. With [WithKeepConnections] it is always false.
func (l *Lease) Replaced() bool {
	c := l.credentials
	if now := c.handle.Value(); c.keep || now.Version().ID == l.value.Version().ID || now.Text() == l.value.Text() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	return !same(l.value, c.standIn)
}

// Close ends what Bind began. Logins are still possible, with what was known.
func (c *Credentials) Close() { c.handle.Close() }

// refresh makes sure that the handle is up to date where nothing refreshes it in
// the background. If the store does not answer, what is there has to do.
func (c *Credentials) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, _ = c.handle.Get(ctx)
}

// pick is a version to log in with.
type pick struct {
	value   secrets.Value
	probe   bool   // of a version that was refused
	changes uint64 // the state's
}

// pick chooses a version. While another login finds out what to use instead of
// the current version, which was just refused, it waits.
func (c *Credentials) pick(ctx context.Context) (pick, error) {
	for {
		p, err, wait := c.choose()
		if !wait {
			return p, err
		}
		select {
		case c.turn <- struct{}{}:
			<-c.turn
		case <-ctx.Done():
			return pick{}, ctx.Err()
		}
	}
}

func (c *Credentials) choose() (p pick, err error, wait bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	p = pick{value: c.current, changes: c.changes}
	switch left := time.Until(c.again); {
	case c.refusals == 0:
		return p, nil, c.looking
	case left <= 0:
		p.probe = true
		c.again = time.Now().Add(c.coolDown(c.refusals + 1)) // the others do not
		return p, nil, false
	case c.standIn != secrets.Value{}:
		p.value = c.standIn
		return p, nil, false
	default:
		return p, &coolingError{c.ref, left, c.err}, false
	}
}

// follow takes note of a new current version. The caller holds the mutex.
func (c *Credentials) follow() {
	if v := c.handle.Value(); !same(v, c.current) {
		c.state = state{current: v, changes: c.changes + 1}
	}
}

// same reports whether two values are one version.
func same(a, b secrets.Value) bool {
	return a == b || a.Version().ID == b.Version().ID && a.Text() == b.Text()
}

// refusal is the error of a login that was refused.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func isRefusal(err error) bool { return errors.As(err, new(refusal)) }

// try logs in with one version. One that is no database secret counts as
// refused: the next may be.
func (c *Credentials) try(ctx context.Context, v secrets.Value, login func(context.Context, secrets.DBSecret) error) error {
	s, err := decode(v)
	if err != nil {
		return refusal{err}
	}
	if err = login(ctx, s); err == nil {
		return nil
	}
	failed := c.authFailed(err)
	if err = withoutPassword(err, s); failed {
		return refusal{err}
	}
	return err
}

// works takes note that a login succeeded, unless more was learned meanwhile.
func (c *Credentials) works(p pick) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.probe && p.changes == c.changes {
		c.learn(p.value, false)
	}
}

// giveBack lets the next login try a version again about which this one learned
// nothing.
func (c *Credentials) giveBack(p pick) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.probe && p.changes == c.changes {
		c.again = time.Now()
	}
}

// look finds out what works instead of a version that was refused. If another
// login learned something meanwhile it finds nothing and returns no error.
func (c *Credentials) look(ctx context.Context, p pick, cause error, login func(context.Context, secrets.DBSecret) error) (v secrets.Value, found bool, err error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		c.giveBack(p)
		return v, false, ctx.Err()
	}
	defer func() {
		c.mu.Lock()
		c.looking = false
		c.mu.Unlock()
		<-c.turn
	}()
	c.mu.Lock()
	c.follow()
	news, current, standIn := p.changes != c.changes, c.current, c.standIn
	c.looking = !news
	c.mu.Unlock()
	if news {
		return v, false, nil
	}

	settled := false
	defer func() {
		if !settled {
			c.giveBack(p)
		}
	}()
	tried := map[string]bool{p.value.Version().ID: true}
	for used := p.value; len(tried) < tries; used = v {
		var rejectErr error
		v, rejectErr = c.client.Reject(ctx, used)
		if ctx.Err() != nil {
			return v, false, ctx.Err()
		}
		if rejectErr != nil || tried[v.Version().ID] {
			if v = untried(tried, current, standIn); v == (secrets.Value{}) {
				if !errors.Is(rejectErr, secrets.ErrRejected) {
					cause = errors.Join(cause, rejectErr)
				}
				break
			}
		}
		tried[v.Version().ID] = true
		tryErr := c.try(ctx, v, login)
		switch {
		case tryErr == nil:
			c.mu.Lock()
			defer c.mu.Unlock()
			settled = true
			c.follow()
			c.learn(v, tried[c.current.Version().ID])
			return v, true, nil
		case !isRefusal(tryErr) || ctx.Err() != nil:
			return v, false, c.failure(ctx, tryErr)
		}
		cause = tryErr
	}
	settled = true
	return secrets.Value{}, false, c.despair(p, cause)
}

// untried returns the first version that was not tried.
func untried(tried map[string]bool, values ...secrets.Value) secrets.Value {
	for _, v := range values {
		if v != (secrets.Value{}) && !tried[v.Version().ID] {
			return v
		}
	}
	return secrets.Value{}
}

// learn takes note that a version works; refused says that the current one does
// not. The caller holds the mutex.
func (c *Credentials) learn(v secrets.Value, refused bool) {
	c.changes++
	c.err = nil
	if same(v, c.current) {
		c.refusals, c.standIn = 0, secrets.Value{}
		return
	}
	c.standIn = v
	if refused || c.refusals == 0 {
		c.refusals++
		c.again = time.Now().Add(c.coolDown(c.refusals))
	}
}

// despair takes note that no version works, and returns the error that says so;
// nil, if another version is current by now.
func (c *Credentials) despair(p pick, cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.follow(); p.changes != c.changes {
		return nil
	}
	c.changes++
	c.refusals++
	wait := c.coolDown(c.refusals)
	c.again, c.standIn, c.err = time.Now().Add(wait), secrets.Value{}, cause
	return &coolingError{c.ref, wait, cause}
}

// failure is the error of a login.
func (c *Credentials) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%s: %w", c.ref, err)
}
