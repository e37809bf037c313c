package secretstest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxLabels is the number of labels of a version, and of a call.
const maxLabels = 10

// labelPattern is the form of a label (LabelParameterVersion). Its length is a
// constraint of the model, which refuses the whole call.
var labelPattern = regexp.MustCompile(`^[a-zA-Z_.-][a-zA-Z0-9_.-]*$`)

func validLabel(label string) bool {
	lower := strings.ToLower(label)
	return labelPattern.MatchString(label) && !strings.HasPrefix(lower, "aws") && !strings.HasPrefix(lower, "ssm")
}

type labelInput struct {
	parameterName
	Labels           []string
	ParameterVersion *int64
}

func (in *labelInput) check() error {
	if err := checkLength("labels", len(in.Labels), 1, maxLabels); err != nil {
		return err
	}
	for _, label := range in.Labels {
		if err := checkLength("labels.member", len(label), 1, 100); err != nil {
			return err
		}
	}
	return nil
}

// labelled finds the parameter and the version that the input names.
func (c *call) labelled(in *labelInput) (*parameter, *parameterVersion, error) {
	p, err := c.own(in.Name)
	if err != nil {
		return nil, nil, err
	}
	if in.ParameterVersion == nil {
		return p, p.latest(), nil
	}
	v := p.version(*in.ParameterVersion)
	if v == nil {
		return nil, nil, errNoVersion(strconv.FormatInt(*in.ParameterVersion, 10), p.name)
	}
	return p, v, nil
}

// labelParameterVersion attaches labels, taking them from the versions that
// have them. Labels of a wrong form are returned, not refused.
func labelParameterVersion(c *call, in *labelInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	p, v, err := c.labelled(in)
	if err != nil {
		return nil, err
	}
	rejected, labels := []string{}, slices.Clone(v.labels)
	for _, label := range in.Labels {
		switch {
		case !validLabel(label):
			rejected = append(rejected, label)
		case !slices.Contains(labels, label):
			labels = append(labels, label)
		}
	}
	if len(labels) > maxLabels {
		return nil, fail("ParameterVersionLabelLimitExceeded", "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.")
	}
	for _, other := range p.versions {
		other.labels = slices.DeleteFunc(other.labels, func(label string) bool { return slices.Contains(labels, label) })
	}
	v.labels = labels
	c.parameterChanged("LabelParameterVersion", p)
	return struct {
		InvalidLabels    []string
		ParameterVersion int64
	}{rejected, v.number}, nil
}

// unlabelParameterVersion removes labels. Those that the version does not have
// are returned as invalid.
func unlabelParameterVersion(c *call, in *labelInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if in.ParameterVersion == nil {
		return nil, invalid("parameterVersion", "Member must not be null")
	}
	_, v, err := c.labelled(in)
	if err != nil {
		return nil, err
	}
	rejected, removed := []string{}, []string{}
	for _, label := range in.Labels {
		i := slices.Index(v.labels, label)
		if i < 0 {
			rejected = append(rejected, label)
			continue
		}
		v.labels = slices.Delete(v.labels, i, i+1)
		removed = append(removed, label)
	}
	return struct{ InvalidLabels, RemovedLabels []string }{rejected, removed}, nil
}
