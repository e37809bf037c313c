package sm_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func (l *life) testCreate(t *testing.T) {
	ref := l.ref(t)
	v, err := l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{
		Description: "the database", KMSKey: "alias/app", Tags: map[string]string{"team": "a", "stage": "prod"},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"AWSCURRENT"}, v.Labels())
	r := l.store.Fetch(t.Context(), readtest.Ref(t, ref))[0]
	require.NoError(t, r.Err)
	require.Equal(t, "hunter2-0", r.Value.Text())
	require.Equal(t, provider.SecretString, r.Value.Type())
	require.Equal(t, v.ID, r.Value.Version().ID)
	m, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, "the database", m.Description)
	require.Equal(t, "alias/app", m.KMSKey)
	require.Equal(t, map[string]string{"team": "a", "stage": "prod"}, m.Tags)

	_, err = l.store.Create(t.Context(), ref, text(1), sm.CreateOptions{})
	requireKind(t, err, provider.ErrConflict, "PutVersion")

	binary := l.ref(t)
	_, err = l.store.Create(t.Context(), binary, sm.Binary([]byte{0, 0xff}), sm.CreateOptions{})
	require.NoError(t, err)
	r = l.store.Fetch(t.Context(), readtest.Ref(t, binary))[0]
	require.True(t, r.Value.Binary())
	require.Equal(t, []byte{0, 0xff}, r.Value.Bytes())
}

func (l *life) testCreateBare(t *testing.T) {
	ref := l.ref(t)
	v, err := l.store.Create(t.Context(), ref, provider.Value{}, sm.CreateOptions{})
	require.NoError(t, err)
	require.Zero(t, v)
	require.Equal(t, provider.ErrVersionNotFound.Error(), l.read(t, ref, "AWSCURRENT"))
	_, err = l.store.Put(t.Context(), text(0).WithRef(readtest.Ref(t, ref)), provider.Condition{Version: strings.Repeat("0", 32)})
	requireKind(t, err, provider.ErrConflict, "no current version")
	_, err = l.store.Rollback(t.Context(), ref)
	requireKind(t, err, provider.ErrVersionNotFound, "AWSPREVIOUS")
	_, err = l.store.PutVersion(t.Context(), ref, text(0), sm.PutOptions{Stages: []string{"blue"}})
	require.NoError(t, err)
	require.Equal(t, "hunter2-0", l.read(t, ref, "AWSCURRENT"), "the first version is the current one")
	require.Equal(t, "hunter2-0", l.read(t, ref, "blue"))
}

func (l *life) testCreateAgain(t *testing.T) {
	ref, token := l.ref(t), strings.Repeat("t", 32)
	for range 2 {
		v, err := l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{Token: token})
		require.NoError(t, err)
		require.Equal(t, token, v.ID)
	}
	_, err := l.store.Create(t.Context(), ref, text(1), sm.CreateOptions{Token: token})
	requireKind(t, err, provider.ErrConflict, "")
}

func (l *life) testPutVersion(t *testing.T) {
	ref, ids := l.made(t, 2)
	require.Equal(t, map[string]string{"AWSCURRENT": ids[1], "AWSPREVIOUS": ids[0]}, l.stages(t, ref))
	v, err := l.store.PutVersion(t.Context(), ref, text(2), sm.PutOptions{Stages: []string{"blue", "AWSPENDING"}})
	require.NoError(t, err)
	require.Equal(t, []string{"AWSPENDING", "blue"}, v.Labels())
	require.Equal(t, map[string]string{"AWSCURRENT": ids[1], "AWSPREVIOUS": ids[0], "blue": v.ID, "AWSPENDING": v.ID}, l.stages(t, ref))
	require.Equal(t, "hunter2-2", l.read(t, ref, "blue"))
	require.Equal(t, "hunter2-1", l.read(t, ref, "AWSCURRENT"))
}

func (l *life) testPutAgain(t *testing.T) {
	ref, _ := l.made(t, 1)
	token := strings.Repeat("t", 64)
	for range 2 {
		v, err := l.store.PutVersion(t.Context(), ref, text(1), sm.PutOptions{Token: token})
		require.NoError(t, err)
		require.Equal(t, token, v.ID)
	}
	_, err := l.store.PutVersion(t.Context(), ref, text(2), sm.PutOptions{Token: token})
	requireKind(t, err, provider.ErrConflict, "new token for each write")
	require.Len(t, collect(t, l.store.Versions(t.Context(), ref)), 2)
}

func (l *life) testUpdate(t *testing.T) {
	ref, ids := l.made(t, 1)
	describe := func() sm.Metadata {
		m, err := l.store.Describe(t.Context(), ref)
		require.NoError(t, err)
		return m
	}
	require.NoError(t, l.store.Update(t.Context(), ref, sm.Changes{Description: aws.String("one"), KMSKey: aws.String("alias/one")}))
	require.Equal(t, []string{"one", "alias/one"}, []string{describe().Description, describe().KMSKey})
	require.NoError(t, l.store.Update(t.Context(), ref, sm.Changes{Description: aws.String("two")}))
	require.Equal(t, []string{"two", "alias/one"}, []string{describe().Description, describe().KMSKey})
	require.Equal(t, map[string]string{"AWSCURRENT": ids[0]}, l.stages(t, ref), "no version was made")
	requireKind(t, l.store.Update(t.Context(), ref, sm.Changes{}), sm.ErrInvalid, "nothing to change")
}

// TestRefsOfWrites has refs that name no whole secret of Secrets Manager.
func TestRefsOfWrites(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	for _, ref := range []string{"", "sm://", "db", "ssm:///db", "sm://db#user", "sm://db?stage=AWSCURRENT", "sm://db?version=x", "sm://a b"} {
		for name, err := range map[string]error{
			"Create":   second(l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{})),
			"Put":      second(l.store.PutVersion(t.Context(), ref, text(0), sm.PutOptions{})),
			"Describe": second(l.store.Describe(t.Context(), ref)),
			"Delete":   l.store.DeleteNow(t.Context(), ref),
			"Rotate":   second(l.store.Rotate(t.Context(), ref, sm.RotateOptions{})),
		} {
			require.ErrorIs(t, err, provider.ErrInvalidRef, "%s of %q", name, ref)
		}
	}
	_, err := l.store.Create(t.Context(), "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf", text(0), sm.CreateOptions{})
	requireKind(t, err, provider.ErrInvalidRef, "AWS makes the ARN")
	require.Zero(t, srv.Calls())
}

// TestPutByARN has Put create nothing where it cannot.
func TestPutByARN(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref, _ := l.made(t, 1)
	m, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	v, err := l.store.Put(t.Context(), value(t, m.ARN, 1), provider.Condition{})
	require.NoError(t, err)
	require.Equal(t, v.ID, l.stages(t, ref)["AWSCURRENT"])
	missing := value(t, "arn:aws:secretsmanager:us-east-1:123456789012:secret:missing-AbCdEf", 1)
	_, err = l.store.Put(t.Context(), missing, provider.Condition{})
	requireKind(t, err, provider.ErrNotFound, "check the name")
	_, err = l.store.Put(t.Context(), missing, provider.Condition{Absent: true})
	requireKind(t, err, provider.ErrInvalidRef, "AWS makes the ARN")
}

// TestManagedSecret has one that belongs to another service.
func TestManagedSecret(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	id := srv.SetManagedSecret("rds", "rds!db", "hunter2")
	m, err := l.store.Describe(t.Context(), "sm://rds!db")
	require.NoError(t, err)
	require.Equal(t, "rds", m.OwningService)
	for _, err := range []error{
		second(l.store.PutVersion(t.Context(), "sm://rds!db", text(0), sm.PutOptions{})),
		l.store.MoveStage(t.Context(), "sm://rds!db", "blue", "", id),
		l.store.DeleteNow(t.Context(), "sm://rds!db"),
	} {
		requireKind(t, err, sm.ErrInvalid, "owns the secret")
	}
}
