package sm_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

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

func (l *life) testDescribe(t *testing.T) {
	ref, ids := l.made(t, 2)
	m, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, strings.TrimPrefix(ref, "sm://"), m.Name)
	require.Contains(t, m.ARN, ":secret:"+m.Name+"-")
	require.Equal(t, ids[0], m.Version("AWSPREVIOUS"))
	require.Empty(t, m.Version("blue"))
	require.WithinDuration(t, time.Now(), m.Created, time.Minute)
	require.WithinDuration(t, time.Now(), m.LastChanged, time.Minute)
	require.Zero(t, m.Deleted)
	require.Zero(t, m.Rotation)
	require.Empty(t, m.Tags)
	byARN, err := l.store.Describe(t.Context(), m.ARN)
	require.NoError(t, err)
	require.Equal(t, m, byARN)
}

func (l *life) testSecrets(t *testing.T) {
	var names []string
	for i, tag := range []string{"a", "b", "a", "b", "a"} {
		ref := l.ref(t)
		_, err := l.store.Create(t.Context(), ref, text(i), sm.CreateOptions{Description: fmt.Sprint(l.run, i%2), Tags: map[string]string{l.run: tag}})
		require.NoError(t, err)
		names = append(names, strings.TrimPrefix(ref, "sm://"))
	}
	list := func(opts sm.ListOptions) (listed []string) {
		for _, m := range collect(t, l.store.Secrets(t.Context(), opts)) {
			require.Equal(t, m.Name, strings.TrimPrefix(m.Name, "sm://"))
			require.NotEmpty(t, m.Version("AWSCURRENT"))
			listed = append(listed, m.Name)
		}
		return slices.Sorted(slices.Values(listed))
	}
	require.Equal(t, names, list(sm.ListOptions{Name: []string{l.run}}))
	require.Equal(t, names[1:3], list(sm.ListOptions{Name: names[1:3]}))
	require.Equal(t, []string{names[0], names[2], names[4]}, list(sm.ListOptions{Name: []string{l.run}, TagKey: []string{l.run}, TagValue: []string{"a"}}))
	require.Equal(t, []string{names[1], names[3]}, list(sm.ListOptions{Name: []string{l.run}, Description: []string{l.run + "1"}}))
	require.Equal(t, []string{names[1], names[3]}, list(sm.ListOptions{Name: []string{l.run}, TagValue: []string{"!a"}}))

	_, err := l.store.DeleteAfter(t.Context(), "sm://"+names[0], 7)
	require.NoError(t, err)
	require.Equal(t, names[1:], list(sm.ListOptions{Name: []string{l.run}}))
	require.Equal(t, names, list(sm.ListOptions{Name: []string{l.run}, IncludeDeleted: true}))
	for range l.store.Secrets(t.Context(), sm.ListOptions{Name: []string{l.run}}) {
		break // before the end
	}
}

func (l *life) testSecretsSorted(t *testing.T) {
	var names []string
	for range 3 {
		names = append(names, strings.TrimPrefix(l.ref(t), "sm://"))
	}
	for _, i := range []int{1, 2, 0} { // in no order
		_, err := l.store.Create(t.Context(), "sm://"+names[i], text(i), sm.CreateOptions{})
		require.NoError(t, err)
	}
	list := func(ascending bool) (listed []string) {
		for _, m := range collect(t, l.store.Secrets(t.Context(), sm.ListOptions{Name: []string{l.run}, SortBy: "name", Ascending: ascending})) {
			listed = append(listed, m.Name)
		}
		return listed
	}
	require.Equal(t, names, list(true))
	slices.Reverse(names)
	require.Equal(t, names, list(false))
}

func (l *life) testVersions(t *testing.T) {
	ref, ids := l.made(t, 5)
	for range 2 {
		listed := make(map[string][]string)
		for _, v := range collect(t, l.store.Versions(t.Context(), ref)) {
			listed[v.ID] = v.Labels()
			require.WithinDuration(t, time.Now(), v.Created, time.Minute)
			require.NotEmpty(t, v.KMSKeys)
		}
		require.Equal(t, map[string][]string{ids[0]: nil, ids[1]: nil, ids[2]: nil, ids[3]: {"AWSPREVIOUS"}, ids[4]: {"AWSCURRENT"}}, listed)
	}
	for range l.store.Versions(t.Context(), ref) {
		break
	}
}

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

func (l *life) testReplicas(t *testing.T) {
	ref := l.ref(t)
	_, err := l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{Replicas: sm.Replication{Regions: []sm.Replica{{Region: "eu-west-1"}}}})
	require.NoError(t, err)
	replicas, err := l.store.Replicate(t.Context(), ref, sm.Replication{Regions: []sm.Replica{{Region: "eu-west-2", KMSKey: "alias/two"}}})
	require.NoError(t, err)
	require.Equal(t, []string{"eu-west-1", "eu-west-2"}, regions(replicas))
	m, err := l.store.Describe(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, []string{"eu-west-1", "eu-west-2"}, regions(m.Replicas))
	require.Equal(t, "alias/two", m.Replicas[1].KMSKey)
	require.EqualValues(t, "InSync", m.Replicas[1].Status)
	require.Equal(t, "us-east-1", m.PrimaryRegion)
	require.Equal(t, "hunter2-0", readtest.Texts(l.store.Fetch(t.Context(), readtest.Ref(t, ref+"?region=eu-west-1")))[0])

	_, err = l.store.PutVersion(t.Context(), ref+"?region=eu-west-1", text(1), sm.PutOptions{})
	requireKind(t, err, sm.ErrInvalid, "it is a replica")
	_, err = l.store.DeleteAfter(t.Context(), ref, 7)
	requireKind(t, err, sm.ErrInvalid, "RemoveReplicas first")
	_, err = l.store.PromoteReplica(t.Context(), ref)
	requireKind(t, err, sm.ErrInvalid, "it is no replica")

	arn, err := l.store.PromoteReplica(t.Context(), ref+"?region=eu-west-1")
	require.NoError(t, err)
	require.Contains(t, arn, ":eu-west-1:")
	_, err = l.store.PutVersion(t.Context(), arn, text(2), sm.PutOptions{})
	require.NoError(t, err)
	require.Equal(t, "hunter2-0", l.read(t, ref, "AWSCURRENT"), "it is a secret of its own")
	require.NoError(t, l.store.DeleteNow(t.Context(), arn))

	replicas, err = l.store.RemoveReplicas(t.Context(), ref, "eu-west-2", "eu-west-3")
	require.NoError(t, err)
	require.Empty(t, replicas)
	require.Equal(t, provider.ErrNotFound.Error(), readtest.Texts(l.store.Fetch(t.Context(), readtest.Ref(t, ref+"?region=eu-west-2")))[0])
}

func (l *life) testOverwrite(t *testing.T) {
	status := func(ref string) string {
		m, err := l.store.Describe(t.Context(), ref)
		require.NoError(t, err)
		require.Len(t, m.Replicas, 1)
		return string(m.Replicas[0].Status)
	}
	ref := l.ref(t)
	there := ref + "?region=eu-west-1"
	_, err := l.store.Create(t.Context(), there, text(1), sm.CreateOptions{})
	require.NoError(t, err)
	_, err = l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{Replicas: toIreland})
	require.NoError(t, err)
	require.Equal(t, "Failed", status(ref))
	require.Equal(t, "hunter2-1", readtest.Texts(l.store.Fetch(t.Context(), readtest.Ref(t, there)))[0])
	overwrite := toIreland
	overwrite.Overwrite = true
	_, err = l.store.Replicate(t.Context(), ref, overwrite)
	require.NoError(t, err)
	require.Equal(t, "InSync", status(ref))
	require.Equal(t, "hunter2-0", readtest.Texts(l.store.Fetch(t.Context(), readtest.Ref(t, there)))[0])
	require.NoError(t, second(l.store.RemoveReplicas(t.Context(), ref, "eu-west-1")))

	require.NoError(t, l.store.DeleteNow(t.Context(), ref))
	_, err = l.store.Create(t.Context(), there, text(1), sm.CreateOptions{})
	require.NoError(t, err)
	_, err = l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{Replicas: overwrite})
	require.NoError(t, err)
	require.Equal(t, "InSync", status(ref))
	require.NoError(t, second(l.store.RemoveReplicas(t.Context(), ref, "eu-west-1")))
}

func regions(replicas []sm.Replica) (regions []string) {
	for _, r := range replicas {
		regions = append(regions, r.Region)
	}
	return slices.Sorted(slices.Values(regions))
}

const (
	somePolicy   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
	publicPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
)

func (l *life) testPolicy(t *testing.T) {
	ref, _ := l.made(t, 1)
	require.NoError(t, l.store.PutPolicy(t.Context(), ref, somePolicy, sm.PolicyOptions{}))
	policy, err := l.store.Policy(t.Context(), ref)
	require.NoError(t, err)
	require.JSONEq(t, somePolicy, policy)
	require.NoError(t, l.store.DeletePolicy(t.Context(), ref))
	policy, err = l.store.Policy(t.Context(), ref)
	require.NoError(t, err)
	require.Empty(t, policy)
	require.NoError(t, l.store.DeletePolicy(t.Context(), ref))
}

func (l *life) testPolicyChecks(t *testing.T) {
	ref, _ := l.made(t, 1)
	requireKind(t, l.store.PutPolicy(t.Context(), ref, publicPolicy, sm.PolicyOptions{}), sm.ErrInvalid, "AllowPublic")
	policy, err := l.store.Policy(t.Context(), ref)
	require.NoError(t, err)
	require.Empty(t, policy, "public access is blocked")
	require.NoError(t, l.store.PutPolicy(t.Context(), ref, publicPolicy, sm.PolicyOptions{AllowPublic: true}))
	requireKind(t, l.store.PutPolicy(t.Context(), ref, `{"Statement":1}`, sm.PolicyOptions{}), sm.ErrInvalid, "ValidatePolicy")
	for policy, passes := range map[string]bool{somePolicy: true, publicPolicy: false, `{"Statement":1}`: false, "not JSON": false} {
		findings, err := l.store.ValidatePolicy(t.Context(), ref, policy)
		require.NoError(t, err)
		require.Equal(t, passes, len(findings) == 0, "%s: %v", policy, findings)
	}
}

func (l *life) testPassword(t *testing.T) {
	password := func(opts sm.PasswordOptions) string {
		v, err := l.store.RandomPassword(t.Context(), opts)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v), v.Text())
		return v.Text()
	}
	p := password(sm.PasswordOptions{})
	require.Len(t, p, 32)
	for _, some := range []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"} {
		require.True(t, strings.ContainsAny(p, some), "of each type")
	}
	require.NotEqual(t, p, password(sm.PasswordOptions{}))
	p = password(sm.PasswordOptions{Length: 1000, ExcludePunctuation: true, ExcludeUppercase: true, ExcludeLowercase: true, IncludeSpace: true})
	require.Contains(t, p, " ", "for all that is likely")
	require.Empty(t, strings.Trim(p, " 0123456789"))
	p = password(sm.PasswordOptions{Length: 100, ExcludePunctuation: true, ExcludeUppercase: true, ExcludeLowercase: true, ExcludeCharacters: "01234"})
	require.Len(t, p, 100)
	require.Empty(t, strings.Trim(p, "56789"))
}

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

func (l *life) testMissing(t *testing.T) {
	ref, id := l.ref(t), strings.Repeat("0", 32)
	for name, err := range map[string]error{
		"PutVersion":     second(l.store.PutVersion(t.Context(), ref, text(0), sm.PutOptions{})),
		"Update":         l.store.Update(t.Context(), ref, sm.Changes{Description: aws.String("x")}),
		"Describe":       second(l.store.Describe(t.Context(), ref)),
		"Promote":        l.store.Promote(t.Context(), ref, id),
		"Rollback":       second(l.store.Rollback(t.Context(), ref)),
		"MoveStage":      l.store.MoveStage(t.Context(), ref, "blue", "", id),
		"RemoveStage":    l.store.RemoveStage(t.Context(), ref, "blue", id),
		"DeleteAfter":    second(l.store.DeleteAfter(t.Context(), ref, 7)),
		"Restore":        l.store.Restore(t.Context(), ref),
		"Tag":            l.store.Tag(t.Context(), ref, map[string]string{"a": "b"}),
		"Untag":          l.store.Untag(t.Context(), ref, "a"),
		"PutPolicy":      l.store.PutPolicy(t.Context(), ref, somePolicy, sm.PolicyOptions{}),
		"Policy":         second(l.store.Policy(t.Context(), ref)),
		"DeletePolicy":   l.store.DeletePolicy(t.Context(), ref),
		"Rotate":         second(l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction})),
		"CancelRotation": second(l.store.CancelRotation(t.Context(), ref)),
	} {
		t.Run(name, func(t *testing.T) { requireKind(t, err, provider.ErrNotFound, "check the name and the Region") })
	}
}

func (l *life) testNoVersions(t *testing.T) {
	errs := 0
	for _, err := range l.store.Versions(t.Context(), l.ref(t)) {
		requireKind(t, err, provider.ErrNotFound, "check the name and the Region")
		errs++
	}
	require.Equal(t, 1, errs)
}

func second[A any](_ A, err error) error { return err }

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
