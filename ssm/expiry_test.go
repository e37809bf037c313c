package ssm_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

// newExpiring is a bench whose store asks when parameters expire.
func newExpiring(t *testing.T) (*bench, *bytes.Buffer) {
	b := newBench(t, secretstest.InProcess())
	log := &bytes.Buffer{}
	b.store = ssm.New(b.Config(), ssm.WithExpiry(), ssm.WithConcurrency(1), ssm.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	return b, log
}

// expire writes a version with policies.
func (b *bench) expire(t *testing.T, name, policies string) {
	_, err := b.client.PutParameter(t.Context(), &awsssm.PutParameterInput{
		Name: &name, Type: types.ParameterTypeSecureString, Value: aws.String("v"), Overwrite: aws.Bool(true),
		Tier: types.ParameterTierAdvanced, Policies: &policies,
	})
	require.NoError(t, err)
	b.ResetCalls()
}

func expiration(at time.Time) string {
	const layout = "2006-01-02T15:04:05.000Z" // as in the guide
	return fmt.Sprintf(`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Days"}},
		{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":%q}}]`, at.UTC().Format(layout))
}

func TestExpiry(t *testing.T) {
	b, log := newExpiring(t)
	soon := b.Now().Add(time.Hour).Truncate(time.Second)
	b.expire(t, "/a", expiration(soon))
	b.SetSecureParameter("/b", "v")
	refs := readtest.Refs(t, "ssm:///a", "ssm:///b", "ssm:///a?version=1", "ssm:///missing",
		"ssm:///aws/service/global-infrastructure/regions/us-east-1/longName")
	results := b.store.Fetch(t.Context(), refs...)
	require.True(t, soon.Equal(results[0].Changes))
	require.Zero(t, results[1].Changes)
	require.True(t, soon.Equal(results[2].Changes), "it expires with all its versions")
	require.NoError(t, results[4].Err)
	require.Equal(t, 3, b.Calls("GetParameterHistory"), "neither of what is missing nor of AWS's own")
	require.Zero(t, b.Calls("DescribeParameters"))
	require.Equal(t, 3, b.Decrypts(), "the history is not decrypted")

	// It is asked for once a version.
	known := readtest.Known(t, refs[:2], results[:2])
	b.ResetCalls()
	for range 3 {
		results = b.store.Refetch(t.Context(), known...)
		require.Equal(t, unchanged(2), readtest.Outcomes(results))
		require.True(t, soon.Equal(results[0].Changes))
		require.Zero(t, results[1].Changes)
		probes := b.store.Probe(t.Context(), refs[:2]...)
		require.True(t, soon.Equal(probes[0].Expires))
		require.Zero(t, probes[1].Expires)
	}
	require.Zero(t, b.Calls("GetParameterHistory"))

	later := soon.Add(time.Hour)
	b.expire(t, "/a", expiration(later))
	results = b.store.Refetch(t.Context(), known...)
	require.Equal(t, []string{"v", "="}, readtest.Outcomes(results))
	require.True(t, later.Equal(results[0].Changes), "a new version has policies of its own")
	require.Equal(t, 1, b.Calls("GetParameterHistory"))
	require.Empty(t, log.String())
}

// TestExpiryIsThatOfTheLatestVersion has more versions than a page.
func TestExpiryIsThatOfTheLatestVersion(t *testing.T) {
	b, _ := newExpiring(t)
	soon := b.Now().Add(time.Hour).Truncate(time.Second)
	for i := range 60 {
		b.expire(t, "/a", expiration(soon.Add(time.Duration(60-i)*time.Minute)))
	}
	b.expire(t, "/a", expiration(soon))
	results := b.store.Fetch(t.Context(), readtest.Ref(t, "ssm:///a"))
	require.True(t, soon.Equal(results[0].Changes), "%s", results[0].Changes)
	require.Equal(t, 2, b.Calls("GetParameterHistory"))
}

func TestExpiryIsNotAskedForUnlessTold(t *testing.T) {
	b := newBench(t)
	b.expire(t, "/a", expiration(b.Now().Add(time.Hour)))
	ref := readtest.Ref(t, "ssm:///a")
	require.Zero(t, b.store.Fetch(t.Context(), ref)[0].Changes)
	require.Zero(t, b.store.Probe(t.Context(), ref)[0].Expires)
	require.Equal(t, map[string]int{"GetParameter": 2}, b.CallsByOperation())
}

func TestExpiryThatAWSDoesNotTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := newExpiring(t)
		refs := b.fill(t, 20)
		allow := b.Inject(secretstest.Fault{Operation: "GetParameterHistory", Err: secretstest.AccessDenied()})
		known := b.read(t, refs...)
		for range 3 {
			time.Sleep(4 * time.Minute)
			outcomes, calls := b.refetch(t, known...)
			require.Equal(t, unchanged(20), outcomes)
			require.Equal(t, map[string]int{"GetParameters": 2}, calls, "that is remembered")
		}
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")), "%s", log)
		require.Contains(t, log.String(), "allow ssm:GetParameterHistory on it")
		allow()
		time.Sleep(4 * time.Minute)
		_, calls := b.refetch(t, known...)
		require.Equal(t, 20, calls["GetParameterHistory"], "and tried again after fifteen minutes")

		// What is throttled once is not tried twenty times.
		for i := range refs {
			b.SetSecureParameter(refs[i].Name, "new")
		}
		b.Inject(secretstest.Fault{Operation: "GetParameterHistory", Err: secretstest.Throttled()})
		outcomes, calls := b.refetch(t, known...)
		require.Equal(t, "new", outcomes[19])
		require.Equal(t, 3, calls["GetParameterHistory"], "the SDK's three tries")
	})
}

func TestExpiryIsNotAskedForByAListing(t *testing.T) {
	b, _ := newExpiring(t)
	refs := b.fill(t, 5)
	b.Inject(secretstest.Fault{Operation: "GetParametersByPath", Times: 1, Err: &secretstest.Error{Code: "KMSDisabledException"}})
	n := 0
	for _, err := range b.store.List(t.Context(), readtest.Refs(t, "ssm:///app")[0]) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, len(refs), n)
	require.Equal(t, map[string]int{"GetParametersByPath": 2, "GetParameters": 1}, b.CallsByOperation())
}
