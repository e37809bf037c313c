package ssm

import (
	"context"
	"errors"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const historyOp = "GetParameterHistory"

// Revision is one version of a parameter, with its value.
type Revision struct {
	// Value is that version's, decrypted; its ref names the version.
	Value provider.Value
	Metadata
}

// History yields the versions of the parameter that AWS still has, 100 at most,
// in the order in which AWS gives them, with the labels of each. It reads fifty
// a call. A version that KMS does not decrypt is yielded as an error that names
// it, and the others go on, each read by itself from there. An error of the
// listing itself comes last. The ref may be the ARN of a parameter that another
// account shares (API GetParameterHistory, Name).
func (s *Store) History(ctx context.Context, ref string) iter.Seq2[Revision, error] {
	return func(yield func(Revision, error) bool) {
		for h, err := range s.versions(ctx, ref, true) {
			var r Revision
			if err == nil {
				r.Metadata = metadataOf(h.ParameterHistory)
				r.Value, err = s.revision(ctx, h, r.Metadata)
			}
			if err != nil {
				r = Revision{}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Versions yields what History yields without the values: KMS is not asked.
func (s *Store) Versions(ctx context.Context, ref string) iter.Seq2[Metadata, error] {
	return func(yield func(Metadata, error) bool) {
		for h, err := range s.versions(ctx, ref, false) {
			var m Metadata
			if err == nil {
				m = metadataOf(h.ParameterHistory)
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// versionRead is a version as it was read.
type versionRead struct {
	types.ParameterHistory
	ref       provider.Ref // of the parameter
	decrypted bool
}

// versions yields the versions, decrypted as long as KMS decrypts all of a page.
func (s *Store) versions(ctx context.Context, of string, decrypt bool) iter.Seq2[versionRead, error] {
	return func(yield func(versionRead, error) bool) {
		ref, err := readable(of)
		if err != nil {
			yield(versionRead{}, err)
			return
		}
		client := s.client(ref)
		for pages := (awsread.Pages{}); ; {
			var out *ssm.GetParameterHistoryOutput
			err := s.limit.Do(ctx, func() (err error) {
				out, err = client.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{
					Name: &ref.Name, MaxResults: aws.Int32(historySize), WithDecryption: &decrypt, NextToken: pages.Token,
				})
				return err
			})
			if err != nil && decrypt && errors.Is(s.explain(ref, historyOp, err), provider.ErrDecryption) {
				decrypt = false
				continue
			}
			if err != nil {
				yield(versionRead{}, s.explainWrite(ref, historyOp, err))
				return
			}
			for _, h := range out.Parameters {
				if !yield(versionRead{h, ref, decrypt}, nil) {
					return
				}
			}
			more, err := pages.Next(out.NextToken, len(out.Parameters))
			if err != nil {
				yield(versionRead{}, s.explain(ref, historyOp, err))
			}
			if !more {
				return
			}
		}
	}
}

// revision is the value of a version, read again if it is not decrypted.
func (s *Store) revision(ctx context.Context, h versionRead, m Metadata) (provider.Value, error) {
	pinned := h.ref
	pinned.Version = m.Version.ID
	if m.Type == provider.SecureString && !h.decrypted {
		r := s.Fetch(ctx, pinned)[0]
		return r.Value, r.Err
	}
	if h.Value == nil {
		return provider.Value{}, s.explain(pinned, historyOp, errMalformed)
	}
	return provider.NewValue(pinned, m.Version, m.Type, *h.Value), nil
}
