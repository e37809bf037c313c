package secretstest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
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
	v, err := newParameterVersion(c, p, in)
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
	if v.number == 1 {
		c.parameterChanged("Create", p)
	} else {
		c.parameterChanged("Update", p)
	}
	return &putParameterOutput{Tier: v.tier, Version: v.number}, nil
}

const (
	dataTypeText        = "text"
	dataTypeImage       = "aws:ec2:image"
	dataTypeIntegration = "aws:ssm:integration"
)

var parameterKeyPattern = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)

var imagePattern = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

// newParameterVersion makes the version that a PutParameter stores, and checks
// it. What an overwrite does not give is kept from the version before.
func newParameterVersion(c *call, p *parameter, in *putParameterInput) (*parameterVersion, error) {
	v := &parameterVersion{number: 1, dataType: dataTypeText}
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
		old.labels, old.ciphertext = nil, ""
		v = &old
	}
	v.modified, v.user = c.time, c.user()
	for _, check := range []func(*call, *parameterVersion, *parameter, *putParameterInput) error{setTags, setType, setValue, setTier, setPattern} {
		if err := check(c, v, p, in); err != nil {
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

func setTags(_ *call, _ *parameterVersion, _ *parameter, in *putParameterInput) error {
	if len(in.Tags) > 0 && in.Overwrite {
		return fail("ValidationException", "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	if _, ok := mergeTags(nil, in.Tags); !ok {
		return errTooManyTags
	}
	return checkParameterTags(in.Tags)
}

func setType(_ *call, v *parameterVersion, p *parameter, in *putParameterInput) error {
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
		if err := checkLength("keyId", len(in.KeyId), 1, 256); err != nil {
			return err
		}
		if !parameterKeyPattern.MatchString(in.KeyId) {
			return invalid("keyId", "Member must satisfy regular expression pattern: ^([a-zA-Z0-9:/_-]+)$")
		}
		v.keyID = in.KeyId
	}
	if v.keyID == "" {
		v.keyID = defaultParameterKey
	}
	return nil
}

func setValue(_ *call, v *parameterVersion, _ *parameter, in *putParameterInput) error {
	if err := checkLength("value", len(*in.Value), 1, 1<<20); err != nil {
		return err
	}
	if strings.Contains(*in.Value, "{{") {
		return fail("ValidationException", "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.")
	}
	v.value = *in.Value
	return nil
}

// setPattern checks the value against AllowedPattern, which must match all of
// it; of a StringList, all of each item.
func setPattern(_ *call, v *parameterVersion, _ *parameter, in *putParameterInput) error {
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
	items := []string{v.value}
	if v.kind == typeStringList {
		items = strings.Split(v.value, ",")
	}
	for _, item := range items {
		if !pattern.MatchString(item) {
			return fail("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", v.allowedPattern)
		}
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

var errTooManyTags = fail("TooManyTagsError", "The number of tags exceeds the maximum of %s.", fmt.Sprint(maxTags))
