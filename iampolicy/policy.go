package iampolicy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// MaxSize is how many characters a managed policy has at most, white space not
// counted (guide: IAM and STS quotas).
const MaxSize = 6144

// version is that of the policy language.
const version = "2012-10-17"

// Policy is a policy document. As JSON it is what IAM takes; the same program
// always has the same.
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement is one statement of a policy. All that this package makes are
// allowed.
type Statement struct {
	Effect    string
	Principal Principal `json:",omitzero"` // of resource policies alone
	Action    Strings
	Resource  Strings
	Condition Condition `json:",omitempty"`
}

// Principal is who a resource policy is about: ARNs and account IDs.
type Principal struct{ AWS Strings }

// Condition is by operator and key.
type Condition map[string]map[string]Strings

// Strings is one string or several; one alone is written without brackets.
type Strings []string

// MarshalJSON implements json.Marshaler.
func (s Strings) MarshalJSON() ([]byte, error) {
	if len(s) == 1 {
		return json.Marshal(s[0])
	}
	return json.Marshal([]string(s))
}

// String returns the document as indented JSON.
func (p Policy) String() string { return text(p, "  ") }

// Compact returns the document as JSON without white space.
func (p Policy) Compact() string { return text(p, "") }

// String returns the statement as indented JSON.
func (s Statement) String() string { return text(s, "  ") }

func text(v any, indent string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	_ = enc.Encode(v) // maps and slices of strings: it cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

// Empty reports whether the policy allows nothing.
func (p Policy) Empty() bool { return len(p.Statement) == 0 }

// Size returns the characters that count against [MaxSize].
func (p Policy) Size() int { return len(p.Compact()) } // all of ASCII

// Split divides a policy into ones of at most [MaxSize] characters, to be
// attached together: a role has 10 managed policies unless its quota is raised
// (guide: IAM and STS quotas). A policy that is small enough stays one.
func (p Policy) Split() []Policy {
	var parts []Policy
	part := Policy{Version: p.Version}
	for _, s := range p.Statement {
		for _, piece := range p.pieces(s) {
			longer := Policy{p.Version, append(slices.Clip(part.Statement), piece)}
			if longer.Size() > MaxSize {
				parts = append(parts, part)
				longer = Policy{p.Version, []Statement{piece}}
			}
			part = longer
		}
	}
	return append(parts, part)
}

// pieces divides a statement that is too long for any policy, by its resources
// or, where there is one, by the values of its condition that are several.
func (p Policy) pieces(s Statement) []Statement {
	if (Policy{p.Version, []Statement{s}}).Size() <= MaxSize {
		return []Statement{s}
	}
	first, second := s, s
	if half := len(s.Resource) / 2; half > 0 {
		first.Resource, second.Resource = s.Resource[:half], s.Resource[half:]
	} else {
		first.Condition, second.Condition = halves(s.Condition)
	}
	return append(p.pieces(first), p.pieces(second)...)
}

func halves(c Condition) (first, second Condition) {
	first, second = make(Condition), make(Condition)
	for operator, keys := range c {
		first[operator], second[operator] = make(map[string]Strings), make(map[string]Strings)
		for key, values := range keys {
			first[operator][key], second[operator][key] = values, values
			if half := len(values) / 2; half > 0 && operator == likeOperator {
				first[operator][key], second[operator][key] = values[:half], values[half:]
			}
		}
	}
	return first, second
}

// Allows reports whether the policy allows an action on a resource, with these
// values of condition keys. It knows what the policies of this package have in
// them: allowed statements, patterns, StringEquals and StringLike. It is for
// tests: does the policy cover what the program was seen to do?
func (p Policy) Allows(action, resource string, keys map[string]string) bool {
	return slices.ContainsFunc(p.Statement, func(s Statement) bool {
		return slices.Contains(s.Action, action) &&
			slices.ContainsFunc(s.Resource, func(pattern string) bool { return matches(pattern, resource) }) &&
			s.Condition.holds(keys)
	})
}

func (c Condition) holds(keys map[string]string) bool {
	for operator, wanted := range c {
		for key, patterns := range wanted {
			value, there := keys[key]
			if !there || !slices.ContainsFunc(patterns, func(p string) bool {
				return p == value || operator == likeOperator && matches(p, value)
			}) {
				return false
			}
		}
	}
	return true
}

// matches reports whether s is what a pattern stands for: "*" is any characters,
// "?" is any one.
func matches(pattern, s string) bool {
	for i := range len(pattern) {
		switch {
		case pattern[i] == '*':
			for j := i; j <= len(s); j++ {
				if matches(pattern[i+1:], s[j:]) {
					return true
				}
			}
			return false
		case i >= len(s) || pattern[i] != '?' && pattern[i] != s[i]:
			return false
		}
	}
	return len(pattern) == len(s)
}

func invalid(format string, args ...any) error { return fmt.Errorf("iampolicy: "+format, args...) }
