package sm_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// A limit is a documented rule: what is allowed, and what is not and gives an
// error with that hint and without a call.
type limit struct {
	write   func(*testing.T, *life, string, any) error // with the secret's ref
	allowed []any
	refused map[string]any // by what the hint says
	missing bool           // the secret does not exist
}

// xs is a text with that many characters.
func xs(n int) string { return strings.Repeat("x", n) }

// ös has two bytes a character.
func ös(n int) string { return strings.Repeat("ö", n) }

func several(n int, prefix string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(prefix, i)
	}
	return list
}

func tags(n int) map[string]string {
	m := make(map[string]string)
	for _, key := range several(n, "k") {
		m[key] = ""
	}
	return m
}

func bothRefused(hint string, values ...any) map[string]any {
	refused := make(map[string]any)
	for i, v := range values {
		refused[hint+strings.Repeat(" ", i)] = v // a hint is looked for trimmed
	}
	return refused
}

var policyOf = func(n int) string { return `{"Id":"` + xs(n-len(`{"Id":"","Statement":[]}`)) + `","Statement":[]}` }

// limits are those that the API reference and the guide document, and that can
// be known before a call.
var limits = map[string]limit{
	"PutSecretValue.SecretString": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.PutVersion(t.Context(), ref, sm.Text(v.(string)), sm.PutOptions{}))
		},
		allowed: []any{"x", xs(65_536), ös(32_768), "\x00"},
		refused: map[string]any{"empty": "", "65537 bytes": xs(65_537), "65538 bytes": ös(32_769), "UTF-8": "\xff"},
	},
	"PutSecretValue.SecretBinary": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.PutVersion(t.Context(), ref, sm.Binary([]byte(v.(string))), sm.PutOptions{}))
		},
		allowed: []any{"\xff", xs(65_536)},
		refused: map[string]any{"empty": "", "65537 bytes": xs(65_537)},
	},
	"CreateSecret.SecretString": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.Create(t.Context(), ref, sm.Text(v.(string)), sm.CreateOptions{}))
		},
		allowed: []any{"x", xs(65_536)},
		refused: map[string]any{"empty": "", "65537 bytes": xs(65_537), "UTF-8": "\xff"},
		missing: true,
	},
	"Put.Value": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.Put(t.Context(), sm.Text(v.(string)).WithRef(readtest.Ref(t, ref)), provider.Condition{}))
		},
		allowed: []any{"x", xs(65_536)},
		refused: map[string]any{"empty": "", "65537 bytes": xs(65_537), "UTF-8": "\xff"},
	},
	"CreateSecret.Name": {
		write: func(t *testing.T, l *life, _ string, v any) error {
			err := second(l.store.Create(t.Context(), "sm://"+v.(string), text(0), sm.CreateOptions{}))
			if e, ok := err.(*provider.Error); ok && e.Kind == provider.ErrInvalidRef {
				e.Kind = sm.ErrInvalid // a name is held to its rule by its ref
			}
			return err
		},
		allowed: []any{"x", xs(512), "az/AZ_09+=.@-!"},
		refused: map[string]any{"empty": "", "512 characters": xs(513), "letters, digits and": "a:b", "letters, digits and ": "ö", "letters, digits and  ": "a%20b"},
		missing: true,
	},
	"ClientRequestToken": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.PutVersion(t.Context(), ref, text(9), sm.PutOptions{Token: v.(string)}))
		},
		allowed: []any{"", xs(32), xs(64)},
		refused: map[string]any{"31 characters": xs(31), "65 characters": xs(65), "1 characters": "x"},
	},
	"CreateSecret.ClientRequestToken": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.Create(t.Context(), ref, text(9), sm.CreateOptions{Token: v.(string)}))
		},
		allowed: []any{"", xs(32), xs(64)},
		refused: map[string]any{"31 characters": xs(31), "65 characters": xs(65)},
		missing: true,
	},
	"Condition.Token": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.Put(t.Context(), value(t, ref, 9), provider.Condition{Token: v.(string)}))
		},
		allowed: []any{"", xs(32), xs(64)},
		refused: map[string]any{"31 characters": xs(31), "65 characters": xs(65)},
	},
	"RotateSecret.ClientRequestToken": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction, Defer: true, Token: v.(string)}))
		},
		allowed: []any{"", xs(32), xs(64)},
		refused: map[string]any{"31 characters": xs(31), "65 characters": xs(65)},
	},
	"PutSecretValue.VersionStages": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.PutVersion(t.Context(), ref, text(9), sm.PutOptions{Stages: v.([]string)}))
		},
		allowed: []any{[]string(nil), []string{"x"}, several(20, "s"), []string{xs(256)}},
		refused: map[string]any{"21 staging labels": several(21, "s"), "not 257": []string{xs(257)}, "not 0": []string{""}},
	},
	"RotationToken": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.PutVersion(t.Context(), ref, text(9), sm.PutOptions{RotationToken: sm.Text(v.(string))}))
		},
		allowed: []any{"", xs(36), xs(256)},
		refused: bothRefused("36 to 256", xs(35), xs(257), xs(36)+" "),
	},
	"UpdateSecretVersionStage.VersionStage": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return l.store.MoveStage(t.Context(), ref, v.(string), "", l.stages(t, ref)["AWSCURRENT"])
		},
		allowed: []any{"x", xs(256), ös(128)},
		refused: map[string]any{"not 0": "", "not 257": xs(257)},
	},
	"RemoveStage.VersionStage": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return l.store.RemoveStage(t.Context(), ref, v.(string), xs(32))
		},
		refused: map[string]any{"not 0": "", "not 257": xs(257), "AWSCURRENT": "AWSCURRENT"},
	},
	"VersionId": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			id := v.(string)
			for _, err := range []error{
				l.store.Promote(t.Context(), ref, id), l.store.MoveStage(t.Context(), ref, "blue", "", id), l.store.RemoveStage(t.Context(), ref, "blue", id),
			} {
				if err == nil {
					return nil
				}
				requireKind(t, err, sm.ErrInvalid, "VersionId")
			}
			return l.store.Promote(t.Context(), ref, id)
		},
		refused: bothRefused("32 to 64", "", xs(31), xs(65)),
	},
	"Description": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return l.store.Update(t.Context(), ref, sm.Changes{Description: aws.String(v.(string))})
		},
		allowed: []any{"", xs(2048), ös(2048)},
		refused: map[string]any{"2049": xs(2049)},
	},
	"KmsKeyId": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return l.store.Update(t.Context(), ref, sm.Changes{KMSKey: aws.String(v.(string))})
		},
		allowed: []any{"", xs(2048)},
		refused: map[string]any{"2049": xs(2049)},
	},
	"Type": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return l.store.Update(t.Context(), ref, sm.Changes{Type: aws.String(v.(string))})
		},
		allowed: []any{"", xs(256)},
		refused: map[string]any{"257": xs(257)},
	},
	"CreateSecret.Description": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.Create(t.Context(), ref, text(0), v.(sm.CreateOptions)))
		},
		allowed: []any{sm.CreateOptions{Description: xs(2048)}, sm.CreateOptions{KMSKey: xs(2048)}, sm.CreateOptions{Type: xs(256)}, sm.CreateOptions{Tags: tags(50)}},
		refused: map[string]any{
			"the description has 2049": sm.CreateOptions{Description: xs(2049)}, "the KMS key has 2049": sm.CreateOptions{KMSKey: xs(2049)},
			"the type has 257": sm.CreateOptions{Type: xs(257)}, "51 tags": sm.CreateOptions{Tags: tags(51)},
			"its own Region us-east-1": sm.CreateOptions{Replicas: sm.Replication{Regions: []sm.Replica{{Region: "us-east-1"}}}},
		},
		missing: true,
	},
	"Tags": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return l.store.Tag(t.Context(), ref, v.(map[string]string))
		},
		allowed: []any{tags(1), tags(50), map[string]string{xs(128): xs(256)}, map[string]string{ös(128): ös(256)}, map[string]string{"aws": "x", "awss:": "x"}},
		refused: map[string]any{
			"51 tags": tags(51), "not 0": map[string]string{"": "x"}, "not 129": map[string]string{xs(129): "x"},
			"257 characters": map[string]string{"x": xs(257)}, "AWS's own": map[string]string{"aws:x": "x"}, "AWS's own ": map[string]string{"AWS:x": "x"},
		},
	},
	"TagKeys": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return l.store.Untag(t.Context(), ref, v.(string))
		},
		allowed: []any{"x", xs(128)},
		refused: map[string]any{"not 0": "", "not 129": xs(129), "AWS's own": "aws:x"},
	},
	"RecoveryWindowInDays": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			err := second(l.store.DeleteAfter(t.Context(), ref, v.(int)))
			if err == nil {
				require.NoError(t, l.store.Restore(t.Context(), ref))
			}
			return err
		},
		allowed: []any{7, 8, 30},
		refused: map[string]any{"not 6": 6, "not 31": 31, "not 0": 0, "not -1": -1},
	},
	"ResourcePolicy": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			err := l.store.PutPolicy(t.Context(), ref, v.(string), sm.PolicyOptions{})
			if e, ok := err.(*provider.Error); ok && e.Err != nil {
				return nil // refused by AWS, for another reason
			}
			return err
		},
		allowed: []any{somePolicy, policyOf(20_480)},
		refused: map[string]any{"empty": "", "20481": policyOf(20_481), "not JSON": "{"},
	},
	"ValidateResourcePolicy": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.ValidatePolicy(t.Context(), ref, v.(string)))
		},
		allowed: []any{"{", xs(20_480)},
		refused: map[string]any{"empty": "", "20481": xs(20_481)},
	},
	"Regions": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			var replicas []sm.Replica
			for _, region := range v.([]string) {
				replicas = append(replicas, sm.Replica{Region: region})
			}
			err := second(l.store.Replicate(t.Context(), ref, sm.Replication{Regions: replicas}))
			if err == nil {
				require.NoError(t, second(l.store.RemoveReplicas(t.Context(), ref, v.([]string)...)))
			}
			return err
		},
		allowed: []any{[]string{"eu-west-1"}, []string{"us-gov-east-1", "ap-southeast-2"}},
		refused: map[string]any{
			"no Region is named": []string(nil), "named twice": []string{"eu-west-1", "eu-west-1"}, "its own Region": []string{"us-east-1"},
			`"eu"`: []string{"eu"}, `"EU-WEST-1"`: []string{"EU-WEST-1"}, `""`: []string{""}, "no Region such as": []string{strings.Repeat("a-", 64) + "1"},
		},
	},
	"RemoveReplicaRegions": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.RemoveReplicas(t.Context(), ref, v.([]string)...))
		},
		allowed: []any{[]string{"eu-west-1"}},
		refused: map[string]any{"no Region is named": []string(nil), "no Region such as": []string{"eu"}, "its own Region": []string{"us-east-1"}},
	},
	"ReplicaKmsKeyId": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			err := second(l.store.Replicate(t.Context(), ref, sm.Replication{Regions: []sm.Replica{{Region: "eu-west-1", KMSKey: v.(string)}}}))
			if err == nil {
				require.NoError(t, second(l.store.RemoveReplicas(t.Context(), ref, "eu-west-1")))
			}
			return err
		},
		allowed: []any{"", xs(2048)},
		refused: map[string]any{"2049": xs(2049)},
	},
	"GetRandomPassword": {
		write: func(t *testing.T, l *life, _ string, v any) error {
			p, err := l.store.RandomPassword(t.Context(), v.(sm.PasswordOptions))
			if n := v.(sm.PasswordOptions).Length; err == nil && n != 0 {
				require.Len(t, p.Text(), n)
			}
			return err
		},
		allowed: []any{
			sm.PasswordOptions{}, sm.PasswordOptions{Length: 4}, sm.PasswordOptions{Length: 4096}, sm.PasswordOptions{Length: 1, AnyMix: true},
			sm.PasswordOptions{Length: 5, IncludeSpace: true}, sm.PasswordOptions{ExcludeCharacters: xs(4096)},
			sm.PasswordOptions{Length: 3, ExcludeCharacters: "0123456789"},
			sm.PasswordOptions{ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true, IncludeSpace: true},
			sm.PasswordOptions{Length: 1, ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true},
		},
		refused: map[string]any{
			"not -1": sm.PasswordOptions{Length: -1}, "not 4097": sm.PasswordOptions{Length: 4097}, "4097 characters": sm.PasswordOptions{ExcludeCharacters: xs(4097)},
			"3 characters cannot have one of each of 4": sm.PasswordOptions{Length: 3}, "3 characters cannot have one of each of 4 ": sm.PasswordOptions{Length: 3, IncludeSpace: true},
			"no character is left":   sm.PasswordOptions{ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true},
			"no character is left  ": sm.PasswordOptions{ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true, IncludeSpace: true, ExcludeCharacters: " "},
			"no character is left ":  sm.PasswordOptions{ExcludeLowercase: true, ExcludeUppercase: true, ExcludePunctuation: true, ExcludeCharacters: "0123456789"},
		},
	},
	"Filters": {
		write: func(t *testing.T, l *life, _ string, v any) error {
			for _, err := range l.store.Secrets(t.Context(), v.(sm.ListOptions)) {
				return err
			}
			return nil
		},
		allowed: []any{sm.ListOptions{Name: several(10, "n")}, sm.ListOptions{Any: []string{xs(512)}}},
		refused: map[string]any{"name has 11 values": sm.ListOptions{Name: several(11, "n")}, "513": sm.ListOptions{TagKey: []string{xs(513)}}},
	},
	"RotationLambdaARN": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			err := second(l.store.Rotate(t.Context(), ref, v.(sm.RotateOptions)))
			if e, ok := err.(*provider.Error); ok && e.Err != nil {
				return nil // refused by AWS, for another reason
			}
			return err
		},
		allowed: []any{sm.RotateOptions{Lambda: someFunction, Defer: true}, sm.RotateOptions{Lambda: xs(2048)}, sm.RotateOptions{ExternalRole: xs(2048)}, sm.RotateOptions{ExternalRole: xs(20)}, sm.RotateOptions{ExternalMetadata: map[string]string{xs(256): xs(2048)}}},
		refused: map[string]any{
			"function's ARN has 2049": sm.RotateOptions{Lambda: xs(2049)}, "role's ARN has 2049": sm.RotateOptions{ExternalRole: xs(2049)},
			"role's ARN has 19": sm.RotateOptions{ExternalRole: xs(19)}, "not 257": sm.RotateOptions{ExternalMetadata: map[string]string{xs(257): "x"}},
			"not 2049": sm.RotateOptions{ExternalMetadata: map[string]string{"x": xs(2049)}}, "not 0": sm.RotateOptions{ExternalMetadata: map[string]string{"": "x"}},
		},
	},
	"RotationRules": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.Rotate(t.Context(), ref, sm.RotateOptions{Lambda: someFunction, Defer: true, Schedule: v.(sm.Schedule)}))
		},
		allowed: []any{sm.Schedule{AfterDays: 1}, sm.Schedule{AfterDays: 1000}, sm.Schedule{Expression: "rate(4 hours)", Window: 4 * time.Hour}},
		refused: map[string]any{"not 1001": sm.Schedule{AfterDays: 1001}, "not -1": sm.Schedule{AfterDays: -1}, "every 3": sm.Schedule{Expression: "rate(3 hours)"}},
	},
	"Condition": {
		write: func(t *testing.T, l *life, ref string, v any) error {
			return second(l.store.Put(t.Context(), value(t, ref, 9), v.(provider.Condition)))
		},
		refused: map[string]any{"one of Absent and Version": provider.Condition{Absent: true, Version: xs(32)}},
	},
}

func TestLimits(t *testing.T) {
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			srv := secretstest.NewServer(t)
			srv.HandleRotation(someFunction, noRotation)
			l := newLife(srv.Config())
			ref := func() string {
				if limit.missing {
					return l.ref(t)
				}
				ref, _ := l.made(t, 1)
				return ref
			}
			for i, v := range limit.allowed {
				require.NoError(t, limit.write(t, l, ref(), v), "value %d", i)
			}
			for hint, v := range maps.All(limit.refused) {
				ref := ref()
				before := srv.Calls() - srv.Calls("DescribeSecret")
				requireKind(t, limit.write(t, l, ref, v), sm.ErrInvalid, strings.TrimRight(hint, " "))
				require.Equal(t, before, srv.Calls()-srv.Calls("DescribeSecret"), "%s: no call is made", hint)
			}
		})
	}
}

// TestASpaceIsNoTypeOfItsOwn leaves it to AWS whether four characters can have
// one of each type where there may be a space.
func TestASpaceIsNoTypeOfItsOwn(t *testing.T) {
	srv := secretstest.NewServer(t)
	_, _ = sm.New(srv.Config()).RandomPassword(t.Context(), sm.PasswordOptions{Length: 4, IncludeSpace: true})
	require.Equal(t, 1, srv.Calls("GetRandomPassword"))
}

// TestQuotasThatAWSCounts are known to AWS only, and explained after the call.
func TestQuotasThatAWSCounts(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())

	ref, _ := l.made(t, 100)
	_, err := l.store.PutVersion(t.Context(), ref, text(100), sm.PutOptions{})
	requireKind(t, err, sm.ErrInvalid, "a secret keeps 100 versions")
	srv.Advance(24 * time.Hour)
	_, err = l.store.PutVersion(t.Context(), ref, text(100), sm.PutOptions{})
	require.NoError(t, err)

	ref, ids := l.made(t, 1)
	for _, stage := range several(19, "s") {
		require.NoError(t, l.store.MoveStage(t.Context(), ref, stage, "", ids[0]))
	}
	requireKind(t, l.store.MoveStage(t.Context(), ref, "one-more", "", ids[0]), sm.ErrInvalid, "at most 20 staging labels")

	require.NoError(t, l.store.Tag(t.Context(), ref, tags(50)))
	requireKind(t, l.store.Tag(t.Context(), ref, map[string]string{"one-more": ""}), sm.ErrInvalid, "")
}
