package secretstest

import (
	"strings"
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
		if err := sec.checkDeletion(); err != nil {
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
	if err := sec.checkDeletion(); err != nil {
		return nil, err
	}
	sec.deleted = c.time.Add(time.Duration(days) * 24 * time.Hour)
	c.ownerStore(sec).deleting[sec.name] = sec
	return &deleteSecretOutput{ARN: sec.arn, DeletionDate: epoch{sec.deleted}, Name: sec.name}, nil
}

// checkDeletion refuses to delete a replica, a primary that has replicas, and
// what another service manages.
func (sec *secret) checkDeletion() error {
	switch {
	case sec.primary != nil:
		return errReplica
	case sec.owner != "":
		return errManaged
	case len(sec.replicas) > 0:
		var regions []string
		for _, r := range sec.replicas {
			regions = append(regions, r.region)
		}
		return fail("InvalidParameterException", "You can't delete secret %s that still has replica regions [%s]", sec.arn, strings.Join(regions, ", "))
	}
	return nil
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
	if sec.primary != nil {
		return nil, errReplica
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
	sec, err := c.primarySecret(in.SecretId)
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
	sec.tags, sec.tagged, sec.changed = tags, true, c.time
	return struct{}{}, nil
}

type untagSecretInput struct {
	secretID
	TagKeys []string
}

func untagSecret(c *call, in *untagSecretInput) (any, error) {
	sec, err := c.primarySecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		if err := checkLength("tagKeys.member", len([]rune(key)), 1, 128); err != nil {
			return nil, err
		}
	}
	if left := removeTags(sec.tags, in.TagKeys); len(left) < len(sec.tags) {
		sec.tags, sec.changed = left, c.time // else "the secret metadata is unchanged"
	}
	return struct{}{}, nil
}
