package secretstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func TestRotateSecretCallsTheFourSteps(t *testing.T) {
	srv, sm, f := rotating(t)
	old := describe(t, sm, "a")
	require.Nil(t, old.RotationEnabled)
	out, err := rotate(t, sm)
	require.NoError(t, err)
	require.NoError(t, srv.WaitRotations(t.Context()))
	f.mu.Lock()
	events := slices.Clone(f.events)
	f.mu.Unlock()
	require.Equal(t, allSteps, f.steps())
	for _, e := range events {
		require.Equal(t, aws.ToString(old.ARN), e.SecretId)
		require.Equal(t, aws.ToString(out.VersionId), e.ClientRequestToken)
		require.Len(t, e.RotationToken, 36)
	}
	raw, err := json.Marshal(events[0])
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{"Step":"createSecret","SecretId":%q,"ClientRequestToken":%q,"RotationToken":%q}`, events[0].SecretId, events[0].ClientRequestToken, events[0].RotationToken), string(raw))
	now := describe(t, sm, "a")
	require.True(t, aws.ToBool(now.RotationEnabled))
	require.Equal(t, rotator, aws.ToString(now.RotationLambdaARN))
	require.Nil(t, now.RotationRules, "none was given")
	require.Nil(t, now.NextRotationDate)
	require.WithinDuration(t, srv.Now(), *now.LastRotatedDate, time.Minute)
	require.Equal(t, []string{"AWSCURRENT", "AWSPENDING"}, now.VersionIdsToStages[*out.VersionId])
	value, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
	require.NoError(t, err)
	require.Equal(t, "rotated 1", aws.ToString(value.SecretString))

	again, err := rotate(t, sm)
	require.NoError(t, err, "AWSPENDING beside AWSCURRENT is no rotation in progress")
	require.NoError(t, srv.WaitRotations(t.Context()))
	require.Equal(t, map[string][]string{*out.VersionId: {"AWSPREVIOUS"}, *again.VersionId: {"AWSCURRENT", "AWSPENDING"}}, describe(t, sm, "a").VersionIdsToStages)
}

// Before createSecret the pending version has an ID, a label and no value.
func TestRotationIsAsynchronousAndExclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, f := rotating(t, secretstest.InProcess())
		proceed := make(chan struct{})
		srv.HandleRotation(rotator, func(ctx context.Context, e secretstest.RotationEvent) error {
			<-proceed
			return f.call(ctx, e)
		})
		id := token(1)
		same := func(in *secretsmanager.RotateSecretInput) { in.ClientRequestToken = id }
		out, err := rotate(t, sm, same)
		require.NoError(t, err)
		require.Equal(t, id, out.VersionId)
		require.Equal(t, []string{"AWSPENDING"}, describe(t, sm, "a").VersionIdsToStages[*id])
		_, err = sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a"), VersionStage: aws.String("AWSPENDING")})
		requireCode(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSPENDING")
		_, err = sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a"), VersionId: id})
		requireCode(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: "+*id)
		_, err = rotate(t, sm)
		requireCode(t, err, "InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
		_, err = rotate(t, sm, same)
		require.NoError(t, err, "a retry of the call that began it")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, srv.WaitRotations(ctx), context.DeadlineExceeded)
		close(proceed)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Equal(t, allSteps, f.steps())
		_, err = rotate(t, sm, same)
		require.NoError(t, err, "and a late one")
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Empty(t, f.steps())
	})
}

func TestRotateSecretRefusals(t *testing.T) {
	srv, sm, _ := rotating(t)
	lambda := func(arn string) func(*secretsmanager.RotateSecretInput) {
		return func(in *secretsmanager.RotateSecretInput) { in.RotationLambdaARN = &arn }
	}
	const form = "Invalid rotation Lambda ARN. Ensure the ARN matches format arn:aws:lambda:us-east-1:<account>:function:<functionName>."
	for name, tt := range map[string]struct {
		change        func(*secretsmanager.RotateSecretInput)
		code, message string
	}{
		"no function":    {func(in *secretsmanager.RotateSecretInput) { in.RotationLambdaARN = nil }, "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret."},
		"not registered": {lambda(rotator + "2"), "AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com."},
		"no ARN":         {lambda("rotate"), "InvalidParameterException", form},
		"no Lambda":      {lambda("arn:aws:sns:us-east-1:123456789012:function:rotate"), "InvalidParameterException", form},
		"another region": {lambda("arn:aws:lambda:us-west-2:123456789012:function:rotate"), "InvalidParameterException", form},
		"not a function": {lambda("arn:aws:lambda:us-east-1:123456789012:layer:rotate"), "InvalidParameterException", form},
		"missing secret": {func(in *secretsmanager.RotateSecretInput) { in.SecretId = aws.String("nope") }, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."},
		"external settings": {func(in *secretsmanager.RotateSecretInput) {
			in.ExternalSecretRotationRoleArn = aws.String("arn:aws:iam::123456789012:role/r")
		}, "InvalidParameterException", "Only a secret with a Type, a managed external secret, has external rotation settings."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rotate(t, sm, tt.change)
			requireCode(t, err, tt.code, tt.message)
			require.Nil(t, describe(t, sm, "a").RotationEnabled, "nothing was configured")
			require.Len(t, describe(t, sm, "a").VersionIdsToStages, 1)
		})
	}
	srv.HandleRotation(rotator, nil)
	_, err := rotate(t, sm)
	requireCode(t, err, "AccessDeniedException")
	_, err = sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("a")})
	require.NoError(t, err)
	_, err = rotate(t, sm)
	requireCode(t, err, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	_, err = sm.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("a")})
	requireCode(t, err, "InvalidRequestException")
	status, answer := post(t, srv, "secretsmanager.RotateSecret", `{"SecretId":"a"}`)
	require.Equal(t, 400, status)
	require.Equal(t, "InvalidRequestException", answer["__type"])
}

func TestRotateLaterOnlyTests(t *testing.T) {
	srv, sm, f := rotating(t)
	before := describe(t, sm, "a").VersionIdsToStages
	out, err := rotate(t, sm, everyDays(7), later)
	require.NoError(t, err)
	require.Nil(t, out.VersionId)
	require.NoError(t, srv.WaitRotations(t.Context()))
	require.Equal(t, []string{"test"}, f.steps())
	now := describe(t, sm, "a")
	require.Equal(t, before, now.VersionIdsToStages, "the version of the test is gone")
	require.Nil(t, now.LastRotatedDate)
	require.NotNil(t, now.NextRotationDate)
	f.fails["testSecret"] = 1
	_, err = rotate(t, sm, later)
	require.NoError(t, err)
	require.ErrorIs(t, srv.WaitRotations(t.Context()), errStep)
	require.Equal(t, before, describe(t, sm, "a").VersionIdsToStages)
	require.Equal(t, []string{"test"}, f.steps())
	srv.Advance(time.Hour)
	require.NoError(t, srv.WaitRotations(t.Context()))
	require.Empty(t, f.steps(), "a test is not tried again")
}

func TestCancelRotateSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, f := rotating(t, secretstest.InProcess())
		proceed := make(chan struct{})
		srv.HandleRotation(rotator, func(ctx context.Context, e secretstest.RotationEvent) error {
			<-proceed
			return f.call(ctx, e)
		})
		cancel := func() *secretsmanager.CancelRotateSecretOutput {
			out, err := sm.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("a")})
			require.NoError(t, err)
			return out
		}
		out, err := rotate(t, sm, everyDays(1))
		require.NoError(t, err)
		require.Equal(t, out.VersionId, cancel().VersionId)
		close(proceed)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Equal(t, []string{"create"}, f.steps(), "no step after the one under way")
		d := describe(t, sm, "a")
		require.Equal(t, []string{"AWSPENDING"}, d.VersionIdsToStages[*out.VersionId], "the label stays")
		require.False(t, aws.ToBool(d.RotationEnabled))
		require.NotNil(t, d.RotationEnabled)
		require.Nil(t, d.NextRotationDate)
		require.Equal(t, rotator, aws.ToString(d.RotationLambdaARN), "the configuration is still told")
		require.Equal(t, int64(1), *d.RotationRules.AutomaticallyAfterDays)
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		require.Empty(t, f.steps())
		_, err = sm.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("a"), VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: out.VersionId})
		require.NoError(t, err)
		require.Nil(t, cancel().VersionId)
		_, err = sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("a")})
		require.NoError(t, err, "the function and the rules are still there")
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.NotNil(t, describe(t, sm, "a").NextRotationDate)
	})
}

func TestManagedAndExternalRotation(t *testing.T) {
	srv, sm, f := rotating(t)
	srv.SetManagedSecret("rds", "rds!db", "v")
	as := func(name string) func(*secretsmanager.RotateSecretInput) {
		return func(in *secretsmanager.RotateSecretInput) { in.SecretId, in.RotationLambdaARN = &name, nil }
	}
	_, err := rotate(t, sm, as("rds!db"))
	requireCode(t, err, "AccessDeniedException")
	srv.HandleRotation("rds", f.call)
	_, err = rotate(t, sm, as("rds!db"), func(in *secretsmanager.RotateSecretInput) { in.RotationLambdaARN = aws.String(rotator) })
	requireCode(t, err, "InvalidParameterException")
	srv.HandleRotation("rds", func(ctx context.Context, e secretstest.RotationEvent) error {
		if e.Step == "setSecret" {
			_, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &e.SecretId, SecretString: aws.String("x")})
			var refused *types.InvalidRequestException
			if !errors.As(err, &refused) {
				return fmt.Errorf("a version of another token: %w", err)
			}
		}
		return f.call(ctx, e)
	})
	_, err = rotate(t, sm, as("rds!db"), everyDays(7))
	require.NoError(t, err)
	require.NoError(t, srv.WaitRotations(t.Context()), "the owner may write while it rotates")
	require.Equal(t, allSteps, f.steps())
	require.NotNil(t, describe(t, sm, "rds!db").LastRotatedDate)
	_, err = sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("rds!db"), SecretString: aws.String("x")})
	requireCode(t, err, "InvalidRequestException")

	_, err = sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("partner"), Type: aws.String("SalesforceClientSecret"), SecretString: aws.String("v")})
	require.NoError(t, err)
	srv.HandleRotation("SalesforceClientSecret", f.call)
	_, err = rotate(t, sm, as("partner"))
	requireCode(t, err, "InvalidRequestException")
	metadata := []types.ExternalSecretRotationMetadataItem{{Key: aws.String("apiVersion"), Value: aws.String("v65.0")}}
	_, err = rotate(t, sm, as("partner"), func(in *secretsmanager.RotateSecretInput) {
		in.ExternalSecretRotationRoleArn = aws.String("arn:aws:iam::123456789012:role/r")
		in.ExternalSecretRotationMetadata = metadata
	})
	require.NoError(t, err)
	require.NoError(t, srv.WaitRotations(t.Context()))
	d := describe(t, sm, "partner")
	require.Equal(t, "SalesforceClientSecret", aws.ToString(d.Type))
	require.Equal(t, metadata, d.ExternalSecretRotationMetadata)
	require.Equal(t, "arn:aws:iam::123456789012:role/r", aws.ToString(d.ExternalSecretRotationRoleArn))
	list, err := sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{Filters: []types.Filter{{Key: "name", Values: []string{"partner"}}}})
	require.NoError(t, err)
	require.Equal(t, d.LastRotatedDate, list.SecretList[0].LastRotatedDate)
	_, err = rotate(t, sm, as("partner"))
	require.NoError(t, err, "the settings were kept")
	require.NoError(t, srv.WaitRotations(t.Context()))
}
