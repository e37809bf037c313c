package sm

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/provider"
)

// Text returns a text to store in a secret. Like every [provider.Value] it
// prints as a redaction.
func Text(text string) provider.Value {
	return provider.NewValue(provider.Ref{}, provider.Version{}, provider.SecretString, text)
}

// Binary returns bytes to store in a secret.
func Binary(data []byte) provider.Value {
	return provider.NewValue(provider.Ref{}, provider.Version{}, provider.SecretBinary, string(data))
}

// CreateOptions is what [Store.Create] gives a secret besides its value.
type CreateOptions struct {
	Description string // up to 2,048 characters
	// KMSKey is the ARN, ID or alias of the key to encrypt with; empty is
	// aws/secretsmanager, which other accounts cannot use.
	KMSKey   string
	Tags     map[string]string // up to 50; keys up to 128 characters, values up to 256
	Replicas Replication
	// Type is, of a managed external secret, the partner that holds it, as the
	// guide's list of partners spells it.
	Type string
	// Token becomes the ID of the first version, 32 to 64 characters; empty
	// lets the store make one. Creating again with the token and the value of a
	// version that is there does nothing.
	Token string
}

// Create makes a secret with its first version, or with the zero Value one
// without a version. It returns that version, which carries AWSCURRENT.
//
// The ref is of the form sm://name. A name should not end in a hyphen and six
// characters, which would look like an ARN's end (API CreateSecret, Name). One
// that is taken gives [provider.ErrConflict], and one whose secret waits to be
// deleted [provider.ErrDeleted].
func (s *Store) Create(ctx context.Context, ref string, v provider.Value, opts CreateOptions) (provider.Version, error) {
	t, err := s.target(ref)
	if err != nil {
		return provider.Version{}, err
	}
	return s.create(ctx, t, v, opts)
}

func (s *Store) create(ctx context.Context, t target, v provider.Value, opts CreateOptions) (provider.Version, error) {
	bare := v == provider.Value{}
	if t.ref.IsARN() {
		return provider.Version{}, &provider.Error{Ref: t.ref, Kind: provider.ErrInvalidRef, Hint: "a secret is created by its name: AWS makes the ARN"}
	}
	if !bare {
		if err := t.checkValue(v); err != nil {
			return provider.Version{}, err
		}
	}
	if err := firstError(
		t.checkToken(opts.Token),
		t.checkLength("the description", opts.Description, maxDescription),
		t.checkLength("the KMS key", opts.KMSKey, maxKMSKey),
		t.checkLength("the type", opts.Type, maxType),
		t.checkTags(opts.Tags),
		t.checkReplicas(opts.Replicas),
	); err != nil {
		return provider.Version{}, err
	}
	token := tokenOr(opts.Token)
	in := &secretsmanager.CreateSecretInput{
		Name:                        &t.id,
		ClientRequestToken:          &token,
		Description:                 orNil(opts.Description),
		KmsKeyId:                    orNil(opts.KMSKey),
		Type:                        orNil(opts.Type),
		Tags:                        tagList(opts.Tags),
		AddReplicaRegions:           replicaList(opts.Replicas.Regions),
		ForceOverwriteReplicaSecret: opts.Replicas.Overwrite,
	}
	if !bare {
		in.SecretString, in.SecretBinary = content(v)
	}
	if _, err := call(ctx, s, t, "CreateSecret", t.client.CreateSecret, in, v); err != nil || bare {
		return provider.Version{}, err
	}
	return provider.NewVersion(token, time.Time{}, stageCurrent), nil
}

// content is a value as the API takes it: as text, or as bytes.
func content(v provider.Value) (text *string, data []byte) {
	if v.Binary() {
		return nil, v.Bytes()
	}
	s := v.Text()
	return &s, nil
}

// tokenOr returns the token, or a new one.
func tokenOr(token string) string {
	if token == "" {
		return newToken()
	}
	return token
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
