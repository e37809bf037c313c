// Package dbuser is what the targets for users of databases have in common: the
// two strategies, over a [System] that logs in and sets passwords.
package dbuser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
)

// System is a kind of database.
type System interface {
	// Rules returns those of the engine that the secret names.
	Rules(s secrets.DBSecret) (Rules, error)
	// Login opens a session as s.Username. Only the secret's ssl says whether it
	// is to be encrypted, and it is set.
	Login(ctx context.Context, s secrets.DBSecret) (Session, error)
	// Refused tells that the database refused a login for its credentials.
	Refused(err error) bool
	// Final tells of a refusal that was not for want of encryption or for its
	// presence: the password is wrong.
	Final(err error) bool
}

// Session is one that is logged in. Its errors may quote passwords.
type Session interface {
	// Change sets the password of the session's own user, which was old's.
	Change(ctx context.Context, old, pending secrets.DBSecret) error
	// Set sets the password of another user.
	Set(ctx context.Context, pending secrets.DBSecret) error
	// Clone sets the password of pending's user. Where that does not exist it
	// first makes it, with the rights of current's and a password nobody knows:
	// what ends halfway must not look finished.
	Clone(ctx context.Context, current, pending secrets.DBSecret, unknown string) error
	// Check shows that the session works.
	Check(ctx context.Context) error
	Close() error
}

// Rules are what an engine's secrets and users are held to.
type Rules struct {
	Database  string                                // where the secret names none
	Password  rotation.Password                     // what is generated
	Alternate func(username string) (string, error) // the other of two users
	Valid     func(username, password string) error // what the engine cannot have, or this library cannot quote
	Scoped    bool                                  // users belong to a database: a superuser logs in to that of its own
}

// loginTimeout is how long one login may take: what drops packets instead of
// refusing them must not use up the time of a Lambda function.
const loginTimeout = 10 * time.Second

// Superuser returns the secret of a user that may create users, grant, and set
// passwords, in the database that current is of.
type Superuser func(ctx context.Context, current secrets.DBSecret) (provider.Value, error)

// Target is a rotation.Target.
type Target struct {
	System      System
	Alternating bool
	Superuser   Superuser          // nil: the user changes its own password
	Generate    rotation.Generator // nil: the engine's
}

var _ rotation.Target = (*Target)(nil)

// Next implements [rotation.Target].
func (t *Target) Next(ctx context.Context, current provider.Value) (string, error) {
	s, rules, err := t.decode(current)
	if err != nil {
		return "", err
	}
	user := s.Username
	if t.Alternating {
		if user, err = rules.Alternate(user); err != nil {
			return "", named(current, err)
		}
	}
	password, err := t.generate(ctx, rules)
	if err != nil {
		return "", named(current, err)
	}
	if err := rules.Valid(user, password); err != nil {
		return "", named(current, err)
	}
	return s.With(user, password).JSON()
}

// Set implements [rotation.Target].
func (t *Target) Set(ctx context.Context, current, pending, previous provider.Value) error {
	c, rules, err := t.decode(current)
	if err != nil {
		return err
	}
	p, _, err := t.decode(pending)
	if err != nil {
		return err
	}
	want := c
	if t.Alternating {
		if want.Username, err = rules.Alternate(c.Username); err != nil {
			return named(current, err)
		}
	}
	if err := errors.Join(Match(p, want), rules.Valid(p.Username, p.Password())); err != nil {
		return named(pending, err)
	}
	var old *secrets.DBSecret
	if o, _, err := t.decode(previous); previous != (provider.Value{}) && err == nil {
		o.SSL = c.SSL
		old = &o
	}
	if err := t.set(ctx, rules, c, p, old); err != nil {
		return named(pending, err)
	}
	return nil
}

// Test implements [rotation.Target].
func (t *Target) Test(ctx context.Context, pending provider.Value) error {
	p, _, err := t.decode(pending)
	if err != nil {
		return err
	}
	session, err := t.login(ctx, p)
	if err != nil {
		return named(pending, fmt.Errorf("log in as %q with the pending password: %w", p.Username, err))
	}
	defer session.Close()
	if err := session.Check(ctx); err != nil {
		return named(pending, fmt.Errorf("the session of %q: %w", p.Username, scrub(err, p.Password())))
	}
	return nil
}

// Match holds a version to what is wanted of it: a rotation changes a password,
// and never where it is sent or for whom it is set.
func Match(s, want secrets.DBSecret) error {
	for _, m := range []struct {
		name      string
		has, want any
	}{
		{"engine", s.Engine, want.Engine}, {"host", s.Host, want.Host}, {"port", s.Port, want.Port}, {"username", s.Username, want.Username},
	} {
		if m.has != m.want {
			return fmt.Errorf("the pending version has the %s %q where the current one asks for %q: cancel the rotation and start it anew", m.name, fmt.Sprint(m.has), fmt.Sprint(m.want))
		}
	}
	return nil
}

func (t *Target) set(ctx context.Context, rules Rules, current, pending secrets.DBSecret, previous *secrets.DBSecret) error {
	session, err := t.login(ctx, pending)
	if err == nil {
		return session.Close() // it was set before
	}
	if !refused(err) {
		return err
	}
	// Also where a superuser sets the password: who can write the secret but
	// does not know the user's password must not get it set.
	session, old, err := t.loginNow(ctx, current, pending, previous)
	if err != nil {
		return err
	}
	defer session.Close()
	if t.Superuser == nil {
		return t.swap(ctx, old, pending, session.Change)
	}
	super, err := t.superuser(ctx, rules, current)
	if err != nil {
		return err
	}
	admin, err := t.login(ctx, super)
	if err != nil {
		return fmt.Errorf("log in as the superuser %q: %w", super.Username, err)
	}
	defer admin.Close()
	if !t.Alternating {
		return t.swap(ctx, old, pending, func(ctx context.Context, _, to secrets.DBSecret) error { return admin.Set(ctx, to) })
	}
	unknown, err := t.generate(ctx, rules)
	if err != nil {
		return err
	}
	return scrub(admin.Clone(ctx, current, pending, unknown), pending.Password(), unknown)
}

// loginNow logs in with what the database accepts now, and returns which that is.
func (t *Target) loginNow(ctx context.Context, current, pending secrets.DBSecret, previous *secrets.DBSecret) (Session, secrets.DBSecret, error) {
	session, err := t.login(ctx, current)
	if err == nil || !refused(err) {
		return session, current, err
	}
	if t.Alternating {
		return nil, current, fmt.Errorf("the database refuses the current password: set it by hand, or store the right one: %w", err)
	}
	if previous != nil && Match(*previous, pending) == nil {
		session, perr := t.login(ctx, *previous)
		if perr == nil || !refused(perr) {
			return session, *previous, perr
		}
	}
	return nil, current, fmt.Errorf("the database refuses the pending, the current and the previous password: set one of them by hand, or store the right one: %w", err)
}

// swap sets the password, and logs in with it. If the database then refuses it,
// as it may where server and driver disagree on its encoding, nobody could ever
// log in again to change it: the old one is set back.
func (t *Target) swap(ctx context.Context, old, pending secrets.DBSecret, change func(ctx context.Context, from, to secrets.DBSecret) error) error {
	if err := change(ctx, old, pending); err != nil {
		return scrub(err, old.Password(), pending.Password())
	}
	session, err := t.login(ctx, pending)
	if err == nil {
		return session.Close()
	}
	if !refused(err) {
		return err
	}
	err = fmt.Errorf("the database took the pending password, and refuses it: %w", err)
	if back := change(ctx, pending, old); back != nil {
		return fmt.Errorf("%w; the old one could not be set back: %w", err, scrub(back, old.Password(), pending.Password()))
	}
	return fmt.Errorf("%w; the old one was set back", err)
}

// superuser returns the secret that sets passwords.
func (t *Target) superuser(ctx context.Context, rules Rules, current secrets.DBSecret) (secrets.DBSecret, error) {
	v, err := t.Superuser(ctx, current)
	if err != nil {
		return secrets.DBSecret{}, fmt.Errorf("the superuser's secret: %w", err)
	}
	s, err := SuperuserOf(v, current)
	if err == nil && !rules.Scoped {
		s.DBName = current.DBName
	}
	return s, err
}

// SuperuserOf returns a superuser's secret, for current's database.
func SuperuserOf(v provider.Value, current secrets.DBSecret) (secrets.DBSecret, error) {
	s, err := secrets.JSON[secrets.DBSecret](v)
	if err != nil {
		return s, fmt.Errorf("the superuser's secret: %w", err)
	}
	// A secret that RDS manages has nothing but username and password.
	if s.Host == "" {
		s.Host, s.Port, s.SSL = current.Host, current.Port, current.SSL
	}
	if s.Engine == "" {
		s.Engine = current.Engine
	}
	if s.Port == 0 {
		s.Port = current.Port
	}
	if s.Host != current.Host || s.Port != current.Port {
		return s, fmt.Errorf("the superuser's secret is of the host %s, not of %s", s.Addr(), current.Addr())
	}
	return s, nil
}

// login opens a session: encrypted where the secret demands it, unencrypted where
// it says not to, and otherwise the former and then, if that fails, the latter. A
// password that was refused is not shown again in the clear.
func (t *Target) login(ctx context.Context, s secrets.DBSecret) (Session, error) {
	rules, err := t.System.Rules(s)
	if err != nil {
		return nil, err
	}
	if s.DBName == "" {
		s.DBName = rules.Database
	}
	attempts := []bool{true, false}
	if s.SSL != nil {
		attempts = []bool{*s.SSL}
	}
	var errs []error
	var wrong bool
	for _, ssl := range attempts {
		s.SSL = &ssl
		ctx, cancel := context.WithTimeout(ctx, loginTimeout)
		session, err := t.System.Login(ctx, s)
		cancel()
		if err == nil {
			return session, nil
		}
		errs = append(errs, err)
		wrong = wrong || t.System.Refused(err)
		if t.System.Final(err) {
			break
		}
	}
	err = scrub(errors.Join(errs...), s.Password())
	if wrong {
		return nil, &refusal{err}
	}
	return nil, err
}

// refusal is the error of a login that was refused for its credentials.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

func refused(err error) bool {
	_, is := errors.AsType[*refusal](err)
	return is
}

func (t *Target) generate(ctx context.Context, rules Rules) (string, error) {
	if t.Generate != nil {
		return t.Generate(ctx)
	}
	return rules.Password.Generate(ctx)
}

func (t *Target) decode(v provider.Value) (secrets.DBSecret, Rules, error) {
	s, err := secrets.JSON[secrets.DBSecret](v)
	if err != nil {
		return s, Rules{}, err
	}
	rules, err := t.System.Rules(s)
	if err == nil && s.Host == "" {
		err = errors.New("the secret has no host: add the member \"host\"")
	}
	if err != nil {
		return s, rules, named(v, err)
	}
	return s, rules, nil
}

// Alternate returns the rule that AWS's functions have for the names of two
// users: the one is the other with a suffix.
func Alternate(suffix string, valid func(string) error) func(string) (string, error) {
	return func(user string) (string, error) {
		other, cut := strings.CutSuffix(user, suffix)
		if !cut {
			other += suffix
		}
		if other == "" {
			return "", fmt.Errorf("the user %q has no other to alternate with: name it anything but %q", user, suffix)
		}
		return other, valid(other)
	}
}

func named(v provider.Value, err error) error { return fmt.Errorf("%s: %w", v.Ref(), err) }

// Master returns the superuser that masterarn of the current secret names.
func Master(client *secrets.Client) func(context.Context, secrets.DBSecret) (provider.Value, error) {
	return func(ctx context.Context, current secrets.DBSecret) (provider.Value, error) {
		if current.MasterARN == "" {
			return provider.Value{}, errors.New(`the secret does not name it: add the member "masterarn"`)
		}
		// What is cached may have been rotated, too.
		if err := client.Refresh(ctx, current.MasterARN); err != nil {
			return provider.Value{}, err
		}
		return client.Get(ctx, current.MasterARN)
	}
}
