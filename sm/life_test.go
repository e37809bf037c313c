package sm_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// life is where the life of secrets is tested.
type life struct {
	store  *sm.Store
	client *secretsmanager.Client
	run    string
	serial int
}

func newLife(cfg aws.Config) *life {
	return &life{
		store:  sm.New(cfg, sm.WithLogger(silent)),
		client: secretsmanager.NewFromConfig(cfg),
		run:    "life-" + strings.ToLower(rand.Text()[:8]),
	}
}

// ref returns the ref of a secret that is not there, and is removed with the
// test.
func (l *life) ref(t testing.TB) string {
	t.Helper()
	l.serial++
	ref := fmt.Sprintf("sm://%s/s%03d", l.run, l.serial)
	t.Cleanup(func() { require.NoError(t, l.store.DeleteNow(context.WithoutCancel(t.Context()), ref)) })
	return ref
}

// made returns the ref of a secret with as many versions, and their IDs.
func (l *life) made(t testing.TB, versions int) (ref string, ids []string) {
	t.Helper()
	ref = l.ref(t)
	for i := range versions {
		var v provider.Version
		var err error
		if i == 0 {
			v, err = l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{})
		} else {
			v, err = l.store.PutVersion(t.Context(), ref, text(i), sm.PutOptions{})
		}
		require.NoError(t, err)
		ids = append(ids, v.ID)
	}
	return ref, ids
}

// text is the value of the version with that index.
func text(i int) provider.Value { return sm.Text(fmt.Sprintf("hunter2-%d", i)) }

// read returns the text by a staging label, or the kind of the error.
func (l *life) read(t testing.TB, ref, stage string) string {
	t.Helper()
	return readtest.Texts(l.store.Fetch(t.Context(), readtest.Ref(t, ref+"?stage="+stage)))[0]
}

// stages returns what Describe tells of the versions, by staging label.
func (l *life) stages(t testing.TB, ref string) map[string]string {
	t.Helper()
	m, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	versions := make(map[string]string)
	for id, stages := range m.Versions {
		for _, stage := range stages {
			require.NotContains(t, versions, stage)
			require.Equal(t, id, m.Version(stage))
			versions[stage] = id
		}
	}
	return versions
}

func requireKind(t testing.TB, err, kind error, hint string) {
	t.Helper()
	require.Error(t, err)
	e, ok := err.(*provider.Error)
	require.True(t, ok, "%T", err)
	require.Equal(t, kind, e.Kind, "%v", err)
	require.Contains(t, e.Hint, hint, "%v", err)
	require.True(t, strings.HasPrefix(e.Error(), e.Ref.String()), "%v", err)
	require.NotContains(t, err.Error(), "hunter2")
}

func collect[V any](t testing.TB, all iter.Seq2[V, error]) []V {
	t.Helper()
	var values []V
	for v, err := range all {
		require.NoError(t, err)
		values = append(values, v)
	}
	return values
}

// lives are the chapters of a secret's life.
var lives = map[string]func(*life, *testing.T){
	"Create":        (*life).testCreate,
	"CreateBare":    (*life).testCreateBare,
	"CreateAgain":   (*life).testCreateAgain,
	"PutVersion":    (*life).testPutVersion,
	"PutAgain":      (*life).testPutAgain,
	"Update":        (*life).testUpdate,
	"Describe":      (*life).testDescribe,
	"Secrets":       (*life).testSecrets,
	"SecretsSorted": (*life).testSecretsSorted,
	"Versions":      (*life).testVersions,
	"Promote":       (*life).testPromote,
	"Rollback":      (*life).testRollback,
	"Stages":        (*life).testStages,
	"StageConflict": (*life).testStageConflict,
	"StageVersion":  (*life).testStageVersion,
	"Delete":        (*life).testDelete,
	"DeletedWrites": (*life).testDeletedWrites,
	"Tags":          (*life).testTags,
	"DeletedTags":   (*life).testDeletedTags,
	"Replicas":      (*life).testReplicas,
	"Policy":        (*life).testPolicy,
	"PolicyChecks":  (*life).testPolicyChecks,
	"Overwrite":     (*life).testOverwrite,
	"Password":      (*life).testPassword,
	"Rotation":      (*life).testRotation,
	"RotationTwice": (*life).testRotationTwice,
	"Missing":       (*life).testMissing,
	"NoVersions":    (*life).testNoVersions,
}

// motoDeviates is how moto 5.2.1 differs from what AWS documents, by the
// chapter that shows it.
var motoDeviates = map[string]string{
	"CreateBare":    "a secret without a value answers GetSecretValue as if the secret were missing",
	"StageConflict": "UpdateSecretVersionStage puts a label on a second version where RemoveFromVersionId is not given",
	"StageVersion":  "a version that does not exist is an InvalidParameterException, after the label was taken from its version",
	"DeletedWrites": "a deleted secret takes new versions, and creating it anew is a ResourceExistsException",
	"DeletedTags":   "a deleted secret takes tags",
	"SecretsSorted": "ListSecrets does not sort",
	"Versions":      "ListSecretVersionIds tells no KMS keys",
	"NoVersions":    "ListSecretVersionIds of a secret that is missing fails with status 500",
	"Replicas":      "StopReplicationToReplica is not there",
	"Overwrite":     "replicating again to a Region adds a second replica there",
	"PolicyChecks":  "ValidateResourcePolicy is not there, and PutResourcePolicy takes anything",
	"Rotation":      "the function is looked up in moto's own Lambda",
	"RotationTwice": "the function is looked up in moto's own Lambda",
}

func TestLife(t *testing.T) {
	for name, test := range lives {
		t.Run(name, func(t *testing.T) {
			srv := secretstest.NewServer(t)
			srv.HandleRotation(someFunction, noRotation)
			test(newLife(srv.Config()), t)
		})
	}
}

func TestLifePaged(t *testing.T) {
	for _, name := range []string{"Secrets", "Versions"} {
		t.Run(name, func(t *testing.T) {
			srv := secretstest.NewServer(t, secretstest.WithPageSize(2), secretstest.WithEmptyPages())
			lives[name](newLife(srv.Config()), t)
		})
	}
}

func TestLifeEndpoint(t *testing.T) {
	cfg := endpoint(t)
	for name, test := range lives {
		if motoDeviates[name] == "" {
			t.Run(name, func(t *testing.T) { test(newLife(cfg), t) })
		}
	}
}

func second[A any](_ A, err error) error { return err }
