package secretstest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

// A limited call takes a number: a length, a count or a value.
type limited func(ctx context.Context, sm *secretsmanager.Client, ps *ssm.Client, n int) error

// chars are n characters that every name and text may have.
func chars(n int) *string { return aws.String(strings.Repeat("k", n)) }

func list(n int) []string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprint("k", i)
	}
	return items
}

func secretTags(n int) []smtypes.Tag {
	var tags []smtypes.Tag
	for _, k := range list(n) {
		tags = append(tags, smtypes.Tag{Key: &k, Value: aws.String("")})
	}
	return tags
}

func parameterTags(n int) []ssmtypes.Tag {
	var tags []ssmtypes.Tag
	for _, k := range list(n) {
		tags = append(tags, ssmtypes.Tag{Key: &k, Value: aws.String("")})
	}
	return tags
}

// The limits of both services, as the API reference and the SDK's doc comments
// state them: each is tried just below, at and just above. The secret "a", the
// parameter "/a" and the advanced parameter "/adv" exist.
func TestEveryLimit(t *testing.T) {
	id, name := aws.String("a"), aws.String("/a")
	const (
		validation = "ValidationException"
		parameter  = "InvalidParameterException"
	)
	for what, tt := range map[string]struct {
		least, most int // the bounds that are allowed; -1: none
		code        string
		call        limited
	}{
		"secret name": {1, 512, validation, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{Name: chars(n)}
		})},
		"secret text in bytes": {-1, 65_536, validation, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{SecretString: chars(n)}
		})},
		"secret binary": {-1, 65_536, validation, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{SecretBinary: []byte(*chars(n))}
		})},
		"description of a secret": {-1, 2048, validation, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{Description: chars(n)}
		})},
		"ClientRequestToken": {32, 64, parameter, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{ClientRequestToken: chars(n), SecretString: id}
		})},
		"tags of a secret": {-1, 50, parameter, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{Tags: secretTags(n)}
		})},
		"tag key": {1, 128, validation, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{Tags: []smtypes.Tag{{Key: chars(n), Value: aws.String("")}}}
		})},
		"tag value": {-1, 256, validation, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{Tags: []smtypes.Tag{{Key: id, Value: chars(n)}}}
		})},
		"KmsKeyId": {-1, 2048, validation, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{KmsKeyId: chars(n)}
		})},
		"Type": {-1, 256, validation, createWith(func(n int) secretsmanager.CreateSecretInput {
			return secretsmanager.CreateSecretInput{Type: chars(n)}
		})},
		"stages of a new version, all its own": {-1, 20, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: id, VersionStages: list(n)})
			return err
		}},
		"stages of a first version": {-1, 20, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			empty := aws.String(fmt.Sprint("new-", n))
			if _, err := sm.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: empty}); err != nil {
				return err
			}
			_, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: empty, SecretString: id, VersionStages: append(list(n-1), "AWSCURRENT")})
			return err
		}},
		"stages of all versions": {-1, 20, "LimitExceededException", func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			name := aws.String(fmt.Sprint("new-", n))
			if _, err := sm.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: name, SecretString: id}); err != nil {
				return err
			}
			labels := list(n) // beside AWSCURRENT
			for _, stages := range [][]string{labels[:9], labels[9:]} {
				if _, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: name, SecretString: id, VersionStages: stages}); err != nil {
					return err
				}
			}
			return nil
		}},
		"name of a stage": {1, 256, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: id, VersionStages: []string{*chars(n)}})
			return err
		}},
		"RotationToken": {36, 256, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: id, RotationToken: chars(n)})
			return err
		}},
		"tag key taken away": {1, 128, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.UntagResource(ctx, &secretsmanager.UntagResourceInput{SecretId: id, TagKeys: []string{*chars(n)}})
			return err
		}},
		"recovery window": {7, 30, parameter, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(int64(n))})
			if err == nil {
				_, err = sm.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: id})
			}
			return err
		}},
		"resource policy": {-1, 20_480, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			text := policyOf(narrowPolicy)
			text += strings.Repeat(" ", n-len(text))
			_, err := sm.PutResourcePolicy(ctx, &secretsmanager.PutResourcePolicyInput{SecretId: id, ResourcePolicy: &text})
			return err
		}},
		"password": {1, 4096, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.GetRandomPassword(ctx, &secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(int64(n)), RequireEachIncludedType: aws.Bool(false)})
			return err
		}},
		"excluded characters": {-1, 4096, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.GetRandomPassword(ctx, &secretsmanager.GetRandomPasswordInput{ExcludeCharacters: chars(n)})
			return err
		}},
		"secrets of a page": {1, 100, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.ListSecrets(ctx, &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(int32(n))})
			return err
		}},
		"versions of a page": {1, 100, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: id, MaxResults: aws.Int32(int32(n))})
			return err
		}},
		"filters": {-1, 10, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			filters := make([]smtypes.Filter, n)
			for i := range filters {
				filters[i] = smtypes.Filter{Key: "name", Values: []string{"a"}}
			}
			_, err := sm.ListSecrets(ctx, &secretsmanager.ListSecretsInput{Filters: filters})
			return err
		}},
		"values of a filter": {1, 10, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.ListSecrets(ctx, &secretsmanager.ListSecretsInput{Filters: []smtypes.Filter{{Key: "name", Values: list(n)}}})
			return err
		}},
		"value of a filter": {-1, 512, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.ListSecrets(ctx, &secretsmanager.ListSecretsInput{Filters: []smtypes.Filter{{Key: "name", Values: []string{*chars(n)}}}})
			return err
		}},
		"secrets of a batch": {-1, 20, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.BatchGetSecretValue(ctx, &secretsmanager.BatchGetSecretValueInput{SecretIdList: list(n)})
			return err
		}},
		"page of a batch": {1, 20, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.BatchGetSecretValue(ctx, &secretsmanager.BatchGetSecretValueInput{Filters: []smtypes.Filter{{Key: "name", Values: []string{"a"}}}, MaxResults: aws.Int32(int32(n))})
			return err
		}},
		"VersionId": {32, 64, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: id, VersionId: chars(n)})
			return unless(err, "ResourceNotFoundException")
		}},
		"VersionStage": {1, 256, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: id, VersionStage: chars(n)})
			return unless(err, "ResourceNotFoundException")
		}},
		"MoveToVersionId": {32, 64, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: id, VersionStage: id, MoveToVersionId: chars(n)})
			return unless(err, "ResourceNotFoundException")
		}},
		"RemoveFromVersionId": {32, 64, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			_, err := sm.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: id, VersionStage: id, RemoveFromVersionId: chars(n)})
			return unless(err, "ResourceNotFoundException")
		}},
		"SecretId": {-1, 2048, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			return unless(getSecret(ctx, sm, *chars(n)), "ResourceNotFoundException")
		}},
		"AutomaticallyAfterDays": {1, 1000, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			return rotateWith(ctx, sm, smtypes.RotationRulesType{AutomaticallyAfterDays: aws.Int64(int64(n))})
		}},
		"rate in hours": {4, 23, parameter, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			return rotateWith(ctx, sm, smtypes.RotationRulesType{ScheduleExpression: aws.String(fmt.Sprintf("rate(%d hours)", n))})
		}},
		"rate in days": {1, 999, parameter, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			return rotateWith(ctx, sm, smtypes.RotationRulesType{ScheduleExpression: aws.String(fmt.Sprintf("rate(%d days)", n))})
		}},
		"rotation window in hours": {1, 24, parameter, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			return rotateWith(ctx, sm, smtypes.RotationRulesType{ScheduleExpression: aws.String("rate(2 days)"), Duration: aws.String(fmt.Sprintf("%dh", n))})
		}},
		"schedule expression": {-1, 256, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			list := strings.Repeat("1,", n)
			return rotateWith(ctx, sm, smtypes.RotationRulesType{ScheduleExpression: aws.String("cron(0 8 " + list[:n-len("cron(0 8 1 * ? *)")] + "1 * ? *)")})
		}},
		"role of an external secret": {20, 2048, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			return rotateExternal(ctx, sm, chars(n), chars(1), chars(1))
		}},
		"key of external metadata": {1, 256, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			return rotateExternal(ctx, sm, chars(20), chars(n), chars(1))
		}},
		"value of external metadata": {1, 2048, validation, func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
			return rotateExternal(ctx, sm, chars(20), chars(1), chars(n))
		}},

		"value of a standard parameter": {1, 4096, validation, putWith(func(n int) ssm.PutParameterInput {
			return ssm.PutParameterInput{Value: chars(n)}
		})},
		"value of an advanced parameter": {1, 8192, validation, putWith(func(n int) ssm.PutParameterInput {
			return ssm.PutParameterInput{Name: aws.String("/adv"), Value: chars(n)}
		})},
		"name of a parameter": {1, 1011 - len("arn:aws:ssm:us-east-1:123456789012:parameter/"), validation, putWith(func(n int) ssm.PutParameterInput {
			return ssm.PutParameterInput{Name: chars(n)}
		})},
		"levels of a parameter": {-1, 15, "HierarchyLevelLimitExceededException", putWith(func(n int) ssm.PutParameterInput {
			return ssm.PutParameterInput{Name: aws.String(strings.Repeat("/l", n))}
		})},
		"description of a parameter": {-1, 1024, validation, putWith(func(n int) ssm.PutParameterInput {
			return ssm.PutParameterInput{Description: chars(n)}
		})},
		"allowed pattern": {-1, 1024, validation, putWith(func(n int) ssm.PutParameterInput {
			return ssm.PutParameterInput{Name: aws.String("/pattern"), AllowedPattern: chars(n), Value: chars(n)}
		})},
		"KeyId": {-1, 256, validation, putWith(func(n int) ssm.PutParameterInput {
			return ssm.PutParameterInput{Name: aws.String("/secure"), Type: "SecureString", KeyId: chars(n)}
		})},
		"parameter policies": {-1, 4096, validation, putWith(func(n int) ssm.PutParameterInput {
			text := "[" + inlinePolicy("NoChangeNotification", `"After":1,"Unit":"Days"`)
			return ssm.PutParameterInput{Name: aws.String("/adv"), Policies: aws.String(text + strings.Repeat(" ", n-len(text)-1) + "]")}
		})},
		"number of parameter policies": {-1, 10, "PoliciesLimitExceededException", putWith(func(n int) ssm.PutParameterInput {
			var policies []string
			for i := range n {
				policies = append(policies, inlinePolicy("NoChangeNotification", fmt.Sprintf(`"After":%d,"Unit":"Days"`, i+1)))
			}
			return ssm.PutParameterInput{Name: aws.String("/adv"), Policies: aws.String("[" + strings.Join(policies, ",") + "]")}
		})},
		"tags of a parameter": {-1, 50, "TooManyTagsError", func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: name, Tags: parameterTags(n)})
			return err
		}},
		"tag key of a parameter": {1, 128, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: aws.String("/adv"), Tags: []ssmtypes.Tag{{Key: chars(n), Value: aws.String("")}}})
			return err
		}},
		"tag value of a parameter": {-1, 256, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: aws.String("/adv"), Tags: []ssmtypes.Tag{{Key: aws.String("k"), Value: chars(n)}}})
			return err
		}},
		"labels of a call": {1, 10, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: name, Labels: list(n)})
			return err
		}},
		"labels of a version": {-1, 10, "ParameterVersionLabelLimitExceeded", func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			labels := append(list(n-1), "last")
			half := len(labels) / 2
			if _, err := ps.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/adv"), Labels: labels[:half]}); err != nil {
				return err
			}
			_, err := ps.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/adv"), Labels: labels[half:]})
			return err
		}},
		"label": {1, 100, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/labelled"), Labels: []string{*chars(n)}})
			return unless(err, "ParameterNotFound")
		}},
		"parameters of a read": {1, 10, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.GetParameters(ctx, &ssm.GetParametersInput{Names: list(n)})
			return err
		}},
		"parameters of a deletion": {1, 10, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.DeleteParameters(ctx, &ssm.DeleteParametersInput{Names: list(n)})
			return err
		}},
		"page of a path": {1, 10, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.GetParametersByPath(ctx, &ssm.GetParametersByPathInput{Path: aws.String("/"), MaxResults: aws.Int32(int32(n))})
			return err
		}},
		"page of descriptions": {1, 50, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.DescribeParameters(ctx, &ssm.DescribeParametersInput{MaxResults: aws.Int32(int32(n))})
			return err
		}},
		"page of history": {1, 50, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{Name: name, MaxResults: aws.Int32(int32(n))})
			return err
		}},
		"values of a parameter filter": {-1, 50, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.DescribeParameters(ctx, &ssm.DescribeParametersInput{ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: aws.String("Name"), Values: list(n)}}})
			return err
		}},
		"value of a parameter filter": {1, 1024, validation, func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			_, err := ps.DescribeParameters(ctx, &ssm.DescribeParametersInput{ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: aws.String("Name"), Values: []string{*chars(n)}}}})
			return err
		}},
		"resource policy of a parameter": {-1, 1024, "ResourcePolicyLimitExceededException", func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
			arn, text := aws.String("arn:aws:ssm:us-east-1:123456789012:parameter/adv"), policyOf(narrowPolicy)
			text += strings.Repeat(" ", n-len(text))
			out, err := ps.PutResourcePolicy(ctx, &ssm.PutResourcePolicyInput{ResourceArn: arn, Policy: &text})
			if err == nil {
				_, err = ps.DeleteResourcePolicy(ctx, &ssm.DeleteResourcePolicyInput{ResourceArn: arn, PolicyId: out.PolicyId, PolicyHash: out.PolicyHash})
			}
			return err
		}},
	} {
		t.Run(what, func(t *testing.T) {
			srv := secretstest.NewServer(t)
			sm, ps := secretsmanager.NewFromConfig(once(srv.Config())), ssm.NewFromConfig(once(srv.Config()))
			srv.SetSecret("a", "v")
			srv.SetParameter("/a", "v")
			_, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/adv"), Type: "String", Value: aws.String("v"), Tier: "Advanced"})
			require.NoError(t, err)
			srv.HandleRotation(rotator, func(context.Context, secretstest.RotationEvent) error { return nil })
			srv.HandleRotation("partner", func(context.Context, secretstest.RotationEvent) error { return nil })
			try := func(n int, allowed bool) {
				err := tt.call(t.Context(), sm, ps, n)
				if allowed {
					require.NoError(t, err, "%d", n)
					return
				}
				require.ErrorContains(t, err, tt.code, "%d", n)
				require.NotContains(t, err.Error(), "kkkk", "the error quotes what may be a secret")
			}
			if tt.least >= 0 {
				try(tt.least-1, false)
				try(tt.least, true)
				try(tt.least+1, true)
			}
			try(tt.most-1, true)
			try(tt.most, true)
			try(tt.most+1, false)
		})
	}
}

// createWith creates a secret of another name at each call.
func createWith(in func(n int) secretsmanager.CreateSecretInput) limited {
	return func(ctx context.Context, sm *secretsmanager.Client, _ *ssm.Client, n int) error {
		create := in(n)
		if create.Name == nil {
			create.Name = aws.String(fmt.Sprint("new-", n))
		}
		_, err := sm.CreateSecret(ctx, &create)
		return err
	}
}

// putWith overwrites "/a" unless the input says otherwise.
func putWith(in func(n int) ssm.PutParameterInput) limited {
	return func(ctx context.Context, _ *secretsmanager.Client, ps *ssm.Client, n int) error {
		put := in(n)
		put.Overwrite = aws.Bool(true)
		if put.Name == nil {
			put.Name = aws.String("/a")
		}
		if put.Value == nil {
			put.Value = aws.String("v")
		}
		if put.Type == "" {
			put.Type = "String"
		}
		_, err := ps.PutParameter(ctx, &put)
		return err
	}
}

func getSecret(ctx context.Context, sm *secretsmanager.Client, id string) error {
	_, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	return err
}

// unless is nil for an error of the given code: one that comes after the limit
// was checked.
func unless(err error, code string) error {
	if err != nil && strings.Contains(err.Error(), code) {
		return nil
	}
	return err
}

// rotateWith sets the rules of a new secret.
func rotateWith(ctx context.Context, sm *secretsmanager.Client, rules smtypes.RotationRulesType) error {
	name := aws.String(fmt.Sprint("rotated-", time.Now().UnixNano()))
	if _, err := sm.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: name, SecretString: name}); err != nil {
		return err
	}
	_, err := sm.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: name, RotationLambdaARN: aws.String(rotator), RotationRules: &rules, RotateImmediately: aws.Bool(false)})
	return err
}

func rotateExternal(ctx context.Context, sm *secretsmanager.Client, role, key, value *string) error {
	name := aws.String(fmt.Sprint("external-", time.Now().UnixNano()))
	if _, err := sm.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: name, SecretString: name, Type: aws.String("partner")}); err != nil {
		return err
	}
	_, err := sm.RotateSecret(ctx, &secretsmanager.RotateSecretInput{
		SecretId: name, RotateImmediately: aws.Bool(false), ExternalSecretRotationRoleArn: role,
		ExternalSecretRotationMetadata: []smtypes.ExternalSecretRotationMetadataItem{{Key: key, Value: value}},
	})
	return err
}
