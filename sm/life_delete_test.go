package sm_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/sm"
)

func (l *life) testDelete(t *testing.T) {
	ref, _ := l.made(t, 1)
	when, err := l.store.DeleteAfter(t.Context(), ref, 9)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(9*24*time.Hour), when, time.Minute)
	require.Equal(t, provider.ErrDeleted.Error(), l.read(t, ref, "AWSCURRENT"))
	m, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	require.NotZero(t, m.Deleted)
	_, err = l.store.DeleteAfter(t.Context(), ref, 9)
	requireKind(t, err, provider.ErrDeleted, "RestoreSecret")
	requireKind(t, l.store.Delete(t.Context(), readtest.Ref(t, ref)), provider.ErrDeleted, "RestoreSecret")
	for range 2 {
		require.NoError(t, l.store.Restore(t.Context(), ref))
		require.Equal(t, "hunter2-0", l.read(t, ref, "AWSCURRENT"))
	}
	require.NoError(t, l.store.Delete(t.Context(), readtest.Ref(t, ref)))
	m, err = l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(30*24*time.Hour), m.Deleted, time.Minute, "AWS's default")
	for range 2 { // also what waits to be deleted, and what is not there
		require.NoError(t, l.store.DeleteNow(t.Context(), ref))
		require.Equal(t, provider.ErrNotFound.Error(), l.read(t, ref, "AWSCURRENT"))
	}
}

func (l *life) testDeletedWrites(t *testing.T) {
	ref, ids := l.made(t, 2)
	_, err := l.store.DeleteAfter(t.Context(), ref, 7)
	require.NoError(t, err)
	v := text(1).WithRef(readtest.Ref(t, ref))
	for name, write := range map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error { _, err := l.store.Create(ctx, ref, v, sm.CreateOptions{}); return err },
		"PutVersion": func(ctx context.Context) error {
			_, err := l.store.PutVersion(ctx, ref, v, sm.PutOptions{})
			return err
		},
		"Put": func(ctx context.Context) error { _, err := l.store.Put(ctx, v, provider.Condition{}); return err },
		"PutAbsent": func(ctx context.Context) error {
			_, err := l.store.Put(ctx, v, provider.Condition{Absent: true})
			return err
		},
		"PutStale": func(ctx context.Context) error {
			_, err := l.store.Put(ctx, v, provider.Condition{Version: ids[0]})
			return err
		},
		"PutSwap": func(ctx context.Context) error {
			_, err := l.store.Put(ctx, v, provider.Condition{Version: ids[1]})
			return err
		},
		"Update": func(ctx context.Context) error {
			return l.store.Update(ctx, ref, sm.Changes{Description: aws.String("x")})
		},
		"Promote":   func(ctx context.Context) error { return l.store.Promote(ctx, ref, ids[0]) },
		"Rollback":  func(ctx context.Context) error { _, err := l.store.Rollback(ctx, ref); return err },
		"MoveStage": func(ctx context.Context) error { return l.store.MoveStage(ctx, ref, "blue", "", ids[0]) },
		"PutPolicy": func(ctx context.Context) error { return l.store.PutPolicy(ctx, ref, somePolicy, sm.PolicyOptions{}) },
		"Untyped": func(ctx context.Context) error {
			_, err := l.store.Put(ctx, provider.NewValue(v.Ref(), provider.Version{}, "", "x"), provider.Condition{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { requireKind(t, write(t.Context()), provider.ErrDeleted, "RestoreSecret") })
	}
	require.NoError(t, l.store.Restore(t.Context(), ref))
	require.Equal(t, map[string]string{"AWSCURRENT": ids[1], "AWSPREVIOUS": ids[0]}, l.stages(t, ref))
}

func (l *life) testTags(t *testing.T) {
	ref, _ := l.made(t, 1)
	tags := func() map[string]string {
		m, err := l.store.Describe(t.Context(), ref)
		require.NoError(t, err)
		return m.Tags
	}
	require.NoError(t, l.store.Tag(t.Context(), ref, map[string]string{"a": "1", "b": "2"}))
	require.NoError(t, l.store.Tag(t.Context(), ref, map[string]string{"b": "3", "B": ""}))
	require.Equal(t, map[string]string{"a": "1", "b": "3", "B": ""}, tags())
	require.NoError(t, l.store.Untag(t.Context(), ref, "a", "nothing"))
	require.Equal(t, map[string]string{"b": "3", "B": ""}, tags())
	require.NoError(t, l.store.Tag(t.Context(), ref, nil))
	require.NoError(t, l.store.Untag(t.Context(), ref))
}

func (l *life) testDeletedTags(t *testing.T) {
	ref, _ := l.made(t, 1)
	_, err := l.store.DeleteAfter(t.Context(), ref, 7)
	require.NoError(t, err)
	requireKind(t, l.store.Tag(t.Context(), ref, map[string]string{"a": "1"}), provider.ErrDeleted, "RestoreSecret")
	requireKind(t, l.store.Untag(t.Context(), ref, "a"), provider.ErrDeleted, "RestoreSecret")
}
