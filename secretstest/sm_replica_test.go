package secretstest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func regions(codes ...string) (list []types.ReplicaRegionType) {
	for _, code := range codes {
		list = append(list, types.ReplicaRegionType{Region: aws.String(code)})
	}
	return list
}

func inRegion(srv *secretstest.Server, region string) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(srv.ConfigFor(region, ""))
}

func TestReplicaFollowsItsPrimary(t *testing.T) {
	srv, sm, _ := start(t)
	west := inRegion(srv, "us-west-2")
	id := aws.String("a")
	made, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: id, SecretString: aws.String("1"), AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("us-west-2"), KmsKeyId: aws.String("alias/west")}}})
	require.NoError(t, err)
	require.Equal(t, []types.ReplicationStatusType{{Region: aws.String("us-west-2"), KmsKeyId: aws.String("alias/west"), Status: "InProgress"}}, made.ReplicationStatus)
	primary := describe(t, sm, "a")
	require.Equal(t, []types.ReplicationStatusType{{Region: aws.String("us-west-2"), KmsKeyId: aws.String("alias/west"), Status: "InSync", StatusMessage: aws.String("Replication succeeded")}}, primary.ReplicationStatus)
	require.Equal(t, "us-east-1", aws.ToString(primary.PrimaryRegion))

	copied := describe(t, west, "a")
	require.Equal(t, strings.Replace(aws.ToString(made.ARN), "us-east-1", "us-west-2", 1), aws.ToString(copied.ARN))
	require.Equal(t, "us-east-1", aws.ToString(copied.PrimaryRegion))
	require.Equal(t, "alias/west", aws.ToString(copied.KmsKeyId))
	require.Equal(t, primary.VersionIdsToStages, copied.VersionIdsToStages)

	put(t, sm, "a", "2")
	_, err = sm.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: id, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	require.NoError(t, err)
	out, err := west.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: copied.ARN})
	require.NoError(t, err)
	require.Equal(t, "2", aws.ToString(out.SecretString))
	require.Len(t, describe(t, west, "a").Tags, 1)
	require.Nil(t, describe(t, sm, "a").LastAccessedDate, "an access counts in its region")
	require.NotNil(t, describe(t, sm, "a").ReplicationStatus[0].LastAccessedDate)

	list, err := west.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{Filters: []types.Filter{{Key: "primary-region", Values: []string{"us-east"}}}})
	require.NoError(t, err)
	require.Len(t, list.SecretList, 1)
}

func TestReplicaRefusesChanges(t *testing.T) {
	srv, sm, _ := start(t)
	v := srv.SetSecret("a", "1")
	id := aws.String("a")
	_, err := sm.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: id, AddReplicaRegions: regions("eu-west-1", "us-west-2")})
	require.NoError(t, err)
	west := inRegion(srv, "us-west-2")
	for name, call := range map[string]func() error{
		"put": func() error {
			_, err := west.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: aws.String("x")})
			return err
		},
		"update": func() error {
			_, err := west.UpdateSecret(t.Context(), &secretsmanager.UpdateSecretInput{SecretId: id, Description: aws.String("x")})
			return err
		},
		"stage": func() error {
			_, err := west.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: id, VersionStage: aws.String("x"), MoveToVersionId: &v})
			return err
		},
		"tag": func() error {
			_, err := west.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: id, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
			return err
		},
		"delete": func() error {
			_, err := west.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id})
			return err
		},
		"force": func() error {
			_, err := west.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id, ForceDeleteWithoutRecovery: aws.Bool(true)})
			return err
		},
		"replicate": func() error {
			_, err := west.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: id, AddReplicaRegions: regions("eu-west-3")})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			requireCode(t, call(), "InvalidParameterException", "Operation not permitted on a replica secret. Call must be made in primary secret's region.")
		})
	}
	_, err = sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id})
	requireCode(t, err, "InvalidParameterException", "You can't delete secret "+aws.ToString(describe(t, sm, "a").ARN)+" that still has replica regions [eu-west-1, us-west-2]")

	for range 2 {
		out, err := sm.RemoveRegionsFromReplication(t.Context(), &secretsmanager.RemoveRegionsFromReplicationInput{SecretId: id, RemoveReplicaRegions: []string{"us-west-2"}})
		require.NoError(t, err, "removing again does nothing")
		require.Len(t, out.ReplicationStatus, 1)
	}
	requireCode(t, get(t, west, "a"), "ResourceNotFoundException")
	require.NoError(t, get(t, inRegion(srv, "eu-west-1"), "a"))
}

func TestReplicationMeetsATakenName(t *testing.T) {
	srv, sm, _ := start(t)
	west := inRegion(srv, "us-west-2")
	_, err := west.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String("other")})
	require.NoError(t, err)
	srv.SetSecret("a", "1")
	replicate := func(force bool) {
		_, err := sm.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: aws.String("a"), AddReplicaRegions: regions("us-west-2"), ForceOverwriteReplicaSecret: force})
		require.NoError(t, err)
	}
	replicate(false)
	failed := describe(t, sm, "a").ReplicationStatus
	require.Len(t, failed, 1)
	require.Equal(t, types.StatusTypeFailed, failed[0].Status)
	require.Contains(t, aws.ToString(failed[0].StatusMessage), "already exists in region us-west-2")
	replicate(true)
	require.Equal(t, types.StatusTypeInSync, describe(t, sm, "a").ReplicationStatus[0].Status)
	out, err := west.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
	require.NoError(t, err)
	require.Equal(t, "1", aws.ToString(out.SecretString))
}

func TestReplicatingAgainChangesTheKey(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "1")
	west := inRegion(srv, "us-west-2")
	replicate := func(key string) {
		_, err := sm.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: aws.String("a"), AddReplicaRegions: []types.ReplicaRegionType{{Region: aws.String("us-west-2"), KmsKeyId: &key}}})
		require.NoError(t, err)
	}
	replicate("alias/one")
	created := describe(t, west, "a").CreatedDate
	srv.Advance(time.Hour)
	replicate("alias/two")
	after := describe(t, west, "a")
	require.Equal(t, "alias/two", aws.ToString(after.KmsKeyId))
	require.Equal(t, created, after.CreatedDate)
	require.Len(t, describe(t, sm, "a").ReplicationStatus, 1)
	versions, err := west.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("a")})
	require.NoError(t, err)
	require.Equal(t, []string{"alias/two"}, versions.Versions[0].KmsKeyIds)
}

func TestStopReplicationPromotesTheReplica(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "1")
	id := aws.String("a")
	_, err := sm.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: id, AddReplicaRegions: regions("us-west-2")})
	require.NoError(t, err)
	_, err = sm.StopReplicationToReplica(t.Context(), &secretsmanager.StopReplicationToReplicaInput{SecretId: id})
	requireCode(t, err, "InvalidRequestException")
	west := inRegion(srv, "us-west-2")
	arn := describe(t, west, "a").ARN
	out, err := west.StopReplicationToReplica(t.Context(), &secretsmanager.StopReplicationToReplicaInput{SecretId: id})
	require.NoError(t, err)
	require.Equal(t, arn, out.ARN)
	require.Empty(t, describe(t, sm, "a").ReplicationStatus)
	require.Nil(t, describe(t, west, "a").PrimaryRegion)
	put(t, west, "a", "west")
	put(t, sm, "a", "east")
	for client, want := range map[*secretsmanager.Client]string{sm: "east", west: "west"} {
		value, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id})
		require.NoError(t, err)
		require.Equal(t, want, aws.ToString(value.SecretString))
	}
}

func TestReplicaRegionsAreChecked(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "1")
	for region, code := range map[string]string{"us-east-1": "InvalidParameterException", "US-WEST-2": "ValidationException", "": "ValidationException", "mars": "ValidationException"} {
		_, err := sm.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: aws.String("a"), AddReplicaRegions: regions(region)})
		requireCode(t, err, code)
		_, err = sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("b"), AddReplicaRegions: regions(region)})
		requireCode(t, err, code)
	}
	_, err := sm.ReplicateSecretToRegions(t.Context(), &secretsmanager.ReplicateSecretToRegionsInput{SecretId: aws.String("a"), AddReplicaRegions: []types.ReplicaRegionType{}})
	requireCode(t, err, "ValidationException")
}

func TestUpdateSecretReencryptsLabelledVersions(t *testing.T) {
	srv, sm, _ := start(t)
	for _, text := range []string{"1", "2", "3"} {
		srv.SetSecret("a", text)
	}
	update := func(key string) {
		_, err := sm.UpdateSecret(t.Context(), &secretsmanager.UpdateSecretInput{SecretId: aws.String("a"), KmsKeyId: &key})
		require.NoError(t, err)
	}
	keys := func() (keys []string) {
		out, err := sm.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("a"), IncludeDeprecated: aws.Bool(true)})
		require.NoError(t, err)
		for _, v := range out.Versions {
			keys = append(keys, v.KmsKeyIds...)
		}
		return keys
	}
	update("alias/k")
	require.Equal(t, []string{"DefaultEncryptionKey", "alias/k", "alias/k"}, keys())
	require.Equal(t, "alias/k", aws.ToString(describe(t, sm, "a").KmsKeyId))
	update("")
	require.Equal(t, []string{"DefaultEncryptionKey", "DefaultEncryptionKey", "DefaultEncryptionKey"}, keys())
	require.Nil(t, describe(t, sm, "a").KmsKeyId)
	update("alias/aws/secretsmanager")
	require.Nil(t, describe(t, sm, "a").KmsKeyId)
}

func TestManagedSecret(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetManagedSecret("rds", "rds!db-1", "v")
	id := aws.String("rds!db-1")
	require.NoError(t, get(t, sm, *id))
	require.Equal(t, "rds", aws.ToString(describe(t, sm, *id).OwningService))
	_, err := sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: aws.String("x")})
	requireCode(t, err, "InvalidRequestException")
	_, err = sm.UpdateSecret(t.Context(), &secretsmanager.UpdateSecretInput{SecretId: id, SecretString: aws.String("x")})
	requireCode(t, err, "InvalidRequestException")
	_, err = sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id})
	requireCode(t, err, "InvalidRequestException")
	list, err := sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{Filters: []types.Filter{{Key: "owning-service", Values: []string{"rds"}}}})
	require.NoError(t, err)
	require.Len(t, list.SecretList, 1)
}
