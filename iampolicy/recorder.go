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
// costs a hit nothing, and the memory of each ref once. The zero Recorder is ready
// for use, and safe for concurrent use.
type Recorder struct {
	mu         sync.Mutex
	refs       set // that the stores were asked for
	listed     set // prefixes
	put        set
	deleted    set
	operations set
}

type set map[string]bool

// Observer returns the observer for secrets.WithObserver.
func (r *Recorder) Observer() secrets.Observer {
	return secrets.Observer{
		Refreshed: func(f secrets.Refresh) { r.note(&r.refs, f.Ref) },
		Wrote:     r.wrote,
		Listed:    func(_ context.Context, prefix string) { r.note(&r.listed, prefix) },
		Called:    func(c provider.Call) { r.note(&r.operations, c.Operation) },
	}
}

// Refs returns what was asked for, sorted, found or not: whole values, without
// fields.
func (r *Recorder) Refs() []string { return r.sorted(&r.refs) }

// Operations returns the API operations that were called, sorted.
func (r *Recorder) Operations() []string { return r.sorted(&r.operations) }

// Add adds to u what was recorded: Refs to Read, the prefixes of Client.List to
// List, what Client.Put and Client.Delete were called for to Put and Delete,
// whatever came of it, and Listing, Describe and Expiry where the operations that
// they bring were called and nothing else in u does. What is of other stores than
// AWS's is passed over.
//
// What a program does with packages sm, ssm and rotation beside the client, no
// observer of the client is told; u must have it already, in Call and Rotate. It
// is an error if operations were called that u, with what was added, does not
// allow.
func (r *Recorder) Add(u *Use) error {
	for _, some := range []struct {
		in *set
		to *[]string
	}{{&r.refs, &u.Read}, {&r.listed, &u.List}, {&r.put, &u.Put}, {&r.deleted, &u.Delete}} {
		for _, ref := range r.sorted(some.in) {
			if ofAWS(ref) && !slices.Contains(*some.to, ref) {
				*some.to = append(*some.to, ref)
			}
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

func ofAWS(s string) bool {
	ref, err := provider.ParseRef(s)
	if err != nil {
		ref, err = provider.ParsePrefix(s)
	}
	return err == nil && (ref.Scheme == "sm" || ref.Scheme == "ssm")
}
