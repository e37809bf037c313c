package secretstest

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	typeString       = "String"
	typeStringList   = "StringList"
	typeSecureString = "SecureString"

	tierStandard    = "Standard"
	tierAdvanced    = "Advanced"
	tierIntelligent = "Intelligent-Tiering"

	// ParameterMaxVersionLimitExceeded: "Parameter Store retains the 100 most
	// recently created versions of a parameter."
	maxParameterVersions = 100

	// maxGetParameters is the cap of GetParameters and of DeleteParameters.
	maxGetParameters = 10

	defaultParameterKey = "alias/aws/ssm"
)

// A parameter is guarded by Server.mu, as all that it points to.
type parameter struct {
	name     string
	arn      string
	tags     []tag
	policies []*resourcePolicy
	expires  time.Time           // of an Expiration policy; zero: never
	versions []*parameterVersion // in order, at least one; the last is current
}

type parameterVersion struct {
	number         int64
	kind           string // one of the types
	value          string
	ciphertext     string // of a SecureString
	keyID          string
	description    string
	allowedPattern string
	dataType       string
	tier           string
	policies       []parameterPolicy
	labels         []string
	modified       time.Time
	user           string // ARN of the user who made it
}

func (p *parameter) latest() *parameterVersion { return p.versions[len(p.versions)-1] }

func (p *parameter) version(number int64) *parameterVersion {
	for _, v := range p.versions {
		if v.number == number {
			return v
		}
	}
	return nil
}

func (p *parameter) labelled(label string) *parameterVersion {
	for _, v := range p.versions {
		if slices.Contains(v.labels, label) {
			return v
		}
	}
	return nil
}

// find returns the version that a selector names, the latest for none.
func (p *parameter) find(selector string) (*parameterVersion, error) {
	if selector == "" {
		return p.latest(), nil
	}
	if number, err := strconv.ParseInt(selector, 10, 64); err == nil {
		if v := p.version(number); v != nil {
			return v, nil
		}
		return nil, errNoVersion(selector, p.name)
	}
	if v := p.labelled(selector); v != nil {
		return v, nil
	}
	return nil, fail("ParameterVersionNotFound", "Systems Manager could not find label %s for parameter %s. Verify the label and try again.", selector, p.name)
}

func errNoVersion(version, name string) error {
	return fail("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", version, name)
}

// errParameterNotFound has no message, as AWS's answer.
var errParameterNotFound = fail("ParameterNotFound", "")

// seal makes what a SecureString shows without decryption: it looks like a
// KMS ciphertext and is random, so it holds nothing of the value.
func seal(value string) string {
	blob := make([]byte, 120+len(value))
	_, _ = rand.Read(blob)
	return "AQICAHh" + base64.StdEncoding.EncodeToString(blob)
}

// A parameterID is an identifier taken apart: a name or an ARN, and a version
// or label after the last colon.
type parameterID struct {
	name     string
	selector string
	isARN    bool
	place    place // of an ARN
}

func parseParameterID(id string) (parameterID, error) {
	id = strings.Trim(id, " ")
	var ref parameterID
	if a, ok := parseARN(id); ok {
		name, isParameter := strings.CutPrefix(a.resource, "parameter/")
		if a.service != "ssm" || !isParameter || name == "" {
			return ref, errParameterSyntax
		}
		ref.isARN, ref.place = true, a.place
		id = "/" + name
	}
	if id == "" {
		return ref, checkLength("name", 0, 1, 2048)
	}
	if rest, ok := strings.CutPrefix(id, referencePrefix); ok {
		// The secret may be given by ARN, which has colons of its own.
		ref.name, ref.selector = id, ""
		if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasPrefix(rest, "arn:") {
			ref.name, ref.selector = referencePrefix+rest[:i], rest[i+1:]
		}
		return ref, nil
	}
	name, selector, selected := strings.Cut(id, ":")
	if selected && (selector == "" || strings.Contains(selector, ":")) {
		return ref, errParameterSyntax
	}
	if len(name) > maxParameterName {
		return ref, checkLength("name", len(name), 1, maxParameterName)
	}
	if !parameterNamePattern.MatchString(name) {
		return ref, errParameterSyntax
	}
	ref.name, ref.selector = name, selector
	return ref, nil
}

var errParameterSyntax = fail("ValidationException", "Invalid parameter name. Please use correct syntax for referencing a version/label <name>:<version/label>")

// lookParameter finds a parameter; nil when there is none. An ARN does not
// tell whether the name of a single level began with a slash.
func (s *Server) lookParameter(at place, ref parameterID) *parameter {
	if strings.HasPrefix(ref.name, publicPrefix) {
		if ref.isARN && ref.place.region != at.region {
			return nil
		}
		return s.public[ref.name]
	}
	st := s.stores[at]
	if ref.isARN {
		if ref.place.region != at.region {
			return nil
		}
		st = s.stores[ref.place] // not made for an account that only a request names
	}
	if st == nil {
		return nil
	}
	s.expire(st)
	if p := st.parameters[ref.name]; p != nil {
		return p
	}
	if plain := ref.name[1:]; ref.isARN && !strings.Contains(plain, "/") {
		return st.parameters[plain]
	}
	return nil
}

// own finds a parameter of the caller by its name, for the operations that
// take neither ARN nor selector. A space inside a name makes the request fail
// (LabelParameterVersion, UnlabelParameterVersion).
func (c *call) own(name string) (*parameter, error) {
	name = strings.Trim(name, " ")
	if err := checkLength("name", len(name), 1, 2048); err != nil {
		return nil, err
	}
	if strings.Contains(name, " ") {
		return nil, fail("ValidationException", "Parameter name: %s", nameFormAlone)
	}
	p := c.store.parameters[name]
	if p == nil {
		return nil, errParameterNotFound
	}
	return p, nil
}

// A parameterName is the input member of the operations on one parameter.
type parameterName struct{ Name string }

func (n parameterName) ids() []string { return []string{n.Name} }

// parameterNames is that of the operations on several.
type parameterNames struct{ Names []string }

func (n parameterNames) ids() []string { return n.Names }

// withDecryption is the input member of the operations that read values.
type withDecryption struct{ WithDecryption bool }

func (d withDecryption) decrypts() bool { return d.WithDecryption }
