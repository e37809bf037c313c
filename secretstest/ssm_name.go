package secretstest

import (
	"regexp"
	"strings"
)

const (
	// maxParameterName counts the characters of the ARN before the name
	// (PutParameter: "The maximum length for a parameter name that you specify
	// is 1011 characters. This count includes the characters in the ARN that
	// precede the name").
	maxParameterName = 1011

	// maxParameterLevels is the depth of a hierarchy (PutParameter).
	maxParameterLevels = 15

	publicPrefix    = "/aws/service/"
	referencePrefix = "/aws/reference/secretsmanager/"
)

var parameterNamePattern = regexp.MustCompile(`^[a-zA-Z0-9_./-]+$`)

// checkParameterName holds a new parameter's name against the naming
// constraints of PutParameter. Spaces at its ends are already off.
func checkParameterName(at place, name string) error {
	if err := checkLength("name", len(name), 1, 2048); err != nil {
		return err
	}
	lower := strings.ToLower(name)
	first, _, isPath := strings.Cut(strings.TrimPrefix(lower, "/"), "/")
	switch {
	case len(arnOfParameter(at, name)) > maxParameterName:
		return checkLength("name", len(name), 1, maxParameterName-len(arnOfParameter(at, name))+len(name))
	case isPath && strings.HasPrefix(name, "/") && strings.HasPrefix(first, "aws"):
		return fail("AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case isPath && strings.HasPrefix(first, "ssm"):
		return fail("ValidationException", "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). %s", nameForm)
	case strings.HasPrefix(first, "aws") || strings.HasPrefix(first, "ssm"):
		return fail("ValidationException", "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	case !parameterNamePattern.MatchString(name) || strings.Contains(name, "//"):
		return fail("ValidationException", "Parameter name: %s", nameFormAlone)
	case strings.HasSuffix(name, "/"):
		return fail("ValidationException", "Parameter name must not end with slash.")
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return fail("ValidationException", "Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > maxParameterLevels:
		return fail("HierarchyLevelLimitExceededException", "The hierarchy level of a parameter name can't be more than %d.", maxParameterLevels)
	}
	return nil
}

const (
	nameForm      = "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"
	nameFormAlone = "only a mix of letters, numbers and the following 3 symbols .-_ are allowed."
)

// arnOfParameter makes the ARN of a parameter: names with and without a
// leading slash give the same form.
func arnOfParameter(at place, name string) string {
	return "arn:" + partition(at.region) + ":ssm:" + at.region + ":" + at.account + ":parameter/" + strings.TrimPrefix(name, "/")
}

// parameterARN is the ARN of a stored parameter. A public one belongs to no
// account and to the region of the call.
func (c *call) parameterARN(p *parameter) string {
	if p.arn == "" {
		return arnOfParameter(place{region: c.place.region}, p.name)
	}
	return p.arn
}
