package iampolicy

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// Sharing is what the account that owns secrets and parameters does so that
// principals of other accounts read them. Those accounts need a policy of their
// own, too: a [Use] with the ARNs as refs, and the keys.
type Sharing struct {
	// Secrets are the resource policies, by the ref of the secret: for
	// sm.Store.PutPolicy.
	Secrets map[string]Policy
	// Keys are statements to add to the policies of KMS keys, by the key's ARN.
	Keys map[string][]Statement
	// Parameters are the ARNs of parameters to share by AWS Resource Access
	// Manager, which makes their policies. They must be of the advanced tier
	// (guide: Working with shared parameters).
	Parameters []string
}

// Sharing returns what makes u's Read readable for principals of other accounts:
// ARNs of roles or users, or the IDs of accounts, whose policies then decide.
// Account, Region and the plain names are those of the account that owns them.
//
// A secret that other accounts read needs a customer managed key, because the
// policy of aws/secretsmanager cannot be changed (guide: Access from a different
// account): one without a key in u is an error. A service of another account that
// describes secrets has [Use.Describe] set.
func (u Use) Sharing(principals ...string) (Sharing, error) {
	p := newPlan(u)
	who := p.principals(principals)
	values := p.values(u.Read)
	if len(values) == 0 {
		p.fail("there is nothing to share: name it in Read")
	}
	s := Sharing{Secrets: make(map[string]Policy), Keys: make(map[string][]Statement)}
	contexts := make(map[grant][]string) // by the key of the grants
	for _, v := range values {
		if partOf(v.arn, 4) != u.Account {
			p.fail("%s: it is not of the account %q, which is to share it", v.ref, u.Account)
			continue
		}
		actions := Strings{"secretsmanager:GetSecretValue"}
		if u.Describe {
			actions = Strings{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}
		}
		if v.service == "ssm" {
			s.Parameters = append(s.Parameters, v.arn)
		} else {
			// In the policy of a secret, "*" is that secret.
			s.Secrets[v.ref.String()] = Policy{version, []Statement{{Effect: "Allow", Principal: who, Action: actions, Resource: Strings{"*"}}}}
		}
		found := false
		for i, key := range u.Keys {
			if p.encrypts(key, v) {
				found = true
				p.keysUsed[i] = true
				g := grant{resource: key.ARN, service: v.service, region: v.region, context: v.arn}
				contexts[g.key()] = append(contexts[g.key()], v.arn)
			}
		}
		if !found && v.service != "ssm" {
			p.fail("%s: another account reads it only if it is encrypted with a customer managed key: name that in Keys", v.ref)
		}
	}
	p.checkKeys()
	if len(p.errs) > 0 {
		return Sharing{}, errors.Join(p.errs...)
	}
	slices.Sort(s.Parameters)
	for _, key := range slices.SortedFunc(maps.Keys(contexts), func(a, b grant) int { return strings.Compare(a.service, b.service) }) {
		arns := contexts[key]
		slices.Sort(arns)
		s.Keys[key.resource] = append(s.Keys[key.resource], Statement{
			Effect: "Allow", Principal: who, Action: Strings{"kms:Decrypt"}, Resource: Strings{"*"}, // that key
			Condition: through(key.service, key.region, arns),
		})
	}
	return s, nil
}

// principals checks whom something is shared with.
func (p *plan) principals(principals []string) Principal {
	if len(principals) == 0 {
		p.fail("name the principals to share with")
	}
	for _, who := range principals {
		iam := partOf(who, 2) == "iam" && account(partOf(who, 4)) && !strings.ContainsAny(who, "*?")
		if !account(who) && !iam {
			p.fail("%q is not whom to share with: want the ARN of a role or user, or an account's ID", who)
		}
	}
	return Principal{slices.Compact(slices.Sorted(slices.Values(principals)))}
}

// partOf returns a part of an ARN, or "".
func partOf(arn string, i int) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	return parts[i]
}
