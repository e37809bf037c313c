package provider

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of names, from the API references of CreateSecret and PutParameter.
const (
	maxSecretName    = 512
	secretSuffix     = len("-AbCdEf") // which its ARN ends with after the name
	maxParameterName = 1011           // the ARN's prefix counts, so a name is shorter still
	maxLevels        = 15
	maxLabel         = 100 // LabelParameterVersion
	maxStage         = 256 // UpdateSecretVersionStage
	maxVersionID     = 64  // GetSecretValue
	maxRef           = 4096
)

// secretReference is the path under which Parameter Store hands out secrets of
// Secrets Manager; what follows is a secret's name, and its selector a VersionId
// or staging label (guide: ps-integration-secretsmanager).
const secretReference = "/aws/reference/secretsmanager/"

var errTooLong = fmt.Errorf("it is longer than %d bytes", maxRef)

func parse(s string, prefix bool) (Ref, error) {
	if len(s) > maxRef {
		return Ref{}, errTooLong
	}
	if !utf8.ValidString(s) {
		return Ref{}, errors.New("it is not UTF-8")
	}
	var r Ref
	var err error
	if strings.HasPrefix(s, "arn:") {
		r, err = parseARN(s, "")
	} else {
		r, err = parseURL(s)
	}
	if err != nil {
		return Ref{}, err
	}
	// Escaped, it may be three times as long, and a little more: what is returned
	// can be written down.
	if len(s) > maxRef/4 && len(r.String()) > maxRef {
		return Ref{}, errTooLong
	}
	if prefix {
		return r, r.validatePrefix()
	}
	return r, r.validate()
}

// parseURL parses scheme://name?query#field.
func parseURL(s string) (Ref, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return Ref{}, errors.New("want sm://name, ssm:///path/name or an ARN")
	}
	scheme = strings.ToLower(scheme)
	if !validScheme(scheme) {
		return Ref{}, errors.New("the part before :// is not a scheme such as sm or ssm")
	}
	r := Ref{Scheme: scheme}
	if r.takesARN() && strings.HasPrefix(rest, "arn:") {
		return parseARN(rest, scheme)
	}
	name, err := r.parseTail(rest)
	if err != nil {
		return Ref{}, err
	}
	r.Name = name
	if scheme == "ssm" {
		return r, r.takeSelector()
	}
	return r, nil
}

// parseTail takes ?query and #field off s and returns the name before them.
func (r *Ref) parseTail(s string) (name string, err error) {
	s, field, hasField := strings.Cut(s, "#")
	s, query, hasQuery := strings.Cut(s, "?")
	if name, err = unescape(s); err != nil {
		return "", fmt.Errorf("the name: %w", err)
	}
	if hasQuery {
		if err := r.parseQuery(query); err != nil {
			return "", err
		}
	}
	if !hasField {
		return name, nil
	}
	if strings.ContainsAny(field, "?#") {
		return "", errors.New(`after "#" comes only the field: put "?…" before it, or write %3F and %23 where the field's own name has them`)
	}
	if r.Field, err = unescape(field); err != nil {
		return "", fmt.Errorf("the field: %w", err)
	}
	if _, err := fieldSteps(r.Field); err != nil {
		return "", err
	}
	return name, nil
}

func (r *Ref) parseQuery(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		value, err := unescape(value)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		var to *string
		switch key {
		case "stage":
			to = &r.Stage
		case "version":
			to = &r.Version
		case "label":
			to = &r.Label
		case "region":
			to = &r.Region
		default:
			return fmt.Errorf("%q is none of stage, version, label and region", key)
		}
		switch {
		case value == "":
			return fmt.Errorf("%s has no value", key)
		case *to != "":
			return fmt.Errorf("%s is given twice", key)
		}
		*to = value
	}
	return nil
}

// parseARN parses an ARN that stands alone (scheme is empty) or after a scheme.
func parseARN(s, scheme string) (Ref, error) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 {
		return Ref{}, errors.New("the ARN is too short: want arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME or arn:aws:ssm:REGION:ACCOUNT:parameter/NAME")
	}
	partition, service, region, account, resource := parts[1], parts[2], parts[3], parts[4], parts[5]
	var r Ref
	var kind string
	switch service {
	case "secretsmanager":
		r.Scheme, kind = "sm", "secret:"
	case "ssm":
		r.Scheme, kind = "ssm", "parameter/"
	default:
		return Ref{}, fmt.Errorf("the ARN is of service %q: want secretsmanager or ssm", service)
	}
	if scheme != "" && scheme != r.Scheme {
		return Ref{}, fmt.Errorf("an ARN of service %s does not go with %s://", service, scheme)
	}
	resource, ok := strings.CutPrefix(resource, kind)
	switch {
	case !ok:
		return Ref{}, fmt.Errorf("the ARN does not name a %s", strings.TrimRight(kind, ":/"))
	case !validRegion(partition):
		return Ref{}, errors.New("the ARN has no valid partition")
	case !validRegion(region):
		return Ref{}, errors.New("the ARN has no valid Region")
	// Public parameters belong to no account: arn:aws:ssm:us-east-1::parameter/aws/service/…
	case !validAccount(account) && (account != "" || r.Scheme != "ssm"):
		return Ref{}, errors.New("the ARN's account is not 12 digits")
	}
	var name string
	var err error
	// What ends the name decides: ":" begins a tail that is taken literally, as
	// ECS takes it; "?" and "#" begin our own.
	if i := strings.IndexAny(resource, ":?#"); r.Scheme == "sm" && i >= 0 && resource[i] == ':' {
		name = resource[:i]
		err = r.parseECSTail(resource[i+1:])
	} else {
		name, err = r.parseTail(resource)
	}
	if err != nil {
		return Ref{}, err
	}
	if r.Region != "" && r.Region != region {
		return Ref{}, fmt.Errorf("?region=%s contradicts the ARN's Region %s", r.Region, region)
	}
	if name == "" {
		return Ref{}, errors.New("the name is empty")
	}
	r.Region = region
	r.Name = strings.Join(parts[:5], ":") + ":" + kind + name
	if r.Scheme == "ssm" {
		return r, r.takeSelector()
	}
	return r, nil
}

// parseECSTail parses json-key[:stage[:version-id]], any of which may be empty.
func (r *Ref) parseECSTail(tail string) error {
	parts := strings.Split(tail, ":")
	if len(parts) > 3 {
		return errors.New("the ARN has too many parts: after the secret's name come json-key, stage and version-id")
	}
	parts = append(parts, "", "")
	r.Field, r.Stage, r.Version = pointerTo(parts[0]), parts[1], parts[2]
	return nil
}

// takeSelector moves Parameter Store's native selector, ":3" or ":blue", from
// the name's end to Version or Label.
func (r *Ref) takeSelector() error {
	start := 0
	if r.IsARN() {
		start = strings.LastIndex(r.Name, ":parameter/") + len(":parameter/")
	}
	name, selector, ok := strings.Cut(r.Name[start:], ":")
	if !ok {
		return nil
	}
	if r.Version != "" || r.Label != "" {
		return fmt.Errorf("the version or label is given twice: drop %q or the query", ":"+selector)
	}
	if selector == "" {
		return errors.New(`nothing follows the ":" after the name`)
	}
	r.Name = r.Name[:start] + name
	if validVersionNumber(selector) {
		r.Version = selector
	} else {
		r.Label = selector
	}
	return nil
}

func (r Ref) validate() error {
	if r.Name == "" {
		return errors.New("the name is empty")
	}
	if r.Region != "" && !validRegion(r.Region) {
		return errors.New("the region is not one such as eu-west-1")
	}
	switch {
	case r.Version != "" && r.Stage != "":
		return errors.New("both version and stage are given: one of them names the version to read")
	case r.Version != "" && r.Label != "":
		return errors.New("both version and label are given: one of them names the version to read")
	case r.Stage != "" && r.Label != "":
		return errors.New("both stage and label are given: one of them names the version to read")
	}
	for _, part := range []string{r.Name, r.Field, r.Stage, r.Version, r.Label} {
		if strings.ContainsFunc(part, unicode.IsControl) {
			return errors.New("it has a control character")
		}
	}
	switch r.Scheme {
	case "sm":
		return r.validateSecret()
	case "ssm":
		return r.validateParameter()
	}
	return nil
}

func (r Ref) validateSecret() error {
	name, longest := r.Name, maxSecretName
	if r.IsARN() {
		name, longest = name[strings.Index(name, ":secret:")+len(":secret:"):], longest+secretSuffix
	}
	if err := validSecretName(name, longest); err != nil {
		return err
	}
	switch {
	case r.Label != "":
		return errors.New("label is for parameters: a secret is read by ?stage=")
	case len(r.Stage) > maxStage:
		return fmt.Errorf("the stage is longer than %d characters", maxStage)
	case len(r.Version) > maxVersionID:
		return fmt.Errorf("the version is longer than %d characters: want a VersionId", maxVersionID)
	}
	return nil
}

func (r Ref) validateParameter() error {
	name := r.Name
	if r.IsARN() {
		name = name[strings.Index(name, ":parameter/")+len(":parameter"):]
	}
	if r.Stage != "" {
		return errors.New("stage is for secrets: a parameter is read by ?label= or ?version=")
	}
	if secret, ok := strings.CutPrefix(name, secretReference); ok {
		return validSecretName(secret, maxSecretName)
	}
	if err := validParameterName(name); err != nil {
		return err
	}
	if strings.HasSuffix(name, "/") {
		return errors.New("it names a path, not a parameter: List reads a path")
	}
	if r.Version != "" && !validVersionNumber(r.Version) {
		return errors.New("the version of a parameter is a number from 1")
	}
	if r.Label != "" {
		return validLabel(r.Label)
	}
	return nil
}

func (r Ref) validatePrefix() error {
	switch {
	case r.IsARN():
		return errors.New("an ARN names one value: want a prefix such as ssm:///prod/app/")
	case r.Field != "" || r.Stage != "" || r.Version != "" || r.Label != "":
		return errors.New("a prefix has no version, stage, label or field")
	case r.Region != "" && !validRegion(r.Region):
		return errors.New("the region is not one such as eu-west-1")
	case strings.ContainsFunc(r.Name, unicode.IsControl):
		return errors.New("it has a control character")
	case r.Scheme == "sm" && r.Name != "":
		return validSecretName(r.Name, maxSecretName)
	case r.Scheme == "ssm" && !strings.HasPrefix(r.Name, "/"):
		return errors.New("the path of a hierarchy begins with a slash: ssm:///path/")
	case r.Scheme == "ssm":
		return validParameterName(r.Name)
	}
	return nil
}

func validSecretName(name string, longest int) error {
	if len(name) > longest {
		return fmt.Errorf("the name is longer than %d characters", maxSecretName)
	}
	if name == "" {
		return errors.New("the name is empty")
	}
	if i := strings.IndexFunc(name, func(c rune) bool { return !alphanumeric(c) && !strings.ContainsRune("/_+=.@-!", c) }); i >= 0 {
		return fmt.Errorf("a secret's name has letters, digits and /_+=.@-! only, not %q", firstRune(name[i:]))
	}
	return nil
}

func validParameterName(name string) error {
	if len(name) > maxParameterName {
		return fmt.Errorf("the name is longer than %d characters", maxParameterName)
	}
	if i := strings.IndexFunc(name, func(c rune) bool { return !alphanumeric(c) && !strings.ContainsRune("/_.-", c) }); i >= 0 {
		return fmt.Errorf("a parameter's name has letters, digits and /_.- only, not %q", firstRune(name[i:]))
	}
	if strings.Count(strings.Trim(name, "/"), "/") >= maxLevels {
		return fmt.Errorf("the hierarchy is deeper than %d levels", maxLevels)
	}
	return nil
}

func validLabel(label string) error {
	switch i := strings.IndexFunc(label, func(c rune) bool { return !alphanumeric(c) && !strings.ContainsRune("_.-", c) }); {
	case len(label) > maxLabel:
		return fmt.Errorf("the label is longer than %d characters", maxLabel)
	case i >= 0:
		return fmt.Errorf("a label has letters, digits and _.- only, not %q", firstRune(label[i:]))
	case label[0] >= '0' && label[0] <= '9':
		return errors.New("a label does not begin with a digit, and a version is a number from 1")
	}
	return nil
}

func validScheme(s string) bool {
	return s != "" && s[0] >= 'a' && s[0] <= 'z' &&
		!strings.ContainsFunc(s, func(c rune) bool { return !alphanumeric(c) && !strings.ContainsRune("+.-", c) })
}

// validRegion is for Regions and partitions, which look alike: eu-west-1, aws-cn.
func validRegion(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') })
}

func validAccount(s string) bool {
	return len(s) == 12 && !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
}

func alphanumeric(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func firstRune(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// unescape decodes percent-encoding; "+" stands for itself.
func unescape(s string) (string, error) {
	out, err := url.PathUnescape(s)
	if err != nil {
		return "", errors.New(`a "%" is not followed by two hexadecimal digits: write %25 for a literal one`)
	}
	if !utf8.ValidString(out) {
		return "", errors.New("it is not UTF-8 once decoded")
	}
	return out, nil
}
