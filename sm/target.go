package sm

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// ErrInvalid: what was asked for breaks a rule or a quota of Secrets Manager,
// and asking again does not help. Where the rule is one that this package
// knows, no call was made. It is [provider.ErrInvalid].
var ErrInvalid = provider.ErrInvalid

// target is the secret that an operation is about.
type target struct {
	ref    provider.Ref
	id     string // name or ARN
	region string
	client *secretsmanager.Client
}

// target parses the ref of a whole secret.
func (s *Store) target(ref string) (target, error) {
	parsed, err := provider.ParseRef(ref)
	if err != nil {
		return target{}, err
	}
	return s.targetOf(parsed)
}

func (s *Store) targetOf(ref provider.Ref) (target, error) {
	var err error
	s.gather([]provider.Ref{ref}, func(_ int, e error) { err = e })
	if err != nil {
		return target{}, err
	}
	if ref != (provider.Ref{Scheme: ref.Scheme, Name: ref.Name, Region: ref.Region}) {
		return target{}, &provider.Error{Ref: ref, Kind: provider.ErrInvalidRef, Hint: "name the whole secret, without version, stage or field"}
	}
	return target{ref: ref, id: ref.Name, region: s.clients.Region(ref.Region), client: s.clients.In(s.clients.Region(ref.Region))}, nil
}

// regional is the target of what concerns no secret.
func (s *Store) regional(region string) target {
	return target{ref: provider.Ref{Scheme: "sm", Region: region}, region: s.clients.Region(region), client: s.clients.In(s.clients.Region(region))}
}

// call makes one call under the store's limit and explains its error, in which
// no secret is shown.
func call[In, Out any](ctx context.Context, s *Store, t target, op string, do func(context.Context, *In, ...func(*secretsmanager.Options)) (*Out, error), in *In, secrets ...provider.Value) (*Out, error) {
	var out *Out
	err := s.limit.Do(awsread.Aside(ctx), func() (err error) {
		out, err = do(ctx, in, hiding(secrets))
		return err
	})
	if err != nil {
		return nil, s.refused(t.ref, op, err, secrets...)
	}
	return out, nil
}

// invalid is the error of a rule that is broken before a call.
func (t target) invalid(format string, args ...any) error {
	return &provider.Error{Ref: t.ref, Kind: ErrInvalid, Hint: fmt.Sprintf(format, args...)}
}

// newToken returns a token for one write, a UUID as the API recommends (API
// PutSecretValue, ClientRequestToken).
func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// hiding takes secrets out of what AWS says of them.
func hiding(secrets []provider.Value) func(*secretsmanager.Options) {
	return func(o *secretsmanager.Options) {
		var texts []string
		for _, v := range secrets {
			texts = append(texts, v.Text())
		}
		o.APIOptions = append(o.APIOptions, awsread.Hide(texts...))
	}
}
