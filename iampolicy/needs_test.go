package iampolicy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/iampolicy"
	"github.com/c0629bfc/secrets/secretstest"
)

// need is what IAM checks for a request.
type need struct{ action, resource string }

// needs returns what IAM checks for requests (API references of the operations;
// Service Authorization Reference), each once. Secrets get a suffix as AWS
// appends it. Refused requests were checked, too.
func needs(requests []secretstest.Request) []need {
	var all []need
	add := func(action, resource string) {
		if n := (need{action, resource}); !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	for _, r := range requests {
		secret := func(name string) string {
			if strings.HasPrefix(name, "arn:") {
				return name
			}
			return "arn:aws:secretsmanager:" + r.Region + ":" + r.Account + ":secret:" + name + "-Zz0123"
		}
		parameter := func(name string) string {
			if strings.HasPrefix(name, "arn:") {
				return name
			}
			name, _, _ = strings.Cut(name, ":")
			return "arn:aws:ssm:" + r.Region + ":" + r.Account + ":parameter/" + strings.TrimPrefix(name, "/")
		}
		switch r.Operation {
		case "BatchGetSecretValue":
			add("secretsmanager:"+r.Operation, "*")
			for _, name := range r.Names {
				add("secretsmanager:GetSecretValue", secret(name))
			}
			if len(r.Names) == 0 {
				add("secretsmanager:ListSecrets", "*") // with filters
			}
		case "ListSecrets", "GetRandomPassword":
			add("secretsmanager:"+r.Operation, "*")
		case "DescribeParameters":
			add("ssm:"+r.Operation, "*")
		default:
			for _, name := range r.Names {
				if strings.Contains(r.Operation, "Secret") {
					add("secretsmanager:"+r.Operation, secret(name))
				} else {
					add("ssm:"+r.Operation, parameter(name))
				}
			}
		}
	}
	return all
}

// requireCovered requires that a policy allows what was needed.
func requireCovered(t testing.TB, p iampolicy.Policy, used []need) {
	t.Helper()
	require.NotEmpty(t, used)
	for _, n := range used {
		require.True(t, p.Allows(n.action, n.resource, nil), "%s on %s is not allowed by\n%s", n.action, n.resource, p)
	}
}

// requireExact requires that a policy allows what was needed and nothing else:
// each of its actions on each of its resources was.
func requireExact(t testing.TB, p iampolicy.Policy, used []need) {
	t.Helper()
	requireCovered(t, p, used)
	for _, s := range p.Statement {
		for _, a := range s.Action {
			for _, r := range s.Resource {
				one := iampolicy.Policy{Statement: []iampolicy.Statement{{Action: iampolicy.Strings{a}, Resource: iampolicy.Strings{r}}}}
				require.True(t, slices.ContainsFunc(used, func(n need) bool { return one.Allows(n.action, n.resource, nil) }), "%s on %s is allowed and was not used", a, r)
			}
		}
	}
}
