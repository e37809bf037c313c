package sm_test

import (
	"fmt"
	"net/http"
	"slices"
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

// bench is a server, a store that reads from it, and the SDK's client.
type bench struct {
	*secretstest.Server
	tap    *readtest.Tap
	store  *sm.Store
	client *secretsmanager.Client
}

func newBench(t *testing.T, opts ...secretstest.Option) *bench {
	srv := secretstest.NewServer(t, opts...)
	cfg := srv.Config()
	tap := readtest.NewTap(&cfg)
	return &bench{Server: srv, tap: tap, store: sm.New(cfg, sm.WithLogger(silent)), client: secretsmanager.NewFromConfig(srv.Config())}
}

// open is a [readtest.Maker].
func open(cfg aws.Config, bound int) readtest.Store {
	if bound == 0 {
		return sm.New(cfg)
	}
	return sm.New(cfg, sm.WithConcurrency(bound))
}

// filled is fill of a bench with that server.
func filled(t *testing.T, n int) func(*secretstest.Server) []provider.Ref {
	return func(srv *secretstest.Server) []provider.Ref { return (&bench{Server: srv}).fill(t, n) }
}

// fill makes n secrets; the text of each is its name.
func (b *bench) fill(t *testing.T, n int) []provider.Ref {
	refs := make([]provider.Ref, n)
	for i := range refs {
		name := fmt.Sprintf("app/%03d", i)
		b.SetSecret(name, name)
		refs[i] = readtest.Ref(t, "sm://"+name)
	}
	return refs
}

// elsewhere makes a secret in another Region or account, and returns its ARN.
func (b *bench) elsewhere(t *testing.T, region, account, name, text string) string {
	client := secretsmanager.NewFromConfig(b.ConfigFor(region, account))
	out, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &text})
	require.NoError(t, err)
	return *out.ARN
}

// arn returns the complete ARN of a secret of ours.
func (b *bench) arn(t *testing.T, name string) string {
	out, err := b.client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &name})
	require.NoError(t, err)
	return *out.ARN
}

func (b *bench) calls() (batches, singles int) {
	return b.Calls("BatchGetSecretValue"), b.Calls("GetSecretValue")
}

func TestNewMakesNoCall(t *testing.T) {
	b := newBench(t)
	require.Equal(t, "sm", b.store.Scheme())
	require.Zero(t, b.Calls())
	require.Empty(t, b.store.Fetch(t.Context()))
	require.Zero(t, b.Calls())
}

func TestBatchesAreFull(t *testing.T) {
	for n, want := range map[int][2]int{
		1: {0, 1}, 2: {1, 0}, 19: {1, 0}, 20: {1, 0}, 21: {1, 1}, 22: {2, 0}, 40: {2, 0}, 41: {2, 1}, 200: {10, 0},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := newBench(t)
			refs := b.fill(t, n)
			for i, r := range b.store.Fetch(t.Context(), refs...) {
				require.NoError(t, r.Err)
				require.Equal(t, refs[i].Name, r.Value.Text())
			}
			batches, singles := b.calls()
			require.Equal(t, want, [2]int{batches, singles})
			require.Equal(t, n, b.Decrypts(), "nothing is read twice")
		})
	}
}

func TestRefsThatMeanTheSameAreReadOnce(t *testing.T) {
	b := newBench(t)
	b.SetSecret("db", "pw")
	b.SetSecret("api", "key")
	refs := readtest.Refs(t, "sm://db", "sm://api", "sm://db", "sm://db?stage=AWSCURRENT", "sm://db#user", "sm://db?region=us-east-1")
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, []string{"pw", "key", "pw", "pw", "pw", "pw"}, readtest.Texts(results))
	for i, r := range results {
		require.Equal(t, refs[i], r.Value.Ref())
	}
	require.Equal(t, [][]string{{"db", "api"}}, names(b.Requests()))
}

func TestWhatABatchCannotCarryGoesSingly(t *testing.T) {
	b := newBench(t)
	first := b.SetSecret("db", "old")
	b.SetSecret("db", "new")
	b.SetSecret("api", "key")
	results := b.store.Fetch(t.Context(), readtest.Refs(t,
		"sm://db", "sm://db?stage=AWSPREVIOUS", "sm://db?version="+first, "sm://api", "sm://db?stage=AWSPENDING", "sm://api?version="+strings.Repeat("0", 32))...)
	require.Equal(t, []string{"new", "old", "old", "key", "version not found", "version not found"}, readtest.Texts(results))
	require.Equal(t, []string{"AWSPREVIOUS"}, results[1].Value.Version().Labels())
	require.Equal(t, first, results[2].Value.Version().ID)
	require.True(t, results[0].Value.Version().HasLabel("AWSCURRENT"))
	require.False(t, results[0].Value.Version().Created.IsZero())
	batches, singles := b.calls()
	require.Equal(t, [2]int{1, 4}, [2]int{batches, singles})
}

func TestTypes(t *testing.T) {
	b := newBench(t)
	b.SetSecret("text", "{}")
	b.SetSecretBinary("bytes", []byte{0, 255})
	for _, refs := range [][]string{{"sm://text", "sm://bytes"}, {"sm://text"}, {"sm://bytes"}} {
		for _, r := range b.store.Fetch(t.Context(), readtest.Refs(t, refs...)...) {
			require.NoError(t, r.Err)
			if r.Value.Ref().Name == "text" {
				require.Equal(t, provider.SecretString, r.Value.Type())
			} else {
				require.Equal(t, provider.SecretBinary, r.Value.Type())
				require.Equal(t, []byte{0, 255}, r.Value.Bytes())
			}
		}
	}
}

func TestEachItemOfABatchFailsAlone(t *testing.T) {
	b := newBench(t)
	refs := b.fill(t, 20)
	b.Inject(secretstest.Fault{Operation: "GetSecretValue", Name: refs[3].Name, Err: secretstest.AccessDenied()})
	b.Inject(secretstest.Fault{Operation: "GetSecretValue", Name: refs[4].Name, Err: secretstest.DecryptionFailure()})
	_, err := b.client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &refs[7].Name})
	require.NoError(t, err)
	refs[19] = readtest.Ref(t, "sm://app/missing")
	want := map[int]error{3: provider.ErrAccessDenied, 4: provider.ErrDecryption, 7: provider.ErrDeleted, 19: provider.ErrNotFound}
	for i, r := range b.store.Fetch(t.Context(), refs...) {
		if want[i] != nil {
			require.ErrorIs(t, r.Err, want[i])
			require.ErrorContains(t, r.Err, refs[i].String())
			continue
		}
		require.NoError(t, r.Err)
		require.Equal(t, refs[i].Name, r.Value.Text())
	}
	batches, singles := b.calls()
	require.Equal(t, [2]int{1, 0}, [2]int{batches, singles})
}

func TestNamesAndARNsOfOneSecret(t *testing.T) {
	b := newBench(t)
	b.SetSecret("db", "pw")
	b.SetSecret("other", "x")
	arn := b.arn(t, "db")
	b.ResetCalls()
	refs := readtest.Refs(t, "sm://db", arn, arn[:len(arn)-7], "sm://other")
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, []string{"pw", "pw", "pw", "x"}, readtest.Texts(results))
	for i, r := range results {
		require.Equal(t, refs[i], r.Value.Ref())
	}
	require.Equal(t, 1, b.Calls())
}

// TestNamesThatLookLikeARNs has a secret whose name is another's with what may
// be the suffix of its ARN.
func TestNamesThatLookLikeARNs(t *testing.T) {
	b := newBench(t)
	b.SetSecret("db", "short")
	arn := b.arn(t, "db")
	long := arn[strings.LastIndex(arn, ":")+1:] // "db-AbCdEf"
	b.SetSecret(long, "long")
	b.SetSecret("other", "x")
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}} {
		all := readtest.Refs(t, "sm://db", "sm://"+long, arn, b.arn(t, long))
		want := []string{"short", "long", "short", "long"}
		refs, texts := make([]provider.Ref, 4), make([]string, 4)
		for i, o := range order {
			refs[i], texts[i] = all[o], want[o]
		}
		require.Equal(t, texts, readtest.Texts(b.store.Fetch(t.Context(), refs...)))
	}

	// Where "db" cannot be read, its ARN must not get what "db-AbCdEf" holds,
	// though it is that secret's ARN without the suffix.
	b.Inject(secretstest.Fault{Name: "db", Err: secretstest.AccessDenied()})
	require.Equal(t, []string{"long", "access denied", "access denied"},
		readtest.Texts(b.store.Fetch(t.Context(), readtest.Refs(t, "sm://"+long, arn, "sm://db")...)))
}

// TestUnansweredIsReadSingly has an answer of a batch that leaves one out.
func TestUnansweredIsReadSingly(t *testing.T) {
	b := newBench(t)
	refs := b.fill(t, 3)
	b.tap.Answer(func(operation string) *http.Response {
		if operation != "BatchGetSecretValue" {
			return nil
		}
		return readtest.Answer(200, `{"SecretValues":[{"Name":"app/001","ARN":"arn:aws:secretsmanager:us-east-1:123456789012:secret:app/001-AbCdEf","VersionId":"v","SecretString":"app/001"}]}`)
	})
	require.Equal(t, []string{"app/000", "app/001", "app/002"}, readtest.Texts(b.store.Fetch(t.Context(), refs...)))
	require.Equal(t, [][]string{{"app/000"}, {"app/002"}}, sorted(names(b.Requests())))
}

func TestOtherAccounts(t *testing.T) {
	b := newBench(t)
	own := b.fill(t, 3)
	theirs := readtest.Ref(t, b.elsewhere(t, "", "222222222222", "shared", "theirs"))
	missing := theirs
	missing.Name = strings.ReplaceAll(theirs.Name, "shared", "missing")
	ours := readtest.Ref(t, b.arn(t, "app/001"))
	refs := append(slices.Clone(own), theirs, missing, ours)
	want := []string{"app/000", "app/001", "app/002", "theirs", "not found", "app/001"}

	// Nothing tells the account before the first answer: what the batch refuses
	// is read singly, since it may be another account's.
	b.ResetCalls()
	require.Equal(t, want, readtest.Texts(b.store.Fetch(t.Context(), refs...)))
	batches, singles := b.calls()
	require.Equal(t, [2]int{1, 2}, [2]int{batches, singles})
	require.Len(t, b.Requests()[0].Names, 6)

	// From then on it does not travel in a batch at all.
	b.ResetCalls()
	require.Equal(t, want, readtest.Texts(b.store.Fetch(t.Context(), refs...)))
	batches, singles = b.calls()
	require.Equal(t, [2]int{1, 2}, [2]int{batches, singles})
	for _, r := range b.Requests() {
		if r.Operation == "BatchGetSecretValue" {
			require.Len(t, r.Names, 4)
		}
	}

	// A missing secret of our own by its ARN is not asked for again.
	gone := ours
	gone.Name = strings.ReplaceAll(ours.Name, "app/001", "app/gone")
	b.ResetCalls()
	require.Equal(t, []string{"app/000", "not found"}, readtest.Texts(b.store.Fetch(t.Context(), own[0], gone)))
	require.Equal(t, 1, b.Calls())
}

func TestRegions(t *testing.T) {
	b := newBench(t)
	b.SetSecret("db", "us")
	b.SetSecret("api", "us too")
	b.elsewhere(t, "eu-west-1", "", "db", "eu")
	arn := b.elsewhere(t, "eu-west-1", "", "api", "eu too")
	b.elsewhere(t, "eu-north-1", "", "db", "north")
	b.ResetCalls()
	refs := readtest.Refs(t, "sm://db", "sm://db?region=eu-west-1", "sm://api", arn, "sm://db?region=eu-north-1", "sm://gone?region=eu-north-1")
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, []string{"us", "eu", "us too", "eu too", "north", "not found"}, readtest.Texts(results))
	require.ErrorContains(t, results[5].Err, "check the name and the Region (eu-north-1)")
	batches, singles := b.calls()
	require.Equal(t, [2]int{3, 0}, [2]int{batches, singles})
	for _, r := range b.Requests() {
		require.Len(t, r.Names, 2)
	}
}

func TestPagesOfABatch(t *testing.T) {
	b := newBench(t, secretstest.WithPageSize(3), secretstest.WithEmptyPages())
	refs := b.fill(t, 20)
	for i, r := range b.store.Fetch(t.Context(), refs...) {
		require.NoError(t, r.Err)
		require.Equal(t, refs[i].Name, r.Value.Text())
	}
	batches, singles := b.calls()
	require.GreaterOrEqual(t, batches, 7)
	require.Zero(t, singles)
}

func TestPagesThatNeverEnd(t *testing.T) {
	for name, token := range map[string]func(n int) string{
		"SameToken":    func(int) string { return "same" },
		"EmptyForEver": func(n int) string { return fmt.Sprint(n) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			n := 0
			b.tap.Answer(func(string) *http.Response {
				n++
				return readtest.Answer(200, fmt.Sprintf(`{"NextToken":%q}`, token(n)))
			})
			for _, r := range b.store.Fetch(t.Context(), readtest.Refs(t, "sm://a", "sm://b")...) {
				require.ErrorIs(t, r.Err, provider.ErrUnavailable)
				require.ErrorContains(t, r.Err, "never end")
			}
			listed := 0
			for _, err := range b.store.List(t.Context(), provider.Ref{Scheme: "sm"}) {
				require.ErrorIs(t, err, provider.ErrUnavailable)
				require.ErrorContains(t, err, "never end")
				listed++
			}
			require.Equal(t, 1, listed)
		})
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	fill := func(srv *secretstest.Server) []provider.Ref {
		refs := filled(t, 100)(srv)
		for i := range refs[:20] { // and some that go singly
			refs[i].Stage = "AWSPREVIOUS"
		}
		return refs
	}
	readtest.Bounded(t, open, fill)
}

func TestWhatWasReadBeforeTheContextEndedIsKept(t *testing.T) {
	readtest.KeepsWhatWasRead(t, open, 20, filled(t, 200))
}

func names(requests []secretstest.Request) [][]string {
	all := make([][]string, len(requests))
	for i, r := range requests {
		all[i] = r.Names
	}
	return all
}

func sorted(all [][]string) [][]string {
	slices.SortFunc(all, slices.Compare)
	return all
}
