package ssm

import (
	"context"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// Refetch implements [provider.Refetcher]: GetParameters without decryption
// tells the versions, and the values of all but SecureStrings; of those, only
// what changed is read again with decryption. A parameter is unchanged where
// both the number of its version and the date of its last change are: one that
// was deleted and made again counts from 1 anew.
func (s *Store) Refetch(ctx context.Context, known ...provider.Known) []provider.Result {
	refs, versions := awsread.Split(known)
	return s.fetch(ctx, refs, versions, s.expiries != nil)
}

// fetch reads the refs, of which the caller knows these versions, or none. It may
// ask when they expire.
func (s *Store) fetch(ctx context.Context, refs []provider.Ref, known []provider.Version, expiry bool) []provider.Result {
	results := make([]provider.Result, len(refs))
	items, of := s.gather(refs, func(i int, err error) { results[i].Err = err })
	versions := awsread.Agree(len(items), of, known)
	for i, it := range items {
		it.decrypt = it.decrypt || versions[i].ID == ""
	}
	s.read(ctx, items)

	unchanged := make([]bool, len(items))
	var encrypted []*item
	for i, it := range items {
		switch {
		case it.err != nil || versions[i].ID == "":
		case awsread.Same(it.version, versions[i]):
			unchanged[i] = true
		case it.typ == provider.SecureString && !it.decrypt:
			it.done, it.decrypt = false, true
			encrypted = append(encrypted, it)
		}
	}
	s.read(ctx, encrypted)
	if expiry {
		s.learnExpiry(ctx, items)
	}

	for i, ref := range refs {
		if of[i] < 0 {
			continue
		}
		switch it := items[of[i]]; {
		case it.err != nil:
			results[i].Err = s.explain(ref, it.op, it.err)
		case unchanged[of[i]]:
			results[i] = provider.Result{Unchanged: true, Changes: it.expires}
		default:
			results[i] = provider.Result{Value: provider.NewValue(ref, it.versionFor(ref), it.typ, it.content), Changes: it.expires, RequestID: it.request}
		}
	}
	return results
}
