package sm_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func (l *life) testRotation(t *testing.T) {
	ref, ids := l.made(t, 1)
	_, err := l.store.Rotate(t.Context(), ref, sm.RotateOptions{})
	requireKind(t, err, sm.ErrInvalid, "RotateOptions.Lambda")
	schedule := sm.Schedule{Expression: "cron(0 8 1 * ? *)", Window: 3 * time.Hour}
	_, err = l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction, Schedule: schedule, Defer: true})
	require.NoError(t, err)
	m, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	require.True(t, m.Rotation.Enabled)
	require.Equal(t, someFunction, m.Rotation.Lambda)
	require.Equal(t, schedule.Expression, m.Rotation.Schedule.Expression)
	require.Equal(t, schedule.Window, m.Rotation.Schedule.Window)
	require.NotZero(t, m.NextRotation)
	require.Equal(t, ids[0], l.stages(t, ref)["AWSCURRENT"], "it is deferred")

	_, err = l.store.CancelRotation(t.Context(), ref)
	require.NoError(t, err)
	m, err = l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	require.False(t, m.Rotation.Enabled)
	require.Equal(t, someFunction, m.Rotation.Lambda, "as it was before")
}

// noRotation is a function that does nothing, and succeeds.
func noRotation(context.Context, secretstest.RotationEvent) error { return nil }

const someFunction = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

func (l *life) testRotationTwice(t *testing.T) {
	ref, _ := l.made(t, 1)
	pending, err := l.store.PutVersion(t.Context(), ref, text(1), sm.PutOptions{Stages: []string{"AWSPENDING"}})
	require.NoError(t, err)
	_, err = l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction})
	requireKind(t, err, provider.ErrConflict, "CancelRotation")
	require.NoError(t, l.store.RemoveStage(t.Context(), ref, "AWSPENDING", pending.ID))
	_, err = l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction, Defer: true})
	require.NoError(t, err)
}

// TestRotation has a function that rotates by the store, as one on Lambda does.
func TestRotation(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref, ids := l.made(t, 1)
	_, err := l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction, Schedule: sm.Schedule{AfterDays: 30}})
	requireKind(t, err, provider.ErrAccessDenied, "the function's own policy")

	token := strings.Repeat("r", 40)
	srv.HandleRotation(someFunction, func(ctx context.Context, event secretstest.RotationEvent) error {
		switch event.Step {
		case "createSecret":
			_, err := l.store.PutVersion(ctx, event.SecretId, text(1), sm.PutOptions{
				Stages: []string{"AWSPENDING"}, Token: event.ClientRequestToken, RotationToken: sm.Text(event.RotationToken),
			})
			return err
		case "finishSecret":
			return l.store.Promote(ctx, event.SecretId, event.ClientRequestToken)
		}
		return nil
	})
	_, err = l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction, Schedule: sm.Schedule{AfterDays: 30}, Defer: true})
	require.NoError(t, err)
	require.NoError(t, srv.WaitRotations(t.Context()))
	require.Equal(t, map[string]string{"AWSCURRENT": ids[0]}, l.stages(t, ref), "it is deferred")

	version, err := l.store.Rotate(t.Context(), ref, sm.RotateOptions{Token: token})
	require.NoError(t, err)
	require.Equal(t, token, version)
	require.NoError(t, srv.WaitRotations(t.Context()))
	require.Equal(t, "hunter2-1", l.read(t, ref, "AWSCURRENT"))
	require.Equal(t, ids[0], l.stages(t, ref)["AWSPREVIOUS"])
	m, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, 30, m.Rotation.Schedule.AfterDays)
	require.WithinDuration(t, time.Now(), m.LastRotated, time.Minute)
}

// TestExternalSecret has one that a partner holds, rotated by a role.
func TestExternalSecret(t *testing.T) {
	srv := secretstest.NewServer(t)
	srv.HandleRotation("AcmeKey", noRotation)
	l := newLife(srv.Config())
	ref := l.ref(t)
	_, err := l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{Type: "AcmeKey"})
	require.NoError(t, err)
	const role = "arn:aws:iam::123456789012:role/rotate"
	metadata := map[string]string{"orgId": "1", "adminSecretArn": "x"}
	_, err = l.store.Rotate(t.Context(), ref, sm.RotateOptions{ExternalRole: role, ExternalMetadata: metadata, Schedule: sm.Schedule{AfterDays: 7}, Defer: true})
	require.NoError(t, err)
	described, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	for _, m := range append(collect(t, l.store.Secrets(t.Context(), sm.ListOptions{})), described) {
		require.Equal(t, "AcmeKey", m.Type)
		require.Equal(t, sm.Rotation{Enabled: true, Schedule: sm.Schedule{AfterDays: 7}, ExternalRole: role, ExternalMetadata: metadata}, m.Rotation)
		require.NotZero(t, m.NextRotation)
	}
}
