package iampolicy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// Use is what a program does with its secrets and parameters. Refs are as the
// client takes them; of a ref the field, version, stage and label make no
// difference.
type Use struct {
	// Account is the ID of the account, and Region the Region, that refs by plain
	// names belong to. The partition is that of the Region.
	Account, Region string

	Read []string // what is read: Client.Get, GetAll, Load, Bind
	List []string // prefixes that Client.List is called with

	Put    []string // what Client.Put writes
	Delete []string // what Client.Delete removes
	Rotate []string // what package rotation rotates, in process or as a Lambda
	Call   []Call   // what else is called, of packages sm and ssm

	Keys []Key // the customer managed keys

	Listing  bool // sm.WithListing is set
	Describe bool // sm.WithDescribe is set
	Expiry   bool // ssm.WithExpiry is set

	// Reject says that Client.Reject is called for parameters that package
	// rotation rotates, as sqlsecret and httpsecret do.
	Reject bool
	// RotationPrefix is that of ssm.WithRotationPrefix; empty is "/.rotation".
	RotationPrefix string
}

// Call is an API operation that a program calls through package sm or ssm, such
// as RestoreSecret. The documentation of those packages says which of their
// methods call which.
type Call struct {
	Operation string
	// Refs are what it is called for; none for an operation that is authorised
	// on no secret or parameter.
	Refs []string
}

// Key is a customer managed KMS key.
type Key struct {
	ARN string // of the key, not of an alias
	// Refs are the refs, and the prefixes of List, whose values are encrypted
	// with it; none means all that are used in its Region.
	Refs []string
}

// Policies are what a program needs.
type Policies struct {
	// Required is what it does not work without.
	Required Policy
	// Optional is what it works without, at a price.
	Optional []Optional

	all Policy
}

// Optional is a policy that a program can do without.
type Optional struct {
	Policy  Policy
	Without string // what is lost
}

// All returns the required and the optional policies as one.
func (p Policies) All() Policy { return p.all }

// Policies returns the policies of the program. An error joins all that is wrong
// with the Use: refs that are malformed or of no AWS store, an account or Region
// that is missing, operations that are not known, keys that fit nothing.
func (u Use) Policies() (Policies, error) {
	p := newPlan(u)
	p.reads()
	p.writes()
	p.calls()
	p.checkKeys()
	if len(p.errs) > 0 {
		return Policies{}, errors.Join(p.errs...)
	}
	result := Policies{Required: policyOf(p.grants("")), all: policyOf(p.granted)}
	required := make(map[grant]bool)
	for _, g := range p.grants("") {
		required[g] = true
	}
	for _, without := range p.optional {
		extra := slices.DeleteFunc(p.grants(without), func(g grant) bool { return required[g.needed()] })
		if policy := policyOf(extra); !policy.Empty() {
			result.Optional = append(result.Optional, Optional{policy, without})
		}
	}
	return result, nil
}

// plan gathers what is to be granted.
type plan struct {
	use      Use
	granted  []grant
	optional []string // what is lost without what is optional, in order
	keysUsed map[int]bool
	errs     []error
}

func newPlan(u Use) *plan { return &plan{use: u, keysUsed: make(map[int]bool)} }

func (p *plan) fail(format string, args ...any) { p.errs = append(p.errs, invalid(format, args...)) }

// grants returns what is required, or what is optional for one reason.
func (p *plan) grants(without string) []grant {
	var some []grant
	for _, g := range p.granted {
		if g.without == without {
			some = append(some, g)
		}
	}
	return some
}

// value is a secret or parameter, or all below a prefix.
type value struct {
	ref     provider.Ref
	service string // secretsmanager or ssm
	region  string
	arn     string // or a pattern of ARNs
	prefix  bool
}

// values returns what refs name, each once.
func (p *plan) values(refs []string) []value {
	var all []value
	for _, s := range refs {
		ref, err := provider.ParseRef(s)
		if err != nil {
			p.fail("%w", err)
			continue
		}
		if v, ok := p.value(s, ref.Base()); ok && !slices.ContainsFunc(all, func(o value) bool { return o.arn == v.arn }) {
			all = append(all, v)
		}
	}
	return all
}

func (p *plan) value(s string, ref provider.Ref) (v value, ok bool) {
	v = value{ref: ref, region: ref.Region}
	switch ref.Scheme {
	case "sm":
		v.service = "secretsmanager"
	case "ssm":
		v.service = "ssm"
	default:
		p.fail("%s: refs of the scheme %q are not of AWS", s, ref.Scheme)
		return v, false
	}
	if v.region == "" {
		v.region = p.use.Region
	}
	if v.region == "" {
		p.fail("%s: set Region, which its ARN has in it", s)
		return v, false
	}
	public := strings.HasPrefix(ref.Name, "/aws/service/")
	if !ref.IsARN() && !public && !account(p.use.Account) {
		p.fail("%s: set Account to the 12 digits of the account, which its ARN has in it", s)
		return v, false
	}
	switch {
	case ref.IsARN() && ref.Scheme == "sm" && !complete(ref.Name):
		v.arn = ref.Name + suffix
	case ref.IsARN():
		v.arn = ref.Name
	case ref.Scheme == "sm":
		v.arn = p.arn("secretsmanager", v.region, p.use.Account) + "secret:" + ref.Name + suffix
	case public: // which belong to no account
		v.arn = p.arn("ssm", v.region, "") + "parameter" + ref.Name
	default:
		v.arn = p.arn("ssm", v.region, p.use.Account) + "parameter/" + strings.TrimPrefix(ref.Name, "/")
	}
	return v, true
}

// suffix stands for the hyphen and the six characters that Secrets Manager ends
// an ARN with (API CreateSecret, ARN).
const suffix = "-??????"

// complete reports whether the ARN of a secret has its suffix. One that looks
// as if it had is taken to have it.
func complete(arn string) bool {
	i := len(arn) - len(suffix)
	return i >= 0 && arn[i] == '-' && !strings.ContainsFunc(arn[i+1:], func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
}

func account(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

func (p *plan) arn(service, region, account string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:", partitionOf(region), service, region, account)
}

// grant allows a service's operation on a value, and of the value's key what it
// needs for that.
func (p *plan) grant(without, op string, on ...value) {
	service, scope, _ := operation(op)
	for _, v := range on {
		g := grant{action: service + ":" + op, resource: v.arn, without: without}
		if scope == onNothing {
			g.resource = "*"
		}
		p.add(g)
		p.grantKeys(without, op, v)
	}
}

func (p *plan) add(g grant) {
	if g.without != "" && !slices.Contains(p.optional, g.without) {
		p.optional = append(p.optional, g.without)
	}
	if !slices.Contains(p.granted, g) {
		p.granted = append(p.granted, g)
	}
}
