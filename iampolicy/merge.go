package iampolicy

import (
	"maps"
	"slices"
	"strings"
)

// grant is one action that is allowed on one resource: on a KMS key, through a
// service and for the values that context names.
type grant struct {
	action, resource         string
	service, region, context string
	without                  string // what is lost without it; "" if it is required
}

// needed is the grant as a required one.
func (g grant) needed() grant {
	g.without = ""
	return g
}

// key is what grants have in common that one statement may hold: for a KMS key
// everything but the action and the context, else nothing.
func (g grant) key() grant {
	if g.context == "" {
		return grant{}
	}
	return grant{resource: g.resource, service: g.service, region: g.region}
}

// varies is what there may be many of in a statement: the contexts of a KMS key,
// else the resources.
func (g grant) varies() string {
	if g.context == "" {
		return g.resource
	}
	return g.context
}

// policyOf makes the smallest number of statements that allow what is granted
// and nothing more: one for each set of actions that some resources share.
func policyOf(grants []grant) Policy {
	p := Policy{Version: version, Statement: []Statement{}}
	byKey := make(map[grant][]grant)
	for _, g := range withoutCovered(grants) {
		byKey[g.key()] = append(byKey[g.key()], g)
	}
	for key, some := range byKey {
		actionsOf := make(map[string][]string)
		for _, g := range some {
			actionsOf[g.varies()] = append(actionsOf[g.varies()], g.action)
		}
		sharing := make(map[string][]string) // resources or contexts, by their actions
		for on, actions := range actionsOf {
			slices.Sort(actions)
			set := strings.Join(slices.Compact(actions), " ")
			sharing[set] = append(sharing[set], on)
		}
		for _, set := range slices.Sorted(maps.Keys(sharing)) {
			on := sharing[set]
			slices.Sort(on)
			p.Statement = append(p.Statement, statement(key, strings.Fields(set), on))
		}
	}
	slices.SortFunc(p.Statement, func(a, b Statement) int {
		return strings.Compare(a.order(), b.order())
	})
	return p
}

func statement(key grant, actions, on []string) Statement {
	if key == (grant{}) {
		return Statement{Effect: "Allow", Action: actions, Resource: on}
	}
	return Statement{Effect: "Allow", Action: actions, Resource: Strings{key.resource}, Condition: through(key.service, key.region, on)}
}

// through is the condition of a statement on a KMS key.
func through(service, region string, contexts []string) Condition {
	return Condition{
		equalsOperator: {viaService: services(service, region)},
		likeOperator:   {contextKey(service): contexts},
	}
}

// order sorts statements: the services by name, KMS last.
func (s Statement) order() string {
	last := "0"
	if s.Condition != nil {
		last = "1"
	}
	return last + text(s, "")
}

// withoutCovered leaves out what another grant allows by a "*" at its end.
func withoutCovered(grants []grant) []grant {
	type scope struct {
		key    grant
		action string
	}
	wide := make(map[scope][]string)
	for _, g := range grants {
		if strings.HasSuffix(g.varies(), "*") {
			s := scope{g.key(), g.action}
			wide[s] = append(wide[s], strings.TrimSuffix(g.varies(), "*"))
		}
	}
	var left []grant
	for _, g := range grants {
		if !slices.ContainsFunc(wide[scope{g.key(), g.action}], func(prefix string) bool {
			return strings.HasPrefix(g.varies(), prefix) && g.varies() != prefix+"*"
		}) {
			left = append(left, g)
		}
	}
	return left
}
