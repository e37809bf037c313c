package iampolicy

import "slices"

// writes grants what Put, Delete and Rotate take.
func (p *plan) writes() {
	for _, v := range p.values(p.use.Put) {
		if v.service == "ssm" {
			// A value without a type gets that of the parameter, which is read.
			p.grant("", "PutParameter", v)
			p.add(grant{action: "ssm:GetParameter", resource: v.arn})
			p.grant(withoutRepeat, "GetParameter", v)
			continue
		}
		p.grant("", "PutSecretValue", v)
		p.grant("", "GetSecretValue", v) // for the type, too
		p.grant(withoutCreate, "CreateSecret", v)
		p.grant(withoutSwap, "DescribeSecret", v)
		p.grant(withoutSwap, "UpdateSecretVersionStage", v)
	}
	for _, v := range p.values(p.use.Delete) {
		if v.service == "ssm" {
			p.grant("", "DeleteParameter", v)
		} else {
			p.grant("", "DeleteSecret", v)
		}
	}
	for _, v := range p.values(p.use.Rotate) {
		if v.service != "ssm" {
			for _, operation := range []string{"DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"} {
				p.grant("", operation, v)
			}
			continue
		}
		pending, ok := p.pending(v)
		if !ok {
			p.fail("%s: it cannot be rotated: name one of the account's own parameters by its name", v.ref)
			continue
		}
		for _, operation := range []string{"GetParameter", "GetParameterHistory", "PutParameter", "LabelParameterVersion"} {
			p.grant("", operation, v)
		}
		for _, operation := range []string{"GetParameterHistory", "PutParameter", "DeleteParameter"} {
			p.grant("", operation, pending)
		}
		p.grantKeys("", "GetParameter", pending) // its history is read decrypted
	}
}

// calls grants what Call names.
func (p *plan) calls() {
	for _, c := range p.use.Call {
		service, on, ok := operation(c.Operation)
		if !ok {
			p.fail("%q is none of the operations that packages sm and ssm call", c.Operation)
			continue
		}
		values := p.values(c.Refs)
		if slices.ContainsFunc(values, func(v value) bool { return v.service != service }) {
			p.fail("%s is not called for all of %q: it is an operation of %s", c.Operation, c.Refs, service)
			continue
		}
		switch {
		case on == onNothing:
			p.add(grant{action: service + ":" + c.Operation, resource: "*"})
		case on == onSetting:
			if p.use.Region == "" || !account(p.use.Account) {
				p.fail("%s: set Account and Region, which the ARNs of settings have in them", c.Operation)
				continue
			}
			p.add(grant{action: service + ":" + c.Operation, resource: p.arn("ssm", p.use.Region, p.use.Account) + "servicesetting/ssm/parameter-store/*"})
		case len(c.Refs) == 0:
			p.fail("%s: name in Refs what it is called for", c.Operation)
		default:
			p.grant("", c.Operation, values...)
		}
	}
}
