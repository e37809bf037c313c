package sm

import (
	"context"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const (
	listOp = "ListSecrets"
	// listSize is the largest page of ListSecrets (API ListSecrets, MaxResults).
	listSize = 100
)

// List implements [provider.Lister]. The values have plain names for refs, in
// the prefix's Region. Secrets marked for deletion are not among them.
func (s *Store) List(ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
	return func(yield func(provider.Value, error) bool) {
		if err := awsread.CheckPrefix("sm", prefix); err != nil {
			yield(provider.Value{}, err)
			return
		}
		// The filter has no value that means all, and in it "!" at the start
		// means not (API Filter, Values).
		if prefix.Name != "" && !strings.HasPrefix(prefix.Name, "!") && s.mayBatch() {
			if done := s.listValues(ctx, prefix, yield); done {
				return
			}
		}
		s.listNames(ctx, prefix, yield)
	}
}

// listValues lists by BatchGetSecretValue alone. It reports whether that is
// all; if not, nothing was yielded, and the caller is to list otherwise.
func (s *Store) listValues(ctx context.Context, prefix provider.Ref, yield func(provider.Value, error) bool) (done bool) {
	client := s.clients.In(s.clients.Region(prefix.Region))
	for pages := (awsread.Pages{}); ; {
		var out *secretsmanager.BatchGetSecretValueOutput
		err := s.limit.Do(ctx, func() (err error) {
			out, err = client.BatchGetSecretValue(ctx, &secretsmanager.BatchGetSecretValueInput{
				Filters:    []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{prefix.Name}}},
				MaxResults: aws.Int32(batchSize),
				NextToken:  pages.Token,
			})
			return err
		})
		if err != nil {
			if pages.Token == nil && (s.batchRefused(err) || awsread.Concerns(err)) {
				return false
			}
			yield(provider.Value{}, s.explain(prefix, batchOp, err))
			return true
		}
		for _, e := range out.SecretValues {
			s.learn(aws.ToString(e.ARN))
			ref, ok := s.below(prefix, aws.ToString(e.Name))
			if !ok {
				continue
			}
			it := item{}
			it.settle(batchOp, e.VersionId, e.CreatedDate, e.VersionStages, e.SecretString, e.SecretBinary)
			if !s.give(yield, ref, &it) {
				return true
			}
		}
		for _, e := range out.Errors {
			ref, ok := s.below(prefix, nameOf(aws.ToString(e.SecretId)))
			if ok && !s.give(yield, ref, &item{op: batchOp, err: itemError(e)}) {
				return true
			}
		}
		more, err := pages.Next(out.NextToken, len(out.SecretValues)+len(out.Errors))
		if err != nil {
			yield(provider.Value{}, s.explain(prefix, batchOp, err))
		}
		if !more {
			return true
		}
	}
}

// listNames lists by ListSecrets and reads what it found.
func (s *Store) listNames(ctx context.Context, prefix provider.Ref, yield func(provider.Value, error) bool) {
	client := s.clients.In(s.clients.Region(prefix.Region))
	in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(listSize)}
	if prefix.Name != "" && !strings.HasPrefix(prefix.Name, "!") {
		in.Filters = []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{prefix.Name}}}
	}
	for pages := (awsread.Pages{}); ; {
		var out *secretsmanager.ListSecretsOutput
		err := s.limit.Do(ctx, func() (err error) {
			in.NextToken = pages.Token
			out, err = client.ListSecrets(ctx, in)
			return err
		})
		if err != nil {
			yield(provider.Value{}, s.explain(prefix, listOp, err))
			return
		}
		var refs []provider.Ref
		for _, e := range out.SecretList {
			if ref, ok := s.below(prefix, aws.ToString(e.Name)); ok {
				refs = append(refs, ref)
			}
		}
		for _, r := range s.fetch(ctx, refs, nil, false) {
			if !yield(r.Value, r.Err) {
				return
			}
		}
		more, err := pages.Next(out.NextToken, len(out.SecretList))
		if err != nil {
			yield(provider.Value{}, s.explain(prefix, listOp, err))
		}
		if !more {
			return
		}
	}
}

// below returns the ref of a name that a listing came up with. The filter is
// documented as a case-sensitive match of the prefix, which is not relied upon.
func (s *Store) below(prefix provider.Ref, name string) (provider.Ref, bool) {
	return provider.Ref{Scheme: "sm", Name: name, Region: prefix.Region}, strings.HasPrefix(name, prefix.Name)
}

func (s *Store) give(yield func(provider.Value, error) bool, ref provider.Ref, it *item) bool {
	if it.err != nil {
		return yield(provider.Value{}, s.explain(ref, it.op, it.err))
	}
	return yield(provider.NewValue(ref, it.version, it.typ, it.content), nil)
}

// nameOf returns the plain name of a secret that an error names by its name or
// by its complete ARN.
func nameOf(id string) string {
	if _, name, ok := strings.Cut(id, ":secret:"); ok && accountOf(id) != "" {
		return withoutSuffix(name)
	}
	return id
}
