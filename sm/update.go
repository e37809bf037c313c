package sm

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Changes is what [Store.Update] changes about a secret; nil leaves a thing as
// it is. In Go, new("text") makes a pointer.
type Changes struct {
	Description *string // up to 2,048 characters; "" removes it
	// KMSKey is the ARN, ID or alias of the key for new versions and for those
	// labelled AWSCURRENT, AWSPENDING and AWSPREVIOUS; "" is aws/secretsmanager.
	// Without kms:Encrypt on it, existing versions keep their key (API
	// UpdateSecret, KmsKeyId).
	KMSKey *string
	Type   *string // the partner that holds a managed external secret
}

// Update changes the description, KMS key or type of a secret and leaves its
// versions alone.
func (s *Store) Update(ctx context.Context, ref string, changes Changes) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	in := &secretsmanager.UpdateSecretInput{SecretId: &t.id, Description: changes.Description, KmsKeyId: changes.KMSKey, Type: changes.Type}
	if changes == (Changes{}) {
		return t.invalid("there is nothing to change")
	}
	for _, field := range []struct {
		what string
		to   *string
		most int
	}{{"the description", in.Description, maxDescription}, {"the KMS key", in.KmsKeyId, maxKMSKey}, {"the type", in.Type, maxType}} {
		if field.to != nil {
			if err := t.checkLength(field.what, *field.to, field.most); err != nil {
				return err
			}
		}
	}
	_, err = call(ctx, s, t, "UpdateSecret", t.client.UpdateSecret, in)
	return err
}
