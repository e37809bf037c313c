package transfer_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/transfer"
)

func TestAComparisonTellsNamesAndVersionsAndNoValue(t *testing.T) {
	bubble(t, func(w world) {
		w.SetSecureParameter("/a/same", "hush")
		w.SetParameter("/a/plain", "hush")
		w.SetSecureParameter("/a/other", "hush-1")
		w.SetSecureParameter("/a/other", "hush-2")
		w.SetSecureParameter("/a/here", "hush")
		w.SetSecureParameter("/b/same", "hush")
		w.SetSecureParameter("/b/plain", "hush")
		w.SetSecureParameter("/b/other", "hush-3")
		w.SetSecureParameter("/b/there", "hush")
		c := w.compare("ssm:///a/", "ssm:///b/")
		require.Equal(t, ""+
			"STATUS      HERE            TYPE          VERSION  THERE           TYPE          VERSION\n"+
			"only here   ssm:///a/here   SecureString  1        ssm:///b/here   -             -\n"+
			"different   ssm:///a/other  SecureString  2        ssm:///b/other  SecureString  1\n"+
			"different   ssm:///a/plain  String        1        ssm:///b/plain  SecureString  1\n"+
			"equal       ssm:///a/same   SecureString  1        ssm:///b/same   SecureString  1\n"+
			"only there  ssm:///a/there  -             -        ssm:///b/there  SecureString  1\n"+
			"1 equal, 2 different, 1 only here, 1 only there, 0 unknown\n", c.String())
		require.False(t, c.Equal())
	})
}

func TestSecretsAndParametersAreComparedByWhatTheyHold(t *testing.T) {
	bubble(t, func(w world) {
		w.SetParameter("/a/plain", "hush")
		w.SetSecureParameter("/a/secure", "hush")
		w.SetParameter("/a/bytes", "hush")
		w.SetSecret("a/plain", "hush")
		w.SetSecret("a/secure", "hush")
		w.SetSecretBinary("a/bytes", []byte("hush"))
		w.SetSecret("a/what+parameters=cannot", "hush")
		for _, c := range []*transfer.Comparison{w.compare("ssm:///a/", "sm://a/"), w.compare("sm://a/", "ssm:///a/")} {
			require.Equal(t, 2, c.Count(transfer.Equal))
			require.Equal(t, 1, c.Count(transfer.Different))
			require.Equal(t, 1, c.Count(transfer.OnlyHere)+c.Count(transfer.OnlyThere))
		}
		c := w.compare("sm://a/secure", "ssm:///a/plain")
		require.Len(t, c.Values, 1)
		require.True(t, c.Equal())
		require.Empty(t, w.compare("sm://no", "ssm://no").Values)
	})
}

func TestWhatCannotBeReadIsUnknown(t *testing.T) {
	bubble(t, func(w world) {
		w.SetSecret("a/1", "hush")
		w.SetSecret("b/1", "hush")
		w.SetSecret("b/2", "hush")
		w.Inject(secretstest.Fault{Name: "b/1", Err: secretstest.AccessDenied()})
		c := w.compare("sm://a/", "sm://b/")
		require.Equal(t, 1, c.Count(transfer.Unknown))
		require.Equal(t, 1, c.Count(transfer.OnlyThere))
		require.ErrorIs(t, c.Values[0].Err, provider.ErrAccessDenied)
		require.Contains(t, c.String(), "access denied")
		require.False(t, c.Equal())
	})
}

// lagging lists nothing yet of what there is.
type lagging struct{ *sm.Store }

func (lagging) List(context.Context, provider.Ref) iter.Seq2[provider.Value, error] {
	return func(func(provider.Value, error) bool) {}
}

func TestWhatAListingMissesIsReadByItsName(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/a/", 3)
		require.NoError(t, w.plan("ssm:///a/", "sm://a/").Run(w.Context(), nil))
		target := transfer.Place{Store: lagging{w.secrets}, Ref: "sm://a/"}
		c, err := transfer.Compare(w.Context(), w.at("ssm:///a/"), target)
		require.NoError(t, err)
		require.Len(t, c.Values, 3)
		require.True(t, c.Equal())
		c, err = transfer.Compare(w.Context(), target, w.at("ssm:///a/"))
		require.NoError(t, err)
		require.True(t, c.Equal())
		plan, err := transfer.PlanCopy(w.Context(), w.at("ssm:///a/"), target)
		require.NoError(t, err)
		require.Equal(t, 3, plan.Count(transfer.Unchanged))
	})
}

func TestWhatIsListedAndGoneIsNotThere(t *testing.T) {
	bubble(t, func(w world) {
		w.SetSecret("a/1", "hush")
		w.SetSecret("a/2", "hush")
		w.Inject(secretstest.Fault{Operation: "BatchGetSecretValue", Name: "a/1", Err: &secretstest.Error{Code: "ResourceNotFoundException"}})
		require.Len(t, w.plan("sm://a/", "sm://b/").Items, 1)
	})
}
