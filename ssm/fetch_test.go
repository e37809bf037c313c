package ssm_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

// bench is a server, a store that reads from it, and the SDK's client.
type bench struct {
	*secretstest.Server
	tap    *readtest.Tap
	store  *ssm.Store
	client *awsssm.Client
}

func newBench(t *testing.T, opts ...secretstest.Option) *bench {
	srv := secretstest.NewServer(t, opts...)
	cfg := srv.Config()
	tap := readtest.NewTap(&cfg)
	return &bench{Server: srv, tap: tap, store: ssm.New(cfg), client: awsssm.NewFromConfig(srv.Config())}
}

// open is a [readtest.Maker].
func open(cfg aws.Config, bound int) readtest.Store {
	if bound == 0 {
		return ssm.New(cfg)
	}
	return ssm.New(cfg, ssm.WithConcurrency(bound))
}

// filled is fill of a bench with that server.
func filled(t *testing.T, n int) func(*secretstest.Server) []provider.Ref {
	return func(srv *secretstest.Server) []provider.Ref { return (&bench{Server: srv}).fill(t, n) }
}

// fill makes n parameters; the text of each is its name.
func (b *bench) fill(t *testing.T, n int) []provider.Ref {
	refs := make([]provider.Ref, n)
	for i := range refs {
		name := fmt.Sprintf("/app/%03d", i)
		b.SetSecureParameter(name, name)
		refs[i] = readtest.Ref(t, "ssm://"+name)
	}
	return refs
}

func (b *bench) label(t *testing.T, name string, version int64, label string) {
	out, err := b.client.LabelParameterVersion(t.Context(), &awsssm.LabelParameterVersionInput{Name: &name, ParameterVersion: &version, Labels: []string{label}})
	require.NoError(t, err)
	require.Empty(t, out.InvalidLabels)
	b.ResetCalls()
}

// elsewhere makes a parameter in another Region or account.
func (b *bench) elsewhere(t *testing.T, region, account, name, text string) {
	client := awsssm.NewFromConfig(b.ConfigFor(region, account))
	_, err := client.PutParameter(t.Context(), &awsssm.PutParameterInput{Name: &name, Value: &text, Type: types.ParameterTypeString})
	require.NoError(t, err)
	b.ResetCalls()
}

func (b *bench) calls() [2]int {
	return [2]int{b.Calls("GetParameters"), b.Calls("GetParameter")}
}

func TestNewMakesNoCall(t *testing.T) {
	b := newBench(t)
	require.Equal(t, "ssm", b.store.Scheme())
	require.Empty(t, b.store.Fetch(t.Context()))
	require.Zero(t, b.Calls())
}

func TestBatchesAreFull(t *testing.T) {
	for n, want := range map[int][2]int{
		1: {0, 1}, 2: {1, 0}, 9: {1, 0}, 10: {1, 0}, 11: {1, 1}, 12: {2, 0}, 20: {2, 0}, 21: {2, 1}, 200: {20, 0},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := newBench(t)
			refs := b.fill(t, n)
			for i, r := range b.store.Fetch(t.Context(), refs...) {
				require.NoError(t, r.Err)
				require.Equal(t, refs[i].Name, r.Value.Text())
			}
			require.Equal(t, want, b.calls())
			require.Equal(t, n, b.Decrypts(), "nothing is read twice")
			b.ResetCalls()
			for _, r := range b.store.Probe(t.Context(), refs...) {
				require.NoError(t, r.Err)
				require.Equal(t, "1", r.Version.ID)
				require.False(t, r.LastChanged.IsZero())
			}
			require.Equal(t, want, b.calls())
			require.Zero(t, b.Decrypts(), "no value is read")
		})
	}
}

func TestRefsThatMeanTheSameAreReadOnce(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/db", "pw")
	b.SetParameter("/api", "key")
	refs := readtest.Refs(t, "ssm:///db", "ssm:///api", "ssm:///db", "ssm:///db#user", "ssm:///db?region=us-east-1")
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, []string{"pw", "key", "pw", "pw", "pw"}, readtest.Texts(results))
	for i, r := range results {
		require.Equal(t, refs[i], r.Value.Ref())
	}
	require.Len(t, b.Requests(), 1)
	require.Equal(t, []string{"/db", "/api"}, b.Requests()[0].Names)
}

// TestSelectors reads one parameter in several versions; no two of them travel
// in one call.
func TestSelectors(t *testing.T) {
	b := newBench(t)
	for _, text := range []string{"one", "two", "three"} {
		b.SetParameter("/db", text)
	}
	b.label(t, "/db", 2, "blue")
	b.SetParameter("/api", "key")
	refs := readtest.Refs(t, "ssm:///db", "ssm:///db:1", "ssm:///api", "ssm:///db?label=blue", "ssm:///db?version=9", "ssm:///db?label=green", "ssm:///gone:1", "ssm:///gone")
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, []string{"three", "one", "key", "two", "version not found", "version not found", "not found", "not found"}, readtest.Texts(results))
	require.Equal(t, []string{"3", "1", "1", "2"}, []string{
		results[0].Value.Version().ID, results[1].Value.Version().ID, results[2].Value.Version().ID, results[3].Value.Version().ID})
	require.Equal(t, []string{"blue"}, results[3].Value.Version().Labels())
	require.Empty(t, results[0].Value.Version().Labels())
	for _, r := range b.Requests() {
		seen := make(map[string]bool)
		for _, name := range r.Names {
			base, _, _ := strings.Cut(name, ":")
			require.False(t, seen[base], "%v", r.Names)
			seen[base] = true
		}
	}
	var probed []string
	for _, r := range b.store.Probe(t.Context(), refs...) {
		probed = append(probed, r.Version.ID)
	}
	require.Equal(t, []string{"3", "1", "1", "2", "", "", "", ""}, probed)
}

// TestSelectorsShareBatches has versions of ten parameters, which fit in two
// calls though each parameter comes twice.
func TestSelectorsShareBatches(t *testing.T) {
	b := newBench(t)
	latest := b.fill(t, 10)
	b.fill(t, 10)
	refs := slices.Clone(latest)
	for _, ref := range latest {
		ref.Version = "1"
		refs = append(refs, ref)
	}
	for _, r := range b.store.Fetch(t.Context(), refs...) {
		require.NoError(t, r.Err)
	}
	require.Equal(t, [2]int{2, 0}, b.calls())
}

func TestNamesAndARNs(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/db", "slash")
	b.SetParameter("plain", "plain")
	b.elsewhere(t, "", "222222222222", "/db", "theirs")
	const arn = "arn:aws:ssm:us-east-1:123456789012:parameter/"
	theirs := strings.Replace(arn, "123456789012", "222222222222", 1) + "db"
	refs := readtest.Refs(t, "ssm:///db", arn+"db", theirs, "ssm://plain", arn+"plain", arn+"gone")
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, []string{"slash", "slash", "theirs", "plain", "plain", "not found"}, readtest.Texts(results))
	for i, r := range results[:5] {
		require.Equal(t, refs[i], r.Value.Ref())
	}
	slices.Reverse(refs)
	require.Equal(t, []string{"not found", "plain", "plain", "theirs", "slash", "slash"}, readtest.Texts(b.store.Fetch(t.Context(), refs...)))
}

func TestTypes(t *testing.T) {
	b := newBench(t)
	for typ, text := range map[types.ParameterType]string{types.ParameterTypeString: "a", types.ParameterTypeStringList: "a,b,c", types.ParameterTypeSecureString: "pw"} {
		_, err := b.client.PutParameter(t.Context(), &awsssm.PutParameterInput{Name: aws.String("/" + string(typ)), Value: &text, Type: typ})
		require.NoError(t, err)
	}
	results := b.store.Fetch(t.Context(), readtest.Refs(t, "ssm:///String", "ssm:///StringList", "ssm:///SecureString")...)
	require.Equal(t, []string{"a", "a,b,c", "pw"}, readtest.Texts(results))
	require.Equal(t, provider.String, results[0].Value.Type())
	require.Equal(t, provider.StringList, results[1].Value.Type())
	require.Equal(t, provider.SecureString, results[2].Value.Type())
	for _, r := range results {
		require.False(t, r.Value.Version().Created.IsZero())
	}
}

func TestPublicParameters(t *testing.T) {
	b := newBench(t)
	const name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
	b.SetParameter("/db", "pw")
	for _, refs := range [][]string{{"ssm://" + name}, {"ssm://" + name, "ssm:///db"}, {"arn:aws:ssm:us-east-1::parameter" + name, "ssm:///db"}} {
		r := b.store.Fetch(t.Context(), readtest.Refs(t, refs...)...)[0]
		require.NoError(t, r.Err)
		require.Equal(t, "ami-0123456789abcdef0", r.Value.Text())
		require.Equal(t, "1", r.Value.Version().ID)
	}
}

func TestSecretReferences(t *testing.T) {
	b := newBench(t)
	first := b.SetSecret("prod/db", "hunter1")
	second := b.SetSecret("prod/db", "hunter2")
	b.SetParameter("/db", "pw")
	const name = "ssm:///aws/reference/secretsmanager/prod/db"
	for _, alone := range []bool{true, false} {
		refs := readtest.Refs(t, name, name+":AWSPREVIOUS", "ssm:///db", name+":"+first, name+"-gone", name+":NOSUCH")
		var fetched []provider.Result
		var probed []provider.ProbeResult
		if alone {
			for _, ref := range refs {
				fetched = append(fetched, b.store.Fetch(t.Context(), ref)...)
				probed = append(probed, b.store.Probe(t.Context(), ref)...)
			}
		} else {
			fetched, probed = b.store.Fetch(t.Context(), refs...), b.store.Probe(t.Context(), refs...)
		}
		require.Equal(t, []string{"hunter2", "hunter1", "pw", "hunter1", "not found", "version not found"}, readtest.Texts(fetched))
		for i, want := range []string{second, first, "1", first} {
			require.NoError(t, probed[i].Err)
			require.Equal(t, want, fetched[i].Value.Version().ID)
			require.Equal(t, want, probed[i].Version.ID)
		}
		require.True(t, fetched[0].Value.Version().HasLabel("AWSCURRENT"))
		require.True(t, fetched[1].Value.Version().HasLabel("AWSPREVIOUS"))
	}
}

func TestRegions(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/db", "us")
	b.SetParameter("/api", "us too")
	b.elsewhere(t, "eu-west-1", "", "/db", "eu")
	b.elsewhere(t, "eu-west-1", "", "/api", "eu too")
	refs := readtest.Refs(t, "ssm:///db", "ssm:///db?region=eu-west-1", "ssm:///api", "arn:aws:ssm:eu-west-1:123456789012:parameter/api", "ssm:///gone?region=eu-north-1")
	results := b.store.Fetch(t.Context(), refs...)
	require.Equal(t, []string{"us", "eu", "us too", "eu too", "not found"}, readtest.Texts(results))
	require.ErrorContains(t, results[4].Err, "check the name and the Region (eu-north-1)")
	require.Equal(t, [2]int{2, 1}, b.calls())
}

// TestUnansweredIsReadSingly has an answer of a batch that leaves one out, one
// of another version than was asked for, and one that nobody asked for.
func TestUnansweredIsReadSingly(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/a", "old")
	for _, name := range []string{"/a", "/b", "/c"} {
		b.SetParameter(name, name)
	}
	b.tap.Answer(func(operation string) *http.Response {
		if operation != "GetParameters" {
			return nil
		}
		return readtest.Answer(200, `{"Parameters":[{"Name":"/a","Version":2,"Type":"String","Value":"wrong"},{"Name":"/b","Version":1,"Type":"String","Value":"/b"},{"Name":"/x","Version":1,"Type":"String","Value":"no"}]}`)
	})
	results := b.store.Fetch(t.Context(), readtest.Refs(t, "ssm:///a:1", "ssm:///b", "ssm:///c")...)
	require.Equal(t, []string{"old", "/b", "/c"}, readtest.Texts(results))
	require.Equal(t, 2, b.Calls("GetParameter"))
}

func TestConcurrencyIsBounded(t *testing.T) {
	readtest.Bounded(t, open, filled(t, 100))
}

func TestWhatWasReadBeforeTheContextEndedIsKept(t *testing.T) {
	readtest.KeepsWhatWasRead(t, open, 10, filled(t, 100))
}
