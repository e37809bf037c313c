package provider_test

import (
	"strings"
	"testing"

	"github.com/c0629bfc/secrets/provider"
	"github.com/stretchr/testify/require"
)

const (
	smARN  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"
	ssmARN = "arn:aws:ssm:us-east-1:123456789012:parameter/prod/app/url"
)

// longARN is the ARN of a secret whose name is as long as it may be.
var longARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:" + strings.Repeat("x", 512) + "-AbCdEf"

func TestParseRef(t *testing.T) {
	sm := func(name string) provider.Ref { return provider.Ref{Scheme: "sm", Name: name} }
	ssm := func(name string) provider.Ref { return provider.Ref{Scheme: "ssm", Name: name} }
	with := func(r provider.Ref, f func(*provider.Ref)) provider.Ref { f(&r); return r }
	arn := with(sm(smARN), func(r *provider.Ref) { r.Region = "eu-west-1" })
	parameterARN := with(ssm(ssmARN), func(r *provider.Ref) { r.Region = "us-east-1" })

	for _, c := range []struct {
		in   string
		want provider.Ref
		out  string // the canonical form, where it is not in
	}{
		{in: "sm://prod/db", want: sm("prod/db")},
		{in: "SM://prod/db", want: sm("prod/db"), out: "sm://prod/db"},
		{in: "sm:///prod/db", want: sm("/prod/db")},
		{in: "sm://prod/db/", want: sm("prod/db/")},
		{in: "sm://prod/db-AbCdEf", want: sm("prod/db-AbCdEf")},
		{in: "sm://rds!db-1/_+=.@-", want: sm("rds!db-1/_+=.@-")},
		{in: "sm://a+b", want: sm("a+b")},
		{in: "sm://prod%2Fdb", want: sm("prod/db"), out: "sm://prod/db"},
		{in: "sm://prod/db#password", want: with(sm("prod/db"), func(r *provider.Ref) { r.Field = "password" })},
		{in: "sm://prod/db#/a/0/b", want: with(sm("prod/db"), func(r *provider.Ref) { r.Field = "/a/0/b" })},
		{in: "sm://prod/db#/", want: with(sm("prod/db"), func(r *provider.Ref) { r.Field = "/" })},
		{in: "sm://prod/db#/a~1b~0c", want: with(sm("prod/db"), func(r *provider.Ref) { r.Field = "/a~1b~0c" })},
		{in: "sm://prod/db#a/b", want: with(sm("prod/db"), func(r *provider.Ref) { r.Field = "a/b" })},
		{in: "sm://prod/db#a%23b%3Fc%20%25", want: with(sm("prod/db"), func(r *provider.Ref) { r.Field = "a#b?c %" })},
		{in: "sm://prod/db#pässwörd🔑", want: with(sm("prod/db"), func(r *provider.Ref) { r.Field = "pässwörd🔑" })},
		{in: "sm://prod/db?stage=AWSPREVIOUS", want: with(sm("prod/db"), func(r *provider.Ref) { r.Stage = "AWSPREVIOUS" })},
		{in: "sm://prod/db?stage=AWSCURRENT", want: with(sm("prod/db"), func(r *provider.Ref) { r.Stage = "AWSCURRENT" })},
		{in: "sm://prod/db?stage=a%26b%3Dc", want: with(sm("prod/db"), func(r *provider.Ref) { r.Stage = "a&b=c" }), out: "sm://prod/db?stage=a%26b=c"},
		{in: "sm://prod/db?version=0b1c-2&region=eu-west-1#user", want: provider.Ref{Scheme: "sm", Name: "prod/db", Version: "0b1c-2", Region: "eu-west-1", Field: "user"}, out: "sm://prod/db?region=eu-west-1&version=0b1c-2#user"},

		{in: "ssm:///prod/app/url", want: ssm("/prod/app/url")},
		{in: "ssm://plain", want: ssm("plain")},
		{in: "ssm:///plain", want: ssm("/plain")},
		{in: "ssm:///prod/app/url?version=3", want: with(ssm("/prod/app/url"), func(r *provider.Ref) { r.Version = "3" })},
		{in: "ssm:///prod/app/url:3", want: with(ssm("/prod/app/url"), func(r *provider.Ref) { r.Version = "3" }), out: "ssm:///prod/app/url?version=3"},
		{in: "ssm:///prod/app/url?label=blue", want: with(ssm("/prod/app/url"), func(r *provider.Ref) { r.Label = "blue" })},
		{in: "ssm:///prod/app/url:blue#k", want: with(ssm("/prod/app/url"), func(r *provider.Ref) { r.Label, r.Field = "blue", "k" }), out: "ssm:///prod/app/url?label=blue#k"},
		{in: "ssm:///aws/service/ami-amazon-linux-latest/al2023", want: ssm("/aws/service/ami-amazon-linux-latest/al2023")},
		{in: "ssm:///aws/reference/secretsmanager/prod/db+1", want: ssm("/aws/reference/secretsmanager/prod/db+1")},
		{in: "ssm:///aws/reference/secretsmanager/prod/db:AWSPREVIOUS", want: with(ssm("/aws/reference/secretsmanager/prod/db"), func(r *provider.Ref) { r.Label = "AWSPREVIOUS" }), out: "ssm:///aws/reference/secretsmanager/prod/db?label=AWSPREVIOUS"},
		{in: "ssm:///aws/reference/secretsmanager/prod/db?version=4d1b-22", want: with(ssm("/aws/reference/secretsmanager/prod/db"), func(r *provider.Ref) { r.Version = "4d1b-22" })},

		{in: smARN, want: arn},
		{in: "sm://" + smARN, want: arn, out: smARN},
		{in: smARN + "?region=eu-west-1", want: arn, out: smARN},
		{in: strings.TrimSuffix(smARN, "-AbCdEf"), want: with(arn, func(r *provider.Ref) { r.Name = strings.TrimSuffix(smARN, "-AbCdEf") })},
		{in: smARN + ":password::", want: with(arn, func(r *provider.Ref) { r.Field = "password" }), out: smARN + "#password"},
		{in: smARN + ":password", want: with(arn, func(r *provider.Ref) { r.Field = "password" }), out: smARN + "#password"},
		{in: smARN + "::AWSPREVIOUS:", want: with(arn, func(r *provider.Ref) { r.Stage = "AWSPREVIOUS" }), out: smARN + "?stage=AWSPREVIOUS"},
		{in: smARN + ":k:AWSPENDING:", want: with(arn, func(r *provider.Ref) { r.Field, r.Stage = "k", "AWSPENDING" }), out: smARN + "?stage=AWSPENDING#k"},
		{in: smARN + ":::9d4cb84b-ad69-40c0-a0ab-cead36b967e8", want: with(arn, func(r *provider.Ref) { r.Version = "9d4cb84b-ad69-40c0-a0ab-cead36b967e8" }), out: smARN + "?version=9d4cb84b-ad69-40c0-a0ab-cead36b967e8"},
		{in: smARN + ":::", want: arn, out: smARN},
		{in: smARN + ":100%?#::", want: with(arn, func(r *provider.Ref) { r.Field = "100%?#" }), out: smARN + "#100%25%3F%23"},
		{in: smARN + ":/odd/key::", want: with(arn, func(r *provider.Ref) { r.Field = "/~1odd~1key" }), out: smARN + "#/~1odd~1key"},
		{in: smARN + "?stage=AWSPREVIOUS#k", want: with(arn, func(r *provider.Ref) { r.Field, r.Stage = "k", "AWSPREVIOUS" })},
		{in: longARN, want: with(arn, func(r *provider.Ref) { r.Name = longARN })},
		{in: "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:x", want: provider.Ref{Scheme: "sm", Name: "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:x", Region: "cn-north-1"}},

		{in: ssmARN, want: parameterARN},
		{in: "ssm://" + ssmARN, want: parameterARN, out: ssmARN},
		{in: ssmARN + ":7", want: with(parameterARN, func(r *provider.Ref) { r.Version = "7" }), out: ssmARN + "?version=7"},
		{in: ssmARN + ":green", want: with(parameterARN, func(r *provider.Ref) { r.Label = "green" }), out: ssmARN + "?label=green"},
		{in: ssmARN + "?label=green#f", want: with(parameterARN, func(r *provider.Ref) { r.Label, r.Field = "green", "f" })},
		{in: "arn:aws:ssm:us-east-1::parameter/aws/service/x", want: provider.Ref{Scheme: "ssm", Name: "arn:aws:ssm:us-east-1::parameter/aws/service/x", Region: "us-east-1"}},

		{in: "sm://x#" + strings.Repeat(" ", 1363), want: with(sm("x"), func(r *provider.Ref) { r.Field = strings.Repeat(" ", 1363) }), out: "sm://x#" + strings.Repeat("%20", 1363)},
		{in: "vault://kv/data/x:y?version=2#f", want: provider.Ref{Scheme: "vault", Name: "kv/data/x:y", Version: "2", Field: "f"}},
		{in: "mem://arn:aws:ssm:nonsense", want: provider.Ref{Scheme: "mem", Name: "arn:aws:ssm:nonsense"}},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := provider.ParseRef(c.in)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			if c.out == "" {
				c.out = c.in
			}
			require.Equal(t, c.out, got.String())
			again, err := provider.ParseRef(got.String())
			require.NoError(t, err)
			require.Equal(t, got, again)
		})
	}
}

func TestParseRefRefuses(t *testing.T) {
	for in, says := range map[string]string{
		"":                                      "want sm://name",
		"prod/db":                               "want sm://name",
		"sm:prod/db":                            "want sm://name",
		"://x":                                  "not a scheme",
		"1sm://x":                               "not a scheme",
		"s m://x":                               "not a scheme",
		"sm://":                                 "name is empty",
		"ssm://":                                "name is empty",
		"sm://#f":                               "name is empty",
		"sm://?stage=x":                         "name is empty",
		"sm://x#":                               "field is empty",
		"sm://x#/a~2":                           "RFC 6901",
		"sm://x#/a~":                            "RFC 6901",
		"sm://x#f?stage=y":                      `after "#"`,
		"sm://x#f#g":                            `after "#"`,
		"sm://x?":                               "is none of stage",
		"sm://x?stage":                          "stage has no value",
		"sm://x?stage=":                         "stage has no value",
		"sm://x?Stage=a":                        "is none of stage",
		"sm://x?ttl=5m":                         "is none of stage",
		"sm://x?stage=a&stage=b":                "given twice",
		"sm://x?stage=a&version=b":              "both version and stage",
		"sm://x?label=a":                        "label is for parameters",
		"sm://x?region=EU West":                 "region is not one",
		"sm://x%":                               "hexadecimal",
		"sm://x%zz":                             "hexadecimal",
		"sm://x%ff":                             "UTF-8",
		"sm://x\xff":                            "UTF-8",
		"sm://x%0a":                             "control character",
		"sm://x#a%00b":                          "control character",
		"sm://a b":                              `not " "`,
		"sm://prod:db":                          `not ":"`,
		"sm://ключ":                             `not "к"`,
		"sm://" + strings.Repeat("x", 513):      "longer than 512",
		longARN + "x":                           "longer than 512",
		"sm://x?version=" + long(65):            "longer than 64",
		"sm://x?stage=" + long(257):             "longer than 256",
		"sm://x#" + strings.Repeat(" ", 1364):   "longer than 4096", // once it is escaped
		"sm://" + strings.Repeat("x", 5000):     "longer than 4096",
		"ssm:///a?stage=AWSCURRENT":             "stage is for secrets",
		"ssm:///a?version=x":                    "number from 1",
		"ssm:///a?version=0":                    "number from 1",
		"ssm:///a?version=-1":                   "number from 1",
		"ssm:///a?version=01":                   "number from 1",
		"ssm:///a?version=9223372036854775808":  "number from 1",
		"ssm:///a:0":                            "does not begin with a digit",
		"ssm:///a:":                             "nothing follows",
		"ssm:///a:b:c":                          `not ":"`,
		"ssm:///a:3?version=3":                  "given twice",
		"ssm:///a?label=b&version=3":            "both version and label",
		"ssm:///a?label=3b":                     "does not begin with a digit",
		"ssm:///a?label=b%20c":                  `not " "`,
		"ssm:///a?label=" + long(101):           "longer than 100",
		"ssm:///a+b":                            `not "+"`,
		"ssm:///prod/app/":                      "names a path",
		"ssm:///":                               "names a path",
		"ssm://" + strings.Repeat("/x", 16):     "deeper than 15",
		"ssm:///" + long(1011):                  "longer than 1011",
		"arn:aws:secretsmanager:eu-west-1":      "too short",
		"arn:aws:s3:eu-west-1:123456789012:x":   `service "s3"`,
		"arn:aws:ssm:eu-west-1:1:parameter/x":   "not 12 digits",
		"arn:aws:ssm::123456789012:parameter/x": "no valid Region",
		"arn::ssm:eu-west-1:123456789012:parameter/x":                  "no valid partition",
		"arn:aws:ssm:eu-west-1:123456789012:document/x":                "does not name a parameter",
		"arn:aws:ssm:eu-west-1:123456789012:parameter/":                "name is empty",
		"arn:aws:secretsmanager:eu-west-1::secret:x":                   "not 12 digits",
		"arn:aws:secretsmanager:eu-west-1:123456789012:secret:":        "name is empty",
		"arn:aws:secretsmanager:eu-west-1:123456789012:x":              "does not name a secret",
		"ssm://arn:aws:secretsmanager:eu-west-1:123456789012:secret:x": "does not go with ssm://",
		smARN + "?region=us-east-1":                                    "contradicts",
		smARN + ":k:AWSCURRENT:v":                                      "both version and stage",
		smARN + ":k:s:v:more":                                          "too many parts",
	} {
		t.Run(in, func(t *testing.T) {
			r, err := provider.ParseRef(in)
			require.ErrorIs(t, err, provider.ErrInvalidRef)
			require.ErrorContains(t, err, says)
			require.Zero(t, r)
			if printable(in) {
				require.ErrorContains(t, err, in, "the error names the ref")
			}
			require.False(t, strings.ContainsAny(err.Error(), "\n\x00"), "the error is one line")
		})
	}
}

func TestParsePrefix(t *testing.T) {
	for in, want := range map[string]provider.Ref{
		"sm://":                      {Scheme: "sm"},
		"sm://prod/":                 {Scheme: "sm", Name: "prod/"},
		"sm://prod?region=eu-west-1": {Scheme: "sm", Name: "prod", Region: "eu-west-1"},
		"ssm:///":                    {Scheme: "ssm", Name: "/"},
		"ssm:///prod/app/":           {Scheme: "ssm", Name: "/prod/app/"},
		"ssm:///prod/app":            {Scheme: "ssm", Name: "/prod/app"},
		"ssm:///aws/service/":        {Scheme: "ssm", Name: "/aws/service/"},
		"mem://anything":             {Scheme: "mem", Name: "anything"},
	} {
		got, err := provider.ParsePrefix(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for in, says := range map[string]string{
		"ssm://plain":     "begins with a slash",
		"ssm://":          "begins with a slash",
		"ssm:///a:3":      "a prefix has no version",
		"sm://a#f":        "a prefix has no version",
		"sm://a?stage=b":  "a prefix has no version",
		"sm://a b":        `not " "`,
		"ssm:///a b":      `not " "`,
		"sm://a?region=E": "region is not one",
		smARN:             "an ARN names one value",
		"prod/":           "want sm://name",
	} {
		_, err := provider.ParsePrefix(in)
		require.ErrorIs(t, err, provider.ErrInvalidRef, in)
		require.ErrorContains(t, err, says, in)
		require.ErrorContains(t, err, in)
	}
}

func TestRefBase(t *testing.T) {
	base := ref(t, "sm://prod/db")
	for _, same := range []string{"sm://prod/db#a", "sm://prod/db#/b", "sm://prod/db?stage=AWSCURRENT#a"} {
		require.Equal(t, base, ref(t, same).Base(), same)
	}
	for _, other := range []string{"sm://prod/db?stage=AWSPREVIOUS", "sm://prod/db?version=v", "sm://prod/db?region=eu-west-1", "sm:///prod/db", "ssm://prod/db"} {
		require.NotEqual(t, base, ref(t, other).Base(), other)
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{
		"sm://prod/db#password", "sm://x?stage=a&region=b#/a/0/b", "ssm:///a/b:3", "ssm://p?label=x", smARN + ":k:s:", ssmARN + ":3",
		"arn:aws:ssm:us-east-1::parameter/aws/service/x", "mem://%41%25#%23", "sm://%", "arn:", "://", "vault://a?version=1&label=2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = provider.ParsePrefix(s)
		r, err := provider.ParseRef(s)
		if err != nil {
			require.ErrorIs(t, err, provider.ErrInvalidRef)
			require.Zero(t, r)
			return
		}
		again, err := provider.ParseRef(r.String())
		require.NoError(t, err, "%q parsed but its String %q does not", s, r.String())
		require.Equal(t, r, again)
		require.Equal(t, r.String(), again.String())
		_, err = provider.ParseRef(r.Base().String())
		require.NoError(t, err)
	})
}

func ref(t testing.TB, s string) provider.Ref {
	t.Helper()
	r, err := provider.ParseRef(s)
	require.NoError(t, err)
	return r
}

func long(n int) string { return strings.Repeat("x", n) }

// printable reports whether %q prints s as it is.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' || c == 0xfffd })
}
