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
