package secretstest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	maxStandardValue = 4096 // bytes
	maxAdvancedValue = 8192
)

type putParameterInput struct {
	parameterName
	AllowedPattern *string
	DataType       string
	Description    *string
	KeyId          string
	Overwrite      bool
	Policies       *string
	Tags           []tag
	Tier           string
	Type           string
	Value          *string

	retype bool // a seeding function may change the type
}

type putParameterOutput struct {
	Tier    string
	Version int64
}

func putParameter(c *call, in *putParameterInput) (any, error) {
	in.Name = strings.Trim(in.Name, " ")
	if err := checkParameterName(c.place, in.Name); err != nil {
		return nil, err
	}
	if in.Value == nil {
		return nil, invalid("value", "Member must not be null")
	}
	p := c.store.parameters[in.Name]
	v, err := newParameterVersion(c.time, p, in)
	if err != nil {
		return nil, err
	}
	if v.dataType == dataTypeImage && !imagePattern.MatchString(v.value) {
		// PutParameter: for aws:ec2:image "a successful HTTP 200 response does
		// not guarantee that your parameter was successfully created".
		return &putParameterOutput{Tier: v.tier, Version: v.number}, nil
	}
	if p == nil {
		p = &parameter{name: in.Name, arn: arnOfParameter(c.place, in.Name), tags: slices.Clone(in.Tags)}
		c.store.parameters[in.Name] = p
	} else if err := p.makeRoom(); err != nil {
		return nil, err
	}
	p.versions = append(p.versions, v)
	c.store.setExpiry(p)
	return &putParameterOutput{Tier: v.tier, Version: v.number}, nil
}

const (
	dataTypeText        = "text"
	dataTypeImage       = "aws:ec2:image"
	dataTypeIntegration = "aws:ssm:integration"
)

var imagePattern = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

// newParameterVersion makes the version that a PutParameter stores, and checks
// it. What an overwrite does not give is kept from the version before.
func newParameterVersion(now time.Time, p *parameter, in *putParameterInput) (*parameterVersion, error) {
	v := &parameterVersion{number: 1, dataType: dataTypeText, modified: now}
	if p == nil {
		if in.Type == "" {
			return nil, fail("ValidationException", "A parameter type is required when you create a parameter.")
		}
	} else {
		if !in.Overwrite {
			return nil, fail("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		}
		old := *p.latest()
		old.number++
		old.labels, old.modified, old.ciphertext = nil, now, ""
		v = &old
	}
	for _, check := range []func(*parameterVersion, *parameter, *putParameterInput) error{setTags, setType, setValue, setTier, setPattern} {
		if err := check(v, p, in); err != nil {
			return nil, err
		}
	}
	if in.Description != nil {
		if err := checkLength("description", len([]rune(*in.Description)), 0, 1024); err != nil {
			return nil, err
		}
		v.description = *in.Description
	}
	if v.kind == typeSecureString {
		v.ciphertext = seal(v.value)
	}
	return v, nil
}

func setTags(_ *parameterVersion, _ *parameter, in *putParameterInput) error {
	if len(in.Tags) > 0 && in.Overwrite {
		return fail("ValidationException", "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	if _, ok := mergeTags(nil, in.Tags); !ok {
		return errTooManyTags
	}
	return checkTags(in.Tags)
}

func setType(v *parameterVersion, p *parameter, in *putParameterInput) error {
	if in.Type != "" {
		if !slices.Contains([]string{typeString, typeStringList, typeSecureString}, in.Type) {
			return invalid("type", "Member must satisfy enum value set: [SecureString, StringList, String]")
		}
		if p != nil && in.Type != v.kind && !in.retype {
			return fail("HierarchyTypeMismatchException", "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.")
		}
		if in.Type != typeSecureString {
			v.keyID = ""
		}
		v.kind = in.Type
	}
	if in.DataType != "" {
		if !slices.Contains([]string{dataTypeText, dataTypeImage, dataTypeIntegration}, in.DataType) {
			return fail("ValidationException", "The following data type is not supported: %s (Data type names are all lowercase.)", in.DataType)
		}
		v.dataType = in.DataType
	}
	if v.dataType == dataTypeImage && v.kind != typeString {
		return fail("ValidationException", "The data type %s is supported for parameters of type String only.", dataTypeImage)
	}
	if v.kind != typeSecureString {
		if in.KeyId != "" {
			return fail("ValidationException", "KeyId is required for SecureString type parameter only.")
		}
		return nil
	}
	if in.KeyId != "" {
		v.keyID = in.KeyId
	}
	if v.keyID == "" {
		v.keyID = defaultParameterKey
	}
	return nil
}

func setValue(v *parameterVersion, _ *parameter, in *putParameterInput) error {
	if err := checkLength("value", len(*in.Value), 1, 1<<20); err != nil {
		return err
	}
	if strings.Contains(*in.Value, "{{") {
		return fail("ValidationException", "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.")
	}
	v.value = *in.Value
	return nil
}

// setTier applies the tiers: a parameter never goes back from advanced to
// standard, Intelligent-Tiering takes the advanced tier when the value or a
// policy needs it, and the default is standard.
func setTier(v *parameterVersion, p *parameter, in *putParameterInput) error {
	if in.Policies != nil {
		policies, err := parsePolicies(*in.Policies)
		if err != nil {
			return err
		}
		v.policies = policies
	}
	wasAdvanced := p != nil && p.latest().tier == tierAdvanced
	switch in.Tier {
	case "":
		if !wasAdvanced {
			v.tier = tierStandard
		}
	case tierStandard:
		if wasAdvanced {
			return fail("ValidationException", "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter. Be aware that standard parameters have a value limit of 4096 characters.")
		}
		v.tier = tierStandard
	case tierAdvanced:
		v.tier = tierAdvanced
	case tierIntelligent:
		v.tier = tierStandard
		if wasAdvanced || len(v.value) > maxStandardValue || len(v.policies) > 0 {
			v.tier = tierAdvanced
		}
	default:
		return invalid("tier", "Member must satisfy enum value set: [Advanced, Intelligent-Tiering, Standard]")
	}
	switch {
	case v.tier == tierStandard && len(v.value) > maxStandardValue:
		return fail("ValidationException", "Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", maxStandardValue)
	case len(v.value) > maxAdvancedValue:
		return fail("ValidationException", "Advanced tier parameters support a maximum parameter value of %d characters.", maxAdvancedValue)
	case v.tier == tierStandard && len(v.policies) > 0:
		return fail("ValidationException", "Parameter policies are supported for advanced-tier parameters only.")
	}
	return nil
}

// setPattern checks the value against AllowedPattern, which must match all of
// it.
func setPattern(v *parameterVersion, _ *parameter, in *putParameterInput) error {
	if in.AllowedPattern != nil {
		v.allowedPattern = *in.AllowedPattern
	}
	if v.allowedPattern == "" {
		return nil
	}
	if err := checkLength("allowedPattern", len(v.allowedPattern), 0, 1024); err != nil {
		return err
	}
	pattern, err := regexp.Compile("^(?:" + v.allowedPattern + ")$")
	if err != nil {
		return fail("InvalidAllowedPatternException", "The allowed pattern is not a valid regular expression.")
	}
	if !pattern.MatchString(v.value) {
		return fail("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", v.allowedPattern)
	}
	return nil
}

// makeRoom drops the oldest of 100 versions before the next is added. A label
// protects it: then the put fails.
func (p *parameter) makeRoom() error {
	if len(p.versions) < maxParameterVersions {
		return nil
	}
	oldest := p.versions[0]
	if len(oldest.labels) > 0 {
		return fail("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.", p.name, oldest.number)
	}
	p.versions = slices.Delete(p.versions, 0, 1)
	return nil
}

// parsePolicies reads the JSON array of the Policies member.
func parsePolicies(text string) ([]parameterPolicy, error) {
	var raw []json.RawMessage
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fail("InvalidPolicyAttributeException", "The policies are not a JSON array.")
	}
	if len(raw) > 10 {
		return nil, fail("PoliciesLimitExceededException", "You specified more than the maximum number of allowed policies for the parameter. The maximum is 10.")
	}
	var policies []parameterPolicy
	for _, message := range raw {
		var policy policyText
		if err := json.Unmarshal(message, &policy); err != nil {
			return nil, fail("InvalidPolicyAttributeException", "A policy is not a JSON object.")
		}
		if !slices.Contains([]string{"Expiration", "ExpirationNotification", "NoChangeNotification"}, policy.Type) {
			return nil, fail("InvalidPolicyTypeException", "The policy type is not supported. Parameter Store supports the following policy types: Expiration, ExpirationNotification, and NoChangeNotification.")
		}
		policies = append(policies, parameterPolicy{PolicyText: string(message), PolicyType: policy.Type, PolicyStatus: "Pending"})
	}
	return policies, nil
}

type policyText struct {
	Type       string
	Attributes struct{ Timestamp string }
}

// setExpiry schedules what an Expiration policy deletes.
func (st *store) setExpiry(p *parameter) {
	p.expires = time.Time{}
	delete(st.expiring, p.name)
	for _, policy := range p.latest().policies {
		var text policyText
		if json.Unmarshal([]byte(policy.PolicyText), &text) != nil || text.Type != "Expiration" {
			continue
		}
		if at, err := time.Parse(time.RFC3339, text.Attributes.Timestamp); err == nil {
			p.expires = at
			st.expiring[p.name] = p
		}
	}
}

var errTooManyTags = fail("TooManyTagsError", "The number of tags exceeds the maximum of %s.", fmt.Sprint(maxTags))
