package iampolicy

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// Recorder remembers what a client asks its stores for and what it writes. It
// costs a hit no lock and some nanoseconds, and the memory of each ref once. The
// zero Recorder is ready for use, and safe for concurrent use.
type Recorder struct {
	mu         sync.Mutex
	refs       set // that the stores were asked for
	listed     set // refs, or prefixes, that came by a listing
	put        set
	deleted    set
	operations set
}

type set map[string]bool

// Observer returns the observer for secrets.WithObserver.
func (r *Recorder) Observer() secrets.Observer {
	return secrets.Observer{
		Read:      r.read,
		Refreshed: func(f secrets.Refresh) { r.note(&r.refs, f.Ref) },
		Wrote:     r.wrote,
		Called:    func(c provider.Call) { r.note(&r.operations, c.Operation) },
	}
}

// Refs returns what was asked for, sorted, found or not: whole values, without
// fields.
func (r *Recorder) Refs() []string { return r.sorted(&r.refs) }

// Operations returns the API operations that were called, sorted.
func (r *Recorder) Operations() []string { return r.sorted(&r.operations) }

// Add adds to u what was recorded: Refs to Read, what Client.Put and
// Client.Delete were called for to Put and Delete, whatever came of it, and
// Listing, Describe and Expiry where the operations that they bring were called
// and nothing else in u does. What is of other stores than AWS's is passed over.
//
// Two things u must have already. Observers are told the values that Client.List
// yields and not the prefix it is called with: it is an error if something was
// listed, and not asked for by its name before, that is below none of u's List.
// And what a program does with packages sm, ssm and rotation beside the client, no
// observer of the client is told; it belongs in Call and Rotate. It is an error,
// too, if operations were called that u, with what was added, does not allow.
func (r *Recorder) Add(u *Use) error {
	for _, some := range []struct {
		in *set
		to *[]string
	}{{&r.refs, &u.Read}, {&r.put, &u.Put}, {&r.deleted, &u.Delete}} {
		for _, ref := range r.sorted(some.in) {
			if ofAWS(ref) && !slices.Contains(*some.to, ref) {
				*some.to = append(*some.to, ref)
			}
		}
	}
	for _, ref := range r.sorted(&r.listed) {
		if ofAWS(ref) && !slices.Contains(u.Put, ref) && !u.lists(ref) {
			return invalid("%s: it was listed, and an observer is not told by which prefix: name it in List", ref)
		}
	}
	missing, err := r.missing(u)
	if err != nil {
		return err
	}
	for operation, flag := range map[string]*bool{"ListSecrets": &u.Listing, "DescribeSecret": &u.Describe, "GetParameterHistory": &u.Expiry} {
		*flag = *flag || slices.Contains(missing, operation)
	}
	if missing, err = r.missing(u); err == nil && len(missing) > 0 {
		err = invalid("%s: called, and an observer is not told for what: name it in List, Put, Delete, Rotate or Call", strings.Join(missing, ", "))
	}
	return err
}

// missing returns the operations that were called and u does not allow.
func (r *Recorder) missing(u *Use) ([]string, error) {
	policies, err := u.Policies()
	if err != nil {
		return nil, err
	}
	allowed := make(set)
	for _, s := range policies.All().Statement {
		for _, action := range s.Action {
			_, name, _ := strings.Cut(action, ":")
			allowed[name] = true
		}
	}
	return slices.DeleteFunc(r.Operations(), func(name string) bool {
		_, _, known := operation(name)
		return allowed[name] || !known
	}), nil
}

// read notes what was listed: it came from the store, which was not asked for it
// by its name.
func (r *Recorder) read(_ context.Context, e secrets.Read) {
	if e.Source != secrets.SourceStore || errors.Is(e.Err, secrets.ErrClosed) {
		return
	}
	s := e.Ref // that of a listing which failed may be a prefix
	if ref, err := provider.ParseRef(s); err == nil {
		s = ref.Base().String()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.refs[s] {
		r.listed.add(s)
	}
}

// wrote notes a write that was the store's to judge.
func (r *Recorder) wrote(_ context.Context, w secrets.Write) {
	ref, err := provider.ParseRef(w.Ref)
	e, judged := errors.AsType[*provider.Error](w.Err)
	if err != nil || w.Err != nil && (!judged || errors.Is(e, provider.ErrInvalidRef)) {
		return
	}
	in := &r.put
	if w.Deleted {
		in = &r.deleted
	}
	r.note(in, ref.Base().String())
}

func (r *Recorder) note(in *set, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in.add(what)
}

func (r *Recorder) sorted(in *set) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(*in))
}

func (s *set) add(what string) {
	if *s == nil {
		*s = make(set)
	}
	(*s)[what] = true
}

func ofAWS(ref string) bool {
	r, ok := refOrPrefix(ref)
	return ok && (r.Scheme == "sm" || r.Scheme == "ssm")
}

// lists reports whether a ref is below a prefix of List.
func (u *Use) lists(ref string) bool {
	r, _ := refOrPrefix(ref)
	return slices.ContainsFunc(u.List, func(s string) bool {
		prefix, err := provider.ParsePrefix(s)
		if err != nil {
			return false
		}
		if prefix.Scheme == "ssm" {
			prefix.Name = strings.TrimRight(prefix.Name, "/")
		}
		return prefix.Scheme == r.Scheme && u.at(prefix) == u.at(r) && strings.HasPrefix(r.Name, prefix.Name)
	})
}

// at returns the Region that a ref is read in.
func (u *Use) at(ref provider.Ref) string {
	if ref.Region == "" {
		return u.Region
	}
	return ref.Region
}

func refOrPrefix(s string) (provider.Ref, bool) {
	ref, err := provider.ParseRef(s)
	if err != nil {
		ref, err = provider.ParsePrefix(s)
	}
	return ref, err == nil
}
