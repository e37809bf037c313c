package secretstest

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// maxParameterPolicy is the size of a resource policy in bytes
// (ResourcePolicyLimitExceededException).
const maxParameterPolicy = 1024

// A resourcePolicy shares a parameter with other accounts. Reading by ARN is
// allowed without one; see the package comment.
type resourcePolicy struct {
	id   string
	text string
}

// hash is the version of a policy: whoever changes it must know it.
func (r *resourcePolicy) hash() string {
	sum := sha256.Sum256([]byte(r.id + r.text))
	return hex.EncodeToString(sum[:])
}

type resourceARN struct{ ResourceArn string }

func (r resourceARN) ids() []string { return []string{r.ResourceArn} }

// shared finds the caller's parameter by its ARN.
func (c *call) shared(r resourceARN) (*parameter, error) {
	if err := checkLength("resourceArn", len(r.ResourceArn), 20, 2048); err != nil {
		return nil, err
	}
	a, ok := parseARN(r.ResourceArn)
	if !ok || a.service != "ssm" || !strings.HasPrefix(a.resource, "parameter/") {
		return nil, fail("ResourcePolicyInvalidParameterException", "The resource ARN is not valid. Only parameters have resource policies here.")
	}
	ref, err := parseParameterID(r.ResourceArn)
	if err != nil {
		return nil, err
	}
	p := c.lookParameter(c.place, ref)
	if p == nil || a.place != c.place || ref.selector != "" {
		return nil, fail("ResourceNotFoundException", "The specified parameter to be shared could not be found.")
	}
	return p, nil
}

type policyReference struct {
	PolicyHash string
	PolicyId   string
}

// index finds the policy that the caller means, if it has not been changed
// since.
func (ref policyReference) index(p *parameter) (int, error) {
	i := slices.IndexFunc(p.policies, func(r *resourcePolicy) bool { return r.id == ref.PolicyId })
	switch {
	case i < 0:
		return 0, fail("ResourcePolicyNotFoundException", "No policies with the specified policy ID and hash could be found.")
	case p.policies[i].hash() != ref.PolicyHash:
		return 0, fail("ResourcePolicyConflictException", "The hash provided in the call doesn't match the stored hash.")
	}
	return i, nil
}

// putParameterPolicy creates a policy, or changes the one that PolicyId and
// PolicyHash name. A parameter has at most one here. A shared parameter must be
// advanced, and a SecureString needs a customer managed key.
func putParameterPolicy(c *call, in *struct {
	resourceARN
	policyReference
	Policy string
}) (any, error) {
	p, err := c.shared(in.resourceARN)
	if err != nil {
		return nil, err
	}
	v := p.latest()
	switch {
	case v.tier != tierAdvanced:
		return nil, fail("ResourcePolicyInvalidParameterException", "The parameter %s must use the advanced-parameter tier to be shared.", p.name)
	case v.kind == typeSecureString && v.keyID == defaultParameterKey:
		return nil, fail("ResourcePolicyInvalidParameterException", "The parameter %s must be encrypted with a customer managed key to be shared.", p.name)
	case len(in.Policy) > maxParameterPolicy:
		return nil, fail("ResourcePolicyLimitExceededException", "A policy can't be greater than %d bytes in size.", maxParameterPolicy)
	}
	if _, err := parsePolicy(in.Policy); err != nil {
		return nil, fail("MalformedResourcePolicyDocumentException", "%s", err)
	}
	made := &resourcePolicy{id: in.PolicyId, text: in.Policy}
	if in.PolicyId == "" && in.PolicyHash == "" {
		if len(p.policies) > 0 {
			return nil, fail("ResourcePolicyLimitExceededException", "The parameter %s has a policy already. Give its PolicyId and PolicyHash to change it.", p.name)
		}
		made.id = newUUID()
		p.policies = append(p.policies, made)
	} else {
		i, err := in.index(p)
		if err != nil {
			return nil, err
		}
		p.policies[i] = made
	}
	return &policyReference{PolicyHash: made.hash(), PolicyId: made.id}, nil
}

type parameterPolicyEntry struct {
	Policy     string
	PolicyHash string
	PolicyId   string
}

func getParameterPolicies(c *call, in *struct {
	resourceARN
	MaxResults *int64
	NextToken  *string
}) (any, error) {
	if err := checkRange("maxResults", in.MaxResults, 1, 50); err != nil {
		return nil, err
	}
	p, err := c.shared(in.resourceARN)
	if err != nil {
		return nil, err
	}
	entries := []parameterPolicyEntry{}
	for _, r := range p.policies {
		entries = append(entries, parameterPolicyEntry{Policy: r.text, PolicyHash: r.hash(), PolicyId: r.id})
	}
	entries, next, err := listing[parameterPolicyEntry]{items: entries, key: byPosition, badToken: badParameterToken}.page(c, sizeOr(in.MaxResults, 50), in.NextToken)
	if err != nil {
		return nil, err
	}
	return struct {
		NextToken string `json:",omitempty"`
		Policies  []parameterPolicyEntry
	}{next, entries}, nil
}

func deleteParameterPolicy(c *call, in *struct {
	resourceARN
	policyReference
}) (any, error) {
	p, err := c.shared(in.resourceARN)
	if err != nil {
		return nil, err
	}
	i, err := in.index(p)
	if err != nil {
		return nil, err
	}
	p.policies = slices.Delete(p.policies, i, i+1)
	return struct{}{}, nil
}
