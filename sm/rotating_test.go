package sm_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func beginRotation(t testing.TB, l *life, ref string, opts provider.RotationOptions) provider.Rotation {
	t.Helper()
	r, err := l.store.BeginRotation(t.Context(), readtest.Ref(t, ref), opts)
	require.NoError(t, err)
	return r
}

func TestARotationMovesTheStagesAndLeavesNone(t *testing.T) {
	l := newLife(secretstest.NewServer(t).Config())
	ref, ids := l.made(t, 2)
	r := beginRotation(t, l, ref, provider.RotationOptions{})
	s := r.State()
	require.Equal(t, []string{"hunter2-1", "hunter2-0", ""}, []string{s.Current.Text(), s.Previous.Text(), s.Pending.Text()})
	require.False(t, s.Enabled)
	require.NoError(t, r.StorePending(t.Context(), "hunter2-2"))
	require.NoError(t, r.StorePending(t.Context(), "hunter2-2"))
	require.ErrorIs(t, r.StorePending(t.Context(), "hunter2-3"), provider.ErrConflict)
	require.Equal(t, map[string]string{"AWSCURRENT": ids[1], "AWSPREVIOUS": ids[0], "AWSPENDING": s.Token}, l.stages(t, ref))

	again := beginRotation(t, l, ref, provider.RotationOptions{})
	require.Equal(t, s.Token, again.State().Token, "it is taken part in")
	require.Equal(t, "hunter2-2", again.State().Pending.Text())
	for range 2 {
		require.NoError(t, r.Promote(t.Context()))
		require.NoError(t, again.Promote(t.Context()))
	}
	require.Equal(t, map[string]string{"AWSCURRENT": s.Token, "AWSPREVIOUS": ids[1]}, l.stages(t, ref))
	require.ErrorIs(t, r.Abandon(t.Context()), provider.ErrConflict)
}

func TestOneOfTwoRotationsGetsThePendingStage(t *testing.T) {
	l := newLife(secretstest.NewServer(t).Config())
	ref, ids := l.made(t, 1)
	a, b := beginRotation(t, l, ref, provider.RotationOptions{}), beginRotation(t, l, ref, provider.RotationOptions{})
	require.NoError(t, a.StorePending(t.Context(), "hunter2-a"))
	require.ErrorIs(t, b.StorePending(t.Context(), "hunter2-b"), provider.ErrConflict)
	require.Equal(t, map[string]string{"AWSCURRENT": ids[0], "AWSPENDING": a.State().Token}, l.stages(t, ref), "who lost leaves no label")
	require.ErrorIs(t, b.Promote(t.Context()), provider.ErrConflict, "nor can it promote the version that it put")
	require.NoError(t, a.Promote(t.Context()))
	require.Equal(t, "hunter2-a", l.read(t, ref, "AWSCURRENT"))
}

func TestARotationDoesNotOverwriteWhatWasWrittenMeanwhile(t *testing.T) {
	l := newLife(secretstest.NewServer(t).Config())
	ref, _ := l.made(t, 1)
	early := beginRotation(t, l, ref, provider.RotationOptions{})
	_, err := l.store.PutVersion(t.Context(), ref, sm.Text("by hand"), sm.PutOptions{})
	require.NoError(t, err)
	require.ErrorIs(t, early.StorePending(t.Context(), "hunter2-1"), provider.ErrConflict, "its content was made from another version")
	require.NotContains(t, l.stages(t, ref), "AWSPENDING")

	late := beginRotation(t, l, ref, provider.RotationOptions{})
	require.NoError(t, late.StorePending(t.Context(), "hunter2-2"))
	_, err = l.store.PutVersion(t.Context(), ref, sm.Text("by hand again"), sm.PutOptions{})
	require.NoError(t, err)
	require.ErrorIs(t, late.Promote(t.Context()), provider.ErrConflict)
	require.Equal(t, "by hand again", l.read(t, ref, "AWSCURRENT"))
	again := beginRotation(t, l, ref, provider.RotationOptions{})
	require.Equal(t, "hunter2-2", again.State().Pending.Text(), "the database may have it: it is not made anew")
	require.NoError(t, again.Promote(t.Context()))
	require.Equal(t, "by hand again", l.read(t, ref, "AWSPREVIOUS"))
}

func TestAnAbandonedRotationLeavesTheCurrentVersion(t *testing.T) {
	l := newLife(secretstest.NewServer(t).Config())
	ref, ids := l.made(t, 1)
	r := beginRotation(t, l, ref, provider.RotationOptions{})
	require.NoError(t, r.StorePending(t.Context(), "hunter2-1"))
	for range 2 {
		require.NoError(t, r.Abandon(t.Context()))
	}
	require.Equal(t, map[string]string{"AWSCURRENT": ids[0]}, l.stages(t, ref))
}

// TestAnErrorOfARotationNamesTheSecret has answers that the SDK cannot decode.
func TestAnErrorOfARotationNamesTheSecret(t *testing.T) {
	srv := secretstest.NewServer(t)
	cfg := srv.Config()
	tap := readtest.NewTap(&cfg)
	l := newLife(cfg)
	ref, _ := l.made(t, 1)
	r := beginRotation(t, l, ref, provider.RotationOptions{})
	require.NoError(t, r.StorePending(t.Context(), "hunter2-1"))
	tap.Answer(func(string) *http.Response { return readtest.Answer(200, `{"ARN":{"x":"hunter2"}}`) })
	for _, err := range []error{
		r.Abandon(t.Context()), r.Promote(t.Context()), second(l.store.BeginRotation(t.Context(), readtest.Ref(t, ref), provider.RotationOptions{})),
	} {
		requireKind(t, err, provider.ErrUnavailable, "")
		readtest.RequireNoLeak(t, err, "hunter2")
	}
	tap.Answer(nil)
}

func TestABinarySecretStaysBinary(t *testing.T) {
	l := newLife(secretstest.NewServer(t).Config())
	ref := l.ref(t)
	_, err := l.store.Create(t.Context(), ref, sm.Binary([]byte{0xff, 0}), sm.CreateOptions{})
	require.NoError(t, err)
	r := beginRotation(t, l, ref, provider.RotationOptions{})
	require.NoError(t, r.StorePending(t.Context(), "\xfe\x01"))
	require.NoError(t, r.Promote(t.Context()))
	v := l.store.Fetch(t.Context(), readtest.Ref(t, ref))[0].Value
	require.True(t, v.Binary())
	require.Equal(t, []byte{0xfe, 1}, v.Bytes())
}

func TestRotationsThatCannotBegin(t *testing.T) {
	l := newLife(secretstest.NewServer(t).Config())
	ref, ids := l.made(t, 1)
	for name, c := range map[string]struct {
		ref   string
		token string
		want  error
	}{
		"a version": {ref + "?version=" + ids[0], "", provider.ErrInvalidRef},
		"a stage":   {ref + "?stage=AWSPREVIOUS", "", provider.ErrInvalidRef},
		"a token":   {ref, "short", sm.ErrInvalid},
		"no secret": {"sm://none", "", provider.ErrNotFound},
	} {
		_, err := l.store.BeginRotation(t.Context(), readtest.Ref(t, c.ref), provider.RotationOptions{Token: c.token})
		require.ErrorIs(t, err, c.want, name)
	}
}
