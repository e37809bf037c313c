package secretstest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"
)

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// Each printable character, and one beyond ASCII, in each kind of name.
func TestEveryCharacterOfAName(t *testing.T) {
	srv, sm, ps := start(t)
	srv.SetParameter("/a", "v")
	for what, tt := range map[string]struct {
		allowed string
		accepts func(name string) bool
	}{
		"secret": {alphanumeric + "/_+=.@-!", func(name string) bool {
			_, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name})
			return err == nil
		}},
		"filter value": {alphanumeric + " :_@/+=.-!", func(value string) bool {
			_, err := sm.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{Filters: []smtypes.Filter{{Key: "name", Values: []string{value}}}})
			return err == nil
		}},
		"parameter": {alphanumeric + "/_.-", func(name string) bool {
			_, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/" + name), Type: "String", Value: aws.String("v"), Overwrite: aws.Bool(true)})
			return err == nil
		}},
		"label": {alphanumeric + "_.-", func(label string) bool {
			out, err := ps.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{Name: aws.String("/a"), Labels: []string{label}})
			require.NoError(t, err)
			_, _ = ps.UnlabelParameterVersion(t.Context(), &ssm.UnlabelParameterVersionInput{Name: aws.String("/a"), ParameterVersion: aws.Int64(1), Labels: []string{label}})
			return len(out.InvalidLabels) == 0
		}},
		"KMS key of a parameter": {alphanumeric + ":/_-", func(key string) bool {
			_, err := ps.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/secure"), Type: "SecureString", Value: aws.String("v"), KeyId: &key, Overwrite: aws.Bool(true)})
			return err == nil
		}},
		"tag of a parameter": {alphanumeric + " _.:/=+-@é", func(key string) bool {
			_, err := ps.AddTagsToResource(t.Context(), &ssm.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: aws.String("/a"), Tags: []types.Tag{{Key: &key, Value: &key}}})
			_, _ = ps.RemoveTagsFromResource(t.Context(), &ssm.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: aws.String("/a"), TagKeys: []string{key}})
			return err == nil
		}},
	} {
		t.Run(what, func(t *testing.T) {
			var accepted, allowed strings.Builder
			for r := ' '; r <= 'é'; r++ {
				if r > '~' && r != 'é' {
					continue
				}
				if strings.ContainsRune(tt.allowed, r) {
					allowed.WriteRune(r)
				}
				if tt.accepts("x" + string(r) + "x") {
					accepted.WriteRune(r)
				}
			}
			require.Equal(t, allowed.String(), accepted.String())
		})
	}
}
