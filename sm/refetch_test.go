package sm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// refresher is a bench whose store has options and a log.
type refresher struct {
	*bench
	log bytes.Buffer
}

func newRefresher(t *testing.T, opts ...sm.Option) *refresher {
	srv := secretstest.NewServer(t, secretstest.InProcess())
	cfg := srv.Config()
	tap := readtest.NewTap(&cfg)
	r := &refresher{bench: &bench{Server: srv, tap: tap, client: secretsmanager.NewFromConfig(srv.Config())}}
	logger := sm.WithLogger(slog.New(slog.NewTextHandler(&r.log, nil)))
	r.store = sm.New(cfg, append(opts, sm.WithConcurrency(1), logger)...)
	return r
}

// read reads the refs and forgets that it did.
func (r *refresher) read(t *testing.T, refs ...provider.Ref) []provider.Known {
	known := readtest.Known(t, refs, r.store.Fetch(t.Context(), refs...))
	r.ResetCalls()
	return known
}

// refetch returns the outcome of each ref and what it cost.
func (r *refresher) refetch(t *testing.T, known ...provider.Known) ([]string, map[string]int) {
	r.ResetCalls()
	results := r.store.Refetch(t.Context(), known...)
	return readtest.Outcomes(results), r.CallsByOperation()
}

func (r *refresher) lines() int { return bytes.Count(r.log.Bytes(), []byte("\n")) }

// rotates makes descriptions and listings say when a secret is to be rotated.
func (r *refresher) rotates(dates map[string]time.Time) {
	r.tap.Alter(func(operation string, body []byte) []byte {
		var answer map[string]any
		if json.Unmarshal(body, &answer) != nil {
			return body
		}
		entries := []any{answer}
		if operation == "ListSecrets" {
			entries = answer["SecretList"].([]any)
		}
		for _, e := range entries {
			e := e.(map[string]any)
			if at, ok := dates[fmt.Sprint(e["Name"])]; ok && (operation == "ListSecrets" || operation == "DescribeSecret") {
				e["NextRotationDate"] = at.Unix()
			}
		}
		altered, err := json.Marshal(answer)
		if err != nil {
			return body
		}
		return altered
	})
}

func same(n int) []string { return slices.Repeat([]string{"="}, n) }

func TestAThousandSecretsAreRefreshed(t *testing.T) {
	for name, test := range map[string]struct {
		opts    []sm.Option
		calls   map[string]int
		another map[string]int // where three have changed
	}{
		"Default":  {nil, map[string]int{"BatchGetSecretValue": 50}, map[string]int{"BatchGetSecretValue": 50}},
		"Listing":  {[]sm.Option{sm.WithListing()}, map[string]int{"ListSecrets": 10}, map[string]int{"ListSecrets": 10, "BatchGetSecretValue": 1}},
		"Prefix":   {[]sm.Option{sm.WithListing("x", "app/")}, map[string]int{"ListSecrets": 10}, map[string]int{"ListSecrets": 10, "BatchGetSecretValue": 1}},
		"Describe": {[]sm.Option{sm.WithDescribe()}, map[string]int{"DescribeSecret": 1000}, map[string]int{"DescribeSecret": 1000, "BatchGetSecretValue": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRefresher(t, test.opts...)
			known := r.read(t, r.fill(t, 1000)...)
			outcomes, calls := r.refetch(t, known...)
			require.Equal(t, test.calls, calls)
			if test.opts == nil {
				require.Equal(t, "app/999", outcomes[999])
			} else {
				require.Equal(t, same(1000), outcomes)
				require.Zero(t, r.Decrypts(), "no value travels")
			}

			for _, i := range []int{3, 500, 998} {
				r.SetSecret(known[i].Ref.Name, "new")
			}
			outcomes, calls = r.refetch(t, known...)
			require.Equal(t, test.another, calls)
			for i, outcome := range outcomes {
				switch {
				case i == 3 || i == 500 || i == 998:
					require.Equal(t, "new", outcome)
				case test.opts != nil:
					require.Equal(t, "=", outcome)
				}
			}
			require.Zero(t, r.lines(), "%s", &r.log)
		})
	}
}

// comparing runs a test of what holds however versions are compared.
func comparing(t *testing.T, test func(t *testing.T, r *refresher)) {
	for name, opt := range map[string]sm.Option{"Listing": sm.WithListing(), "Describe": sm.WithDescribe()} {
		t.Run(name, func(t *testing.T) { test(t, newRefresher(t, opt)) })
	}
}

func TestStagesAreCompared(t *testing.T) {
	comparing(t, func(t *testing.T, r *refresher) {
		first := r.SetSecret("db", "1")
		r.SetSecret("db", "2")
		r.SetSecret("api", "key")
		refs := readtest.Refs(t, "sm://db", "sm://db?stage=AWSPREVIOUS", "sm://db?version="+first, "sm://api")
		known := r.read(t, refs...)
		outcomes, calls := r.refetch(t, known...)
		require.Equal(t, same(4), outcomes)
		require.Zero(t, calls["GetSecretValue"]+calls["BatchGetSecretValue"])

		// All move on; the pinned version has lost its last label.
		r.SetSecret("db", "3")
		outcomes, calls = r.refetch(t, known...)
		require.Equal(t, []string{"3", "2", "1", "="}, outcomes)
		require.Equal(t, 3, calls["GetSecretValue"], "no batch carries a lone one, a stage or a version")

		// A stage that nothing carries any more.
		pending, err := r.client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: aws.String("api"), SecretString: aws.String("next"), VersionStages: []string{"AWSPENDING"},
		})
		require.NoError(t, err)
		known = r.read(t, readtest.Refs(t, "sm://api?stage=AWSPENDING", "sm://api")...)
		_, err = r.client.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: aws.String("api"), VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: pending.VersionId,
		})
		require.NoError(t, err)
		outcomes, _ = r.refetch(t, known...)
		require.Equal(t, []string{"version not found", "="}, outcomes)
	})
}

func TestNamesARNsAndRegionsAreCompared(t *testing.T) {
	comparing(t, func(t *testing.T, r *refresher) {
		r.SetSecret("db", "pw")
		arn := r.arn(t, "db")
		long := arn[len(arn)-len("db-AbCdEf"):]
		r.SetSecret(long, "long")
		eu := r.elsewhere(t, "eu-west-1", "", "db", "eu")
		theirs := r.elsewhere(t, "", "222222222222", "db", "theirs")
		refs := readtest.Refs(t, "sm://db", arn, arn[:len(arn)-7], "sm://db?region=eu-west-1", eu, theirs, "sm://"+long)
		known := r.read(t, refs...)
		outcomes, _ := r.refetch(t, known...)
		require.Equal(t, same(5), outcomes[:5])
		require.Contains(t, []string{"=", "theirs"}, outcomes[5], "another account's secret is in no listing, and is read")
		require.Equal(t, "=", outcomes[6])

		r.SetSecret("db", "new")
		outcomes, _ = r.refetch(t, known...)
		require.Equal(t, []string{"new", "new", "new", "=", "="}, outcomes[:5])
		require.Equal(t, "=", outcomes[6])
	})
}

// TestAnotherAccountIsNotLookedForInAListing: that would go on to its end.
func TestAnotherAccountIsNotLookedForInAListing(t *testing.T) {
	r := newRefresher(t, sm.WithListing())
	refs := r.fill(t, 300)
	theirs := readtest.Ref(t, r.elsewhere(t, "", "222222222222", "shared", "theirs"))
	r.store.Fetch(t.Context(), refs[0]) // tells our own account
	outcomes, calls := r.refetch(t, r.read(t, append(refs[220:], theirs)...)...)
	require.Equal(t, append(same(80), "theirs"), outcomes)
	require.Equal(t, map[string]int{"ListSecrets": 1, "GetSecretValue": 1}, calls)

	// Where nothing is read by its name, the listing tells our account.
	r = newRefresher(t, sm.WithListing())
	refs = r.fill(t, 300)[220:]
	for i, ref := range refs {
		refs[i] = readtest.Ref(t, r.arn(t, ref.Name))
	}
	theirs = readtest.Ref(t, r.elsewhere(t, "", "222222222222", "shared", "theirs"))
	known := r.read(t, append(refs, theirs)...)
	_, calls = r.refetch(t, known...)
	require.Equal(t, 3, calls["ListSecrets"])
	_, calls = r.refetch(t, known...)
	require.Equal(t, 1, calls["ListSecrets"])
}

func TestWhatIsGoneIsNoticed(t *testing.T) {
	comparing(t, func(t *testing.T, r *refresher) {
		known := r.read(t, r.fill(t, 4)...)
		for i, forGood := range map[int]bool{1: false, 2: true} {
			_, err := r.client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &known[i].Ref.Name, ForceDeleteWithoutRecovery: &forGood})
			require.NoError(t, err)
		}
		outcomes, _ := r.refetch(t, known...)
		require.Equal(t, []string{"=", "scheduled for deletion", "not found", "="}, outcomes)
	})
}

// TestRecreatedUnderTheSameVersionID has a ClientRequestToken come again.
func TestRecreatedUnderTheSameVersionID(t *testing.T) {
	comparing(t, func(t *testing.T, r *refresher) {
		create := func(text string) {
			_, err := r.client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
				Name: aws.String("db"), SecretString: &text, ClientRequestToken: aws.String("0123456789abcdef0123456789abcdef"),
			})
			require.NoError(t, err)
		}
		create("old")
		known := r.read(t, readtest.Ref(t, "sm://db"))
		outcomes, _ := r.refetch(t, known...)
		require.Equal(t, same(1), outcomes)
		_, err := r.client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("db"), ForceDeleteWithoutRecovery: aws.Bool(true)})
		require.NoError(t, err)
		r.Advance(time.Minute)
		create("new")
		outcomes, _ = r.refetch(t, known...)
		require.Equal(t, []string{"new"}, outcomes)
	})
}

func TestRefsKnownDifferentlyAreRead(t *testing.T) {
	comparing(t, func(t *testing.T, r *refresher) {
		known := r.read(t, r.fill(t, 2)...)
		unread := provider.Known{Ref: known[1].Ref}
		older := provider.Known{Ref: known[1].Ref, Version: provider.NewVersion("older", time.Time{})}
		for _, other := range []provider.Known{unread, older} {
			outcomes, _ := r.refetch(t, known[0], known[1], other)
			require.Equal(t, []string{"=", "app/001", "app/001"}, outcomes)
		}
	})
}

func TestRotationDates(t *testing.T) {
	comparing(t, func(t *testing.T, r *refresher) {
		soon := time.Now().Add(time.Hour).Truncate(time.Second)
		refs := r.fill(t, 3)
		r.rotates(map[string]time.Time{"app/001": soon})
		known := readtest.Known(t, refs, r.store.Fetch(t.Context(), refs...))
		r.SetSecret("app/002", "new")
		for range 2 {
			results := r.store.Refetch(t.Context(), known...)
			require.Equal(t, []string{"=", "=", "new"}, readtest.Outcomes(results))
			require.Zero(t, results[0].Changes)
			require.True(t, soon.Equal(results[1].Changes))
			require.Zero(t, results[2].Changes)
		}
		// What changed comes with its date, too.
		r.SetSecret("app/001", "new")
		result := r.store.Refetch(t.Context(), known...)[1]
		require.Equal(t, "new", result.Value.Text())
		require.True(t, soon.Equal(result.Changes))
		require.True(t, soon.Equal(r.store.Probe(t.Context(), refs[1])[0].NextRotation))
	})
}

func TestAnOutageIsNotAnsweredWithMore(t *testing.T) {
	for name, opt := range map[string]sm.Option{"Listing": sm.WithListing(), "Describe": sm.WithDescribe()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRefresher(t, opt)
				known := r.read(t, r.fill(t, 40)...)
				r.Inject(secretstest.Fault{Err: secretstest.Unavailable()})
				outcomes, calls := r.refetch(t, known...)
				require.Equal(t, slices.Repeat([]string{"store unavailable"}, 40), outcomes)
				require.Zero(t, calls["BatchGetSecretValue"]+calls["GetSecretValue"])
				require.Equal(t, 3, calls["DescribeSecret"]+calls["ListSecrets"], "the SDK's three tries of one call")
				require.Zero(t, r.lines())
			})
		})
	}
}
