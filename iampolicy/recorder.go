package iampolicy

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// Recorder remembers what a client asks its stores for. It costs a hit nothing,
// and the memory of each ref once. The zero Recorder is ready for use, and safe
// for concurrent use.
type Recorder struct {
	mu         sync.Mutex
	refs       map[string]bool
	operations map[string]bool
}

// Observer returns the observer for secrets.WithObserver.
func (r *Recorder) Observer() secrets.Observer {
	return secrets.Observer{
		Refreshed: func(f secrets.Refresh) { r.note(&r.refs, f.Ref) },
		Called:    func(c provider.Call) { r.note(&r.operations, c.Operation) },
	}
}

func (r *Recorder) note(in *map[string]bool, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if *in == nil {
		*in = make(map[string]bool)
	}
	(*in)[what] = true
}

// Refs returns what was asked for, sorted, found or not: whole values, without
// fields.
func (r *Recorder) Refs() []string { return r.sorted(&r.refs) }

// Operations returns the API operations that were called, sorted.
func (r *Recorder) Operations() []string { return r.sorted(&r.operations) }

func (r *Recorder) sorted(in *map[string]bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(*in))
}

// Add adds to u what was recorded: Refs to Read, and Listing, Describe and
// Expiry where the operations that they bring were called and nothing else in u
// does. Observers are not told which prefixes were listed nor what was written,
// so u must have those already: it is an error if operations were called that u,
// with that added, does not allow.
func (r *Recorder) Add(u *Use) error {
	for _, ref := range r.Refs() {
		if !slices.Contains(u.Read, ref) {
			u.Read = append(u.Read, ref)
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
	allowed := make(map[string]bool)
	for _, s := range policies.All().Statement {
		for _, action := range s.Action {
			_, name, _ := strings.Cut(action, ":")
			allowed[name] = true
		}
	}
	return slices.DeleteFunc(r.Operations(), func(o string) bool { return allowed[o] }), nil
}
