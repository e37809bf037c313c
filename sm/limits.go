package sm

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/c0629bfc/secrets/provider"
)

// Limits of the API reference, by operation and parameter.
const (
	maxValue       = 65_536 // bytes: PutSecretValue, SecretString and SecretBinary
	minToken       = 32     // characters: PutSecretValue, ClientRequestToken
	maxToken       = 64
	maxStages      = 20     // on one version: PutSecretValue, VersionStages
	maxStageName   = 256    // characters: UpdateSecretVersionStage, VersionStage
	maxDescription = 2048   // characters: CreateSecret, Description
	maxKMSKey      = 2048   // characters: CreateSecret, KmsKeyId
	maxType        = 256    // characters: CreateSecret, Type
	maxTags        = 50     // on one secret: guide, Secrets Manager quotas
	maxTagKey      = 128    // characters
	maxTagValue    = 256    // characters
	maxPolicy      = 20_480 // characters: PutResourcePolicy, ResourcePolicy
	minWindow      = 7      // days: DeleteSecret, RecoveryWindowInDays
	maxWindow      = 30     // days
	maxRegion      = 128    // characters: ReplicaRegionType, Region
	maxPassword    = 4096   // characters: GetRandomPassword
	maxARN         = 2048   // characters: RotateSecret, RotationLambdaARN and role
	minRole        = 20     // characters: RotateSecret, ExternalSecretRotationRoleArn

	// Characters: ExternalSecretRotationMetadataItem.
	maxMetadataKey   = 256
	maxMetadataValue = 2048
)

// checkValue holds content against what Secrets Manager takes.
func (t target) checkValue(v provider.Value) error {
	switch n := len(v.Text()); {
	case v.Type() != "" && v.Type() != provider.SecretString && v.Type() != provider.SecretBinary:
		return t.invalid("a secret is a SecretString or a SecretBinary, not a %s", v.Type())
	case n == 0:
		return t.invalid("the value is empty, which Secrets Manager does not store")
	case n > maxValue:
		return t.invalid("the value has %d bytes: Secrets Manager takes %d", n, maxValue)
	case !v.Binary() && !utf8.ValidString(v.Text()):
		return t.invalid("the text is not UTF-8 and would be changed on its way: make it binary")
	}
	return nil
}

// checkToken holds a token against the API's rule; an empty one is made later.
func (t target) checkToken(token string) error {
	if n := utf8.RuneCountInString(token); n != 0 && (n < minToken || n > maxToken) {
		return t.invalid("the token has %d characters: want %d to %d, such as a UUID", n, minToken, maxToken)
	}
	return nil
}

// checkVersion is checkToken for the ID of a version, which is a token.
func (t target) checkVersion(id string) error {
	if n := utf8.RuneCountInString(id); n < minToken || n > maxToken {
		return t.invalid("%q is no VersionId: those have %d to %d characters", id, minToken, maxToken)
	}
	return nil
}

func (t target) checkStage(stage string) error {
	if n := utf8.RuneCountInString(stage); n < 1 || n > maxStageName {
		return t.invalid("a staging label has 1 to %d characters, not %d", maxStageName, n)
	}
	return nil
}

func (t target) checkStages(stages []string) error {
	if len(stages) > maxStages {
		return t.invalid("%d staging labels are given: a version carries %d", len(stages), maxStages)
	}
	for _, stage := range stages {
		if err := t.checkStage(stage); err != nil {
			return err
		}
	}
	return nil
}

// checkLength is for what has no other rule than its length in characters.
func (t target) checkLength(what, value string, most int) error {
	if n := utf8.RuneCountInString(value); n > most {
		return t.invalid("%s has %d characters: Secrets Manager takes %d", what, n, most)
	}
	return nil
}

// checkTags holds tags against the quotas and naming rules of tags (AWS General
// Reference: Tag naming limits and requirements).
func (t target) checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return t.invalid("%d tags are given: a secret has at most %d", len(tags), maxTags)
	}
	for key, value := range tags {
		if err := t.checkTagKey(key); err != nil {
			return err
		}
		if n := utf8.RuneCountInString(value); n > maxTagValue {
			return t.invalid("the value of tag %q has %d characters: AWS takes %d", key, n, maxTagValue)
		}
	}
	return nil
}

func (t target) checkTagKey(key string) error {
	switch n := utf8.RuneCountInString(key); {
	case n < 1 || n > maxTagKey:
		return t.invalid("a tag's key has 1 to %d characters, not %d", maxTagKey, n)
	case len(key) >= 4 && strings.EqualFold(key[:4], "aws:"):
		return t.invalid("tag %q: keys that begin with aws: are AWS's own", key)
	}
	return nil
}

// regionPattern is that of RegionType in the API's model.
var regionPattern = regexp.MustCompile(`^([a-z]+-)+[0-9]+$`)

func (t target) checkRegion(region string) error {
	switch {
	case len(region) > maxRegion || !regionPattern.MatchString(region):
		return t.invalid("%q is no Region such as eu-west-1", region)
	case region == t.region:
		return t.invalid("a secret is not replicated to its own Region %s", region)
	}
	return nil
}

func (t target) checkPolicy(policy string) error {
	switch n := utf8.RuneCountInString(policy); {
	case n < 1:
		return t.invalid("the policy is empty: DeletePolicy removes one")
	case n > maxPolicy:
		return t.invalid("the policy has %d characters: Secrets Manager takes %d", n, maxPolicy)
	case !json.Valid([]byte(policy)):
		return t.invalid("the policy is not JSON")
	}
	return nil
}

// firstError is for checks that do not depend on each other.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
