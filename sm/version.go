package sm

import (
	"context"
	"iter"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// PutOptions is how [Store.PutVersion] adds a version.
type PutOptions struct {
	// Stages are the staging labels to give it, up to 20, each up to 256
	// characters; a label that another version has moves. With none it is
	// AWSCURRENT. The first version of a secret gets AWSCURRENT in any case.
	Stages []string
	// Token becomes the version's ID, 32 to 64 characters; empty lets the store
	// make one. Putting again with the token and value of a version that is
	// there does nothing; with another value it is [provider.ErrConflict].
	Token string
	// RotationToken is what a rotation function was called with that assumes a
	// role or belongs to another account, as [Text].
	RotationToken provider.Value
}

// PutVersion adds a version to a secret that is there and returns it with its
// staging labels. Secrets Manager keeps a hundred versions of a secret and all
// of the last 24 hours, so write one at most once in ten minutes in the long
// run (API PutSecretValue).
func (s *Store) PutVersion(ctx context.Context, ref string, v provider.Value, opts PutOptions) (provider.Version, error) {
	t, err := s.target(ref)
	if err != nil {
		return provider.Version{}, err
	}
	return s.put(ctx, t, v, opts)
}

// rotationTokenPattern is that of RotationTokenType in the API's model.
var rotationTokenPattern = regexp.MustCompile(`^[a-zA-Z0-9-]{36,256}$`)

func (s *Store) put(ctx context.Context, t target, v provider.Value, opts PutOptions) (provider.Version, error) {
	if err := firstError(t.checkValue(v), t.checkToken(opts.Token), t.checkStages(opts.Stages)); err != nil {
		return provider.Version{}, err
	}
	rotation := opts.RotationToken.Text()
	if rotation != "" && !rotationTokenPattern.MatchString(rotation) {
		return provider.Version{}, t.invalid("the rotation token is not one that a rotation function is called with: 36 to 256 letters, digits and hyphens")
	}
	token := tokenOr(opts.Token)
	in := &secretsmanager.PutSecretValueInput{SecretId: &t.id, ClientRequestToken: &token, RotationToken: orNil(rotation)}
	if len(opts.Stages) > 0 {
		in.VersionStages = opts.Stages
	}
	in.SecretString, in.SecretBinary = content(v)
	out, err := call(ctx, s, t, "PutSecretValue", t.client.PutSecretValue, in, v, opts.RotationToken)
	if err != nil {
		return provider.Version{}, err
	}
	return provider.NewVersion(token, time.Time{}, out.VersionStages...), nil
}

// Version is one version of a secret, as [Store.Versions] lists it. Its labels
// are its staging labels; without one it is deprecated, and AWS may remove it.
type Version struct {
	provider.Version
	LastAccessed time.Time // the day, in UTC; zero: never
	KMSKeys      []string  // that it is encrypted with
}

// versionsSize is the largest page of ListSecretVersionIds (API, MaxResults).
const versionsSize = 100

// Versions lists the versions of a secret, deprecated ones too, page by page,
// in the order in which AWS gives them. An error ends it.
func (s *Store) Versions(ctx context.Context, ref string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		t, err := s.target(ref)
		if err != nil {
			yield(Version{}, err)
			return
		}
		const op = "ListSecretVersionIds"
		for pages := (awsread.Pages{}); ; {
			out, err := call(ctx, s, t, op, t.client.ListSecretVersionIds, &secretsmanager.ListSecretVersionIdsInput{
				SecretId: &t.id, IncludeDeprecated: aws.Bool(true), MaxResults: aws.Int32(versionsSize), NextToken: pages.Token,
			})
			if err != nil {
				yield(Version{}, err)
				return
			}
			for _, v := range out.Versions {
				if !yield(Version{
					Version:      provider.NewVersion(aws.ToString(v.VersionId), aws.ToTime(v.CreatedDate), v.VersionStages...),
					LastAccessed: aws.ToTime(v.LastAccessedDate),
					KMSKeys:      v.KmsKeyIds,
				}, nil) {
					return
				}
			}
			more, err := pages.Next(out.NextToken, len(out.Versions))
			if err != nil {
				yield(Version{}, s.refused(t.ref, op, err))
			}
			if !more {
				return
			}
		}
	}
}
