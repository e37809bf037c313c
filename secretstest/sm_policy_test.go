package secretstest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/stretchr/testify/require"
)

// policyOf is a policy with one statement: the given members beside Action and
// Resource.
func policyOf(members string) string {
	return `{"Version":"2012-10-17","Statement":[{"Action":"secretsmanager:GetSecretValue","Resource":"*",` + members + `}]}`
}

const narrowPolicy = `"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/app"}`

func TestSecretPolicyLifeCycle(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "v")
	id := aws.String("a")
	read := func() *string {
		out, err := sm.GetResourcePolicy(t.Context(), &secretsmanager.GetResourcePolicyInput{SecretId: id})
		require.NoError(t, err)
		require.Equal(t, describe(t, sm, "a").ARN, out.ARN)
		return out.ResourcePolicy
	}
	require.Nil(t, read())
	text := policyOf(narrowPolicy)
	out, err := sm.PutResourcePolicy(t.Context(), &secretsmanager.PutResourcePolicyInput{SecretId: id, ResourcePolicy: &text, BlockPublicPolicy: aws.Bool(true)})
	require.NoError(t, err)
	require.Equal(t, "a", aws.ToString(out.Name))
	require.Equal(t, text, aws.ToString(read()), "the text comes back as it was put")
	for range 2 {
		_, err = sm.DeleteResourcePolicy(t.Context(), &secretsmanager.DeleteResourcePolicyInput{SecretId: id})
		require.NoError(t, err)
	}
	require.Nil(t, read())
	_, err = sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id})
	require.NoError(t, err)
	const marked = "You can't perform this operation on the secret because it was marked for deletion."
	_, err = sm.GetResourcePolicy(t.Context(), &secretsmanager.GetResourcePolicyInput{SecretId: id})
	requireCode(t, err, "InvalidRequestException", marked)
	_, err = sm.PutResourcePolicy(t.Context(), &secretsmanager.PutResourcePolicyInput{SecretId: id, ResourcePolicy: &text})
	requireCode(t, err, "InvalidRequestException", marked)
	_, err = sm.DeleteResourcePolicy(t.Context(), &secretsmanager.DeleteResourcePolicyInput{SecretId: id})
	requireCode(t, err, "InvalidRequestException", marked)
}

func TestSecretPolicyIsChecked(t *testing.T) {
	srv, sm, _ := start(t)
	srv.SetSecret("a", "v")
	const malformed = "MalformedPolicyDocumentException"
	sized := func(n int) string {
		text := policyOf(narrowPolicy)
		return text + strings.Repeat(" ", n-len(text))
	}
	for name, tt := range map[string]struct {
		policy string
		code   string // of PutResourcePolicy with BlockPublicPolicy
		open   string // of PutResourcePolicy without
		checks int    // failed in ValidateResourcePolicy
	}{
		"role":                  {policyOf(narrowPolicy), "", "", 0},
		"account number":        {policyOf(`"Effect":"Allow","Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:root"]}`), "", "", 0},
		"service":               {policyOf(`"Effect":"Allow","Principal":{"Service":"rds.amazonaws.com"}`), "", "", 0},
		"one statement":         {`{"Statement":{"Action":"*","Resource":"*",` + narrowPolicy + `}}`, "", "", 0},
		"deny for all of one":   {policyOf(`"Effect":"Deny","Principal":"*"`), "", "", 0},
		"everyone in a VPC":     {policyOf(`"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`), "", "", 0},
		"everyone":              {policyOf(`"Effect":"Allow","Principal":"*"`), "PublicPolicyException", "", 1},
		"everyone of AWS":       {policyOf(`"Effect":"Allow","Principal":{"AWS":"*"}`), "PublicPolicyException", "", 1},
		"everyone but one":      {policyOf(`"Effect":"Allow","NotPrincipal":{"AWS":"123456789012"}`), "PublicPolicyException", "", 1},
		"condition on anything": {policyOf(`"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:SourceVpc":"*"}}`), "PublicPolicyException", "", 1},
		"condition on a tag":    {policyOf(`"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`), "PublicPolicyException", "", 1},
		"lockout":               {`{"Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:*","Resource":"*"}]}`, "InvalidRequestException", "InvalidRequestException", 1},

		"no JSON":           {`{`, malformed, malformed, 1},
		"no object":         {`[]`, malformed, malformed, 1},
		"no statement":      {`{"Version":"2012-10-17"}`, malformed, malformed, 1},
		"no statements":     {`{"Version":"2012-10-17","Statement":[]}`, malformed, malformed, 1},
		"version":           {strings.Replace(policyOf(narrowPolicy), "2012", "2019", 1), malformed, malformed, 1},
		"unknown member":    {policyOf(narrowPolicy + `,"Colour":"red"`), malformed, malformed, 1},
		"effect":            {policyOf(strings.Replace(narrowPolicy, "Allow", "AllowSomething", 1)), malformed, malformed, 1},
		"no principal":      {policyOf(`"Effect":"Allow"`), malformed, malformed, 1},
		"two principals":    {policyOf(narrowPolicy + `,"NotPrincipal":"*"`), malformed, malformed, 1},
		"no action":         {`{"Statement":[{"Resource":"*",` + narrowPolicy + `}]}`, malformed, malformed, 1},
		"no resource":       {`{"Statement":[{"Action":"*",` + narrowPolicy + `}]}`, malformed, malformed, 1},
		"principal":         {policyOf(`"Effect":"Allow","Principal":{"AWS":"app"}`), malformed, malformed, 1},
		"service principal": {policyOf(`"Effect":"Allow","Principal":{"Service":"example.com"}`), malformed, malformed, 1},
		"a Sid twice":       {`{"Statement":[{"Sid":"s","Action":"*","Resource":"*",` + narrowPolicy + `},{"Sid":"s","Action":"*","Resource":"*",` + narrowPolicy + `}]}`, malformed, malformed, 1},
		"kind of principal": {policyOf(`"Effect":"Allow","Principal":{"Person":"me"}`), malformed, malformed, 1},

		"longest":  {sized(20_480), "", "", 0},
		"too long": {sized(20_481), "ValidationException", "ValidationException", -1},
		"empty":    {"", "ValidationException", "ValidationException", -1},
	} {
		t.Run(name, func(t *testing.T) {
			for block, code := range map[bool]string{true: tt.code, false: tt.open} {
				_, err := sm.PutResourcePolicy(t.Context(), &secretsmanager.PutResourcePolicyInput{SecretId: aws.String("a"), ResourcePolicy: &tt.policy, BlockPublicPolicy: &block})
				if code == "" {
					require.NoError(t, err)
				} else {
					requireCode(t, err, code)
				}
			}
			out, err := sm.ValidateResourcePolicy(t.Context(), &secretsmanager.ValidateResourcePolicyInput{SecretId: aws.String("a"), ResourcePolicy: &tt.policy})
			if tt.checks < 0 {
				requireCode(t, err, "ValidationException")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.checks == 0, out.PolicyValidationPassed)
			require.Len(t, out.ValidationErrors, tt.checks)
		})
	}
	out, err := sm.ValidateResourcePolicy(t.Context(), &secretsmanager.ValidateResourcePolicyInput{ResourcePolicy: aws.String("{")})
	require.NoError(t, err, "SecretId is optional")
	require.Equal(t, []types.ValidationErrorsEntry{{CheckName: aws.String("SyntaxCheck"), ErrorMessage: aws.String("This resource policy contains a syntax error.")}}, out.ValidationErrors)
	_, err = sm.ValidateResourcePolicy(t.Context(), &secretsmanager.ValidateResourcePolicyInput{SecretId: aws.String("nope"), ResourcePolicy: aws.String("{")})
	requireCode(t, err, "ResourceNotFoundException")
}
