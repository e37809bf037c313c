package secretstest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// maxPolicies is the number of policies of a parameter
// (PoliciesLimitExceededException).
const maxPolicies = 10

// The types of a parameter policy (user guide, "Assigning parameter
// policies").
const (
	policyExpiration             = "Expiration"
	policyExpirationNotification = "ExpirationNotification"
	policyNoChangeNotification   = "NoChangeNotification"
)

// A parameterPolicy is one element of the Policies member.
type parameterPolicy struct {
	text string
	kind string
	at   time.Time     // of an Expiration
	span time.Duration // Before or After of a notification
}

// A policyOutput is a ParameterInlinePolicy.
type policyOutput struct {
	PolicyText   string
	PolicyType   string
	PolicyStatus string
}

// policies describes a version's policies. A notification is finished once its
// time has come; an expiration never is, for it takes the parameter with it.
func (c *call) policies(p *parameter, v *parameterVersion) []policyOutput {
	out := []policyOutput{}
	for _, policy := range v.policies {
		status, due := "Pending", time.Time{}
		switch policy.kind {
		case policyExpirationNotification:
			due = p.expires.Add(-policy.span)
		case policyNoChangeNotification:
			due = v.modified.Add(policy.span)
		}
		if !due.IsZero() && !c.time.Before(due) {
			status = "Finished"
		}
		out = append(out, policyOutput{PolicyText: policy.text, PolicyType: policy.kind, PolicyStatus: status})
	}
	return out
}

// setPolicies replaces the policies by those that a PutParameter gives, if it
// does: "All existing policies are preserved until you send new policies or an
// empty policy".
func setPolicies(v *parameterVersion, in *putParameterInput) error {
	if in.Policies == nil {
		return nil
	}
	policies, err := parsePolicies(*in.Policies)
	if err != nil {
		return err
	}
	v.policies = policies
	return nil
}

// noPolicies reports whether a Policies member removes all policies: an empty
// list, or one with an empty policy ("apply an empty policy by using brackets
// and curly braces").
func noPolicies(text string) bool {
	var list []map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &list) == nil && (len(list) == 0 || len(list) == 1 && len(list[0]) == 0)
}

// parsePolicies reads the JSON array of the Policies member. The messages are
// as public reports quote AWS; which code goes with which is from the doc
// comments of the SDK's errors.
func parsePolicies(text string) ([]parameterPolicy, error) {
	var raw []json.RawMessage
	if noPolicies(text) {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fail("InvalidPolicyAttributeException", "Invalid policies input")
	}
	if len(raw) > maxPolicies {
		return nil, fail("PoliciesLimitExceededException", "Number of policies attached to a parameter cannot exceed %d", maxPolicies)
	}
	var policies []parameterPolicy
	expirations, notifications := 0, 0
	for _, message := range raw {
		policy, err := parsePolicyElement(message)
		if err != nil {
			return nil, err
		}
		switch policy.kind {
		case policyExpiration:
			expirations++
		case policyExpirationNotification:
			notifications++
		}
		policies = append(policies, policy)
	}
	switch {
	case expirations > 1:
		return nil, fail("IncompatiblePolicyException", "There can be only one expiration policy")
	case notifications > 0 && expirations == 0:
		return nil, fail("IncompatiblePolicyException", "Expiration notification policies are missing expiration policy")
	}
	return policies, nil
}

func parsePolicyElement(message json.RawMessage) (parameterPolicy, error) {
	var element struct {
		Type       string
		Version    string
		Attributes map[string]any
	}
	policy := parameterPolicy{}
	if err := json.Unmarshal(message, &element); err != nil {
		return policy, fail("InvalidPolicyAttributeException", "Invalid policies input")
	}
	var compact bytes.Buffer
	_ = json.Compact(&compact, message) // it is valid JSON
	policy.text, policy.kind = compact.String(), element.Type
	switch element.Type {
	case policyExpiration, policyExpirationNotification, policyNoChangeNotification:
	default:
		return policy, fail("InvalidPolicyTypeException", "Policy type %s is not supported.", element.Type)
	}
	switch {
	case element.Version != "1.0":
		return policy, fail("InvalidPolicyAttributeException", "Unsupported policy version.")
	case element.Attributes == nil:
		return policy, missingAttribute("Attributes")
	}
	var err error
	switch element.Type {
	case policyExpiration:
		policy.at, err = expirationTime(element.Attributes)
	case policyExpirationNotification:
		policy.span, err = notificationSpan(element.Attributes, "Before")
	case policyNoChangeNotification:
		policy.span, err = notificationSpan(element.Attributes, "After")
	}
	return policy, err
}

func missingAttribute(name string) error {
	return fail("InvalidPolicyAttributeException", "Mandatory policy attribute %s is missing.", name)
}

// timestamps are the layouts of ISO_INSTANT and ISO_OFFSET_DATE_TIME; time.Parse
// takes a fraction after the seconds of each.
var timestamps = []string{time.RFC3339, "2006-01-02T15:04:05Z07:00:00", "2006-01-02T15:04Z07:00"}

func expirationTime(attributes map[string]any) (time.Time, error) {
	value, ok := attributes["Timestamp"]
	if !ok {
		return time.Time{}, fail("InvalidPolicyAttributeException", "A valid Expiration policy must have an attribute of Timestamp.")
	}
	text, _ := value.(string)
	for _, layout := range timestamps {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fail("InvalidPolicyAttributeException", "Invalid timestamp format")
}

// notificationSpan reads the number in the named attribute, and its Unit.
func notificationSpan(attributes map[string]any, name string) (time.Duration, error) {
	var n int
	switch value := attributes[name].(type) {
	case nil:
		return 0, missingAttribute(name)
	case string:
		n, _ = strconv.Atoi(value)
	case float64:
		if n = int(value); float64(n) != value {
			n = 0
		}
	}
	if n <= 0 {
		return 0, fail("InvalidPolicyAttributeException", "Attribute %s must be a positive integer.", name)
	}
	if attributes["Unit"] == nil {
		return 0, missingAttribute("Unit")
	}
	unit, _ := attributes["Unit"].(string)
	switch strings.ToLower(unit) {
	case "hours":
		return time.Duration(n) * time.Hour, nil
	case "days":
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return 0, fail("InvalidPolicyAttributeException", "Supported time units: DAYS HOURS")
}

// setExpiry schedules what an Expiration policy deletes.
func (st *store) setExpiry(p *parameter) {
	p.expires = time.Time{}
	delete(st.expiring, p.name)
	for _, policy := range p.latest().policies {
		if policy.kind == policyExpiration {
			p.expires = policy.at
			st.expiring[p.name] = p
		}
	}
}
