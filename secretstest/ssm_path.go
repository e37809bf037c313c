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
	if !strings.HasPrefix(path, "/") || !parameterNamePattern.MatchString(path) || strings.Contains(path, "//") {
		return nil, errPath
	}
	if err := checkFilters(in.ParameterFilters, "Type", "KeyId", "Label"); err != nil {
		return nil, err
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
