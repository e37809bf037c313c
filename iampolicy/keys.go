package iampolicy

import (
	"slices"
	"strings"

	"github.com/c0629bfc/secrets/provider"
)

// The condition keys of statements on KMS keys.
const (
	viaService     = "kms:ViaService"
	equalsOperator = "StringEquals"
	likeOperator   = "StringLike"
)

// contextKey is the name in the encryption context that a service has a value's
// ARN under.
func contextKey(service string) string {
	if service == "ssm" {
		return "kms:EncryptionContext:PARAMETER_ARN"
	}
	return "kms:EncryptionContext:SecretARN"
}

// services returns a service's names in a Region, as kms:ViaService has them.
func services(service, region string) Strings {
	name := service + "." + region + ".amazonaws.com"
	if partitionOf(region) == "aws-cn" {
		return Strings{name, name + ".cn"}
	}
	return Strings{name}
}

// grantKeys allows what an operation needs of a value's keys.
func (p *plan) grantKeys(without, operation string, v value) {
	for i, key := range p.use.Keys {
		if !p.encrypts(key, v) {
			continue
		}
		p.keysUsed[i] = true
		for _, action := range kmsOf[operation] {
			p.add(grant{action: action, resource: key.ARN, service: v.service, region: v.region, context: v.arn, without: without})
		}
	}
}

// encrypts reports whether a value is encrypted with a key.
func (p *plan) encrypts(key Key, v value) bool {
	if partOf(key.ARN, 3) != v.region || strings.Contains(v.arn, "::parameter/aws/service/") || strings.Contains(v.arn, ":parameter"+secretReference) {
		return false
	}
	return len(key.Refs) == 0 || slices.ContainsFunc(key.Refs, func(s string) bool {
		ref, err := provider.ParseRef(s)
		if prefix, prefixErr := provider.ParsePrefix(s); err != nil && prefixErr == nil {
			ref = prefix
			if ref.Scheme == "ssm" {
				ref.Name = strings.TrimRight(ref.Name, "/")
			}
		} else if err != nil {
			return false
		}
		ref = ref.Base()
		if ref.Region == "" {
			ref.Region = p.use.Region
		}
		return ref.Scheme == v.ref.Scheme && ref.Name == v.ref.Name && ref.Region == v.region
	})
}

// checkKeys finds keys that are not named as they must be, or fit nothing.
func (p *plan) checkKeys() {
	for i, key := range p.use.Keys {
		parts := strings.SplitN(key.ARN, ":", 6)
		switch {
		case len(parts) < 6 || parts[0] != "arn" || parts[2] != "kms" || !account(parts[4]) || !strings.HasPrefix(parts[5], "key/"):
			p.fail("%q is not the ARN of a KMS key: want arn:aws:kms:REGION:ACCOUNT:key/ID, and not an alias, by which IAM allows nothing on a key", key.ARN)
		case parts[1] != partitionOf(parts[3]):
			p.fail("%q: the partition of %s is %s", key.ARN, parts[3], partitionOf(parts[3]))
		case !p.keysUsed[i]:
			p.fail("%q encrypts nothing of what is used: its Region is %s, and its Refs must be among the others", key.ARN, parts[3])
		}
	}
}
