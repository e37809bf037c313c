package ssm

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// Limits of PutParameter, from its API reference where no other is named.
const (
	maxName          = 1011 // characters, with those of the ARN before the name
	maxStandardValue = 4096 // bytes
	maxAdvancedValue = 8192 // bytes
	maxPattern       = 1024 // characters
	keptVersions     = 100  // of a parameter (API ParameterMaxVersionLimitExceeded)
	maxDescription   = 1024 // characters
	maxKMSKey        = 256  // characters
	maxLabels        = 10   // of a version and of a call (API LabelParameterVersion)
	maxLabel         = 100  // characters (API LabelParameterVersion)
	maxTags          = 50   // AWS General Reference, Tagging
	maxTagKey        = 128  // characters (API Tag)
	maxTagValue      = 256  // characters (API Tag)
)

var (
	tiers     = []Tier{Standard, Advanced, IntelligentTiering}
	dataTypes = []DataType{DataTypeText, DataTypeImage, DataTypeIntegration}
	ownTypes  = []provider.Type{provider.String, provider.StringList, provider.SecureString}

	keyPattern   = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`) // API PutParameter, KeyId
	labelPattern = regexp.MustCompile(`^[a-zA-Z_.-][a-zA-Z0-9_.-]*$`)
	imagePattern = regexp.MustCompile(`^ami-[0-9a-f]+$`)
	nested       = regexp.MustCompile(`(?s)\{\{.*\}\}`)
)

// ErrInvalid: what was asked for breaks a rule or a quota of Parameter Store,
// and asking again does not help. Where the rule is one that this package
// knows, no call was made. It is [provider.ErrInvalid].
var ErrInvalid = provider.ErrInvalid

// refuse is the error of a rule that is broken before a call.
func refuse(ref provider.Ref, why error) error {
	return &provider.Error{Ref: ref, Kind: ErrInvalid, Hint: why.Error()}
}

// readable parses the ref of a whole parameter: a name or an ARN, and no
// version, label or field.
func readable(ref string) (provider.Ref, error) {
	parsed, err := provider.ParseRef(ref)
	if err != nil {
		return parsed, err
	}
	return parsed, checkWhole(parsed)
}

// own parses the ref of a parameter of the account's own, by its name.
func own(ref string) (provider.Ref, error) {
	parsed, err := readable(ref)
	if err != nil {
		return parsed, err
	}
	if parsed.IsARN() {
		return parsed, misnamed(parsed, "AWS tells this of the account's own parameters alone, by their names: Versions takes an ARN too")
	}
	return parsed, nil
}

// writable parses the ref of a parameter that may be written.
func (s *Store) writable(ref string) (provider.Ref, error) {
	parsed, err := provider.ParseRef(ref)
	if err != nil {
		return parsed, err
	}
	return parsed, s.checkWrite(parsed)
}

func misnamed(ref provider.Ref, why string) error {
	return &provider.Error{Ref: ref, Kind: provider.ErrInvalidRef, Hint: why}
}

func checkWhole(ref provider.Ref) error {
	var err error
	whole := func(ref provider.Ref) provider.Ref { return ref }
	awsread.Gather("ssm", []provider.Ref{ref}, whole, func(_ int, bad error) { err = bad })
	if err == nil && (ref.Field != "" || ref.Version != "" || ref.Label != "") {
		err = misnamed(ref, "name the whole parameter, without version, label or field")
	}
	return err
}

// checkWritable refuses ARNs, by which parameters are shared.
func checkWritable(ref provider.Ref) error {
	if ref.IsARN() {
		return misnamed(ref, "by its ARN, as another account shares it, a parameter is only read: write the account's own parameters, by their names")
	}
	return nil
}

// checkWrite holds a ref to the naming constraints of PutParameter.
func (s *Store) checkWrite(ref provider.Ref) error {
	if err := checkWhole(ref); err != nil {
		return err
	}
	if err := checkWritable(ref); err != nil {
		return err
	}
	if err := checkName(ref.Name, s.clients.Region(ref.Region)); err != nil {
		return misnamed(ref, err.Error())
	}
	return nil
}

func checkName(name, region string) error {
	partition := "aws" // the shortest
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	before := len("arn:" + partition + ":ssm:" + region + ":123456789012:parameter/")
	if strings.HasPrefix(name, "/") {
		before-- // the ARN has that slash once
	}
	first := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case strings.HasPrefix(first, "aws"), strings.HasPrefix(first, "ssm"):
		return errors.New(`a name does not begin with "aws" or "ssm", in whatever case: AWS keeps those for itself`)
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return errors.New("the name of a parameter in a hierarchy begins with a slash: ssm:///path/name")
	case len(name)+before > maxName:
		return fmt.Errorf("the name has %d characters: with the %d of the ARN before it, %d are the most", len(name), before, maxName)
	}
	return nil
}

// checkPut holds a write to the rules that can be known before the call.
func checkPut(value string, typ provider.Type, a Attributes, overwrite bool) error {
	for _, check := range []error{checkAttributes(typ, a, overwrite), checkValue(value, a), checkPattern(value, a.AllowedPattern)} {
		if check != nil {
			return check
		}
	}
	return nil
}

func checkAttributes(typ provider.Type, a Attributes, overwrite bool) error {
	switch {
	case typ != "" && !slices.Contains(ownTypes, typ):
		return fmt.Errorf("the type %q is none of %q", typ, ownTypes)
	case a.Tier != "" && !slices.Contains(tiers, a.Tier):
		return fmt.Errorf("the tier %q is none of %q", a.Tier, tiers)
	case a.DataType != "" && !slices.Contains(dataTypes, a.DataType):
		return fmt.Errorf("the data type %q is none of %q", a.DataType, dataTypes)
	case a.DataType == DataTypeImage && typ != "" && typ != provider.String:
		return fmt.Errorf("the data type %s goes with the type String, not %s", DataTypeImage, typ)
	case a.KMSKey != "" && typ != "" && typ != provider.SecureString:
		return fmt.Errorf("a KMS key goes with the type SecureString, not %s", typ)
	case len(a.KMSKey) > maxKMSKey, a.KMSKey != "" && !keyPattern.MatchString(a.KMSKey):
		return errors.New("the KMS key is not a key ID, key ARN, alias or alias ARN")
	case utf8.RuneCountInString(a.Description) > maxDescription:
		return fmt.Errorf("the description is longer than %d characters", maxDescription)
	case a.Tier == Standard && len(a.Policies) > 0:
		return errors.New("a standard parameter has no policies: take the tier Advanced")
	case overwrite && len(a.Tags) > 0:
		return errors.New("an overwrite takes no tags: set them by Tag")
	}
	return checkTags(a.Tags)
}

func checkValue(value string, a Attributes) error {
	switch size := len(value); {
	case size == 0:
		return errors.New("the value is empty: a parameter holds a byte at least")
	case !utf8.ValidString(value):
		return errors.New("the value is not UTF-8: encode it, as base64 say")
	case size > maxAdvancedValue:
		return fmt.Errorf("the value has %d bytes: a parameter holds %d at most, a secret of Secrets Manager 65536", size, maxAdvancedValue)
	case size > maxStandardValue && a.Tier == Standard:
		return fmt.Errorf("the value has %d bytes: a standard parameter holds %d at most, one of the tier Advanced %d", size, maxStandardValue, maxAdvancedValue)
	case nested.MatchString(value):
		return errors.New(`the value has "{{…}}" in it, which Parameter Store takes for a reference to another parameter and refuses: encode it, as base64 say`)
	case a.DataType == DataTypeImage && !imagePattern.MatchString(value):
		return errors.New("the value is not the ID of an image: AWS would accept it and never write it")
	}
	return nil
}

// checkPattern refuses a value that cannot match the pattern, where Go's
// syntax and AWS's, which it does not specify and which looks like Java's,
// surely mean the same. Whether a pattern has to match the whole value, and of
// a StringList each item, is not documented either: what fails in every
// reading is refused.
func checkPattern(value, pattern string) error {
	if utf8.RuneCountInString(pattern) > maxPattern {
		return fmt.Errorf("the allowed pattern is longer than %d characters", maxPattern)
	}
	if pattern == "" || !portable(pattern) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil || re.MatchString(value) {
		return nil
	}
	if slices.ContainsFunc(strings.Split(value, ","), func(item string) bool { return !re.MatchString(item) }) {
		return errors.New("the value does not match the allowed pattern")
	}
	return nil
}

// portable reports whether a pattern means the same in Go as elsewhere, if it
// compiles in Go: it has none of what compiles with another meaning.
func portable(pattern string) bool {
	class := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			// \1 is a group elsewhere, and \11 or \0101 an octal number in Go.
			if i++; i < len(pattern) && strings.IndexByte("vQpPU0123456789", pattern[i]) >= 0 {
				return false
			}
		case c > '~', c < ' ', class && c == '[', class && strings.HasPrefix(pattern[i:], "&&"):
			return false // a class in a class, an intersection
		case !class && strings.HasPrefix(pattern[i:], "(?") && !strings.HasPrefix(pattern[i:], "(?:"):
			return false // flags
		case c == '[':
			class = true
			if strings.HasPrefix(pattern[i+1:], "^") {
				i++
			}
			if strings.HasPrefix(pattern[i+1:], "]") {
				return false // its first "]" is a literal in Go
			}
		case c == ']':
			class = false
		case !class && c == '{' && (i+1 == len(pattern) || pattern[i+1] < '0' || pattern[i+1] > '9'):
			return false // no repetition in Go
		}
	}
	return true
}

func checkLabels(labels []string) error {
	if len(labels) == 0 || len(labels) > maxLabels {
		return fmt.Errorf("there are %d labels: want 1 to %d", len(labels), maxLabels)
	}
	for _, label := range labels {
		lower := strings.ToLower(label)
		switch {
		case len(label) > maxLabel:
			return fmt.Errorf("the label %q is longer than %d characters", label, maxLabel)
		case !labelPattern.MatchString(label):
			return fmt.Errorf("the label %q is not of letters, digits and _.- with no digit at its start", label)
		case strings.HasPrefix(lower, "aws"), strings.HasPrefix(lower, "ssm"):
			return fmt.Errorf(`the label %q begins with "aws" or "ssm": AWS keeps those for itself`, label)
		}
	}
	return nil
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return fmt.Errorf("there are %d tags: a parameter has %d at most", len(tags), maxTags)
	}
	for k, v := range tags {
		switch n := utf8.RuneCountInString(k); {
		case n < 1 || n > maxTagKey:
			return fmt.Errorf("the tag key %q has %d characters: want 1 to %d", k, n, maxTagKey)
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return fmt.Errorf(`the tag key %q begins with "aws:": AWS keeps those for itself`, k)
		case utf8.RuneCountInString(v) > maxTagValue:
			return fmt.Errorf("the value of the tag %q is longer than %d characters", k, maxTagValue)
		}
	}
	return nil
}
