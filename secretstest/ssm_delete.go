package secretstest

import "slices"

func deleteParameter(c *call, in *parameterName) (any, error) {
	p, err := c.own(in.Name)
	if err != nil {
		return nil, err
	}
	c.store.removeParameter(p)
	c.parameterChanged("Delete", p)
	return struct{}{}, nil
}

// deleteParameters deletes up to ten parameters; unknown ones are listed in
// InvalidParameters.
func deleteParameters(c *call, in *parameterNames) (any, error) {
	if err := checkLength("names", len(in.Names), 1, maxGetParameters); err != nil {
		return nil, err
	}
	deleted, unknown := []string{}, []string{}
	for _, name := range in.Names {
		p, err := c.own(name)
		if err != nil {
			unknown = append(unknown, name)
			continue
		}
		c.store.removeParameter(p)
		c.parameterChanged("Delete", p)
		deleted = append(deleted, p.name)
	}
	return struct{ DeletedParameters, InvalidParameters []string }{deleted, unknown}, nil
}

func (st *store) removeParameter(p *parameter) {
	delete(st.parameters, p.name)
	delete(st.expiring, p.name)
}

// A taggedResource is the input of the tag operations; only the resource type
// Parameter exists here.
type taggedResource struct {
	ResourceType string
	ResourceId   string
}

func (r taggedResource) ids() []string { return []string{r.ResourceId} }

func (c *call) tagged(r taggedResource) (*parameter, error) {
	if r.ResourceType != "Parameter" {
		return nil, fail("InvalidResourceType", "The resource type is not valid.")
	}
	p, err := c.own(r.ResourceId)
	if err != nil {
		return nil, fail("InvalidResourceId", "The resource ID %q is not valid. Verify that you entered the correct ID and try again.", r.ResourceId)
	}
	return p, nil
}

func addTagsToResource(c *call, in *struct {
	taggedResource
	Tags []tag
}) (any, error) {
	p, err := c.tagged(in.taggedResource)
	if err != nil {
		return nil, err
	}
	if err := checkParameterTags(in.Tags); err != nil {
		return nil, err
	}
	tags, ok := mergeTags(p.tags, in.Tags)
	if !ok {
		return nil, errTooManyTags
	}
	p.tags = tags
	return struct{}{}, nil
}

func removeTagsFromResource(c *call, in *struct {
	taggedResource
	TagKeys []string
}) (any, error) {
	p, err := c.tagged(in.taggedResource)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		if err := checkLength("tagKeys.member", len([]rune(key)), 1, 128); err != nil {
			return nil, err
		}
	}
	p.tags = removeTags(p.tags, in.TagKeys)
	return struct{}{}, nil
}

func listTagsForResource(c *call, in *taggedResource) (any, error) {
	p, err := c.tagged(*in)
	if err != nil {
		return nil, err
	}
	return struct{ TagList []tag }{append([]tag{}, slices.Clone(p.tags)...)}, nil
}
