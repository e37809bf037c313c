package ssm

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const (
	byPathOp = "GetParametersByPath"
	// pageSize is the largest page of GetParametersByPath (API
	// GetParametersByPath, MaxResults).
	pageSize = 10
)

// List implements [provider.Lister]. The prefix is a path, with or without a
// slash at its end: "/app" lists "/app/url", neither "/app" nor "/app2/url".
//
// One value that KMS does not decrypt makes a page fail as a whole. From that
// page on the SecureStrings are read as Fetch reads them, so that it fails
// alone.
func (s *Store) List(ctx context.Context, prefix provider.Ref) iter.Seq2[provider.Value, error] {
	return func(yield func(provider.Value, error) bool) {
		if err := awsread.CheckPrefix("ssm", prefix); err != nil {
			yield(provider.Value{}, err)
			return
		}
		path := strings.TrimRight(prefix.Name, "/")
		if path == "" {
			path = "/"
		}
		in := &ssm.GetParametersByPathInput{
			Path:           &path,
			Recursive:      aws.Bool(true),
			WithDecryption: aws.Bool(true),
			MaxResults:     aws.Int32(pageSize),
		}
		client := s.clients.In(s.clients.Region(prefix.Region))
		for pages := (awsread.Pages{}); ; {
			in.NextToken = pages.Token
			var out *ssm.GetParametersByPathOutput
			err := s.limit.Do(ctx, func() (err error) {
				out, err = client.GetParametersByPath(ctx, in)
				return err
			})
			if err != nil && *in.WithDecryption && errors.Is(s.explain(prefix, byPathOp, err), provider.ErrDecryption) {
				in.WithDecryption = aws.Bool(false)
				continue
			}
			if err != nil {
				yield(provider.Value{}, s.explain(prefix, byPathOp, err))
				return
			}
			if !s.givePage(ctx, prefix, out.Parameters, *in.WithDecryption, yield) {
				return
			}
			more, err := pages.Next(out.NextToken, len(out.Parameters))
			if err != nil {
				yield(provider.Value{}, s.explain(prefix, byPathOp, err))
			}
			if !more {
				return
			}
		}
	}
}

// givePage yields the parameters of a page, and reads again what is encrypted
// in it.
func (s *Store) givePage(ctx context.Context, prefix provider.Ref, page []types.Parameter, decrypted bool, yield func(provider.Value, error) bool) bool {
	var encrypted []provider.Ref
	for _, p := range page {
		ref := provider.Ref{Scheme: "ssm", Name: aws.ToString(p.Name), Region: prefix.Region}
		if p.Type == types.ParameterTypeSecureString && !decrypted {
			encrypted = append(encrypted, ref)
			continue
		}
		it := &item{}
		it.settle(byPathOp, &p)
		var ok bool
		if it.err != nil {
			ok = yield(provider.Value{}, s.explain(ref, it.op, it.err))
		} else {
			ok = yield(provider.NewValue(ref, it.version, it.typ, it.content), nil)
		}
		if !ok {
			return false
		}
	}
	for _, r := range s.fetch(ctx, encrypted, nil, false) {
		if !yield(r.Value, r.Err) {
			return false
		}
	}
	return true
}
