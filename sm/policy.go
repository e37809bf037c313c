package sm

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// PolicyOptions is how [Store.PutPolicy] treats a policy.
type PolicyOptions struct {
	// AllowPublic lets a policy through that gives broad access to the secret,
	// such as one with a wildcard for its principal. AWS lets it by default.
	AllowPublic bool
}

// PutPolicy attaches a resource policy to a secret, JSON of up to 20,480
// characters, in place of the one that it has. A policy that AWS judges to give
// broad access is refused.
func (s *Store) PutPolicy(ctx context.Context, ref, policy string, opts PolicyOptions) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	if err := t.checkPolicy(policy); err != nil {
		return err
	}
	_, err = call(ctx, s, t, "PutResourcePolicy", t.client.PutResourcePolicy, &secretsmanager.PutResourcePolicyInput{
		SecretId: &t.id, ResourcePolicy: &policy, BlockPublicPolicy: aws.Bool(!opts.AllowPublic),
	})
	return err
}

// Policy returns the resource policy of a secret, or "" if it has none.
func (s *Store) Policy(ctx context.Context, ref string) (string, error) {
	t, err := s.target(ref)
	if err != nil {
		return "", err
	}
	out, err := call(ctx, s, t, "GetResourcePolicy", t.client.GetResourcePolicy, &secretsmanager.GetResourcePolicyInput{SecretId: &t.id})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ResourcePolicy), nil
}

// DeletePolicy removes the resource policy of a secret. Having none is no error.
func (s *Store) DeletePolicy(ctx context.Context, ref string) error {
	t, err := s.target(ref)
	if err != nil {
		return err
	}
	_, err = call(ctx, s, t, "DeleteResourcePolicy", t.client.DeleteResourcePolicy, &secretsmanager.DeleteResourcePolicyInput{SecretId: &t.id})
	return err
}

// PolicyFinding is what AWS finds wrong with a resource policy.
type PolicyFinding struct {
	Check   string // the name of AWS's check
	Message string
}

// ValidatePolicy has AWS check a resource policy for a secret: its syntax,
// whether it gives broad access, and whether it locks the caller out. A policy
// that passes has no findings.
func (s *Store) ValidatePolicy(ctx context.Context, ref, policy string) ([]PolicyFinding, error) {
	t, err := s.target(ref)
	if err != nil {
		return nil, err
	}
	if err := t.checkLength("the policy", policy, maxPolicy); err != nil {
		return nil, err
	}
	if policy == "" {
		return nil, t.invalid("the policy is empty")
	}
	out, err := call(ctx, s, t, "ValidateResourcePolicy", t.client.ValidateResourcePolicy, &secretsmanager.ValidateResourcePolicyInput{SecretId: &t.id, ResourcePolicy: &policy})
	if err != nil {
		return nil, err
	}
	var findings []PolicyFinding
	for _, e := range out.ValidationErrors {
		findings = append(findings, PolicyFinding{Check: aws.ToString(e.CheckName), Message: aws.ToString(e.ErrorMessage)})
	}
	if !out.PolicyValidationPassed && len(findings) == 0 {
		findings = []PolicyFinding{{Message: "the policy does not pass, and AWS does not say why"}}
	}
	return findings, nil
}
