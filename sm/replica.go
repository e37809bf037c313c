package sm

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Replication is where a secret is to be replicated to.
type Replication struct {
	Regions []Replica // of each, Region and KMSKey
	// Overwrite has a secret of the same name replaced in those Regions; by
	// default replication to such a Region fails.
	Overwrite bool
}

// Replica is the copy of a secret in another Region.
type Replica struct {
	Region string
	KMSKey string // that it is encrypted with; empty is aws/secretsmanager

	// What AWS tells of a replica that there is.
	Status       types.StatusType // InSync, InProgress or Failed
	Message      string           // why it failed
	LastAccessed time.Time        // the day, in UTC; zero: never
}

// Replicate adds replicas to a secret and returns all it has then. Replication
// goes on after the call: [Store.Describe] tells what became of it.
func (s *Store) Replicate(ctx context.Context, ref string, to Replication) ([]Replica, error) {
	t, err := s.target(ref)
	if err != nil {
		return nil, err
	}
	if len(to.Regions) == 0 {
		return nil, t.invalid("no Region is named to replicate to")
	}
	if err := t.checkReplicas(to); err != nil {
		return nil, err
	}
	out, err := call(ctx, s, t, "ReplicateSecretToRegions", t.client.ReplicateSecretToRegions, &secretsmanager.ReplicateSecretToRegionsInput{
		SecretId: &t.id, AddReplicaRegions: replicaList(to.Regions), ForceOverwriteReplicaSecret: to.Overwrite,
	})
	if err != nil {
		return nil, err
	}
	return replicasOf(out.ReplicationStatus), nil
}

// RemoveReplicas deletes the replicas of a secret in some Regions, at once and
// for good, and returns those that are left.
func (s *Store) RemoveReplicas(ctx context.Context, ref string, regions ...string) ([]Replica, error) {
	t, err := s.target(ref)
	if err != nil {
		return nil, err
	}
	if len(regions) == 0 {
		return nil, t.invalid("no Region is named to remove the replica from")
	}
	for _, region := range regions {
		if err := t.checkRegion(region); err != nil {
			return nil, err
		}
	}
	out, err := call(ctx, s, t, "RemoveRegionsFromReplication", t.client.RemoveRegionsFromReplication, &secretsmanager.RemoveRegionsFromReplicationInput{
		SecretId: &t.id, RemoveReplicaRegions: regions,
	})
	if err != nil {
		return nil, err
	}
	return replicasOf(out.ReplicationStatus), nil
}

// PromoteReplica makes a replica a secret of its own, which keeps its ARN, and
// returns that. The ref names the replica in its own Region, as in
// sm://prod/db?region=eu-west-1.
func (s *Store) PromoteReplica(ctx context.Context, ref string) (arn string, err error) {
	t, err := s.target(ref)
	if err != nil {
		return "", err
	}
	out, err := call(ctx, s, t, "StopReplicationToReplica", t.client.StopReplicationToReplica, &secretsmanager.StopReplicationToReplicaInput{SecretId: &t.id})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ARN), nil
}

func (t target) checkReplicas(to Replication) error {
	seen := make(map[string]bool)
	for _, r := range to.Regions {
		if err := firstError(t.checkRegion(r.Region), t.checkLength("the KMS key", r.KMSKey, maxKMSKey)); err != nil {
			return err
		}
		if seen[r.Region] {
			return t.invalid("Region %s is named twice", r.Region)
		}
		seen[r.Region] = true
	}
	return nil
}

func replicaList(replicas []Replica) []types.ReplicaRegionType {
	var list []types.ReplicaRegionType
	for _, r := range replicas {
		list = append(list, types.ReplicaRegionType{Region: aws.String(r.Region), KmsKeyId: orNil(r.KMSKey)})
	}
	return list
}

func replicasOf(list []types.ReplicationStatusType) []Replica {
	var replicas []Replica
	for _, r := range list {
		replicas = append(replicas, Replica{
			Region:       aws.ToString(r.Region),
			KMSKey:       aws.ToString(r.KmsKeyId),
			Status:       r.Status,
			Message:      aws.ToString(r.StatusMessage),
			LastAccessed: aws.ToTime(r.LastAccessedDate),
		})
	}
	return replicas
}
