package secretstest

import (
	"cmp"
	"slices"
)

type describeParametersInput struct {
	Filters          []oldFilter
	ParameterFilters []stringFilter
	Shared           bool
	MaxResults       *int64
	NextToken        *string
}

// An oldFilter is a ParametersFilter: Name, Type or KeyId, the name by prefix.
type oldFilter struct {
	Key    string
	Values []string
}

type describeParametersOutput struct {
	NextToken  string `json:",omitempty"`
	Parameters []*parameterDetail
}

func describeParameters(c *call, in *describeParametersInput) (any, error) {
	if err := checkRange("maxResults", in.MaxResults, 1, 50); err != nil {
		return nil, err
	}
	filters := in.ParameterFilters
	if len(in.Filters) > 0 {
		if len(filters) > 0 {
			return nil, fail("ValidationException", "You can use either Filters or ParameterFilters in a single request.")
		}
		for _, old := range in.Filters {
			f := stringFilter{Key: old.Key, Values: old.Values}
			if f.Key == "Name" {
				f.Option = "BeginsWith"
			}
			filters = append(filters, f)
		}
	}
	if err := checkFilters(filters, "tag:*", "Name", "Path", "Type", "KeyId", "Tier", "DataType"); err != nil {
		return nil, err
	}
	var found []*parameter
	if !in.Shared { // nothing is shared through AWS RAM here
		for _, p := range c.store.parameters {
			if selectByFilters(p, filters) != nil {
				found = append(found, p)
			}
		}
	}
	slices.SortFunc(found, func(a, b *parameter) int { return cmp.Compare(a.name, b.name) })
	found, next, err := listing[*parameter]{items: found, key: func(i int) string { return found[i].name }, badToken: badParameterToken}.page(c, sizeOr(in.MaxResults, 10), in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &describeParametersOutput{NextToken: next, Parameters: []*parameterDetail{}}
	for _, p := range found {
		detail := c.parameterDetail(p, p.latest())
		detail.ARN = c.parameterARN(p)
		out.Parameters = append(out.Parameters, detail)
	}
	return out, nil
}
