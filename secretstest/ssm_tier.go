package secretstest

// setTier applies the tiers and the policies: a parameter never goes back from
// advanced to standard, Intelligent-Tiering takes the advanced tier when the
// value, a policy or the number of parameters needs it, and the default is that
// of the account, Standard at first (Tier of PutParameter).
func setTier(c *call, v *parameterVersion, p *parameter, in *putParameterInput) error {
	if in.Policies != nil {
		if err := checkLength("policies", len(*in.Policies), 1, 4096); err != nil {
			return err
		}
	}
	wasAdvanced := p != nil && p.latest().tier == tierAdvanced
	policies := in.Policies != nil && !noPolicies(*in.Policies) || in.Policies == nil && len(v.policies) > 0
	tier := in.Tier
	if tier == "" {
		tier = c.store.setting(settingTier).value
		if wasAdvanced && tier == tierStandard {
			tier = tierAdvanced // a default does not ask to go back
		}
	}
	switch tier {
	case tierStandard:
		if wasAdvanced {
			return fail("ValidationException", "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter. Be aware that standard parameters have a value limit of 4096 characters.")
		}
		v.tier = tierStandard
	case tierAdvanced:
		v.tier = tierAdvanced
	case tierIntelligent:
		v.tier = tierStandard
		if wasAdvanced || len(v.value) > maxStandardValue || policies || p == nil && c.full(tierStandard) {
			v.tier = tierAdvanced
		}
	default:
		return invalid("tier", "Member must satisfy enum value set: [Advanced, Intelligent-Tiering, Standard]")
	}
	switch {
	case v.tier == tierStandard && len(v.value) > maxStandardValue:
		return fail("ValidationException", "Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", maxStandardValue)
	case len(v.value) > maxAdvancedValue:
		return fail("ValidationException", "The specified parameter value is too large. Advanced-tier parameters support a maximum parameter value of %d characters.", maxAdvancedValue)
	case v.tier == tierStandard && policies:
		return fail("ValidationException", "You can't assign parameter policies to a standard-parameter tier. To use parameter policies, upgrade the parameter to use the advanced-parameter tier.")
	case (p == nil || p.latest().tier != v.tier) && c.full(v.tier):
		return fail("ParameterLimitExceeded", "You have exceeded the number of parameters for this AWS account: %d of the tier %s. Delete one or more parameters and try again.", c.maxParameters[v.tier], v.tier)
	}
	return setPolicies(v, in)
}

// full reports whether the account has all the parameters of a tier that it
// may have in the region.
func (c *call) full(tier string) bool {
	limit := c.maxParameters[tier]
	if len(c.store.parameters) < limit {
		return false
	}
	n := 0
	for _, p := range c.store.parameters {
		if p.latest().tier == tier {
			n++
		}
	}
	return n >= limit
}
