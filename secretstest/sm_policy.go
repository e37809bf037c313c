package secretstest

// maxSecretPolicy is the size of a resource policy in characters
// (NonEmptyResourcePolicyType).
const maxSecretPolicy = 20_480

type putSecretPolicyInput struct {
	secretID
	BlockPublicPolicy bool
	ResourcePolicy    string
}

// putSecretPolicy stores a policy of good form. AWS does not document the code
// with which it refuses one that locks the caller out.
func putSecretPolicy(c *call, in *putSecretPolicyInput) (any, error) {
	if err := checkLength("resourcePolicy", len([]rune(in.ResourcePolicy)), 1, maxSecretPolicy); err != nil {
		return nil, err
	}
	sec, err := c.primarySecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	policy, err := parsePolicy(in.ResourcePolicy)
	switch {
	case err != nil:
		return nil, fail("MalformedPolicyDocumentException", "%s", err)
	case policy.locksOut():
		return nil, fail("InvalidRequestException", "%s", errPolicyLockout)
	case in.BlockPublicPolicy && policy.broad():
		return nil, fail("PublicPolicyException", "You can't attach a resource-based policy that allows broad access to the secret.")
	}
	sec.policy, sec.changed = in.ResourcePolicy, c.time
	return &secretVersionRef{ARN: sec.arn, Name: sec.name}, nil
}

type secretPolicyOutput struct {
	ARN            string
	Name           string
	ResourcePolicy string `json:",omitempty"`
}

// getSecretPolicy answers without ResourcePolicy where there is none.
func getSecretPolicy(c *call, in *secretID) (any, error) {
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	return &secretPolicyOutput{ARN: sec.arn, Name: sec.name, ResourcePolicy: sec.policy}, nil
}

func deleteSecretPolicy(c *call, in *secretID) (any, error) {
	sec, err := c.primarySecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	sec.policy, sec.changed = "", c.time
	return &secretPolicyOutput{ARN: sec.arn, Name: sec.name}, nil
}

type validateSecretPolicyInput struct {
	SecretId       *string
	ResourcePolicy string
}

func (in validateSecretPolicyInput) ids() []string {
	if in.SecretId == nil {
		return nil
	}
	return []string{*in.SecretId}
}

type policyFinding struct {
	CheckName    string
	ErrorMessage string
}

// validateSecretPolicy makes the three checks of ValidateResourcePolicy. AWS
// does not document their names.
func validateSecretPolicy(c *call, in *validateSecretPolicyInput) (any, error) {
	if err := checkLength("resourcePolicy", len([]rune(in.ResourcePolicy)), 1, maxSecretPolicy); err != nil {
		return nil, err
	}
	if in.SecretId != nil {
		if _, err := c.secret(*in.SecretId, true); err != nil {
			return nil, err
		}
	}
	found := []policyFinding{}
	policy, err := parsePolicy(in.ResourcePolicy)
	if err != nil {
		found = append(found, policyFinding{"SyntaxCheck", err.Error()})
	} else {
		if policy.broad() {
			found = append(found, policyFinding{"BroadAccessCheck", errPolicyBroad.Error()})
		}
		if policy.locksOut() {
			found = append(found, policyFinding{"LockoutCheck", errPolicyLockout.Error()})
		}
	}
	return struct {
		PolicyValidationPassed bool
		ValidationErrors       []policyFinding
	}{len(found) == 0, found}, nil
}
