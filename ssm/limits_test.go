package ssm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

// limit is a write and what is said of it: "" is accepted by the store and by
// the server, and anything else is refused before a call is made.
type limit struct {
	name string
	do   func(b *bench, t *testing.T) error
	says string
}

func create(ref string, v provider.Value, a ssm.Attributes) func(*bench, *testing.T) error {
	return func(b *bench, t *testing.T) error {
		_, err := b.store.Create(t.Context(), ref, v, a)
		return err
	}
}

func put(ref string, v provider.Value, a ssm.Attributes) func(*bench, *testing.T) error {
	return func(b *bench, t *testing.T) error {
		_, err := b.store.PutVersion(t.Context(), ref, v, a)
		return err
	}
}

func label(labels ...string) func(*bench, *testing.T) error {
	return func(b *bench, t *testing.T) error { return b.store.Label(t.Context(), "ssm:///there", labels...) }
}

func tag(tags map[string]string) func(*bench, *testing.T) error {
	return func(b *bench, t *testing.T) error { return b.store.Tag(t.Context(), "ssm:///there", tags) }
}

func many(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprintf("x%d", i)
	}
	return s
}

func tagged(n int) map[string]string {
	tags := make(map[string]string)
	for _, k := range many(n) {
		tags[k] = "v"
	}
	return tags
}

func repeated(n int, p ssm.Policy) ssm.Policies {
	var list ssm.Policies
	for range n {
		list = append(list, p)
	}
	return list
}

var (
	plain    ssm.Attributes
	advanced = ssm.Attributes{Tier: ssm.Advanced}
	// arnPrefix is what of the ARN counts to a name's length in us-east-1.
	arnPrefix = len("arn:aws:ssm:us-east-1:123456789012:parameter/")
)

func policies(p ...ssm.Policy) ssm.Attributes {
	return ssm.Attributes{Tier: ssm.Advanced, Policies: p}
}

func pattern(p string) ssm.Attributes { return ssm.Attributes{AllowedPattern: p} }

// limits are the documented limits and rules of writing, each below, at and
// above.
func limits() []limit {
	v := ssm.String("v")
	x := func(n int) string { return strings.Repeat("x", n) }
	levels := func(n int) string { return strings.Repeat("/x", n) }
	soon := ssm.Expiration{At: time.Now().Add(time.Hour)}
	return []limit{
		// PutParameter, Name.
		{"name of 1 character", create("ssm://x", v, plain), ""},
		{"name below the limit", create("ssm:///"+x(1011-arnPrefix-2), v, plain), ""},
		{"name at the limit", create("ssm:///"+x(1011-arnPrefix-1), v, plain), ""},
		{"name above the limit", create("ssm:///"+x(1011-arnPrefix+1), v, plain), "1011 are the most"},
		{"name in no hierarchy, at the limit", create("ssm://"+x(1011-arnPrefix), v, plain), ""},
		{"name in no hierarchy, above it", create("ssm://"+x(1011-arnPrefix+1), v, plain), "1011 are the most"},
		{"name in a Region with a longer ARN", create("ssm:///"+x(1011-arnPrefix)+"?region=ap-southeast-1", v, plain), "1011 are the most"},
		{"name in a partition with a longer ARN", create("ssm:///"+x(1011-arnPrefix-3)+"?region=cn-north-1", v, plain), "1011 are the most"},
		{"no name", create("ssm://", v, plain), "the name is empty"},
		{"14 levels", create("ssm://"+levels(14), v, plain), ""},
		{"15 levels", create("ssm://"+levels(15), v, plain), ""},
		{"16 levels", create("ssm://"+levels(16), v, plain), "15 levels"},
		{"all characters of a name", create("ssm:///aZ09_.-/x", v, plain), ""},
		{"a space inside", create("ssm:///a b", v, plain), "letters, digits and"},
		{"a space before", create("ssm:// /a", v, plain), "letters, digits and"},
		{"a space after", create("ssm:///a ", v, plain), "letters, digits and"},
		{"another character", create("ssm:///a+b", v, plain), "letters, digits and"},
		{"a letter that is not ASCII", create("ssm:///ä", v, plain), "letters, digits and"},
		{"a slash at the end", create("ssm:///a/", v, plain), "a path"},
		{"a hierarchy without a slash", create("ssm://a/b", v, plain), "begins with a slash"},
		{"aws inside", create("ssm:///x/aws", v, plain), ""},
		{"aws after a letter", create("ssm:///xaws", v, plain), ""},
		{"aws before", create("ssm://awsx", v, plain), `"aws" or "ssm"`},
		{"AWS as a level", create("ssm:///AWS/x", v, plain), `"aws" or "ssm"`},
		{"aws in a level", create("ssm:///awSx/x", v, plain), `"aws" or "ssm"`},
		{"ssm inside", create("ssm:///x/ssm", v, plain), ""},
		{"ssm before", create("ssm://SsM-x", v, plain), `"aws" or "ssm"`},
		{"ssm as a level", create("ssm:///ssm/x", v, plain), `"aws" or "ssm"`},
		{"an ARN", create("arn:aws:ssm:us-east-1:123456789012:parameter/x", v, plain), "only read"},
		{"a version", put("ssm:///there?version=1", v, plain), "version, label or field"},
		{"a label", put("ssm:///there?label=x", v, plain), "version, label or field"},
		{"a field", put("ssm:///there#x", v, plain), "version, label or field"},
		{"a secret", create("ssm://"+secretReference+"x", v, plain), `"aws" or "ssm"`},

		// PutParameter, Value and Tier.
		{"no value", create("ssm:///a", ssm.String(""), plain), "the value is empty"},
		{"value of 1 byte", create("ssm:///a", ssm.String("x"), plain), ""},
		{"value of 4095", create("ssm:///a", ssm.String(x(4095)), plain), ""},
		{"value of 4096", create("ssm:///a", ssm.String(x(4096)), plain), ""},
		{"value of 4097, standard", create("ssm:///a", ssm.String(x(4097)), ssm.Attributes{Tier: ssm.Standard}), "4097 bytes"},
		{"value of 4097 in 4095 characters", create("ssm:///a", ssm.String(x(4093)+"éé"), ssm.Attributes{Tier: ssm.Standard}), "4097 bytes"},
		{"value of 4097, advanced", create("ssm:///a", ssm.String(x(4097)), advanced), ""},
		{"value of 4097, intelligent", create("ssm:///a", ssm.String(x(4097)), ssm.Attributes{Tier: ssm.IntelligentTiering}), ""},
		{"value of 8191", create("ssm:///a", ssm.String(x(8191)), advanced), ""},
		{"value of 8192", create("ssm:///a", ssm.String(x(8192)), advanced), ""},
		{"value of 8193", create("ssm:///a", ssm.String(x(8193)), advanced), "8193 bytes"},
		{"value of 8193, whatever tier", create("ssm:///a", ssm.String(x(8193)), plain), "8193 bytes"},
		{"one brace", create("ssm:///a", ssm.String("{x}}"), plain), ""},
		{"braces that end nothing", create("ssm:///a", ssm.String("}}x"), plain), ""},
		{"braces", create("ssm:///a", ssm.String("{{}}"), plain), "reference to another parameter"},
		{"a reference", create("ssm:///a", ssm.String("a {{ssm:x}} b"), plain), "reference to another parameter"},
		{"a reference over lines", create("ssm:///a", ssm.String("{{\n}}"), plain), "reference to another parameter"},
		{"bytes", create("ssm:///a", ssm.String("\xff"), plain), "not UTF-8"},
		{"another tier", create("ssm:///a", v, ssm.Attributes{Tier: "Premium"}), "the tier"},
		{"another type", create("ssm:///a", provider.NewValue(provider.Ref{}, provider.Version{}, "Number", "v"), plain), "the type"},
		{"binary", create("ssm:///a", provider.NewValue(provider.Ref{}, provider.Version{}, provider.SecretBinary, "v"), plain), "a parameter is text"},

		// PutParameter, DataType.
		{"text", create("ssm:///a", v, ssm.Attributes{DataType: ssm.DataTypeText}), ""},
		{"an image", create("ssm:///a", ssm.String("ami-0123456789abcdef0"), ssm.Attributes{DataType: ssm.DataTypeImage}), ""},
		{"no image", create("ssm:///a", v, ssm.Attributes{DataType: ssm.DataTypeImage}), "ID of an image"},
		{"a secure image", create("ssm:///a", ssm.SecureString("ami-01234567"), ssm.Attributes{DataType: ssm.DataTypeImage}), "goes with the type String"},
		{"an integration", create("ssm:///a", v, ssm.Attributes{DataType: ssm.DataTypeIntegration}), ""},
		{"another data type", create("ssm:///a", v, ssm.Attributes{DataType: "Text"}), "the data type"},

		// PutParameter, KeyId, Description, AllowedPattern.
		{"a key", create("ssm:///a", ssm.SecureString("v"), ssm.Attributes{KMSKey: "alias/app"}), ""},
		{"a key of 256", create("ssm:///a", ssm.SecureString("v"), ssm.Attributes{KMSKey: x(256)}), ""},
		{"a key of 257", create("ssm:///a", ssm.SecureString("v"), ssm.Attributes{KMSKey: x(257)}), "KMS key"},
		{"a key with a space", create("ssm:///a", ssm.SecureString("v"), ssm.Attributes{KMSKey: "a b"}), "KMS key"},
		{"a key of what is not encrypted", create("ssm:///a", v, ssm.Attributes{KMSKey: "alias/app"}), "SecureString"},
		{"description of 1024", create("ssm:///a", v, ssm.Attributes{Description: strings.Repeat("é", 1024)}), ""},
		{"description of 1025", create("ssm:///a", v, ssm.Attributes{Description: strings.Repeat("é", 1025)}), "1024"},
		{"pattern of 1024", create("ssm:///a", v, pattern(".*"+x(1022))), "does not match"},
		{"pattern of 1024 that matches", create("ssm:///a", v, pattern("v|"+x(1022))), ""},
		{"pattern of 1025", create("ssm:///a", v, pattern("v|"+x(1023))), "longer than 1024"},
		{"value that matches", create("ssm:///a", ssm.String("123"), pattern(`^\d+$`)), ""},
		{"value that does not", create("ssm:///a", ssm.String("12x"), pattern(`^\d+$`)), "does not match"},
		{"list that matches", create("ssm:///a", ssm.StringList("1", "2"), pattern(`^\d+$`)), ""},
		{"list that does not", create("ssm:///a", ssm.StringList("1", "x"), pattern(`^\d+$`)), "does not match"},

		// PutParameter, Policies and Tags.
		{"10 policies", create("ssm:///a", v, policies(repeated(10, ssm.NoChangeNotification{After: time.Hour})...)), ""},
		{"11 policies", create("ssm:///a", v, policies(repeated(11, ssm.NoChangeNotification{After: time.Hour})...)), "11 policies"},
		{"no policies", create("ssm:///a", v, policies(ssm.Policies{}...)), ""},
		{"an expiration", create("ssm:///a", v, policies(soon)), ""},
		{"two expirations", create("ssm:///a", v, policies(soon, soon)), "more than one Expiration"},
		{"an expiration at no time", create("ssm:///a", v, policies(ssm.Expiration{})), "needs a time"},
		{"a notification of it", create("ssm:///a", v, policies(soon, ssm.ExpirationNotification{Before: time.Hour})), ""},
		{"a notification of none", create("ssm:///a", v, policies(ssm.ExpirationNotification{Before: time.Hour})), "needs an Expiration"},
		{"less than an hour", create("ssm:///a", v, policies(ssm.NoChangeNotification{After: time.Hour - 1})), "whole number of hours"},
		{"an hour and a half", create("ssm:///a", v, policies(ssm.NoChangeNotification{After: 90 * time.Minute})), "whole number of hours"},
		{"a pointer", create("ssm:///a", v, policies(&soon)), "a policy is *ssm.Expiration"},
		{"nil", create("ssm:///a", v, policies(nil)), "a policy is <nil>"},
		{"policies, standard", create("ssm:///a", v, ssm.Attributes{Tier: ssm.Standard, Policies: ssm.Policies{soon}}), "no policies"},
		{"policies, intelligent", create("ssm:///a", v, ssm.Attributes{Tier: ssm.IntelligentTiering, Policies: ssm.Policies{soon}}), ""},
		{"tags", create("ssm:///a", v, ssm.Attributes{Tags: tagged(50)}), ""},
		{"51 tags", create("ssm:///a", v, ssm.Attributes{Tags: tagged(51)}), "51 tags"},
		{"tags on an overwrite", put("ssm:///there", v, ssm.Attributes{Tags: tagged(1)}), "set them by Tag"},

		// LabelParameterVersion.
		{"a label of 1 character", label("x"), ""},
		{"a label of 100", label(x(100)), ""},
		{"a label of 101", label(x(101)), "longer than 100"},
		{"an empty label", label(""), "letters, digits"},
		{"all characters of a label", label("aZ09_.-"), ""},
		{"a label with a slash", label("a/b"), "letters, digits"},
		{"a label with a space", label("a b"), "letters, digits"},
		{"a label with a digit before", label("1a"), "no digit"},
		{"a label with aws before", label("AwsCurrent"), `"aws" or "ssm"`},
		{"a label with ssm before", label("ssm"), `"aws" or "ssm"`},
		{"a label with aws inside", label("x-aws"), ""},
		{"10 labels", label(many(10)...), ""},
		{"11 labels", label(many(11)...), "11 labels"},
		{"no labels", label(), "0 labels"},

		// Tags.
		{"a key of 128", tag(map[string]string{strings.Repeat("é", 128): ""}), ""},
		{"a key of 129", tag(map[string]string{strings.Repeat("é", 129): ""}), "129 characters"},
		{"an empty key", tag(map[string]string{"": ""}), "0 characters"},
		{"a reserved key", tag(map[string]string{"AWS:x": ""}), `"aws:"`},
		{"a tag of 256", tag(map[string]string{"k": strings.Repeat("é", 256)}), ""},
		{"a tag of 257", tag(map[string]string{"k": strings.Repeat("é", 257)}), "longer than 256"},
		{"50 tags", tag(tagged(50)), ""},
		{"51 tags at once", tag(tagged(51)), "51 tags"},

		{"another default tier", func(b *bench, t *testing.T) error {
			return b.store.SetDefaultTier(t.Context(), "Premium")
		}, "the tier"},
	}
}

const secretReference = "/aws/reference/secretsmanager/"

func TestLimits(t *testing.T) {
	for _, test := range limits() {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, secretstest.InProcess())
			b.SetParameter("/there", "v")
			err := test.do(b, t)
			if test.says == "" {
				require.NoError(t, err)
				require.Equal(t, 1, b.Calls())
				return
			}
			require.True(t, errors.Is(err, ssm.ErrInvalid) || errors.Is(err, provider.ErrInvalidRef), "%v", err)
			require.ErrorContains(t, err, test.says)
			require.Zero(t, b.Calls(), "it is refused before the call")
			require.IsType(t, &provider.Error{}, err)
		})
	}
}

// TestAPatternIsCheckedWhereItIsCertain leaves to AWS what means something else
// in another language, or nothing in Go.
func TestAPatternIsCheckedWhereItIsCertain(t *testing.T) {
	for p, values := range map[string][]string{
		`a++`:             {"b"}, // possessive: no Go
		`(?<!x)a`:         {"b"}, // lookbehind: no Go
		`(?i)a`:           {"b"},
		`[a-z&&[^b]]`:     {"1"},
		`[[:alpha:]]`:     {"1"},
		`[]a]`:            {"b"},
		`[^]a]`:           {"a"},
		`\vx`:             {"y"},
		`(a)\11`:          {"aa1"}, // a group and a digit, or an octal number
		`\0101`:           {"A"},
		`\Qa.b\E`:         {"x"},
		`\p{Lower}`:       {"X"},
		`a{,3}`:           {"b"},
		`^\d+$`:           {"1\n", "１"},
		"é":               {"b"},
		`^[a-z]+,[a-z]+$`: {"a,b"},
		`[a`:              {"b"},
		`a{3}`:            {"aaa"},
		`(?:ab)`:          {"ab"},
		`\\v`:             {`\v`},
	} {
		for _, value := range values {
			b := newBench(t, secretstest.InProcess())
			_, err := b.store.Create(t.Context(), "ssm:///a", ssm.String(value), pattern(p))
			require.Equal(t, 1, b.Calls(), "%s decides AWS: %v", p, err)
		}
	}
	for p, value := range map[string]string{`a{3}`: "aa", `(?:ab)`: "ba", `\\v`: `\x`, `[^a]`: "a", `\{x`: "x", `[\]]x`: "x"} {
		b := newBench(t, secretstest.InProcess())
		_, err := b.store.Create(t.Context(), "ssm:///a", ssm.String(value), pattern(p))
		require.ErrorContains(t, err, "does not match", p)
		require.Zero(t, b.Calls())
	}
}

// TestASlashMayBeTheARNs leaves it to AWS whether the slash before a name counts
// once or twice.
func TestASlashMayBeTheARNs(t *testing.T) {
	b := newBench(t, secretstest.InProcess())
	_ = create("ssm:///"+strings.Repeat("x", 1011-arnPrefix), ssm.String("v"), plain)(b, t)
	require.Equal(t, 1, b.Calls())
}

// TestCountsOfAnAccount is what is known after the call alone.
func TestCountsOfAnAccount(t *testing.T) {
	b := newBench(t, secretstest.InProcess(), secretstest.WithParameterLimits(1, 1))
	standard := ssm.Attributes{Tier: ssm.Standard}
	require.NoError(t, create("ssm:///1", ssm.String("v"), standard)(b, t))
	err := create("ssm:///2", ssm.String("v"), standard)(b, t)
	require.ErrorIs(t, err, ssm.ErrInvalid)
	require.ErrorContains(t, err, "10,000 standard or 100,000 advanced")

	w, err := b.store.Create(t.Context(), "ssm:///3", ssm.String("v"), ssm.Attributes{Tier: ssm.IntelligentTiering})
	require.NoError(t, err)
	require.Equal(t, ssm.Advanced, w.Tier, "it says which tier AWS chose")
	require.ErrorContains(t, create("ssm:///4", ssm.String("v"), advanced)(b, t), "10,000 standard or 100,000 advanced")
}
