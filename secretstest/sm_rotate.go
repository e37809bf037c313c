package secretstest

import (
	"regexp"
	"time"
)

type rotateSecretInput struct {
	secretID
	ClientRequestToken             *string
	ExternalSecretRotationMetadata []externalMetadata
	ExternalSecretRotationRoleArn  *string
	RotateImmediately              *bool
	RotationLambdaARN              *string
	RotationRules                  *rotationRules
}

// An externalMetadata is an ExternalSecretRotationMetadataItem.
type externalMetadata struct {
	Key   string
	Value string
}

var (
	errNoFunction = fail("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
	errInvoke     = fail("AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
	errRotating   = fail("InvalidRequestException", "A previous rotation isn't complete. That rotation will be reattempted.")
)

// rotateSecret configures a rotation, if it is told how, and begins one. With
// RotateImmediately false it only calls testSecret, on a version that it takes
// away again.
func rotateSecret(c *call, in *rotateSecretInput) (any, error) {
	if err := checkWrite(in.ClientRequestToken, secretValue{}, ""); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	var plan *schedule
	if in.RotationRules != nil {
		var err error
		if plan, err = in.RotationRules.parse(c.time); err != nil {
			return nil, err
		}
	}
	sec, err := c.primarySecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	token := *in.ClientRequestToken
	out := &secretVersionRef{ARN: sec.arn, Name: sec.name, VersionId: token}
	if sec.version(token) != nil {
		return out, nil // a retry of the call that began the rotation
	}
	made, err := c.rotationOf(sec, in)
	if err != nil {
		return nil, err
	}
	if rot := sec.rotation; rot != nil {
		if rot.run != nil && rot.run.running {
			return nil, errRotating
		}
		if run := sec.unfinished(); run != nil {
			run.failures = 0
			c.begin(sec, run)
			return nil, errRotating
		}
	} else if pending := sec.labelled(stagePending); pending != nil && pending != sec.labelled(stageCurrent) {
		return nil, errRotating
	}
	if plan != nil {
		made.rules, made.schedule = in.RotationRules, plan
	}
	run := newRun(token)
	run.test = in.RotateImmediately != nil && !*in.RotateImmediately
	value := secretValue{}
	if run.test {
		out.VersionId = ""
		if current := sec.labelled(stageCurrent); current != nil {
			value = current.value
		}
	}
	if err := sec.addPending(c.time, token, value); err != nil {
		return nil, err
	}
	if plan != nil || !made.enabled {
		made.enabled = true
		made.plan(c.time)
	}
	sec.rotation = made
	c.scheduled[sec] = struct{}{}
	c.begin(sec, run)
	return out, nil
}

var lambdaPattern = regexp.MustCompile(`^function:[a-zA-Z0-9_-]+(:[a-zA-Z0-9$_-]+)?$`)

func (in *rotateSecretInput) check() error {
	if in.RotationLambdaARN != nil {
		if err := checkLength("rotationLambdaARN", len(*in.RotationLambdaARN), 0, 2048); err != nil {
			return err
		}
	}
	if in.ExternalSecretRotationRoleArn != nil {
		if err := checkLength("externalSecretRotationRoleArn", len(*in.ExternalSecretRotationRoleArn), 20, 2048); err != nil {
			return err
		}
	}
	for _, item := range in.ExternalSecretRotationMetadata {
		if err := checkLength("externalSecretRotationMetadata.member.key", len(item.Key), 1, 256); err != nil {
			return err
		}
		if err := checkLength("externalSecretRotationMetadata.member.value", len(item.Value), 1, 2048); err != nil {
			return err
		}
	}
	return nil
}

// rotationOf returns a copy of the secret's rotation with the function that the
// call gives, and refuses a secret that has none or one that may not be
// invoked. A secret that another service owns and a managed external one are
// not rotated by a Lambda; the latter needs a role.
func (c *call) rotationOf(sec *secret, in *rotateSecretInput) (*rotation, error) {
	made := &rotation{}
	if sec.rotation != nil {
		*made = *sec.rotation
	}
	external := in.ExternalSecretRotationRoleArn != nil || in.ExternalSecretRotationMetadata != nil
	lambda := stringOr(in.RotationLambdaARN)
	switch {
	case sec.kind != "":
		if in.ExternalSecretRotationRoleArn != nil {
			made.role = *in.ExternalSecretRotationRoleArn
		}
		if in.ExternalSecretRotationMetadata != nil {
			made.metadata = in.ExternalSecretRotationMetadata
		}
		if made.role == "" {
			return nil, fail("InvalidRequestException", "A managed external secret needs ExternalSecretRotationRoleArn to be rotated.")
		}
	case external:
		return nil, fail("InvalidParameterException", "Only a secret with a Type, a managed external secret, has external rotation settings.")
	}
	switch {
	case sec.owner != "" || sec.kind != "":
		if lambda != "" {
			return nil, fail("InvalidParameterException", "You can't specify RotationLambdaARN for a secret that uses managed rotation.")
		}
	case lambda != "":
		a, ok := parseARN(lambda)
		if !ok || a.service != "lambda" || a.place.region != c.place.region || !lambdaPattern.MatchString(a.resource) {
			return nil, fail("InvalidParameterException", "Invalid rotation Lambda ARN. Ensure the ARN matches format arn:%s:lambda:%s:<account>:function:<functionName>.", partition(c.place.region), c.place.region)
		}
		made.lambda = lambda
	case made.lambda == "":
		return nil, errNoFunction
	}
	name := sec.function()
	if sec.owner == "" && sec.kind == "" {
		name = made.lambda
	}
	if c.functions[name] == nil {
		return nil, errInvoke
	}
	return made, nil
}

// cancelRotateSecret turns rotation off. Of a rotation in progress no further
// step is called; its labels stay as they are.
func cancelRotateSecret(c *call, in *secretID) (any, error) {
	sec, err := c.primarySecret(in.SecretId)
	if err != nil {
		return nil, err
	}
	rot := sec.rotation
	if rot == nil {
		return nil, errNoFunction
	}
	out := &secretVersionRef{ARN: sec.arn, Name: sec.name}
	if run := sec.unfinished(); run != nil {
		out.VersionId = run.token
	}
	if rot.run != nil {
		rot.run.cancelled = true
		if !rot.run.running {
			rot.run = nil
		}
	}
	rot.enabled = false
	rot.plan(c.time)
	sec.changed = c.time
	return out, nil
}

// wrote tells the rotation of a new current value: "Manually updating the
// secret value by calling PutSecretValue or UpdateSecret is considered a valid
// rotation" for a schedule by AutomaticallyAfterDays (RotationRulesType).
func (sec *secret) wrote(v *secretVersion, now time.Time) {
	rot := sec.rotation
	if rot != nil && rot.enabled && rot.rules != nil && rot.rules.AutomaticallyAfterDays != nil && sec.labelled(stageCurrent) == v {
		rot.plan(now)
	}
}

// A rotationOutput is the part of DescribeSecret and ListSecrets that tells of
// the rotation.
type rotationOutput struct {
	ExternalSecretRotationMetadata []externalMetadata `json:",omitempty"`
	ExternalSecretRotationRoleArn  string             `json:",omitempty"`
	LastRotatedDate                epoch              `json:",omitzero"`
	NextRotationDate               epoch              `json:",omitzero"`
	RotationEnabled                *bool              `json:",omitempty"`
	RotationLambdaARN              string             `json:",omitempty"`
	RotationRules                  *rotationRules     `json:",omitempty"`
}

func (r *rotation) output() rotationOutput {
	if r == nil {
		return rotationOutput{}
	}
	out := rotationOutput{
		ExternalSecretRotationMetadata: r.metadata,
		ExternalSecretRotationRoleArn:  r.role,
		RotationEnabled:                &r.enabled,
		RotationLambdaARN:              r.lambda,
		RotationRules:                  r.rules,
	}
	if !r.rotated.IsZero() {
		out.LastRotatedDate = epoch{r.rotated}
		if r.rules != nil && r.rules.AutomaticallyAfterDays == nil {
			// "This value is calculated from the rotation schedule after every
			// successful rotation" (RotationRulesType).
			rules, days := *r.rules, r.schedule.interval(r.rotated)
			rules.AutomaticallyAfterDays = &days
			out.RotationRules = &rules
		}
	}
	if !r.closes.IsZero() {
		out.NextRotationDate = epoch{r.closes}
	}
	return out
}
