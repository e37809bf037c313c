package secretstest

import (
	"cmp"
	"errors"
	"slices"
)

// A parameterOutput is a parameter as the reading operations return it.
type parameterOutput struct {
	ARN              string
	DataType         string
	LastModifiedDate epoch
	Name             string
	Selector         string `json:",omitempty"`
	SourceResult     string `json:",omitempty"`
	Type             string
	Value            string
	Version          int64
}

// show returns a version's value: a SecureString is decrypted or shown as
// ciphertext.
func (c *call) show(v *parameterVersion, decrypt bool) string {
	switch {
	case v.kind != typeSecureString:
		return v.value
	case !decrypt:
		return v.ciphertext
	}
	c.decrypts++
	return v.value
}

func (c *call) parameterOutput(p *parameter, v *parameterVersion, decrypt bool) *parameterOutput {
	return &parameterOutput{
		ARN:              c.parameterARN(p),
		DataType:         v.dataType,
		LastModifiedDate: epoch{v.modified},
		Name:             p.name,
		Type:             v.kind,
		Value:            c.show(v, decrypt),
		Version:          v.number,
	}
}

type getParameterInput struct {
	parameterName
	withDecryption
}

func getParameter(c *call, in *getParameterInput) (any, error) {
	out, err := c.readParameter(in.Name, in.WithDecryption)
	if err != nil {
		return nil, err
	}
	return struct{ Parameter *parameterOutput }{out}, nil
}

// readParameter reads what a name, an ARN or a reference to a secret means.
func (c *call) readParameter(id string, decrypt bool) (*parameterOutput, error) {
	ref, err := parseParameterID(id)
	if err != nil {
		return nil, err
	}
	if ref.isReference() {
		return c.readReference(ref, decrypt)
	}
	p := c.lookParameter(c.place, ref)
	if p == nil {
		return nil, errParameterNotFound
	}
	v, err := p.find(ref.selector)
	if err != nil {
		return nil, err
	}
	out := c.parameterOutput(p, v, decrypt)
	if ref.selector != "" {
		out.Selector = ":" + ref.selector
	}
	return out, nil
}

type getParametersInput struct {
	parameterNames
	withDecryption
}

type getParametersOutput struct {
	InvalidParameters []string
	Parameters        []*parameterOutput
}

// getParameters reads up to ten parameters. What does not exist is listed in
// InvalidParameters; the found ones are in the order of their names, and each
// identifier is answered once.
func getParameters(c *call, in *getParametersInput) (any, error) {
	if err := checkLength("names", len(in.Names), 1, maxGetParameters); err != nil {
		return nil, err
	}
	out := &getParametersOutput{InvalidParameters: []string{}, Parameters: []*parameterOutput{}}
	for i, id := range in.Names {
		if slices.Index(in.Names, id) < i {
			continue
		}
		p, err := c.readParameter(id, in.WithDecryption)
		if e, ok := errors.AsType[*Error](err); ok && (e.Code == "ParameterNotFound" || e.Code == "ParameterVersionNotFound") {
			out.InvalidParameters = append(out.InvalidParameters, id)
			continue
		}
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, p)
	}
	slices.SortStableFunc(out.Parameters, func(a, b *parameterOutput) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}

type getParameterHistoryInput struct {
	parameterName
	withDecryption
	MaxResults *int64
	NextToken  *string
}

// A parameterDetail is an entry of GetParameterHistory, with value and labels,
// and of DescribeParameters, with the ARN.
type parameterDetail struct {
	ARN              string `json:",omitempty"`
	AllowedPattern   string `json:",omitempty"`
	DataType         string
	Description      string   `json:",omitempty"`
	KeyId            string   `json:",omitempty"`
	Labels           []string `json:",omitzero"`
	LastModifiedDate epoch
	LastModifiedUser string
	Name             string
	Policies         []policyOutput
	Tier             string
	Type             string
	Value            *string `json:",omitempty"`
	Version          int64
}

func (c *call) parameterDetail(p *parameter, v *parameterVersion) *parameterDetail {
	return &parameterDetail{
		AllowedPattern:   v.allowedPattern,
		DataType:         v.dataType,
		Description:      v.description,
		KeyId:            v.keyID,
		LastModifiedDate: epoch{v.modified},
		LastModifiedUser: v.user,
		Name:             p.name,
		Policies:         c.policies(p, v),
		Tier:             v.tier,
		Type:             v.kind,
		Version:          v.number,
	}
}

type getParameterHistoryOutput struct {
	NextToken  string `json:",omitempty"`
	Parameters []*parameterDetail
}

// getParameterHistory lists the versions, the oldest first.
func getParameterHistory(c *call, in *getParameterHistoryInput) (any, error) {
	if err := checkRange("maxResults", in.MaxResults, 1, 50); err != nil {
		return nil, err
	}
	ref, err := parseParameterID(in.Name)
	if err != nil {
		return nil, err
	}
	p := c.lookParameter(c.place, ref)
	if p == nil || ref.selector != "" {
		return nil, errParameterNotFound
	}
	key := func(i int) string { return byPosition(int(p.versions[i].number)) }
	versions, next, err := listing[*parameterVersion]{items: p.versions, key: key, badToken: badParameterToken}.page(c, sizeOr(in.MaxResults, 50), in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &getParameterHistoryOutput{NextToken: next, Parameters: []*parameterDetail{}}
	for _, v := range versions {
		detail := c.parameterDetail(p, v)
		value := c.show(v, in.WithDecryption)
		detail.Value = &value
		detail.Labels = append([]string{}, v.labels...)
		out.Parameters = append(out.Parameters, detail)
	}
	return out, nil
}
