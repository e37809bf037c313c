package iampolicy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/iampolicy"
)

const (
	account = "123456789012"
	region  = "us-east-1"
	smARN   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
	ssmARN  = "arn:aws:ssm:us-east-1:123456789012:parameter/"
	keyARN  = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// home is a Use of the test's account and Region.
func home(u iampolicy.Use) iampolicy.Use {
	u.Account, u.Region = account, region
	return u
}

func policies(t testing.TB, u iampolicy.Use) iampolicy.Policies {
	t.Helper()
	p, err := home(u).Policies()
	require.NoError(t, err)
	return p
}

// pairs returns what a policy allows, one "action resource" each, sorted. Names
// are without what all ARNs of the test begin with.
func pairs(p iampolicy.Policy) []string {
	all := []string{}
	for _, s := range p.Statement {
		for _, a := range s.Action {
			for _, r := range s.Resource {
				all = append(all, a+" "+short(r))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func short(arn string) string {
	arn = strings.Replace(arn, smARN, "secret:", 1)
	return strings.Replace(arn, ssmARN, "parameter/", 1)
}

// optional returns the optional policy that tells of a loss.
func optional(t testing.TB, p iampolicy.Policies, loss string) iampolicy.Policy {
	t.Helper()
	for _, o := range p.Optional {
		if strings.Contains(o.Without, loss) {
			return o.Policy
		}
	}
	require.Fail(t, "no such optional policy", loss)
	return iampolicy.Policy{}
}

func TestThePolicyOfAServiceIsThis(t *testing.T) {
	p := policies(t, iampolicy.Use{
		Read: []string{"sm://prod/db#password", "sm://prod/db#username", "sm://prod/mail?stage=AWSCURRENT", "ssm:///prod/app/url:3", "ssm://plain",
			"arn:aws:secretsmanager:eu-west-1:210987654321:secret:shared-AbCdEf:key::"},
		List: []string{"ssm:///prod/app/features/"},
		Keys: []iampolicy.Key{{ARN: keyARN, Refs: []string{"sm://prod/db", "ssm:///prod/app/features/"}}},
	})
	require.Equal(t, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "secretsmanager:GetSecretValue",
      "Resource": [
        "arn:aws:secretsmanager:eu-west-1:210987654321:secret:shared-AbCdEf",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-??????",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mail-??????"
      ]
    },
    {
      "Effect": "Allow",
      "Action": "ssm:GetParametersByPath",
      "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/prod/app/features"
    },
    {
      "Effect": "Allow",
      "Action": [
        "ssm:GetParameter",
        "ssm:GetParameters"
      ],
      "Resource": [
        "arn:aws:ssm:us-east-1:123456789012:parameter/plain",
        "arn:aws:ssm:us-east-1:123456789012:parameter/prod/app/features/*",
        "arn:aws:ssm:us-east-1:123456789012:parameter/prod/app/url"
      ]
    },
    {
      "Effect": "Allow",
      "Action": "kms:Decrypt",
      "Resource": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
      "Condition": {
        "StringEquals": {
          "kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"
        },
        "StringLike": {
          "kms:EncryptionContext:SecretARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-??????"
        }
      }
    },
    {
      "Effect": "Allow",
      "Action": "kms:Decrypt",
      "Resource": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
      "Condition": {
        "StringEquals": {
          "kms:ViaService": "ssm.us-east-1.amazonaws.com"
        },
        "StringLike": {
          "kms:EncryptionContext:PARAMETER_ARN": "arn:aws:ssm:us-east-1:123456789012:parameter/prod/app/features/*"
        }
      }
    }
  ]
}`, p.Required.String())
	require.Len(t, p.Optional, 1)
	require.Equal(t, []string{"secretsmanager:BatchGetSecretValue *"}, pairs(optional(t, p, "one by one")))
	require.True(t, json.Valid([]byte(p.All().Compact())))
}

func TestTheOrderOfRefsMakesNoDifference(t *testing.T) {
	refs := []string{"sm://a", "sm://b", "sm://c#x", "ssm:///a", "ssm:///b", "sm://c"}
	want := policies(t, iampolicy.Use{Read: refs, Put: refs[:2]})
	slices.Reverse(refs)
	for range 20 {
		got := policies(t, iampolicy.Use{Read: refs, Put: []string{"sm://b", "sm://a"}})
		require.Equal(t, want.All().String(), got.All().String())
		require.Equal(t, want.Required.String(), got.Required.String())
	}
}

func TestWhatIsAloneNeedsNoBatch(t *testing.T) {
	p := policies(t, iampolicy.Use{Read: []string{"sm://a#x", "sm://a#y", "sm://b?stage=AWSPREVIOUS", "sm://c?region=eu-west-1", "ssm:///p", "ssm:///p?version=3"}})
	require.Equal(t, []string{"secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-1:123456789012:secret:c-??????",
		"secretsmanager:GetSecretValue secret:a-??????", "secretsmanager:GetSecretValue secret:b-??????", "ssm:GetParameter parameter/p"}, pairs(p.All()))
}

func TestNamesBecomeARNs(t *testing.T) {
	for ref, want := range map[string]string{
		"sm://prod/db": smARN + "prod/db-??????",
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db":        smARN + "prod/db-??????",
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdE1": smARN + "prod/db-AbCdE1",
		"sm://db-AbCdEf":                  smARN + "db-AbCdEf-??????",
		"sm://db?region=cn-north-1":       "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:db-??????",
		"ssm:///a/b?region=us-gov-west-1": "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/a/b",
		"ssm:///a/b":                      ssmARN + "a/b",
		"ssm:///a":                        ssmARN + "a",
		"ssm://a":                         ssmARN + "a",
		"ssm://a:v1":                      ssmARN + "a",
		"arn:aws:ssm:eu-west-1:210987654321:parameter/a/b:3": "arn:aws:ssm:eu-west-1:210987654321:parameter/a/b",
		"ssm:///aws/service/ami-amazon-linux-latest/x":       "arn:aws:ssm:us-east-1::parameter/aws/service/ami-amazon-linux-latest/x",
	} {
		p := policies(t, iampolicy.Use{Read: []string{ref}})
		require.Len(t, p.Required.Statement, 1, ref)
		require.Equal(t, iampolicy.Strings{want}, p.Required.Statement[0].Resource, ref)
	}
}

func TestASecretReadThroughParameterStoreNeedsBoth(t *testing.T) {
	p := policies(t, iampolicy.Use{Read: []string{"ssm:///aws/reference/secretsmanager/prod/db"}, Expiry: true,
		Keys: []iampolicy.Key{{ARN: keyARN}}})
	require.Equal(t, []string{"kms:Decrypt " + keyARN, "secretsmanager:GetSecretValue secret:prod/db-??????", "ssm:GetParameter parameter/aws/reference/secretsmanager/prod/db"}, pairs(p.All()))
}

func TestPrefixesAreListedByPathOrByName(t *testing.T) {
	p := policies(t, iampolicy.Use{List: []string{"sm://prod/", "ssm:///prod", "ssm:///"}})
	require.Equal(t, []string{"secretsmanager:GetSecretValue secret:prod/*", "secretsmanager:ListSecrets *",
		"ssm:GetParameter parameter/*", "ssm:GetParameters parameter/*", "ssm:GetParametersByPath parameter/", "ssm:GetParametersByPath parameter/prod"}, pairs(p.Required))
	require.Equal(t, []string{"secretsmanager:BatchGetSecretValue *"}, pairs(optional(t, p, "one by one")))
	// What a prefix covers is not said again; what only looks like it is.
	p = policies(t, iampolicy.Use{List: []string{"sm://prod/"}, Read: []string{"sm://prod/db", "sm://prod"}})
	require.Equal(t, []string{"secretsmanager:GetSecretValue secret:prod-??????", "secretsmanager:GetSecretValue secret:prod/*", "secretsmanager:ListSecrets *"}, pairs(p.Required))
}

func TestWhatIsOptionalSaysWhatIsLost(t *testing.T) {
	refs := []string{"sm://a", "ssm:///p"}
	p := policies(t, iampolicy.Use{Read: refs, Put: refs, Listing: true, Describe: true, Expiry: true, Reject: true})
	for loss, want := range map[string][]string{
		"sm.WithListing has no effect":  {"secretsmanager:ListSecrets *"},
		"sm.WithDescribe has no effect": {"secretsmanager:DescribeSecret secret:a-??????"},
		"ssm.WithExpiry has no effect":  {"ssm:GetParameterHistory parameter/p"},
		"Client.Reject does not find":   {"ssm:GetParameter parameter/.rotation/p"},
		"only what exists already":      {"secretsmanager:CreateSecret secret:a-??????"},
		"secrets.IfVersion)":            {"secretsmanager:DescribeSecret secret:a-??????", "secretsmanager:UpdateSecretVersionStage secret:a-??????"},
	} {
		require.Equal(t, want, pairs(optional(t, p, loss)), loss)
	}
	require.Equal(t, []string{"secretsmanager:GetSecretValue secret:a-??????", "secretsmanager:PutSecretValue secret:a-??????",
		"ssm:GetParameter parameter/p", "ssm:PutParameter parameter/p"}, pairs(p.Required))
	for _, o := range p.Optional {
		for _, pair := range pairs(o.Policy) {
			require.Contains(t, pairs(p.All()), pair)
			require.NotContains(t, pairs(p.Required), pair)
		}
	}
}

func TestOtherOperationsAreNamed(t *testing.T) {
	p := policies(t, iampolicy.Use{Call: []iampolicy.Call{
		{Operation: "RestoreSecret", Refs: []string{"sm://a"}},
		{Operation: "LabelParameterVersion", Refs: []string{"ssm:///p", "ssm://q"}},
		{Operation: "GetRandomPassword"}, {Operation: "DescribeParameters"},
		{Operation: "GetServiceSetting"},
	}, Delete: []string{"sm://b", "ssm:///r"}})
	require.Equal(t, []string{"secretsmanager:DeleteSecret secret:b-??????", "secretsmanager:GetRandomPassword *", "secretsmanager:RestoreSecret secret:a-??????",
		"ssm:DeleteParameter parameter/r", "ssm:DescribeParameters *", "ssm:GetServiceSetting arn:aws:ssm:us-east-1:123456789012:servicesetting/ssm/parameter-store/*",
		"ssm:LabelParameterVersion parameter/p", "ssm:LabelParameterVersion parameter/q"}, pairs(p.Required))
}

func TestWritingWithAKeyOfOnesOwn(t *testing.T) {
	other := strings.Replace(keyARN, "us-east-1", "eu-west-1", 1)
	p := policies(t, iampolicy.Use{Put: []string{"sm://a", "ssm:///p"}, Read: []string{"sm://b?region=eu-west-1"}, Keys: []iampolicy.Key{{ARN: keyARN}, {ARN: other}}})
	via := func(service, at, context, arn string) map[string]string {
		return map[string]string{"kms:ViaService": service + "." + at + ".amazonaws.com", "kms:EncryptionContext:" + context: arn}
	}
	secret, parameter := smARN+"a-AbCdEf", ssmARN+"p"
	allows := func(action, key string, keys map[string]string) bool { return p.Required.Allows(action, key, keys) }
	require.True(t, allows("kms:GenerateDataKey", keyARN, via("secretsmanager", region, "SecretARN", secret)))
	require.True(t, allows("kms:Decrypt", keyARN, via("secretsmanager", region, "SecretARN", secret)))
	require.True(t, allows("kms:Encrypt", keyARN, via("ssm", region, "PARAMETER_ARN", parameter)))
	require.True(t, allows("kms:GenerateDataKey", keyARN, via("ssm", region, "PARAMETER_ARN", parameter)))
	require.True(t, allows("kms:Decrypt", other, via("secretsmanager", "eu-west-1", "SecretARN", strings.Replace(smARN, region, "eu-west-1", 1)+"b-AbCdEf")))
	for name, denied := range map[string]bool{
		"directly":                        allows("kms:Decrypt", keyARN, map[string]string{"kms:EncryptionContext:SecretARN": secret}),
		"through another service":         allows("kms:Decrypt", keyARN, via("ssm", region, "SecretARN", secret)),
		"another secret":                  allows("kms:Decrypt", keyARN, via("secretsmanager", region, "SecretARN", smARN+"ab-AbCdEf")),
		"a longer name":                   allows("kms:Decrypt", keyARN, via("secretsmanager", region, "SecretARN", smARN+"a-b-AbCdEf")),
		"another key":                     allows("kms:Decrypt", other, via("secretsmanager", region, "SecretARN", secret)),
		"decrypting what is only written": allows("kms:Decrypt", keyARN, via("ssm", region, "PARAMETER_ARN", parameter)),
	} {
		require.False(t, denied, name)
	}
	require.True(t, optional(t, p, "repetition").Allows("kms:Decrypt", keyARN, via("ssm", region, "PARAMETER_ARN", parameter)))
	require.Empty(t, slices.DeleteFunc(pairs(policies(t, iampolicy.Use{Read: []string{"sm://a"}}).All()), func(p string) bool { return !strings.HasPrefix(p, "kms:") }),
		"without a key of one's own no KMS action is needed")
}

func TestRotatingWithAKeyOfOnesOwn(t *testing.T) {
	p := policies(t, iampolicy.Use{Rotate: []string{"ssm:///p"}, Keys: []iampolicy.Key{{ARN: keyARN, Refs: []string{"ssm:///p"}}}})
	for _, name := range []string{"p", ".rotation/p"} { // the pending value has the key of the value
		for _, action := range []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"} {
			require.True(t, p.Required.Allows(action, keyARN, map[string]string{"kms:ViaService": "ssm.us-east-1.amazonaws.com", "kms:EncryptionContext:PARAMETER_ARN": ssmARN + name}), "%s %s", action, name)
		}
	}
	p = policies(t, iampolicy.Use{Rotate: []string{"ssm:///p"}, RotationPrefix: "/pending/"})
	require.Contains(t, pairs(p.Required), "ssm:DeleteParameter parameter/pending/p")
}

func TestPartitions(t *testing.T) {
	for at, want := range map[string]struct {
		partition string
		via       iampolicy.Strings
	}{
		"eu-west-1":     {"aws", iampolicy.Strings{"secretsmanager.eu-west-1.amazonaws.com"}},
		"us-gov-west-1": {"aws-us-gov", iampolicy.Strings{"secretsmanager.us-gov-west-1.amazonaws.com"}},
		"cn-north-1":    {"aws-cn", iampolicy.Strings{"secretsmanager.cn-north-1.amazonaws.com", "secretsmanager.cn-north-1.amazonaws.com.cn"}},
	} {
		key := fmt.Sprintf("arn:%s:kms:%s:%s:key/k", want.partition, at, account)
		p, err := iampolicy.Use{Account: account, Region: at, Read: []string{"sm://a"}, Keys: []iampolicy.Key{{ARN: key}}}.Policies()
		require.NoError(t, err)
		require.Equal(t, iampolicy.Strings{fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:a-??????", want.partition, at, account)}, p.Required.Statement[0].Resource)
		require.Equal(t, want.via, p.Required.Statement[1].Condition["StringEquals"]["kms:ViaService"])
	}
}

func TestWhatIsWrongIsSaidAllAtOnce(t *testing.T) {
	_, err := iampolicy.Use{
		Read: []string{"sm://a", "mem://x", "bad", "ssm:///aws/service/x"},
		List: []string{"ssm://x/"},
		Put:  []string{"ssm:///p"},
		Call: []iampolicy.Call{{Operation: "Nonsense"}, {Operation: "RestoreSecret"}, {Operation: "RestoreSecret", Refs: []string{"arn:aws:ssm:us-east-1:123456789012:parameter/p"}}, {Operation: "GetServiceSetting"}},
		Keys: []iampolicy.Key{{ARN: "alias/app"}, {ARN: "arn:aws:kms:us-east-1:123456789012:alias/app"}, {ARN: "arn:aws:kms:cn-north-1:123456789012:key/k"}, {ARN: keyARN}},
	}.Policies()
	for _, want := range []string{"sm://a: set Region", `scheme "mem"`, `"bad"`, "begins with a slash", `"Nonsense"`, "RestoreSecret: name in Refs", "operation of secretsmanager", "GetServiceSetting: set Account",
		`"alias/app" is not the ARN`, "alias/app\" is not the ARN", "partition of cn-north-1 is aws-cn", "encrypts nothing"} {
		require.ErrorContains(t, err, want)
	}
	_, err = iampolicy.Use{Region: region, Read: []string{"sm://a"}, Rotate: []string{"arn:aws:ssm:us-east-1:123456789012:parameter/p"}}.Policies()
	require.ErrorContains(t, err, "set Account")
	require.ErrorContains(t, err, "cannot be rotated")
	p, err := iampolicy.Use{}.Policies()
	require.NoError(t, err)
	require.True(t, p.All().Empty())
	require.Equal(t, `{"Version":"2012-10-17","Statement":[]}`, p.Required.Compact())
}

func TestSplitKeepsEachPolicyWithinTheLimitAndLosesNothing(t *testing.T) {
	var refs []string
	for i := range 400 {
		refs = append(refs, fmt.Sprintf("sm://prod/service-%03d/database", i), fmt.Sprintf("ssm:///prod/service-%03d/url", i))
	}
	p := policies(t, iampolicy.Use{Read: refs, Keys: []iampolicy.Key{{ARN: keyARN}}}).All()
	require.Greater(t, p.Size(), iampolicy.MaxSize)
	parts := p.Split()
	var got []string
	contexts := make(map[string]bool)
	for _, part := range parts {
		require.LessOrEqual(t, part.Size(), iampolicy.MaxSize)
		require.Equal(t, p.Version, part.Version)
		got = append(got, pairs(part)...)
		for _, s := range part.Statement {
			for _, values := range s.Condition["StringLike"] {
				for _, v := range values {
					contexts[v] = true
				}
			}
		}
	}
	slices.Sort(got)
	require.True(t, slices.Equal(pairs(p), slices.Compact(got)))
	require.Len(t, contexts, 800)
	require.Less(t, len(parts), 2+p.Size()/(iampolicy.MaxSize/2))
	small := policies(t, iampolicy.Use{Read: refs[:2]}).Required
	require.Equal(t, []iampolicy.Policy{small}, small.Split())
}

// FuzzPolicies: whatever refs and prefixes are given, what is read is allowed,
// its neighbour is not, and the document is JSON that holds nothing but ASCII.
func FuzzPolicies(f *testing.F) {
	for _, seed := range []string{"sm://prod/db#password", "ssm:///prod/app/url:3", "ssm:///", "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf", "sm://a?region=cn-north-1", "ssm://x"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, ref, prefix string) {
		for _, u := range []iampolicy.Use{{Read: []string{ref}, Put: []string{ref}, Rotate: []string{ref}, Reject: true, Expiry: true}, {List: []string{prefix}, Read: []string{ref}}} {
			p, err := home(u).Policies()
			if err != nil {
				continue
			}
			text := p.All().Compact()
			require.True(t, json.Valid([]byte(text)))
			require.NotContains(t, text, "\u0000")
			for _, s := range p.All().Statement {
				require.NotEmpty(t, s.Action)
				for _, r := range s.Resource {
					require.True(t, r == "*" || strings.HasPrefix(r, "arn:"), r)
					if len(u.List) == 0 {
						require.NotContains(t, r, "*")
					}
				}
			}
		}
	})
}
