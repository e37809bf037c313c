package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/c0629bfc/secrets/provider"
)

// PutOption says under which condition and how [Client.Put] writes.
type PutOption func(*putting)

type putting struct {
	typ       provider.Type
	cond      provider.Condition
	versioned bool // IfVersion was given
}

// As sets the type to store: for sm [provider.SecretString] or
// [provider.SecretBinary], for ssm [provider.String], [provider.StringList] or
// [provider.SecureString], which SecretString means there too. By default it is
// what the store has already, and else SecretString and SecureString.
func As(t provider.Type) PutOption { return func(p *putting) { p.typ = t } }

// IfAbsent writes only what does not exist yet.
func IfAbsent() PutOption { return func(p *putting) { p.cond.Absent = true } }

// IfVersion writes only where v, which was read, is still the current version.
// Of two that change what they read, one gets [provider.ErrConflict].
//
// Parameter Store has no such condition. The version is looked up before the
// write, and the number of the new one tells whether another write came between
// the two: who gets ErrConflict then has written all the same, over the other.
func IfVersion(v provider.Version) PutOption {
	return func(p *putting) { p.cond.Version, p.versioned = v.ID, true }
}

// WithToken identifies the write, by 32 to 64 characters, so that repeating it
// after its answer was lost does not write again (ClientRequestToken of AWS
// Secrets Manager; Parameter Store has nothing of the kind). By default each Put
// has one of its own, which the SDK's retries share.
func WithToken(token string) PutOption { return func(p *putting) { p.cond.Token = token } }

// Put writes content as the new current version of what ref names, and creates
// that if it does not exist. The ref names a whole value, and no version of it.
// What Put needs beyond that (descriptions, keys, tiers, tags, staging labels)
// the packages of the stores have.
//
// The client reads its own writes: the cache has the new version when Put
// returns, and handles decode it in the background, at once. After an error they
// have what they had, and the store is asked again soon, since a write whose
// answer was lost may have been made. The error names the ref, never the
// content, and wraps one of package provider's Err values,
// [provider.ErrConflict] where a condition did not hold.
//
// Writes keep a rate of their own, besides that of reads and as high
// ([WithRateLimit]): Put waits for its turn. A PutParameter takes thirteen times
// what a read takes, for an account may make three a second: three go at once,
// and then three in two seconds.
func (c *Client) Put(ctx context.Context, ref, content string, opts ...PutOption) (provider.Version, error) {
	version, err := c.put(ctx, ref, content, opts)
	if c.observer.Wrote != nil {
		c.observer.Wrote(ctx, Write{Ref: ref, Version: version, Err: err})
	}
	return version, err
}

func (c *Client) put(ctx context.Context, ref, content string, opts []PutOption) (provider.Version, error) {
	r, l, err := c.writable(ref)
	if err != nil {
		return provider.Version{}, err
	}
	w, ok := l.provider.(provider.Writer)
	if !ok {
		return provider.Version{}, fmt.Errorf("%s: the provider of %q cannot write", ref, r.Scheme)
	}
	var p putting
	for _, opt := range opts {
		opt(&p)
	}
	switch {
	case p.cond.Absent && p.versioned:
		return provider.Version{}, named(ref, &provider.Error{Ref: r, Kind: provider.ErrInvalidRef, Hint: "IfAbsent and IfVersion exclude each other"})
	case p.versioned && p.cond.Version == "":
		return provider.Version{}, named(ref, &provider.Error{Ref: r, Kind: provider.ErrInvalidRef, Hint: "IfVersion was given the version of no value: IfAbsent creates"})
	}
	began := c.clock.read()
	version, err := w.Put(l.account(ctx, l.writes), provider.NewValue(r, provider.Version{}, p.typ, content), p.cond)
	switch {
	case errors.Is(err, provider.ErrInvalidRef), errors.Is(err, provider.ErrInvalid):
		return provider.Version{}, named(ref, err)
	case err != nil:
		if c.cache.has(r) != (Value{}) {
			l.join(wantRenewal, r)
		}
		return provider.Version{}, named(ref, err)
	}
	c.outdate(l, r, false)
	typ := c.cache.has(r).Type()
	if typ == "" || p.typ != "" && p.typ != typ {
		c.cache.drop(r) // what was stored as is for the store to say
		return version, nil
	}
	plan := l.plan(began, c.clock.read())
	c.cache.offer(r, plan.arrival(provider.Result{Value: provider.NewValue(r, version, typ, content)}, true), c.cache.invalidations())
	return version, nil
}

// Delete removes what ref names, with all its versions; a secret of AWS Secrets
// Manager can be restored for its recovery window of thirty days. The cache
// forgets it; handles keep the last value.
func (c *Client) Delete(ctx context.Context, ref string) error {
	err := c.delete(ctx, ref)
	if c.observer.Wrote != nil {
		c.observer.Wrote(ctx, Write{Ref: ref, Deleted: true, Err: err})
	}
	return err
}

func (c *Client) delete(ctx context.Context, ref string) error {
	r, l, err := c.writable(ref)
	if err != nil {
		return err
	}
	w, ok := l.provider.(provider.Writer)
	if !ok {
		return fmt.Errorf("%s: the provider of %q cannot write", ref, r.Scheme)
	}
	err = w.Delete(l.account(ctx, l.writes), r)
	if err == nil {
		c.outdate(l, r, true)
		c.cache.drop(r)
	}
	return named(ref, err)
}

// writable returns the base of a ref that can be written to.
func (c *Client) writable(s string) (provider.Ref, *lane, error) {
	if c.ctx.Err() != nil {
		return provider.Ref{}, nil, named(s, ErrClosed)
	}
	r, l, err := c.parse(s)
	if err != nil {
		return r, nil, err
	}
	if base := r.Base(); r.Field != "" || base.Stage != "" || base.Version != "" || base.Label != "" {
		return r, nil, named(s, &provider.Error{Ref: r, Kind: provider.ErrInvalidRef, Hint: "what is written is a whole value: drop the field, stage, version or label"})
	}
	return r.Base(), l, nil
}

// outdate has the client rely on nothing that was read of a value before it was
// written, or that is being read: neither the value nor what a label points to,
// for a write moves labels; and, where the value is gone, on no version. It
// leaves the value itself in the cache.
func (c *Client) outdate(l *lane, r provider.Ref, gone bool) {
	old := func(key provider.Ref) bool { return anyVersion(key) == r && (gone || !key.Pinned()) }
	l.outrun(old)
	c.keep(r, Value{}, provider.ErrNotFound)
	others := slices.DeleteFunc(c.cache.known(old), func(key provider.Ref) bool { return key == r })
	for _, key := range others {
		c.keep(key, Value{}, provider.ErrNotFound)
	}
	if len(others) > 0 {
		c.cache.drop(others...)
	}
}

// known returns the keys that match says of what is cached and of what the store
// refused a moment ago.
func (c *cache) known(match func(provider.Ref) bool) []provider.Ref {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []provider.Ref
	for _, e := range c.entries() {
		keys = append(keys, e.key)
	}
	return slices.DeleteFunc(append(keys, c.absent.Keys()...), func(key provider.Ref) bool { return !match(key) })
}
