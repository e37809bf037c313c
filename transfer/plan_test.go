package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/transfer"
)

func TestAPlanShowsAllButTheValues(t *testing.T) {
	bubble(t, func(w world) {
		w.SetParameter("/dev/app/url", "hush-url")
		w.SetSecureParameter("/dev/app/key", "hush-key")
		w.SetSecureParameter("/dev/app/old", "hush-1")
		w.SetSecureParameter("/dev/app/old", "hush-2")
		w.SetSecureParameter("/dev/app/same", "hush")
		w.SetParameter("/dev/app/big", strings.Repeat("h", 5000))
		w.SetSecureParameter("/prod/app/old", "hush-0")
		w.SetSecureParameter("/prod/app/same", "hush")
		w.SetSecureParameter("/prod/app/extra", "hush")

		plan := w.plan("ssm:///dev/app/", "ssm:///prod/app/")
		require.Equal(t, ""+
			"ACTION     SOURCE               TYPE          BYTES  VERSION  TARGET                TYPE          TIER      VERSION\n"+
			"refused    ssm:///dev/app/big   String        5000   1        ssm:///prod/app/big   String        Advanced  -        invalid request: the value has 5000 bytes, which takes a parameter of the advanced tier and its price: WithAdvanced permits that\n"+
			"create     ssm:///dev/app/key   SecureString  8      1        ssm:///prod/app/key   SecureString  Standard  -\n"+
			"update     ssm:///dev/app/old   SecureString  6      2        ssm:///prod/app/old   SecureString  Standard  1\n"+
			"unchanged  ssm:///dev/app/same  SecureString  4      1        ssm:///prod/app/same  SecureString  Standard  1\n"+
			"create     ssm:///dev/app/url   String        8      1        ssm:///prod/app/url   String        Standard  -\n"+
			"2 to create, 1 to update, 1 unchanged, 1 refused\n", plan.String())
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			require.NotContains(t, fmt.Sprintf(format, plan), "hush", format)
			require.NotContains(t, fmt.Sprintf(format, *plan), "hush", format)
			require.NotContains(t, fmt.Sprintf(format, plan.Items), "hush", format)
		}
		require.Zero(t, w.Calls("PutParameter"), "a plan writes nothing")

		err := plan.Run(w.Context(), nil)
		require.ErrorIs(t, err, provider.ErrInvalid)
		require.ErrorContains(t, err, "ssm:///prod/app/big")
		require.Equal(t, plan.Err().Error(), err.Error())
		require.Equal(t, 3, w.Calls("PutParameter"))
		require.Equal(t, "hush-2", w.text("ssm:///prod/app/old"))
		require.Equal(t, "hush", w.text("ssm:///prod/app/extra"), "what only the target has stays")
	})
}

func TestTypesAreKeptOrMapped(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     provider.Type
	}{
		{"ssm:///a/plain", "ssm:///b/plain", provider.String},
		{"ssm:///a/list", "ssm:///b/list", provider.StringList},
		{"ssm:///a/secure", "ssm:///b/secure", provider.SecureString},
		{"ssm:///a/plain", "sm://b/plain", provider.SecretString},
		{"ssm:///a/list", "sm://b/list", provider.SecretString},
		{"ssm:///a/secure", "sm://b/secure", provider.SecretString},
		{"sm://a/text", "ssm:///b/text", provider.SecureString},
		{"sm://a/text", "sm://b/text", provider.SecretString},
		{"sm://a/bytes", "sm://b/bytes", provider.SecretBinary},
		{"sm://a/json#password", "ssm:///b/password", provider.SecureString},
		{"sm://a/text?stage=AWSPREVIOUS", "ssm://previous", provider.SecureString},
		{"ssm:///a/secure:1", "ssm:///b/first", provider.SecureString},
	} {
		t.Run(test.from+" "+test.to, func(t *testing.T) {
			bubble(t, func(w world) {
				w.SetParameter("/a/plain", "hush")
				_, err := w.params.Create(w.Context(), "ssm:///a/list", ssm.StringList("a", "b"), ssm.Attributes{})
				require.NoError(t, err)
				w.SetSecureParameter("/a/secure", "hush")
				w.SetSecureParameter("/a/secure", "hush 2")
				w.SetSecret("a/text", "hush")
				w.SetSecret("a/text", "hush 2")
				w.SetSecretBinary("a/bytes", []byte("\xff\x00hush"))
				w.SetSecret("a/json", `{"password":"hush"}`)

				plan := w.plan(test.from, test.to)
				require.Len(t, plan.Items, 1)
				require.Equal(t, test.want, plan.Items[0].TargetType)
				require.NoError(t, plan.Run(w.Context(), nil))
				got, err := w.get(test.to)
				require.NoError(t, err)
				require.Equal(t, test.want, got.Type())
				require.Equal(t, w.text(test.from), got.Text())
				require.Equal(t, transfer.Unchanged, w.plan(test.from, test.to).Items[0].Action)
			})
		})
	}
}

func TestASecureStringBecomesASecretAndComesBack(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/app/", 5)
		require.NoError(t, w.plan("ssm:///app/", "sm://app/").Run(w.Context(), nil))
		require.NoError(t, w.plan("sm://app/", "ssm:///back/").Run(w.Context(), nil))
		c := w.compare("ssm:///app/", "ssm:///back/")
		require.Len(t, c.Values, 5)
		require.True(t, c.Equal())
		require.Equal(t, 5, w.plan("sm://app/", "ssm:///app/").Count(transfer.Unchanged), "nor is there anything to do to where they came from")
	})
}

func TestWhatATargetCannotHoldIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	for name, test := range map[string]struct {
		set      func(w world)
		from, to string
		says     string
		kind     error
		opts     []transfer.Option
	}{
		"binary to a parameter": {func(w world) { w.SetSecretBinary("a/b", []byte{1}) }, "sm://a/", "ssm:///a/", "SecretBinary cannot be a parameter", provider.ErrInvalid, nil},
		"above 4 KB":            {func(w world) { w.SetSecret("a/b", strings.Repeat("x", 4097)) }, "sm://a/", "ssm:///a/", "WithAdvanced", provider.ErrInvalid, nil},
		"above 8 KB":            {func(w world) { w.SetSecret("a/b", strings.Repeat("x", 8193)) }, "sm://a/", "ssm:///a/", "8192 at most", provider.ErrInvalid, []transfer.Option{transfer.WithAdvanced()}},
		"braces":                {func(w world) { w.SetSecret("a/b", "{{hush}}") }, "sm://a/", "ssm:///a/", "{{…}}", provider.ErrInvalid, nil},
		"a character":           {func(w world) { w.SetSecret("a/b+c", "x") }, "sm://a/", "ssm:///a/", `not "+"`, provider.ErrInvalidRef, nil},
		"a reserved name":       {func(w world) { w.SetSecret("a/aws-key", "x") }, "sm://a/", "ssm:///", `begin with "aws"`, provider.ErrInvalidRef, nil},
		"levels":                {func(w world) { w.SetSecret("a/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15", "x") }, "sm://a/", "ssm:///a/", "deeper", provider.ErrInvalidRef, nil},
		"two slashes":           {func(w world) { w.SetSecret("a//b", "x") }, "sm://a/", "ssm:///a/", "single ones", provider.ErrInvalidRef, nil},
		"a long name":           {func(w world) { w.SetSecret("a/b", "x") }, "sm://a/b", "ssm:///" + strings.Repeat("n", 1000), "1011", provider.ErrInvalidRef, nil},
		"another type":          {func(w world) { w.SetSecret("a/b", "hush"); w.SetParameter("/a/b", "plain") }, "sm://a/", "ssm:///a/", "the target is a String", provider.ErrInvalid, nil},
		"a secret's name":       {func(w world) { w.SetParameter("/"+strings.Repeat("n", 500), "x") }, "ssm:///", "sm://" + strings.Repeat("p", 20) + "/", "longer than 512", provider.ErrInvalidRef, nil},
		"no such source":        {func(w world) {}, "sm://a/b", "ssm:///a/b", "sm://a/b: not found", provider.ErrNotFound, nil},
		"waits to be deleted": {func(w world) {
			w.SetParameter("/a/b", "x")
			w.SetSecret("a/b", "y")
			require.NoError(w, w.secrets.Delete(w.Context(), provider.Ref{Scheme: "sm", Name: "a/b"}))
		}, "ssm:///a/", "sm://a/", "scheduled for deletion", provider.ErrDeleted, nil},
		"a target that is denied": {func(w world) {
			w.SetParameter("/a/b", "x")
			w.SetParameter("/c/b", "y")
			w.Inject(secretstest.Fault{Operation: "GetParameter", Name: "/c/b", Err: secretstest.AccessDenied()})
		}, "ssm:///a/", "ssm:///c/", "access denied", provider.ErrAccessDenied, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w world) {
				test.set(w)
				plan := w.plan(test.from, test.to, test.opts...)
				require.Len(t, plan.Items, 1)
				require.Equal(t, transfer.Refused, plan.Items[0].Action)
				require.ErrorIs(t, plan.Err(), test.kind)
				require.ErrorContains(t, plan.Err(), test.says)
				require.NotContains(t, plan.Err().Error()+plan.String(), "hush")
				require.ErrorIs(t, plan.Run(w.Context(), nil), test.kind)
				require.Zero(t, w.Calls("PutParameter", "CreateSecret", "PutSecretValue"))
			})
		})
	}
}

func TestAdvancedParametersAreWrittenWhereTheyAreWanted(t *testing.T) {
	bubble(t, func(w world) {
		w.SetSecret("a/max", strings.Repeat("x", 8192))
		w.SetSecret("a/small", strings.Repeat("x", 4096))
		plan := w.plan("sm://a/", "ssm:///a/", transfer.WithAdvanced())
		require.Equal(t, "Advanced", plan.Items[0].Tier)
		require.Equal(t, "Standard", plan.Items[1].Tier)
		require.Error(t, plan.Run(w.Context(), nil), "the account's default tier is Standard")

		require.NoError(t, w.params.SetDefaultTier(w.Context(), ssm.IntelligentTiering))
		require.NoError(t, plan.Run(w.Context(), nil))
		require.True(t, w.compare("sm://a/", "ssm:///a/").Equal())
		for name, tier := range map[string]ssm.Tier{"max": ssm.Advanced, "small": ssm.Standard} {
			m, err := w.params.Describe(w.Context(), "ssm:///a/"+name)
			require.NoError(t, err)
			require.Equal(t, tier, m.Tier)
		}
	})
}

func TestOneValueThatFailsTakesNoOtherWithIt(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/a/", 5)
		w.Inject(secretstest.Fault{Operation: "PutParameter", Name: "/b/0001", Err: secretstest.AccessDenied()})
		w.Inject(secretstest.Fault{Operation: "GetParameter", Name: "/a/0003", Err: secretstest.AccessDenied()})
		var told []transfer.Progress
		err := w.plan("ssm:///a/", "ssm:///b/").Run(w.Context(), func(p transfer.Progress) { told = append(told, p) })
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		require.ErrorContains(t, err, "ssm:///b/0001")
		require.Len(t, told, 5)
		for i, p := range told {
			require.Equal(t, i+1, p.Done)
			require.Equal(t, 5, p.Total)
			require.Equal(t, i == 1, p.Err != nil)
			require.Equal(t, i == 1, p.Written.ID == "")
		}
		require.Equal(t, 4, w.compare("ssm:///a/", "ssm:///b/").Count(transfer.Equal))
	})
}

func TestAValueThatCannotBeDecryptedIsRefusedAndTheOthersAreCopied(t *testing.T) {
	bubble(t, func(w world) {
		for i := range 3 {
			w.SetSecret(fmt.Sprintf("a/%d", i), "hush")
		}
		w.Inject(secretstest.Fault{Name: "a/1", Err: secretstest.DecryptionFailure()})
		plan := w.plan("sm://a/", "sm://b/")
		require.Len(t, plan.Items, 3)
		require.ErrorIs(t, plan.Items[1].Err, provider.ErrDecryption)
		require.Equal(t, "sm://a/1", plan.Items[1].Source.String())
		require.ErrorIs(t, plan.Run(w.Context(), nil), provider.ErrDecryption)
		require.Equal(t, "hush", w.text("sm://b/2"))
	})
}

// TestWhatOthersWriteMeanwhileIsNotOverwritten: the plan saw another version.
func TestWhatOthersWriteMeanwhileIsNotOverwritten(t *testing.T) {
	for _, scheme := range []string{"sm://", "ssm:///"} {
		t.Run(scheme, func(t *testing.T) {
			bubble(t, func(w world) {
				for _, name := range []string{"1", "2", "3"} {
					w.SetSecret("a/"+name, "new")
				}
				set := func(name, value string) {
					w.SetSecret("b/"+name, value)
					w.SetSecureParameter("/b/"+name, value)
				}
				set("1", "old")
				plan := w.plan("sm://a/", scheme+"b/")
				set("1", "another's")
				set("2", "another's")
				err := plan.Run(w.Context(), nil)
				require.ErrorIs(t, err, provider.ErrConflict)
				require.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 2)
				require.Equal(t, "another's", w.text(scheme+"b/1"))
				require.Equal(t, "another's", w.text(scheme+"b/2"))
				require.Equal(t, "new", w.text(scheme+"b/3"))

				require.NoError(t, w.plan("sm://a/", scheme+"b/").Run(w.Context(), nil))
				require.True(t, w.compare("sm://a/", scheme+"b/").Equal())
			})
		})
	}
}

func TestRegionsAndAccounts(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/app/", 3)
		require.NoError(t, w.plan("ssm:///app/", "ssm:///app/?region=eu-west-1").Run(w.Context(), nil))
		require.True(t, w.compare("ssm:///app/", "ssm:///app/?region=eu-west-1").Equal())

		other, _ := stores(w.ConfigFor("", "210987654321"))
		from, to := w.at("ssm:///app/"), transfer.Place{Store: other, Ref: "ssm:///app/"}
		plan, err := transfer.PlanCopy(w.Context(), from, to)
		require.NoError(t, err)
		require.Equal(t, 3, plan.Count(transfer.Create))
		require.NoError(t, plan.Run(w.Context(), nil))
		c, err := transfer.Compare(w.Context(), from, to)
		require.NoError(t, err)
		require.True(t, c.Equal())
	})
}

func TestPlacesThatDoNotGoTogether(t *testing.T) {
	bubble(t, func(w world) {
		for _, test := range []struct{ from, to, says string }{
			{"ssm:///a/", "ssm:///a/", "one is the other"},
			{"ssm:///a/", "ssm:///a/b/", "one is the other or holds it"},
			{"ssm:///a/b/", "ssm:///a/", "one is the other or holds it"},
			{"sm://a", "sm://a", "one is the other"},
			{"ssm:///a/", "ssm:///b", "both or neither are a prefix"},
			{"ssm:///a", "ssm:///b?version=3", "drop the version"},
			{"ssm:///a", "sm://b#field", "drop the version"},
		} {
			_, err := transfer.PlanCopy(w.Context(), w.at(test.from), w.at(test.to))
			require.ErrorContains(t, err, test.says)
		}
		_, err := transfer.PlanMove(w.Context(), w.at("sm://a?stage=AWSPREVIOUS"), w.at("sm://b"))
		require.ErrorIs(t, err, provider.ErrInvalidRef)
		_, err = transfer.PlanCopy(w.Context(), transfer.Place{Store: w.params, Ref: "sm://a"}, w.at("sm://b"))
		require.ErrorContains(t, err, `scheme "ssm"`)
		_, err = transfer.PlanCopy(w.Context(), transfer.Place{Ref: "sm://a"}, w.at("sm://b"))
		require.ErrorContains(t, err, "no store")
		_, err = transfer.PlanCopy(w.Context(), transfer.Place{Store: reader{w.secrets}, Ref: "sm://a/"}, w.at("sm://b/"))
		require.ErrorContains(t, err, "cannot list")
		_, err = transfer.PlanCopy(w.Context(), w.at("sm://b"), transfer.Place{Store: reader{w.secrets}, Ref: "sm://a"})
		require.ErrorContains(t, err, "cannot write")
		require.Zero(t, w.Calls())
	})
}

// reader has none of a store's other capabilities.
type reader struct{ provider.Provider }

func TestRatesThatMakeNoSense(t *testing.T) {
	bubble(t, func(w world) {
		for why, opt := range map[string]transfer.Option{
			`("ssm", 1, 0): want`:     transfer.WithRateLimit("ssm", 1, 0),
			`("ssm", 0, 1): want`:     transfer.WithRateLimit("ssm", 0, 1),
			`("ssm", NaN, 1): want`:   transfer.WithRateLimit("ssm", math.NaN(), 1),
			`("sm"): neither place`:   transfer.WithRateLimit("sm", 1, 1),
			`("ssmm"): neither place`: transfer.WithRateLimit("ssmm", 1, 1),
		} {
			from, to := w.at("ssm:///dev/"), w.at("ssm:///prod/")
			_, err := transfer.PlanCopy(w.Context(), from, to, opt)
			require.ErrorContains(t, err, why)
			_, err = transfer.PlanMove(w.Context(), from, to, opt)
			require.ErrorContains(t, err, why)
			_, err = transfer.Compare(w.Context(), from, to, opt)
			require.ErrorContains(t, err, why)
		}
		require.Zero(t, w.Calls())
	})
}

func TestAListingThatFailsGivesNoPlan(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/a/", 30)
		remove := w.Inject(secretstest.Fault{Operation: "GetParametersByPath", Err: secretstest.AccessDenied()})
		_, err := transfer.PlanCopy(w.Context(), w.at("ssm:///a/"), w.at("ssm:///b/"))
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		remove()
		ctx, cancel := context.WithCancelCause(w.Context())
		cancel(errors.New("stop"))
		_, err = transfer.PlanCopy(ctx, w.at("ssm:///a/"), w.at("ssm:///b/"))
		require.ErrorIs(t, err, context.Canceled)
	})
}
