package secretstest

import (
	"regexp"
	"slices"
	"strings"
)

// A stringFilter is a ParameterStringFilter.
type stringFilter struct {
	Key    string
	Option string
	Values []string
}

// checkFilters holds the filters of a request against the keys of its operation.
// Of each key there is one. Messages are as public reports quote AWS.
func checkFilters(filters []stringFilter, keys ...string) error {
	for i, f := range filters {
		if err := f.check(keys...); err != nil {
			return err
		}
		if slices.ContainsFunc(filters[:i], func(other stringFilter) bool { return other.Key == f.Key }) {
			return fail("InvalidFilterKey", "The following filter is duplicated in the request: %s. A request can contain only one occurrence of a specific filter.", f.Key)
		}
	}
	return nil
}

var filterKeyPattern = regexp.MustCompile(`^(tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType)$`)

// check holds a filter against the keys of an operation and the options of its
// key (ParameterStringFilter).
func (f stringFilter) check(keys ...string) error {
	if err := checkLength("parameterFilters.member.key", len([]rune(f.Key)), 1, 132); err != nil {
		return err
	}
	if !filterKeyPattern.MatchString(f.Key) {
		return invalid("parameterFilters.member.key", "Member must satisfy regular expression pattern: tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType")
	}
	if err := checkLength("parameterFilters.member.option", len(f.Option), 0, 10); err != nil {
		return err
	}
	if !slices.ContainsFunc(keys, func(key string) bool {
		prefix, isPrefix := strings.CutSuffix(key, "*")
		return f.Key == key || isPrefix && strings.HasPrefix(f.Key, prefix)
	}) {
		return fail("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [%s].", f.Key, strings.Join(keys, ", "))
	}
	options := []string{"", "Equals", "BeginsWith"}
	switch f.Key {
	case "Name":
		options = append(options, "Contains")
	case "Path":
		options = []string{"", "Recursive", "OneLevel"}
	case "Label":
		options = []string{"", "Equals"}
	}
	if !slices.Contains(options, f.Option) {
		return fail("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [%s].", f.Option, strings.Join(options[1:], ", "))
	}
	if len(f.Values) == 0 && !strings.HasPrefix(f.Key, "tag:") {
		return fail("InvalidFilterValue", "The following filter values are missing : null for filter key %s.", f.Key)
	}
	if len(f.Values) > 50 {
		return checkLength("parameterFilters.member.values", len(f.Values), 1, 50)
	}
	for _, value := range f.Values {
		if err := checkLength("parameterFilters.member.values.member", len(value), 1, 1024); err != nil {
			return err
		}
	}
	return f.checkValues()
}

// checkValues holds the values of the keys that have few.
func (f stringFilter) checkValues() error {
	var known []string
	switch {
	case f.Key == "Path":
		for _, path := range f.Values {
			lower := strings.ToLower(path)
			switch {
			case !strings.HasPrefix(path, "/") || !parameterNamePattern.MatchString(path) || strings.Contains(path, "//"):
				return errPath
			case strings.HasPrefix(lower, "/aws") || strings.HasPrefix(lower, "/ssm"):
				return fail("ValidationException", "Filters for common parameters can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). When using global parameters, please specify within a global namespace.")
			}
		}
	case f.Option == "BeginsWith":
	case f.Key == "Type":
		known = []string{typeString, typeStringList, typeSecureString}
	case f.Key == "Tier":
		known = []string{tierStandard, tierAdvanced, tierIntelligent}
	}
	for _, value := range f.Values {
		if known != nil && !slices.Contains(known, value) {
			return fail("InvalidFilterOption", "The following filter value is not valid: %s. Valid values include: [%s].", value, strings.Join(known, ", "))
		}
	}
	return nil
}

// matches compares a text with the filter's values, by its option.
func (f stringFilter) matches(text string) bool {
	return slices.ContainsFunc(f.Values, func(value string) bool {
		switch f.Option {
		case "BeginsWith":
			return strings.HasPrefix(text, value)
		case "Contains":
			return strings.Contains(text, value)
		}
		return text == value
	})
}

func (f stringFilter) accepts(p *parameter, v *parameterVersion) bool {
	if key, ok := strings.CutPrefix(f.Key, "tag:"); ok {
		return slices.ContainsFunc(p.tags, func(t tag) bool {
			return t.Key == key && (len(f.Values) == 0 || f.matches(t.Value))
		})
	}
	switch f.Key {
	case "Name":
		// Names match with and without the leading slash.
		return f.matches(p.name) || f.matches(strings.TrimPrefix(p.name, "/"))
	case "Path":
		return slices.ContainsFunc(f.Values, func(path string) bool { return below(p.name, path, f.Option == "Recursive") })
	case "Type":
		return f.matches(v.kind)
	case "KeyId":
		return v.keyID != "" && f.matches(v.keyID)
	case "Tier":
		return f.matches(v.tier)
	case "DataType":
		return f.matches(v.dataType)
	}
	return false
}
