package sm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/sm"
)

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
