package sm_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// TestAListingOlderThanTheCallerIsNotBelieved has a listing that lags.
func TestAListingOlderThanTheCallerIsNotBelieved(t *testing.T) {
	r := newRefresher(t, sm.WithListing())
	refs := r.fill(t, 3)
	known := r.read(t, refs...)
	var listed []byte
	r.tap.Alter(func(operation string, body []byte) []byte {
		if operation != "ListSecrets" {
			return body
		}
		if listed == nil {
			listed = body
		}
		return listed
	})
	outcomes, _ := r.refetch(t, known...)
	require.Equal(t, same(3), outcomes)

	r.SetSecret("app/001", "new")
	outcomes, _ = r.refetch(t, known...)
	require.Equal(t, same(3), outcomes, "the lag")

	known[1].Version = provider.Version{} // an explicit refresh reads
	outcomes, _ = r.refetch(t, known...)
	require.Equal(t, []string{"=", "new", "="}, outcomes)
	known = r.read(t, refs...)
	outcomes, _ = r.refetch(t, known...)
	require.Equal(t, []string{"=", "new", "="}, outcomes, "the listing has the version before")
}

// TestWhatIsToBeRotatedByNowIsRead has a listing that has not noticed.
func TestWhatIsToBeRotatedByNowIsRead(t *testing.T) {
	r := newRefresher(t, sm.WithListing())
	known := r.read(t, r.fill(t, 2)...)
	r.rotates(map[string]time.Time{"app/000": time.Now().Add(-time.Second), "app/001": time.Now().Add(time.Hour)})
	outcomes, calls := r.refetch(t, known...)
	require.Equal(t, []string{"app/000", "="}, outcomes)
	require.Equal(t, map[string]int{"ListSecrets": 1, "GetSecretValue": 1}, calls)
}

func TestPrefixes(t *testing.T) {
	many := []string{"app/"}
	for i := range 25 {
		many = append(many, fmt.Sprintf("none%d/", i))
	}
	slices.Reverse(many)
	for name, test := range map[string]struct {
		prefixes []string
		lists    int
		batches  int
	}{
		"All":       {nil, 1, 0},
		"Empty":     {[]string{""}, 1, 0},
		"Name":      {[]string{"app/"}, 1, 0},
		"Some":      {[]string{"app/00"}, 1, 1}, // ten of twenty-five
		"Other":     {[]string{"other/"}, 0, 2}, // a listing could have none of them
		"Negated":   {[]string{"!app/"}, 0, 2},  // the same: it is a prefix and no filter
		"ThirtyFew": {many[10:], 2, 0},          // ten a call
		"TooMany":   {many, 2, 2},               // more calls than reading
	} {
		t.Run(name, func(t *testing.T) {
			r := newRefresher(t, sm.WithListing(test.prefixes...))
			known := r.read(t, r.fill(t, 25)...)
			_, calls := r.refetch(t, known...)
			require.Equal(t, [2]int{test.lists, test.batches}, [2]int{calls["ListSecrets"], calls["BatchGetSecretValue"]})
		})
	}
}

// TestAPrefixIsSentAsAFilter has a large account, of which little is wanted.
func TestAPrefixIsSentAsAFilter(t *testing.T) {
	r := newRefresher(t, sm.WithListing("team/"))
	for i := range 30 {
		r.SetSecret(fmt.Sprintf("team/%d", i), "x")
	}
	r.fill(t, 500)
	var refs []provider.Ref
	for i := range 30 {
		refs = append(refs, readtest.Ref(t, fmt.Sprintf("sm://team/%d", i)))
	}
	outcomes, calls := r.refetch(t, r.read(t, refs...)...)
	require.Equal(t, same(30), outcomes)
	require.Equal(t, map[string]int{"ListSecrets": 1}, calls)
}

func TestAListingThatTakesMoreCallsThanReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRefresher(t, sm.WithListing())
		refs := r.fill(t, 1000) // listed from the newest: ten pages
		known := r.read(t, refs...)
		few := known[:40]

		outcomes, calls := r.refetch(t, few...)
		require.Equal(t, "app/000", outcomes[0])
		require.Equal(t, map[string]int{"ListSecrets": 2, "BatchGetSecretValue": 2}, calls, "it is broken off")
		require.Equal(t, 1, r.lines())
		require.Contains(t, r.log.String(), "narrower prefix")

		for range 3 {
			time.Sleep(4 * time.Minute)
			_, calls = r.refetch(t, few...)
			require.Equal(t, map[string]int{"BatchGetSecretValue": 2}, calls, "that is remembered")
		}
		outcomes, calls = r.refetch(t, known...)
		require.Equal(t, same(1000), outcomes, "and more is asked for")
		require.Equal(t, map[string]int{"ListSecrets": 10}, calls)

		time.Sleep(14 * time.Minute)
		_, calls = r.refetch(t, few...)
		require.Equal(t, map[string]int{"BatchGetSecretValue": 2}, calls)
		time.Sleep(2 * time.Minute)
		_, calls = r.refetch(t, few...)
		require.Equal(t, map[string]int{"ListSecrets": 2, "BatchGetSecretValue": 2}, calls, "and it is tried again")
		require.Equal(t, 1, r.lines(), "one line a store")
	})
}

// TestAListingEndsWhereAllIsFound asks for the newest, which come first.
func TestAListingEndsWhereAllIsFound(t *testing.T) {
	r := newRefresher(t, sm.WithListing())
	known := r.read(t, r.fill(t, 1000)...)
	outcomes, calls := r.refetch(t, known[920:]...)
	require.Equal(t, same(80), outcomes)
	require.Equal(t, map[string]int{"ListSecrets": 1}, calls)

	// That it ended early does not make it look short.
	_, calls = r.refetch(t, known...)
	require.Equal(t, map[string]int{"ListSecrets": 10}, calls)
	_, calls = r.refetch(t, known[700:]...)
	require.Equal(t, map[string]int{"ListSecrets": 3}, calls)
	_, calls = r.refetch(t, known[:80]...)
	require.Equal(t, map[string]int{"BatchGetSecretValue": 4}, calls)
	require.Zero(t, r.lines(), "%s", &r.log)
}

func TestAListingThatAWSRefuses(t *testing.T) {
	for name, refusal := range map[string]*secretstest.Error{
		"Denied":    secretstest.AccessDenied(),
		"Throttled": secretstest.Throttled(),
		"Unknown":   {Code: "UnknownOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRefresher(t, sm.WithListing())
				known := r.read(t, r.fill(t, 40)...)
				allow := r.Inject(secretstest.Fault{Operation: "ListSecrets", Err: refusal})
				for i := range 4 {
					outcomes, calls := r.refetch(t, known...)
					require.Equal(t, "app/039", outcomes[39])
					require.Equal(t, 2, calls["BatchGetSecretValue"])
					require.Equal(t, i == 0 || i == 3, calls["ListSecrets"] > 0, "it is tried again after fifteen minutes")
					require.Equal(t, 1, r.lines(), "%s", &r.log)
					require.Contains(t, r.log.String(), "allow secretsmanager:ListSecrets on *")
					time.Sleep(6 * time.Minute)
				}
				allow()
				time.Sleep(10 * time.Minute)
				outcomes, _ := r.refetch(t, known...)
				require.Equal(t, same(40), outcomes)
			})
		})
	}
}
