package iampolicy

import (
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// What is lost without what is optional.
const (
	withoutBatch    = "secrets are read one by one: a GetSecretValue each in place of a BatchGetSecretValue for twenty"
	withoutListing  = "sm.WithListing has no effect: refreshes read the values, a call for twenty secrets, in place of listing a hundred versions a call"
	withoutDescribe = "sm.WithDescribe has no effect: refreshes read the values, and when a secret is to be rotated is not known"
	withoutExpiry   = "ssm.WithExpiry has no effect: when parameters expire is not known"
	withoutPending  = "Client.Reject does not find the value that a rotation has pending: until it ends the parameter's value may be refused"
	withoutCreate   = "Client.Put writes only what exists already"
	withoutSwap     = "Client.Put cannot write on condition of a version (secrets.IfVersion)"
	withoutRepeat   = "Client.Put of a SecureString cannot recognise its repetition (secrets.WithToken), or what was written between (secrets.IfVersion)"
)

// secretReference is the path under which Parameter Store hands out secrets.
const secretReference = "/aws/reference/secretsmanager/"

// reads grants what Read and List take.
func (p *plan) reads() {
	read := p.values(p.use.Read)
	lists := p.prefixes()
	several := p.several()
	for _, v := range read {
		if v.service == "ssm" {
			p.readParameter(v, several[group{"ssm", v.region}])
			continue
		}
		p.grant("", "GetSecretValue", v)
		if several[group{"sm", v.region}] {
			p.grant(withoutBatch, "BatchGetSecretValue", v)
		}
	}
	for _, v := range lists {
		if v.service == "ssm" {
			p.listParameters(v)
			continue
		}
		p.grant("", "ListSecrets", v)
		p.grant("", "GetSecretValue", v)
		p.grant(withoutBatch, "BatchGetSecretValue", v)
	}
	p.options(append(read, lists...))
}

// options grants what the options of the stores take, and Reject.
func (p *plan) options(all []value) {
	for _, v := range all {
		switch {
		case v.service == "secretsmanager":
			if p.use.Listing {
				p.grant(withoutListing, "ListSecrets", v)
			}
			if p.use.Describe {
				p.grant(withoutDescribe, "DescribeSecret", v)
			}
		case p.use.Expiry && !strings.HasPrefix(v.ref.Name, "/aws/"):
			p.grant(withoutExpiry, "GetParameterHistory", v)
		}
		if pending, ok := p.pending(v); ok && p.use.Reject {
			p.grant(withoutPending, "GetParameter", pending)
		}
	}
}

// readParameter grants what reading one parameter takes: GetParameter where it
// is alone in a call, or is read by itself after a call for several failed;
// GetParameters where there are others to read with it.
func (p *plan) readParameter(v value, several bool) {
	p.grant("", "GetParameter", v)
	if several {
		p.grant("", "GetParameters", v)
	}
	if name, ok := strings.CutPrefix(v.ref.Name, secretReference); ok {
		secret, _ := p.value(v.ref.String(), provider.Ref{Scheme: "sm", Name: name, Region: v.ref.Region})
		p.grant("", "GetSecretValue", secret)
	}
}

// listParameters grants what listing a path takes, and refreshing what was
// listed.
func (p *plan) listParameters(below value) {
	path := below
	path.arn = strings.TrimSuffix(below.arn, "/*")
	if strings.HasSuffix(path.arn, ":parameter") {
		path.arn += "/"
	}
	p.add(grant{action: "ssm:GetParametersByPath", resource: path.arn})
	p.grantKeys("", "GetParametersByPath", below)
	p.grant("", "GetParameter", below)
	p.grant("", "GetParameters", below)
}

// prefixes returns what is listed.
func (p *plan) prefixes() []value {
	var all []value
	for _, s := range p.use.List {
		ref, err := provider.ParsePrefix(s)
		if err != nil {
			p.fail("%w", err)
			continue
		}
		named := ref
		if ref.Scheme == "ssm" {
			named.Name = strings.TrimRight(ref.Name, "/")
		}
		v, ok := p.value(s, named)
		if !ok {
			continue
		}
		if v.prefix = true; v.service == "ssm" {
			v.arn = strings.TrimSuffix(v.arn, "/") + "/*"
		} else {
			v.arn = strings.TrimSuffix(v.arn, suffix) + "*"
		}
		all = append(all, v)
	}
	return all
}

// group is what travels in the same calls.
type group struct{ scheme, region string }

// several tells where there is more than one thing to read, so that it is read
// in batches: of secrets those of which AWSCURRENT is read (API
// BatchGetSecretValue), of parameters all.
func (p *plan) several() map[group]bool {
	names := make(map[group]map[string]bool)
	for _, s := range p.use.Read {
		ref, err := provider.ParseRef(s)
		if err != nil {
			continue
		}
		ref = ref.Base()
		if ref.Region == "" {
			ref.Region = p.use.Region
		}
		if ref.Scheme == "sm" && (ref.Stage != "" || ref.Version != "") {
			continue
		}
		name := ref.Name
		if ref.Scheme == "ssm" { // no batch has one parameter twice
			if _, after, ok := strings.Cut(name, ":parameter/"); ok {
				name = after
			}
			name = strings.TrimPrefix(name, "/")
		}
		g := group{ref.Scheme, ref.Region}
		if names[g] == nil {
			names[g] = make(map[string]bool)
		}
		names[g][name] = true
	}
	several := make(map[group]bool)
	for g, all := range names {
		several[g] = len(all) > 1
	}
	return several
}

// pending returns the parameter that has the pending value of one that is
// rotated, as ssm.Store.BeginRotation names it.
func (p *plan) pending(v value) (value, bool) {
	if v.service != "ssm" || v.ref.IsARN() || strings.HasPrefix(v.ref.Name, "/aws/") {
		return value{}, false
	}
	prefix := strings.TrimSuffix(p.use.RotationPrefix, "/")
	if prefix == "" {
		prefix = "/.rotation"
	}
	ref := v.ref
	if !strings.HasPrefix(ref.Name, "/") {
		prefix += "."
	}
	ref.Name = prefix + ref.Name
	pending, ok := p.value(v.ref.String(), ref)
	if v.prefix {
		pending.arn = strings.TrimSuffix(pending.arn, "/") + "/*"
	}
	pending.prefix = v.prefix
	pending.ref = v.ref // for the key, which is the parameter's own
	return pending, ok
}
