package sm_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func TestTheFirstReadingLearnsTheRotationDate(t *testing.T) {
	r := newRefresher(t, sm.WithDescribe())
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	first := r.SetSecret("db", "1")
	r.SetSecret("db", "2")
	r.SetSecret("api", "key")
	r.rotates(map[string]time.Time{"db": soon})
	refs := readtest.Refs(t, "sm://db", "sm://api", "sm://db?stage=AWSPREVIOUS", "sm://db?version="+first, "sm://missing")
	results := r.store.Fetch(t.Context(), refs...)
	require.Equal(t, []string{"2", "key", "1", "1", "not found"}, readtest.Texts(results))
	require.True(t, soon.Equal(results[0].Changes))
	require.Zero(t, results[1].Changes)
	require.True(t, soon.Equal(results[2].Changes))
	require.Zero(t, results[3].Changes, "a pinned version never changes")
	require.Equal(t, map[string]int{"BatchGetSecretValue": 1, "GetSecretValue": 2, "DescribeSecret": 3}, r.CallsByOperation(), "once a secret")

	// Whoever is told to read, reads, and learns the date again.
	result := r.store.Refetch(t.Context(), provider.Known{Ref: refs[0]})[0]
	require.Equal(t, "2", result.Value.Text())
	require.True(t, soon.Equal(result.Changes))
}

// TestDescribingIsParallelToReading has the calls wait for each other.
func TestDescribingIsParallelToReading(t *testing.T) {
	srv := secretstest.NewServer(t)
	cfg := srv.Config()
	tap := readtest.NewTap(&cfg)
	b := &bench{Server: srv, tap: tap, store: sm.New(cfg, sm.WithDescribe())}
	refs := b.fill(t, 1)
	tap.Meet(2)
	require.NoError(t, b.store.Fetch(t.Context(), refs...)[0].Err)
	require.Equal(t, map[string]int{"GetSecretValue": 1, "DescribeSecret": 1}, b.CallsByOperation())

	refs = b.fill(t, 100)
	tap.Meet(4)
	b.store.Fetch(t.Context(), refs...)
	require.Equal(t, 4, tap.Most(), "and bounded together with it")
}

func TestADescriptionThatAWSRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRefresher(t, sm.WithDescribe())
		refs := r.fill(t, 40)
		allow := r.Inject(secretstest.Fault{Operation: "DescribeSecret", Name: "app/00*", Err: secretstest.AccessDenied()})
		known := readtest.Known(t, refs, r.store.Fetch(t.Context(), refs...))
		require.Equal(t, map[string]int{"BatchGetSecretValue": 2, "DescribeSecret": 40}, r.CallsByOperation())
		require.Equal(t, 1, r.lines(), "%s", &r.log)
		require.Contains(t, r.log.String(), "allow secretsmanager:DescribeSecret on it")
		for range 3 {
			time.Sleep(4 * time.Minute)
			outcomes, calls := r.refetch(t, known...)
			require.Equal(t, "app/000", outcomes[0])
			require.Equal(t, same(30), outcomes[10:])
			require.Equal(t, map[string]int{"BatchGetSecretValue": 1, "DescribeSecret": 30}, calls)
		}
		require.Equal(t, 1, r.lines())
		allow()
		time.Sleep(4 * time.Minute)
		outcomes, _ := r.refetch(t, known...)
		require.Equal(t, same(40), outcomes)
	})
}

// TestThrottledDescriptionsDoNotHoldUpReading: what is throttled once is not
// tried forty times.
func TestThrottledDescriptionsDoNotHoldUpReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRefresher(t, sm.WithDescribe())
		refs := r.fill(t, 40)
		r.Inject(secretstest.Fault{Operation: "DescribeSecret", Err: secretstest.Throttled()})
		results := r.store.Fetch(t.Context(), refs...)
		require.Equal(t, "app/039", results[39].Value.Text())
		require.Equal(t, map[string]int{"BatchGetSecretValue": 2, "DescribeSecret": 3}, r.CallsByOperation(), "the SDK's three tries")
		require.Zero(t, r.lines())
	})
}

func TestAListingOfValuesDescribesNothing(t *testing.T) {
	r := newRefresher(t, sm.WithDescribe())
	r.fill(t, 30)
	n := 0
	for _, err := range r.store.List(t.Context(), provider.Ref{Scheme: "sm"}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 30, n)
	require.Equal(t, map[string]int{"ListSecrets": 1, "BatchGetSecretValue": 2}, r.CallsByOperation())
}
