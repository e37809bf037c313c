package sm

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const deleteOp = "DeleteSecret"

// DeleteAfter schedules a secret to be deleted in some days, 7 to 30, and
// returns when: until then it cannot be read, and [Store.Restore] brings it
// back. A replica goes at once. A primary that has replicas is refused: remove
// them first.
func (s *Store) DeleteAfter(ctx context.Context, ref string, days int) (time.Time, error) {
	t, err := s.target(ref)
	if err != nil {
		return time.Time{}, err
	}
	if days < minWindow || days > maxWindow {
		return time.Time{}, t.invalid("the recovery window is %d to %d days, not %d: DeleteNow has none", minWindow, maxWindow, days)
	}
	out, err := call(ctx, s, t, deleteOp, t.client.DeleteSecret, &secretsmanager.DeleteSecretInput{SecretId: &t.id, RecoveryWindowInDays: aws.Int64(int64(days))})
	if err != nil {
		return time.Time{}, err
	}
	return aws.ToTime(out.DeletionDate), nil
}

// DeleteNow deletes a secret for good, with no way back, also one that waits to
// be deleted. What does not exist is no error. AWS does it in the background: a
// secret of the same name can be created a little later.
func (s *Store) DeleteNow(ctx context.Context, ref string) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	_, err = call(ctx, s, t, deleteOp, t.client.DeleteSecret, &secretsmanager.DeleteSecretInput{SecretId: &t.id, ForceDeleteWithoutRecovery: aws.Bool(true)})
	return err
}

// Restore brings back a secret that waits to be deleted. Of one that does not,
// nothing changes.
func (s *Store) Restore(ctx context.Context, ref string) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	_, err = call(ctx, s, t, "RestoreSecret", t.client.RestoreSecret, &secretsmanager.RestoreSecretInput{SecretId: &t.id})
	return err
}
