package secretstest

import (
	"cmp"
	"slices"
	"strings"
)

type getParametersByPathInput struct {
	withDecryption
	Path             string
	Recursive        bool
	MaxResults       *int64
	NextToken        *string
	ParameterFilters []stringFilter
}

func (in getParametersByPathInput) ids() []string { return []string{in.Path} }

type getParametersByPathOutput struct {
	NextToken  string `json:",omitempty"`
	Parameters []*parameterOutput
}

var errPath = fail("ValidationException", "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")

// getParametersByPath lists what lies below a path, by name. A path that holds
// nothing is an empty list, not an error.
func getParametersByPath(c *call, in *getParametersByPathInput) (any, error) {
	path := strings.Trim(in.Path, " ")
	if err := checkRange("maxResults", in.MaxResults, 1, 10); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, "/") || !parameterNamePattern.MatchString(path) {
		return nil, errPath
	}
	for _, f := range in.ParameterFilters {
		if err := f.check("Type", "KeyId", "Label"); err != nil {
			return nil, err
		}
	}
	source := c.store.parameters
	if strings.HasPrefix(path, strings.TrimSuffix(publicPrefix, "/")) {
		source = c.public
	}
	type hit struct {
		parameter *parameter
		version   *parameterVersion
	}
	var hits []hit
	for _, p := range source {
		if !below(p.name, path, in.Recursive) {
			continue
		}
		if v := selectByFilters(p, in.ParameterFilters); v != nil {
			hits = append(hits, hit{p, v})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.parameter.name, b.parameter.name) })
	hits, next, err := listing[hit]{items: hits, key: func(i int) string { return hits[i].parameter.name }, badToken: badParameterToken}.page(c, sizeOr(in.MaxResults, 10), in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &getParametersByPathOutput{NextToken: next, Parameters: []*parameterOutput{}}
	for _, h := range hits {
		out.Parameters = append(out.Parameters, c.parameterOutput(h.parameter, h.version, in.WithDecryption))
	}
	return out, nil
}

// below reports whether a name lies below a path; names without a slash lie
// below the root.
func below(name, path string, recursive bool) bool {
	rest, ok := strings.CutPrefix("/"+strings.TrimPrefix(name, "/"), strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(rest, "/"))
}

// selectByFilters returns the version to show: the one with the label of a
// Label filter, else the latest, or nil when a filter refuses it.
func selectByFilters(p *parameter, filters []stringFilter) *parameterVersion {
	v := p.latest()
	for _, f := range filters {
		if f.Key == "Label" {
			i := slices.IndexFunc(p.versions, func(v *parameterVersion) bool {
				return slices.ContainsFunc(v.labels, f.matches)
			})
			if i < 0 {
				return nil
			}
			v = p.versions[i]
		}
	}
	for _, f := range filters {
		if f.Key != "Label" && !f.accepts(p, v) {
			return nil
		}
	}
	return v
}

// A stringFilter is a ParameterStringFilter.
type stringFilter struct {
	Key    string
	Option string
	Values []string
}

// check holds a filter against the keys of an operation and the options of its
// key (ParameterStringFilter).
func (f stringFilter) check(keys ...string) error {
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
