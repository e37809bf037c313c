package transfer

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

// What the stores of the module tell of a value besides the value. A store that
// wraps one of them, or is of one's own, may tell it too.
type (
	parameterStore interface {
		Versions(ctx context.Context, ref string) iter.Seq2[ssm.Metadata, error]
		Tags(ctx context.Context, ref string) (map[string]string, error)
	}
	secretStore interface {
		Describe(ctx context.Context, ref string) (sm.Metadata, error)
		Policy(ctx context.Context, ref string) (string, error)
	}
)

// attribute is something that a value has besides its content. None is secret:
// who may list values reads them (ssm.Attributes, sm.CreateOptions).
type attribute struct{ name, value string }

// leave says what the source of an item has and its target will not.
func (p *Plan) leave(ctx context.Context, it *Item) {
	switch {
	case ctx.Err() != nil, it.Action == Refused, it.Action == Unchanged && !p.Move:
		return
	}
	here, err := p.from.attributes(ctx, it.Source, it.Version.ID, p.Move)
	var there []attribute
	if err == nil && len(here) > 0 && it.Action != Create {
		there, err = p.to.attributes(ctx, it.Target, it.Existing.ID, false)
	}
	for _, a := range here {
		if a.name == "tier" && (it.Target.Scheme != "ssm" || it.Tier == "Advanced") || slices.Contains(there, a) {
			continue
		}
		it.Left = append(it.Left, a.String())
	}
	if err != nil {
		it.Left = append(it.Left, "what cannot be read: "+reason(err))
	}
}

// String names the attribute, and what it is where that is short.
func (a attribute) String() string {
	switch kind, _, _ := strings.Cut(a.name, " "); kind {
	case "description", "allowed", "policy", "resource", "tag":
		return a.name
	}
	return a.name + " " + a.value
}

// attributes reads what a value has besides its content; past is whether its
// older versions are among it. With an error it returns what it could read.
func (s *side) attributes(ctx context.Context, ref provider.Ref, version string, past bool) ([]attribute, error) {
	ctx = s.paced(ctx)
	name := provider.Ref{Scheme: ref.Scheme, Name: ref.Name, Region: ref.Region}
	switch store := s.store.(type) {
	case parameterStore:
		return ofParameter(ctx, store, name, version, past)
	case secretStore:
		return ofSecret(ctx, store, name.String())
	}
	return nil, nil
}

func ofParameter(ctx context.Context, store parameterStore, ref provider.Ref, version string, past bool) ([]attribute, error) {
	var m ssm.Metadata
	var labels []string
	versions := 0
	for v, err := range store.Versions(ctx, ref.String()) {
		if err != nil {
			return nil, err
		}
		if v.Version.ID == version || m.Version.ID != version {
			m = v
		}
		labels = append(labels, v.Version.Labels()...)
		versions++
	}
	var list attributes
	list.add(m.Description != "", "description", m.Description)
	list.add(m.KMSKey != "" && m.KMSKey != "alias/aws/ssm", "KMS key", m.KMSKey)
	list.add(m.DataType != "" && m.DataType != ssm.DataTypeText, "data type", string(m.DataType))
	list.add(m.AllowedPattern != "", "allowed pattern", m.AllowedPattern)
	list.add(m.Tier == ssm.Advanced, "tier", string(m.Tier))
	for _, p := range m.Policies {
		kind := "unknown"
		if p.Policy != nil {
			kind = strings.TrimPrefix(fmt.Sprintf("%T", p.Policy), "ssm.")
		}
		list.add(true, "policy "+kind, p.Text)
	}
	list.add(len(labels) > 0, "labels", strings.Join(slices.Sorted(slices.Values(labels)), ","))
	list.add(past && versions > 1, "older versions", fmt.Sprint(versions-1))
	if ref.IsARN() { // of another account, whose tags they are
		return list, nil
	}
	tags, err := store.Tags(ctx, ref.String())
	list.tags(tags)
	return list, err
}

func ofSecret(ctx context.Context, store secretStore, ref string) ([]attribute, error) {
	m, err := store.Describe(ctx, ref)
	if err != nil {
		return nil, err
	}
	var list attributes
	list.add(m.Description != "", "description", m.Description)
	list.add(m.KMSKey != "" && m.KMSKey != "alias/aws/secretsmanager", "KMS key", m.KMSKey)
	list.add(m.Type != "", "type", m.Type)
	list.add(m.OwningService != "", "owning service", m.OwningService)
	list.add(m.Rotation.Enabled, "rotation", cmp.Or(m.Rotation.Schedule.Expression, fmt.Sprintf("every %d days", m.Rotation.Schedule.AfterDays)))
	var labels, regions []string
	for _, of := range m.Versions {
		for _, label := range of {
			if !strings.HasPrefix(label, "AWS") && !strings.HasPrefix(label, pending("")) {
				labels = append(labels, label)
			}
		}
	}
	for _, r := range m.Replicas {
		regions = append(regions, r.Region)
	}
	list.add(len(labels) > 0, "labels", strings.Join(slices.Sorted(slices.Values(labels)), ","))
	list.add(len(regions) > 0, "replicas", strings.Join(slices.Sorted(slices.Values(regions)), ","))
	list.tags(m.Tags)
	policy, err := store.Policy(ctx, ref)
	list.add(policy != "", "resource policy", policy)
	return list, err
}

type attributes []attribute

func (l *attributes) add(is bool, name, value string) {
	if is {
		*l = append(*l, attribute{name, value})
	}
}

// tags adds tags, but for those of AWS, which nobody else can set.
func (l *attributes) tags(tags map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		l.add(!strings.HasPrefix(strings.ToLower(key), "aws:"), "tag "+key, tags[key])
	}
}
