package secretstest

import (
	"cmp"
	"regexp"
	"slices"
)

// A replica is a region that a primary is replicated to, or failed to be.
type replica struct {
	region   string
	kmsKeyID string
	secret   *secret // nil: replication failed
}

// A replicaRegion is an input: where to replicate to.
type replicaRegion struct {
	KmsKeyId string
	Region   string
}

// A replicaStatus is a ReplicationStatusType.
type replicaStatus struct {
	KmsKeyId         string
	LastAccessedDate epoch `json:",omitzero"`
	Region           string
	Status           string
	StatusMessage    string `json:",omitempty"`
}

var errReplica = fail("InvalidParameterException", "Operation not permitted on a replica secret. Call must be made in primary secret's region.")

var replicaRegionPattern = regexp.MustCompile(`^([a-z]+-)+\d+$`)

// checkReplicaRegions holds the regions of a replication against the model. A
// secret is not replicated to its own region.
func checkReplicaRegions(home string, regions []replicaRegion) error {
	for _, r := range regions {
		if err := checkRegion("addReplicaRegions.member.region", r.Region); err != nil {
			return err
		}
		if err := checkLength("addReplicaRegions.member.kmsKeyId", len(r.KmsKeyId), 0, 2048); err != nil {
			return err
		}
		if r.Region == home {
			return fail("InvalidParameterException", "Invalid replica region.")
		}
	}
	return nil
}

func checkRegion(member, region string) error {
	if err := checkLength(member, len(region), 1, 128); err != nil {
		return err
	}
	if !replicaRegionPattern.MatchString(region) {
		return invalid(member, `Member must satisfy regular expression pattern: ^([a-z]+-)+\d+$`)
	}
	return nil
}

type replicateSecretToRegionsInput struct {
	secretID
	AddReplicaRegions           []replicaRegion
	ForceOverwriteReplicaSecret bool
}

type replicationOutput struct {
	ARN               string
	ReplicationStatus []replicaStatus
}

func replicateSecretToRegions(c *call, in *replicateSecretToRegionsInput) (any, error) {
	if err := checkLength("addReplicaRegions", len(in.AddReplicaRegions), 1, 1<<20); err != nil {
		return nil, err
	}
	if err := checkReplicaRegions(c.place.region, in.AddReplicaRegions); err != nil {
		return nil, err
	}
	sec, err := c.primarySecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	status := c.replicate(sec, in.AddReplicaRegions, in.ForceOverwriteReplicaSecret)
	sec.changed = c.time
	return &replicationOutput{ARN: sec.arn, ReplicationStatus: status}, nil
}

// replicate makes the replicas and returns the status of all as the writing
// operations answer it: what was asked for is in progress, whatever becomes of
// it. The next DescribeSecret tells.
func (c *call) replicate(sec *secret, regions []replicaRegion, overwrite bool) []replicaStatus {
	for _, r := range regions {
		sec.replicas = slices.DeleteFunc(sec.replicas, func(old *replica) bool { return old.region == r.Region })
		sec.replicas = append(sec.replicas, &replica{
			region:   r.Region,
			kmsKeyID: r.KmsKeyId,
			secret:   c.newReplica(sec, r, overwrite),
		})
	}
	slices.SortFunc(sec.replicas, func(a, b *replica) int { return cmp.Compare(a.region, b.region) })
	status := sec.replicationStatus()
	for i := range status {
		if slices.ContainsFunc(regions, func(r replicaRegion) bool { return r.Region == status[i].Region }) {
			status[i].Status, status[i].StatusMessage = "InProgress", ""
		}
	}
	return status
}

// newReplica puts a replica into the store of a region. It returns nil where
// the name is taken: by any secret, or with overwrite by the replica of
// another primary.
func (c *call) newReplica(sec *secret, r replicaRegion, overwrite bool) *secret {
	home, _ := parseARN(sec.arn)
	at := place{account: home.place.account, region: r.Region}
	st := c.at(at)
	made := &secret{sharedSecret: sec.sharedSecret, arn: replicaARN(sec.arn, r.Region), kmsKeyID: secretKey(r.KmsKeyId), created: c.time, primary: sec}
	if old := st.secrets[sec.name]; old != nil {
		switch {
		case old.primary == sec:
			made.created, made.accessed = old.created, old.accessed
		case !overwrite || old.primary != nil || len(old.replicas) > 0:
			return nil
		}
	}
	delete(st.deleting, sec.name)
	st.secrets[sec.name] = made
	return made
}

// replicaARN is the primary's ARN with the region changed.
func replicaARN(primary, region string) string {
	a, _ := parseARN(primary)
	return "arn:" + partition(region) + ":secretsmanager:" + region + ":" + a.place.account + ":" + a.resource
}

// primaryRegion is empty for a secret that has nothing to do with replication.
func (sec *secret) primaryRegion() string {
	id := sec.arn
	switch {
	case sec.primary != nil:
		id = sec.primary.arn
	case len(sec.replicas) == 0:
		return ""
	}
	a, _ := parseARN(id)
	return a.place.region
}

func (sec *secret) replicationStatus() []replicaStatus {
	var all []replicaStatus
	for _, r := range sec.replicas {
		status := replicaStatus{
			KmsKeyId:      cmp.Or(r.kmsKeyID, "alias/aws/secretsmanager"),
			Region:        r.region,
			Status:        "InSync",
			StatusMessage: "Replication succeeded",
		}
		switch {
		case r.secret == nil:
			status.Status = "Failed"
			status.StatusMessage = "Replication failed: Secret name " + sec.name + " already exists in region " + r.region + "."
		case !r.secret.accessed.IsZero():
			status.LastAccessedDate = day(r.secret.accessed)
		}
		all = append(all, status)
	}
	return all
}

type removeRegionsFromReplicationInput struct {
	secretID
	RemoveReplicaRegions []string
}

// removeRegionsFromReplication deletes replicas. Regions without one are
// ignored.
func removeRegionsFromReplication(c *call, in *removeRegionsFromReplicationInput) (any, error) {
	if err := checkLength("removeReplicaRegions", len(in.RemoveReplicaRegions), 1, 1<<20); err != nil {
		return nil, err
	}
	for _, region := range in.RemoveReplicaRegions {
		if err := checkRegion("removeReplicaRegions.member", region); err != nil {
			return nil, err
		}
	}
	sec, err := c.primarySecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	sec.replicas = slices.DeleteFunc(sec.replicas, func(r *replica) bool {
		if !slices.Contains(in.RemoveReplicaRegions, r.region) {
			return false
		}
		if r.secret != nil {
			delete(c.ownerStore(r.secret).secrets, sec.name)
		}
		return true
	})
	sec.changed = c.time
	return &replicationOutput{ARN: sec.arn, ReplicationStatus: append([]replicaStatus{}, sec.replicationStatus()...)}, nil
}

// stopReplicationToReplica makes a replica a secret of its own, which keeps
// its ARN. AWS does not document the answer for what is not a replica.
func stopReplicationToReplica(c *call, in *secretID) (any, error) {
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	if sec.primary == nil {
		return nil, fail("InvalidRequestException", "You can't stop replication of a secret that isn't a replica.")
	}
	sec.primary.replicas = slices.DeleteFunc(sec.primary.replicas, func(r *replica) bool { return r.secret == sec })
	sec.primary = nil
	sec.sharedSecret = sec.clone()
	for _, v := range sec.versions {
		v.kmsKeyID = sec.kmsKeyID
	}
	sec.changed = c.time
	return struct{ ARN string }{sec.arn}, nil
}

// clone copies all that a later change would touch.
func (s *sharedSecret) clone() *sharedSecret {
	made := *s
	made.tags = slices.Clone(s.tags)
	made.versions = nil
	for _, v := range s.versions {
		version := *v
		version.stages = slices.Clone(v.stages)
		made.versions = append(made.versions, &version)
	}
	return &made
}
