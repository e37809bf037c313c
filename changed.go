package secrets

import (
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// Changed says that the values which the refs name have changed in their
// stores, as somebody learned who is told of it (package events). What the
// client holds of them it reads again, all together in as few calls as the
// stores allow: the current value and those read by a stage or label, whatever
// stage, label, version or field the refs have themselves. Changed does not wait
// for that, and until it has happened reads get what is cached. It makes no call
// for what the client does not hold, but a refusal that it remembers
// ([WithNegativeTTL]) is forgotten. Pinned versions do not change.
//
// A call that began before Changed is not relied on, and what a store's listing
// says neither. Where reading fails the cache keeps what it has and asks again,
// as after any refresh.
//
// A name and an ARN are different spellings, and so are a name with a Region and
// without; who does not know which the program uses gives them all. The ARN of a
// secret means it with or without its last hyphen and six characters. Refs that
// are malformed or that the client has no provider for are passed over. Changing
// nothing twice costs a call and does no harm.
func (c *Client) Changed(refs ...string) {
	named := make(map[provider.Ref]bool, 2*len(refs))
	for _, s := range refs {
		if r, _, err := c.parse(s); err == nil {
			r = anyVersion(r)
			named[r] = true
			named[partial(r)] = true
		}
	}
	if len(named) == 0 {
		return
	}
	concerned := func(key provider.Ref) bool {
		r := anyVersion(key)
		return !key.Pinned() && (named[r] || named[partial(r)])
	}
	for _, l := range c.lanes {
		l.outrun(concerned)
	}
	due := make(map[*lane][]provider.Ref)
	for _, key := range c.cache.concerned(concerned) {
		l := c.lanes[key.Scheme]
		due[l] = append(due[l], key)
	}
	for l, keys := range due {
		l.join(wantNews, keys...)
	}
}

// anyVersion returns the ref without what chooses among the versions of a value.
func anyVersion(r provider.Ref) provider.Ref {
	r.Field, r.Stage, r.Version, r.Label = "", "", "", ""
	return r
}

// suffix is how long the end of a secret's ARN is that Secrets Manager makes up:
// a hyphen and six characters (API CreateSecret, ARN).
const suffix = len("-AbCdEf")

// partial returns the ref by the ARN of a secret without its suffix; other refs
// as they are.
func partial(r provider.Ref) provider.Ref {
	if r.Scheme != "sm" || !r.IsARN() {
		return r
	}
	if i := len(r.Name) - suffix; i > strings.LastIndexByte(r.Name, ':')+1 && r.Name[i] == '-' {
		r.Name = r.Name[:i]
	}
	return r
}

// outrun keeps what is under way for the refs that match says out of the cache:
// it may be of before the change.
func (l *lane) outrun(match func(provider.Ref) bool) {
	l.mu.Lock()
	var refs []provider.Ref
	for ref := range l.flights {
		if match(ref) {
			refs = append(refs, ref)
		}
	}
	l.mu.Unlock()
	if len(refs) > 0 {
		l.supersede(refs...)
	}
}

// concerned returns what is cached of the keys that match says, the most
// recently used last, and forgets what their store refused.
func (c *cache) concerned(match func(provider.Ref) bool) []provider.Ref {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range c.absent.Keys() {
		if match(key) {
			c.absent.Remove(key)
		}
	}
	var keys []provider.Ref
	for _, e := range c.entries() {
		if match(e.key) {
			e.lease.used.Store(1) // so that a failure is tried again
			keys = append(keys, e.key)
		}
	}
	return keys
}
