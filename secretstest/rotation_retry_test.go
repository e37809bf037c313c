package secretstest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

func TestFailedRotationIsTriedAgain(t *testing.T) {
	for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, sm, f := rotating(t, secretstest.InProcess())
				f.fails[step] = 2
				out, err := rotate(t, sm, everyDays(30))
				require.NoError(t, err)
				err = srv.WaitRotations(t.Context())
				require.ErrorIs(t, err, errStep)
				require.ErrorContains(t, err, "rotation of a: "+step)
				require.NoError(t, srv.WaitRotations(t.Context()), "an error is told once")
				require.Equal(t, []string{"AWSPENDING"}, describe(t, sm, "a").VersionIdsToStages[*out.VersionId])
				for _, delay := range []time.Duration{time.Minute, 2 * time.Minute} {
					f.steps()
					srv.Advance(delay / 2)
					require.NoError(t, srv.WaitRotations(t.Context()))
					require.Empty(t, f.steps())
					srv.Advance(delay / 2)
					err = srv.WaitRotations(t.Context())
				}
				require.NoError(t, err)
				require.Equal(t, allSteps, f.steps(), "from the first step on")
				d := describe(t, sm, "a")
				require.Equal(t, []string{"AWSCURRENT", "AWSPENDING"}, d.VersionIdsToStages[*out.VersionId], "with the same token")
				require.NotNil(t, d.LastRotatedDate)
			})
		})
	}
}

func TestRetriesEndAndRotateSecretTriesAgain(t *testing.T) {
	srv, sm, f := rotating(t)
	f.fails["setSecret"] = 5
	out, err := rotate(t, sm)
	require.NoError(t, err)
	for range 10 {
		_ = srv.WaitRotations(t.Context())
		srv.Advance(time.Hour)
	}
	require.Len(t, f.steps(), 10, "two steps, five times")
	require.Equal(t, []string{"AWSPENDING"}, describe(t, sm, "a").VersionIdsToStages[*out.VersionId])
	require.Nil(t, describe(t, sm, "a").LastRotatedDate)
	_, err = rotate(t, sm)
	requireCode(t, err, "InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
	require.NoError(t, srv.WaitRotations(t.Context()))
	require.Equal(t, allSteps, f.steps())
	require.Equal(t, []string{"AWSCURRENT", "AWSPENDING"}, describe(t, sm, "a").VersionIdsToStages[*out.VersionId])
}

// The retries begin anew with a window, and with a RotateSecret.
func TestRetriesBeginAnew(t *testing.T) {
	for name, again := range map[string]func(*testing.T, *secretstest.Server, *secretsmanager.Client){
		"window": func(_ *testing.T, srv *secretstest.Server, _ *secretsmanager.Client) { srv.Advance(24 * time.Hour) },
		"RotateSecret": func(t *testing.T, _ *secretstest.Server, sm *secretsmanager.Client) {
			_, err := rotate(t, sm)
			requireCode(t, err, "InvalidRequestException")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // begins at midnight: no day ends within
				srv, sm, f := rotating(t, secretstest.InProcess())
				f.fails["createSecret"] = 7
				_, err := rotate(t, sm, everyDays(2))
				require.NoError(t, err)
				for range 30 {
					_ = srv.WaitRotations(t.Context())
					srv.Advance(time.Minute)
				}
				require.Len(t, f.steps(), 5)
				srv.Advance(24 * time.Hour)
				require.NoError(t, srv.WaitRotations(t.Context()))
				require.Empty(t, f.steps())
				again(t, srv, sm)
				require.Error(t, srv.WaitRotations(t.Context()))
				srv.Advance(time.Minute)
				require.Error(t, srv.WaitRotations(t.Context()))
				srv.Advance(2 * time.Minute)
				require.NoError(t, srv.WaitRotations(t.Context()))
				require.Equal(t, append([]string{"create", "create"}, allSteps...), f.steps())
			})
		})
	}
}

func TestAFunctionThatMovesNothingHasFailed(t *testing.T) {
	srv, sm, _ := rotating(t)
	srv.HandleRotation(rotator, func(context.Context, secretstest.RotationEvent) error { return nil })
	_, err := rotate(t, sm)
	require.NoError(t, err)
	require.ErrorContains(t, srv.WaitRotations(t.Context()), "finishSecret: AWSCURRENT was not moved")
	require.Nil(t, describe(t, sm, "a").LastRotatedDate)
}

func TestAPendingLabelTakenAwayEndsTheRotation(t *testing.T) {
	srv, sm, f := rotating(t)
	f.fails["setSecret"] = 1
	out, err := rotate(t, sm)
	require.NoError(t, err)
	require.Error(t, srv.WaitRotations(t.Context()))
	_, err = sm.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("a"), VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: out.VersionId})
	require.NoError(t, err)
	f.steps()
	srv.Advance(time.Hour)
	require.NoError(t, srv.WaitRotations(t.Context()))
	require.Empty(t, f.steps())
	_, err = rotate(t, sm)
	require.NoError(t, err)
	require.NoError(t, srv.WaitRotations(t.Context()))
	require.Equal(t, allSteps, f.steps())
}

// Close ends the context of a function that waits, and what its goroutine does
// by Goexit, as t.FailNow would, counts as a failure.
func TestFunctionsThatDoNotReturn(t *testing.T) {
	srv, sm, _ := rotating(t)
	started := make(chan struct{})
	srv.HandleRotation(rotator, func(ctx context.Context, _ secretstest.RotationEvent) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	_, err := rotate(t, sm)
	require.NoError(t, err)
	<-started
	srv.Close()
	require.NoError(t, srv.WaitRotations(t.Context()))

	srv, sm, _ = rotating(t)
	srv.HandleRotation(rotator, func(context.Context, secretstest.RotationEvent) error {
		new(testing.T).SkipNow()
		return nil
	})
	_, err = rotate(t, sm)
	require.NoError(t, err)
	require.ErrorContains(t, srv.WaitRotations(t.Context()), "did not return")
}

func TestFunctionTakenAwayBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, sm, f := rotating(t, secretstest.InProcess())
		_, err := rotate(t, sm, everyDays(1), later)
		require.NoError(t, err)
		require.NoError(t, srv.WaitRotations(t.Context()))
		srv.HandleRotation(rotator, nil)
		srv.Advance(24 * time.Hour)
		require.ErrorContains(t, srv.WaitRotations(t.Context()), "cannot invoke the specified Lambda function")
		f.steps()
		srv.HandleRotation(rotator, f.call)
		srv.Advance(time.Minute)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Equal(t, allSteps, f.steps())
	})
}
