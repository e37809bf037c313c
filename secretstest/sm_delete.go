package secretstest

import (
	"time"
)

type deleteSecretInput struct {
	secretID
	ForceDeleteWithoutRecovery bool
	RecoveryWindowInDays       *int64
}

type deleteSecretOutput struct {
	ARN          string
	DeletionDate epoch
	Name         string
}

// deleteSecret schedules a deletion, in 30 days unless told otherwise, or
// deletes at once. A forced deletion of a secret that does not exist succeeds
// (ForceDeleteWithoutRecovery of DeleteSecret).
func deleteSecret(c *call, in *deleteSecretInput) (any, error) {
	days := int64(30)
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
		if in.ForceDeleteWithoutRecovery {
			return nil, fail("InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
		}
		if days < 7 || days > 30 {
			return nil, fail("InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
		}
	}
	sec, err := c.secret(in.SecretId, !in.ForceDeleteWithoutRecovery)
	if in.ForceDeleteWithoutRecovery {
		if err == errSecretNotFound {
			return &deleteSecretOutput{ARN: missingARN(c.place, in.SecretId), DeletionDate: epoch{c.time}, Name: in.SecretId}, nil
		}
		if err != nil {
			return nil, err
		}
		home := c.ownerStore(sec)
		delete(home.secrets, sec.name)
		delete(home.deleting, sec.name)
		return &deleteSecretOutput{ARN: sec.arn, DeletionDate: epoch{c.time}, Name: sec.name}, nil
	}
	if err != nil {
		return nil, err
	}
	sec.deleted = c.time.Add(time.Duration(days) * 24 * time.Hour)
	c.ownerStore(sec).deleting[sec.name] = sec
	return &deleteSecretOutput{ARN: sec.arn, DeletionDate: epoch{sec.deleted}, Name: sec.name}, nil
}

// missingARN is an ARN for a secret that does not exist.
func missingARN(at place, id string) string {
	if _, ok := parseARN(id); ok {
		return id
	}
	return secretARN(at, id)
}

// ownerStore is the store of a secret, which an ARN may have found in another
// account.
func (c *call) ownerStore(sec *secret) *store {
	a, _ := parseARN(sec.arn)
	return c.at(a.place)
}

// restoreSecret cancels a scheduled deletion; without one it does nothing.
func restoreSecret(c *call, in *secretID) (any, error) {
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	delete(c.ownerStore(sec).deleting, sec.name)
	sec.deleted = time.Time{}
	return &secretVersionRef{ARN: sec.arn, Name: sec.name}, nil
}

type tagSecretInput struct {
	secretID
	Tags []tag
}

var errSecretTags = fail("InvalidParameterException", "The number of tags can't exceed 50.")

func tagSecret(c *call, in *tagSecretInput) (any, error) {
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	tags, ok := mergeTags(sec.tags, in.Tags)
	if !ok {
		return nil, errSecretTags
	}
	sec.tags, sec.tagged = tags, true
	return struct{}{}, nil
}

type untagSecretInput struct {
	secretID
	TagKeys []string
}

func untagSecret(c *call, in *untagSecretInput) (any, error) {
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	sec.tags = removeTags(sec.tags, in.TagKeys)
	return struct{}{}, nil
}
