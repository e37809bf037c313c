package secretstest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func TestScheduledRotationRunsAsTimePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, f := rotating(t, secretstest.InProcess())
		// A bubble begins at midnight UTC.
		time.Sleep(10 * time.Hour)
		_, err := rotate(t, sm, scheduled("rate(1 day)", "3h"))
		require.NoError(t, err)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Equal(t, allSteps, f.steps())
		midnight := time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)
		d := describe(t, sm, "a")
		require.Equal(t, midnight.Add(3*time.Hour-time.Second), d.NextRotationDate.UTC(), "the window closes")
		require.Equal(t, &types.RotationRulesType{ScheduleExpression: aws.String("rate(1 day)"), Duration: aws.String("3h"), AutomaticallyAfterDays: aws.Int64(1)}, d.RotationRules)
		for range 10 {
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			require.NoError(t, srv.WaitRotations(t.Context()))
			require.Equal(t, allSteps, f.steps())
			last := describe(t, sm, "a").LastRotatedDate
			require.WithinDuration(t, midnight, *last, time.Minute, "as the window opens")
			midnight = midnight.AddDate(0, 0, 1)
		}
		_, err = sm.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("a")})
		require.NoError(t, err)
		require.Nil(t, describe(t, sm, "a").LastRotatedDate, "null while rotation is off")
		list, err := sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{})
		require.NoError(t, err)
		require.NotNil(t, list.SecretList[0].LastRotatedDate, "but listed")
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		require.Empty(t, f.steps())
	})
}

func TestScheduledRotationRunsAsTheClockIsAdvanced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, f := rotating(t, secretstest.InProcess())
		_, err := rotate(t, sm, everyDays(30))
		require.NoError(t, err)
		require.NoError(t, srv.WaitRotations(t.Context()))
		f.steps()
		for range 3 {
			srv.Advance(31 * 24 * time.Hour)
			require.NoError(t, srv.WaitRotations(t.Context()))
			require.Equal(t, allSteps, f.steps())
		}
		srv.Advance(365 * 24 * time.Hour)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Equal(t, allSteps, f.steps(), "one rotation, however many windows were skipped")
	})
}

func TestNoRotationOfASecretScheduledForDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, f := rotating(t, secretstest.InProcess())
		_, err := rotate(t, sm, everyDays(10))
		require.NoError(t, err)
		require.NoError(t, srv.WaitRotations(t.Context()))
		f.steps()
		_, err = sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("a")})
		require.NoError(t, err)
		srv.Advance(20 * 24 * time.Hour)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Empty(t, f.steps())
		_, err = sm.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: aws.String("a")})
		require.NoError(t, err)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Equal(t, allSteps, f.steps(), "what was due is made up for")
	})
}

func TestAManualValueCountsAsRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, _ := rotating(t, secretstest.InProcess())
		_, err := rotate(t, sm, everyDays(10), later)
		require.NoError(t, err)
		require.NoError(t, srv.WaitRotations(t.Context()))
		before := describe(t, sm, "a").NextRotationDate
		srv.Advance(5 * 24 * time.Hour)
		put(t, sm, "a", "x", "AWSPENDING")
		require.Equal(t, before, describe(t, sm, "a").NextRotationDate, "the current value is the same")
		put(t, sm, "a", "by hand")
		require.Equal(t, before.Add(5*24*time.Hour), *describe(t, sm, "a").NextRotationDate)
		require.Nil(t, describe(t, sm, "a").LastRotatedDate)
	})
}

func TestScheduledRotationAtTheQuotaOfVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, f := rotating(t, secretstest.InProcess())
		// No version may be a day old as the window opens at midnight.
		time.Sleep(time.Hour)
		_, err := sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("a"), ForceDeleteWithoutRecovery: aws.Bool(true)})
		require.NoError(t, err)
		srv.SetSecret("a", "first")
		_, err = rotate(t, sm, everyDays(1), later)
		require.NoError(t, err)
		require.NoError(t, srv.WaitRotations(t.Context()))
		f.steps()
		time.Sleep(22 * time.Hour)
		for i := range 99 {
			srv.SetSecret("a", fmt.Sprint(i))
		}
		time.Sleep(2 * time.Hour)
		require.ErrorContains(t, srv.WaitRotations(t.Context()), "LimitExceededException")
		require.NotNil(t, describe(t, sm, "a").NextRotationDate)
		require.NoError(t, srv.WaitRotations(t.Context()), "it waits for the next window")
		require.Empty(t, f.steps())
		time.Sleep(24 * time.Hour)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Equal(t, allSteps, f.steps())
	})
}
