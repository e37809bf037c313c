package transfer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/transfer"
)

const someKey = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"

// rich makes a parameter and a secret, dev/rich, of everything that there is
// besides a value.
func (w world) rich() {
	ctx := w.Context()
	_, err := w.params.Create(ctx, "ssm:///dev/rich", ssm.SecureString("hush-1"), ssm.Attributes{
		KMSKey: someKey, Tier: ssm.Advanced, AllowedPattern: "^hush-.*", Description: "what it is for",
		Policies: ssm.Policies{ssm.Expiration{At: time.Now().Add(1000 * time.Hour)}}, Tags: map[string]string{"team": "a", "app": "b"},
	})
	require.NoError(w, err)
	_, err = w.params.PutVersion(ctx, "ssm:///dev/rich", ssm.SecureString("hush-2"), ssm.Attributes{KMSKey: someKey})
	require.NoError(w, err)
	require.NoError(w, w.params.Label(ctx, "ssm:///dev/rich?version=1", "blue"))
	_, err = w.secrets.Create(ctx, "sm://dev/rich", sm.Text("hush"), sm.CreateOptions{
		Description: "what it is for", KMSKey: someKey, Tags: map[string]string{"team": "a"},
		Replicas: sm.Replication{Regions: []sm.Replica{{Region: "eu-west-1"}}},
	})
	require.NoError(w, err)
	require.NoError(w, w.secrets.PutPolicy(ctx, "sm://dev/rich", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"secretsmanager:DeleteSecret","Resource":"*"}]}`, sm.PolicyOptions{}))
}

// TestAPlanSaysWhatStaysBehind, so that nothing is lost unseen.
func TestAPlanSaysWhatStaysBehind(t *testing.T) {
	parameter := []string{"description", "KMS key " + someKey, "allowed pattern", "tier Advanced", "policy Expiration", "labels blue", "tag app", "tag team"}
	without := func(all []string, names ...string) (rest []string) {
		for _, a := range all {
			keep := true
			for _, n := range names {
				keep = keep && !strings.HasPrefix(a, n)
			}
			if keep {
				rest = append(rest, a)
			}
		}
		return rest
	}
	secret := []string{"description", "KMS key " + someKey, "replicas eu-west-1", "tag team", "resource policy"}
	for _, test := range []struct {
		from, to string
		move     bool
		left     []string
	}{
		{"ssm:///dev/rich", "ssm:///prod/rich", false, parameter},
		{"ssm:///dev/rich?version=2", "ssm:///prod/rich", false, parameter},
		{"ssm:///dev/rich", "sm://prod/rich", false, without(parameter, "tier")},
		{"ssm:///dev/rich", "ssm:///prod/rich", true, append(without(parameter, "tag"), "older versions 1", "tag app", "tag team")},
		{"sm://dev/rich", "sm://prod/rich", false, secret},
		{"sm://dev/rich", "ssm:///prod/rich", true, secret},
	} {
		t.Run(fmt.Sprint(test.from, " ", test.to, " ", test.move), func(t *testing.T) {
			bubble(t, func(w world) {
				w.rich()
				plan := w.plan
				if test.move {
					plan = w.move
				}
				p := plan(test.from, test.to)
				require.NoError(t, p.Err())
				require.Equal(t, test.left, p.Items[0].Left)
				require.Contains(t, p.String(), "leaves "+strings.Join(test.left, ", ")+"\n")
				require.Contains(t, p.String(), "1 leave something behind")
				require.NotContains(t, fmt.Sprintf("%s %v %+v %#v", p, p, *p, p.Items), "hush")
				err := p.Run(w.Context(), func(done transfer.Progress) { require.Equal(t, test.left, done.Item.Left) })
				if test.move && test.from == "sm://dev/rich" {
					require.ErrorContains(t, err, "RemoveReplicas first")
				} else {
					require.NoError(t, err)
				}
			})
		})
	}
}

// TestWhatTheTargetHasTooIsNotLeftBehind, nor what has not changed hands.
func TestWhatTheTargetHasTooIsNotLeftBehind(t *testing.T) {
	bubble(t, func(w world) {
		w.rich()
		require.NoError(t, w.plan("ssm:///dev/rich", "sm://prod/rich").Run(w.Context(), nil))
		require.Empty(t, w.plan("ssm:///dev/rich", "sm://prod/rich").Items[0].Left, "it is unchanged, and its source stays")

		require.NoError(t, w.secrets.Tag(w.Context(), "sm://prod/rich", map[string]string{"team": "a", "app": "another"}))
		require.NoError(t, w.secrets.Update(w.Context(), "sm://prod/rich", sm.Changes{Description: new("what it is for"), KMSKey: new(someKey)}))
		left := []string{"allowed pattern", "policy Expiration", "labels blue", "older versions 1", "tag app"}
		moved := w.move("ssm:///dev/rich", "sm://prod/rich").Items[0]
		require.Equal(t, transfer.Unchanged, moved.Action)
		require.Equal(t, left, moved.Left, "the source is to go")

		w.SetSecret("prod/rich", "hush-other")
		updated := w.plan("ssm:///dev/rich", "sm://prod/rich").Items[0]
		require.Equal(t, transfer.Update, updated.Action)
		require.Equal(t, []string{"allowed pattern", "policy Expiration", "labels blue", "tag app"}, updated.Left)
	})
}

func TestATierThatIsKeptIsNotLeftBehind(t *testing.T) {
	bubble(t, func(w world) {
		_, err := w.params.Create(w.Context(), "ssm:///dev/big", ssm.SecureString(strings.Repeat("x", 5000)), ssm.Attributes{Tier: ssm.Advanced})
		require.NoError(t, err)
		_, err = w.params.Create(w.Context(), "ssm:///dev/small", ssm.SecureString("x"), ssm.Attributes{Tier: ssm.Advanced})
		require.NoError(t, err)
		_, err = w.params.Create(w.Context(), "ssm:///prod/small", ssm.SecureString("y"), ssm.Attributes{Tier: ssm.Advanced})
		require.NoError(t, err)
		for _, it := range w.plan("ssm:///dev/", "ssm:///prod/", transfer.WithAdvanced()).Items {
			require.NoError(t, it.Err)
			require.Empty(t, it.Left, it.Source)
		}
	})
}

func TestValuesWithNothingElseLeaveNothingBehind(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/dev/", 3)
		w.SetSecret("dev/1", "hush")
		for _, places := range [][2]string{{"ssm:///dev/", "sm://prod/"}, {"sm://dev/", "ssm:///prod/"}} {
			p := w.move(places[0], places[1])
			require.NotContains(t, p.String(), "leave")
			for _, it := range p.Items {
				require.Empty(t, it.Left)
			}
		}
	})
}

// TestWhatMayNotBeReadOfASourceIsSaid: the plan is made all the same.
func TestWhatMayNotBeReadOfASourceIsSaid(t *testing.T) {
	for operation, test := range map[string]struct {
		from string
		left []string
	}{
		"GetParameterHistory": {"ssm:///dev/rich", []string{"what cannot be read: access denied"}},
		"ListTagsForResource": {"ssm:///dev/rich", []string{"description", "labels blue", "what cannot be read: access denied"}},
		"DescribeSecret":      {"sm://dev/rich", []string{"what cannot be read: access denied"}},
		"GetResourcePolicy":   {"sm://dev/rich", []string{"description", "tag team", "what cannot be read: access denied"}},
	} {
		bubble(t, func(w world) {
			w.rich()
			w.Inject(secretstest.Fault{Operation: operation, Err: secretstest.AccessDenied()})
			p := w.plan(test.from, "sm://prod/rich")
			require.NoError(t, p.Err())
			require.Equal(t, transfer.Create, p.Items[0].Action)
			for _, what := range test.left {
				require.Contains(t, strings.Join(p.Items[0].Left, "\n"), what)
			}
			require.NoError(t, p.Run(w.Context(), nil))
		})
	}
}

func TestAPlanOfValuesOnlyAsksForNothingElse(t *testing.T) {
	bubble(t, func(w world) {
		w.rich()
		w.ResetCalls()
		for _, from := range []string{"ssm:///dev/", "sm://dev/"} {
			p := w.plan(from, "sm://prod/", transfer.WithValuesOnly())
			require.Empty(t, p.Items[0].Left)
			require.NotContains(t, p.String(), "leave")
		}
		require.Zero(t, w.Calls("GetParameterHistory", "ListTagsForResource", "DescribeSecret", "GetResourcePolicy"))
	})
}

// TestAParameterOfAnotherAccountTellsItsOwn: by its ARN, without tags.
func TestAParameterOfAnotherAccountTellsItsOwn(t *testing.T) {
	bubble(t, func(w world) {
		other, _ := stores(w.ConfigFor("", "210987654321"))
		_, err := other.Create(w.Context(), "ssm:///theirs", ssm.String("v"), ssm.Attributes{Tier: ssm.Advanced, Description: "d", Tags: map[string]string{"team": "a"}})
		require.NoError(t, err)
		m, err := other.Describe(w.Context(), "ssm:///theirs")
		require.NoError(t, err)
		p := w.plan(m.ARN, "ssm:///ours")
		require.NoError(t, p.Err())
		require.Equal(t, provider.String, p.Items[0].TargetType)
		require.Equal(t, []string{"description", "tier Advanced"}, p.Items[0].Left)
	})
}
