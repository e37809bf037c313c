package secretstest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// A policyError is what is wrong with a policy. The messages are those of the
// user guide ("Managing a resource-based policy for a secret") and of AWS's
// answers.
type policyError string

func (e policyError) Error() string { return string(e) }

const (
	errPolicySyntax    = policyError("This resource policy contains a syntax error.")
	errPolicyPrincipal = policyError("This resource policy contains an unsupported principal.")
	errPolicyService   = policyError("This resource policy contains an unsupported service principal.")
	errPolicyBroad     = policyError("This resource policy grants broad access to your secret.")
	errPolicyLockout   = policyError("Your requested changes will not allow you to manage this secret in the future.")
)

// A policy is a resource-based policy document, checked for its form.
type policy struct {
	Version   string
	Id        string
	Statement statements
}

type statement struct {
	Sid          string
	Effect       string
	Principal    *principal
	NotPrincipal *principal
	Action       oneOrMore
	NotAction    oneOrMore
	Resource     oneOrMore
	NotResource  oneOrMore
	Condition    map[string]map[string]oneOrMore
}

// A principal is "*" or maps a kind, such as AWS or Service, to names.
type principal struct {
	anyone bool
	names  map[string]oneOrMore
}

func (p *principal) UnmarshalJSON(data []byte) error {
	if string(data) == `"*"` {
		p.anyone = true
		return nil
	}
	return json.Unmarshal(data, &p.names)
}

// statements may be one or a list.
type statements []statement

func (s *statements) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return strict(data, (*[]statement)(s))
	}
	*s = make(statements, 1)
	return strict(data, &(*s)[0])
}

// oneOrMore is a string or a list of them; numbers and booleans may stand in
// conditions.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if !bytes.HasPrefix(data, []byte("[")) {
		list = []json.RawMessage{data}
	} else if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	for _, item := range list {
		text := string(item)
		if bytes.HasPrefix(item, []byte(`"`)) {
			if err := json.Unmarshal(item, &text); err != nil {
				return err
			}
		} else if strings.ContainsAny(text, "{[") || text == "null" {
			return errPolicySyntax
		}
		*o = append(*o, text)
	}
	return nil
}

func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// parsePolicy reads a policy and checks its grammar (IAM user guide, "Grammar
// of the IAM JSON policy language").
func parsePolicy(text string) (*policy, error) {
	p := new(policy)
	if !json.Valid([]byte(text)) || strict([]byte(text), p) != nil || len(p.Statement) == 0 {
		return nil, errPolicySyntax
	}
	if !slices.Contains([]string{"", "2008-10-17", "2012-10-17"}, p.Version) {
		return nil, errPolicySyntax
	}
	seen := make(map[string]bool)
	for _, s := range p.Statement {
		if s.Sid != "" && seen[s.Sid] {
			return nil, errPolicySyntax
		}
		seen[s.Sid] = true
		if err := s.check(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (s *statement) check() error {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny",
		(s.Principal == nil) == (s.NotPrincipal == nil),
		(len(s.Action) == 0) == (len(s.NotAction) == 0),
		(len(s.Resource) == 0) == (len(s.NotResource) == 0):
		return errPolicySyntax
	}
	for _, action := range slices.Concat(s.Action, s.NotAction) {
		if action != "*" && !strings.Contains(action, ":") {
			return errPolicySyntax
		}
	}
	for _, p := range []*principal{s.Principal, s.NotPrincipal} {
		if p == nil || p.anyone {
			continue
		}
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

var iamPrincipalPattern = regexp.MustCompile(`^(\*|[0-9]{12}|arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:(root|(user|role|group|federated-user|assumed-role)/.+))$`)

func (p *principal) check() error {
	if len(p.names) == 0 {
		return errPolicySyntax
	}
	for kind, names := range p.names {
		if len(names) == 0 {
			return errPolicySyntax
		}
		for _, name := range names {
			switch kind {
			case "AWS":
				if !iamPrincipalPattern.MatchString(name) {
					return errPolicyPrincipal
				}
			case "Service":
				if host := strings.TrimSuffix(name, ".cn"); !strings.HasSuffix(host, ".amazonaws.com") {
					return errPolicyService
				}
			case "Federated", "CanonicalUser":
			default:
				return errPolicySyntax
			}
		}
	}
	return nil
}

// everyone reports whether the statement's principals are not limited.
func (s *statement) everyone() bool {
	return s.NotPrincipal != nil || s.Principal.anyone || slices.Contains(s.Principal.names["AWS"], "*")
}

// narrowing lists the condition keys that, with a fixed value, keep a
// statement for all principals from being public.
var narrowing = []string{
	"aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:sourceaccount",
	"aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:userid",
}

// broad reports whether the policy gives access to everyone: what AWS finds
// out by automated reasoning, in the form of the guide's rule.
func (p *policy) broad() bool {
	return slices.ContainsFunc(p.Statement, func(s statement) bool {
		return s.Effect == "Allow" && s.everyone() && !s.narrowed()
	})
}

func (s *statement) narrowed() bool {
	for operator, keys := range s.Condition {
		if strings.Contains(operator, "Not") || strings.HasSuffix(operator, "IfExists") || operator == "Null" {
			continue
		}
		for key, values := range keys {
			fixed := len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return strings.Trim(v, "*?") == "" })
			if fixed && slices.Contains(narrowing, strings.ToLower(key)) {
				return true
			}
		}
	}
	return false
}

// locksOut reports whether the policy denies everyone, the caller too, to
// change it.
func (p *policy) locksOut() bool {
	return slices.ContainsFunc(p.Statement, func(s statement) bool {
		return s.Effect == "Deny" && s.NotPrincipal == nil && s.everyone() && len(s.Condition) == 0 &&
			slices.ContainsFunc(s.Action, func(action string) bool {
				return slices.Contains([]string{"*", "secretsmanager:*", "secretsmanager:put*", "secretsmanager:putresourcepolicy"}, strings.ToLower(action))
			})
	})
}
