package sm_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/sm"
)

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
