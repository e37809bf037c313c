// Package awsread is what reading from Secrets Manager and from Parameter
// Store have in common: gathering refs into things to ask for, a bound on the
// calls in flight, pages, clients for several Regions, and what an error of
// the SDK means.
package awsread

import (
	"errors"

	"github.com/c0629bfc/secrets/provider"
)

// Gather turns refs into the distinct things to ask the store for: of says
// which of the keys the ref of the same index means. A ref that the store can
// never hold has the index -1, and its error is handed to fail.
func Gather[K comparable](scheme string, refs []provider.Ref, key func(provider.Ref) K, fail func(i int, err error)) (keys []K, of []int) {
	of = make([]int, len(refs))
	known := make(map[K]int, len(refs))
	for i, ref := range refs {
		if err := check(scheme, ref); err != nil {
			of[i] = -1
			fail(i, err)
			continue
		}
		k := key(ref)
		at, ok := known[k]
		if !ok {
			at = len(keys)
			known[k] = at
			keys = append(keys, k)
		}
		of[i] = at
	}
	return keys, of
}

// Split divides what a caller knows into the refs and the versions.
func Split(known []provider.Known) (refs []provider.Ref, versions []provider.Version) {
	refs, versions = make([]provider.Ref, len(known)), make([]provider.Version, len(known))
	for i, k := range known {
		refs[i], versions[i] = k.Ref, k.Version
	}
	return refs, versions
}

// Agree returns the version that the caller knows of each of n keys, of being
// as from [Gather]. Where refs of one key are known in different versions, or
// one of them is to be read in any case, it is the zero Version.
func Agree(n int, of []int, versions []provider.Version) []provider.Version {
	agreed, seen := make([]provider.Version, n), make([]bool, n)
	for i, v := range versions {
		switch at := of[i]; {
		case at < 0:
		case !seen[at]:
			agreed[at], seen[at] = v, true
		case !Same(agreed[at], v):
			agreed[at] = provider.Version{}
		}
	}
	return agreed
}

// Same reports whether two versions have one ID and one date, which what was
// deleted and made again has not: its versions may be counted anew.
func Same(a, b provider.Version) bool { return a.ID == b.ID && a.Created.Equal(b.Created) }

// check holds a ref that was put together by hand to the rules of
// [provider.ParseRef], so that no malformed name spoils the call it would
// travel in.
func check(scheme string, ref provider.Ref) error {
	whole := ref
	whole.Field = "" // a provider ignores it
	return hold(scheme, ref, whole, provider.ParseRef)
}

// CheckPrefix holds the prefix of a listing to the rules of
// [provider.ParsePrefix].
func CheckPrefix(scheme string, prefix provider.Ref) error {
	return hold(scheme, prefix, prefix, provider.ParsePrefix)
}

func hold(scheme string, ref, whole provider.Ref, parse func(string) (provider.Ref, error)) error {
	e := &provider.Error{Ref: ref, Kind: provider.ErrInvalidRef, Hint: "it is not in the form that ParseRef gives it"}
	if ref.Scheme != scheme {
		e.Hint = "this provider reads " + scheme + "://"
		return e
	}
	parsed, err := parse(whole.String())
	if why, ok := errors.AsType[*provider.Error](err); ok {
		e.Hint = why.Hint
	}
	if err == nil && parsed == whole {
		return nil
	}
	return e
}
