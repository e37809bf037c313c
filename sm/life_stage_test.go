package sm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/sm"
)

func (l *life) testPromote(t *testing.T) {
	ref, ids := l.made(t, 3)
	for range 2 { // the second time it is done already
		require.NoError(t, l.store.Promote(t.Context(), ref, ids[0]))
		require.Equal(t, map[string]string{"AWSCURRENT": ids[0], "AWSPREVIOUS": ids[2]}, l.stages(t, ref))
	}
	require.Equal(t, "hunter2-0", l.read(t, ref, "AWSCURRENT"))
}

func (l *life) testRollback(t *testing.T) {
	ref, ids := l.made(t, 2)
	version, err := l.store.Rollback(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, ids[0], version)
	require.Equal(t, map[string]string{"AWSCURRENT": ids[0], "AWSPREVIOUS": ids[1]}, l.stages(t, ref))
	version, err = l.store.Rollback(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, ids[1], version)
	require.Equal(t, map[string]string{"AWSCURRENT": ids[1], "AWSPREVIOUS": ids[0]}, l.stages(t, ref))

	fresh, _ := l.made(t, 1)
	_, err = l.store.Rollback(t.Context(), fresh)
	requireKind(t, err, provider.ErrVersionNotFound, "no version carries AWSPREVIOUS")
}

func (l *life) testStages(t *testing.T) {
	ref, ids := l.made(t, 2)
	require.NoError(t, l.store.MoveStage(t.Context(), ref, "blue", "", ids[0]))
	require.NoError(t, l.store.MoveStage(t.Context(), ref, "blue", ids[0], ids[1]))
	require.Equal(t, ids[1], l.stages(t, ref)["blue"])
	requireKind(t, l.store.MoveStage(t.Context(), ref, "blue", ids[0], strings.Repeat("0", 32)), provider.ErrConflict, "blue is on version "+ids[1])
	requireKind(t, l.store.RemoveStage(t.Context(), ref, "blue", ids[0]), provider.ErrConflict, "blue is on version "+ids[1])
	for range 2 { // the second time it is done already
		require.NoError(t, l.store.RemoveStage(t.Context(), ref, "blue", ids[1]))
		require.NotContains(t, l.stages(t, ref), "blue")
	}
	requireKind(t, l.store.RemoveStage(t.Context(), ref, "AWSCURRENT", ids[1]), sm.ErrInvalid, "Promote another version")
	requireKind(t, l.store.MoveStage(t.Context(), ref, "blue", ids[1], ids[0]), provider.ErrConflict, "blue is on no version")
}

func (l *life) testStageConflict(t *testing.T) {
	ref, ids := l.made(t, 2)
	require.NoError(t, l.store.MoveStage(t.Context(), ref, "blue", "", ids[0]))
	requireKind(t, l.store.MoveStage(t.Context(), ref, "blue", "", ids[1]), provider.ErrConflict, "blue is on version "+ids[0]+" already")
	require.Equal(t, ids[0], l.stages(t, ref)["blue"])
}

func (l *life) testStageVersion(t *testing.T) {
	ref, ids := l.made(t, 2)
	nothing := strings.Repeat("0", 32)
	requireKind(t, l.store.Promote(t.Context(), ref, nothing), provider.ErrVersionNotFound, "no version "+nothing)
	requireKind(t, l.store.MoveStage(t.Context(), ref, "blue", "", nothing), provider.ErrVersionNotFound, "no version "+nothing)
	require.Equal(t, map[string]string{"AWSCURRENT": ids[1], "AWSPREVIOUS": ids[0]}, l.stages(t, ref))
}
