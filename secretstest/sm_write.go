package secretstest

import "cmp"

type createSecretInput struct {
	Name                        string
	AddReplicaRegions           []replicaRegion
	ClientRequestToken          *string
	Description                 string
	ForceOverwriteReplicaSecret bool
	KmsKeyId                    string
	SecretBinary                []byte
	SecretString                *string
	Tags                        []tag
	Type                        string
}

func (in createSecretInput) ids() []string { return []string{in.Name} }

// A secretVersionRef is the answer of the operations that write a secret.
type secretVersionRef struct {
	ARN               string
	Name              string
	ReplicationStatus []replicaStatus `json:",omitempty"`
	VersionId         string          `json:",omitempty"`
	VersionStages     []string        `json:",omitempty"`
}

func createSecret(c *call, in *createSecretInput) (any, error) {
	value := secretValue{in.SecretString, in.SecretBinary}
	if err := checkSecretName(in.Name); err != nil {
		return nil, err
	}
	if err := checkWrite(in.ClientRequestToken, value, in.Description); err != nil {
		return nil, err
	}
	if (in.SecretString != nil || in.SecretBinary != nil) && !value.given() {
		return nil, errNoValue
	}
	if err := checkSecretSettings(in.KmsKeyId, in.Type); err != nil {
		return nil, err
	}
	tags, ok := mergeTags(nil, in.Tags)
	if !ok {
		return nil, errSecretTags
	}
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	if err := checkReplicaRegions(c.place.region, in.AddReplicaRegions); err != nil {
		return nil, err
	}
	if sec := c.store.secrets[in.Name]; sec != nil {
		return c.createAgain(sec, *in.ClientRequestToken, value)
	}
	sec := c.newSecret(c.place, in.Name)
	sec.description, sec.kmsKeyID, sec.kind = in.Description, secretKey(in.KmsKeyId), in.Type
	sec.tags, sec.tagged = tags, len(tags) > 0
	out := &secretVersionRef{ARN: sec.arn, Name: sec.name}
	if value.given() {
		v, err := sec.addVersion(c.time, *in.ClientRequestToken, value, stageCurrent)
		if err != nil {
			return nil, err
		}
		out.VersionId = v.id
	}
	out.ReplicationStatus = c.replicate(sec, in.AddReplicaRegions, in.ForceOverwriteReplicaSecret)
	return out, nil
}

// checkSecretSettings holds what describes a secret against the model.
func checkSecretSettings(kmsKeyID, kind string) error {
	if err := checkLength("kmsKeyId", len(kmsKeyID), 0, 2048); err != nil {
		return err
	}
	return checkLength("type", len(kind), 0, 256)
}

// secretKey is a KmsKeyId as it is kept and shown: the key aws/secretsmanager
// is left out (DescribeSecret).
func secretKey(id string) string {
	if id == "alias/aws/secretsmanager" {
		return ""
	}
	return id
}

// createAgain answers a CreateSecret whose name is taken: a retry of the call
// that created the secret succeeds (ClientRequestToken of CreateSecret: "then
// the request is ignored").
func (c *call) createAgain(sec *secret, token string, value secretValue) (any, error) {
	if !sec.deleted.IsZero() {
		return nil, fail("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	if v := sec.version(token); v != nil {
		if !v.value.equal(value) {
			return nil, errTokenInUse(token, sec)
		}
		return &secretVersionRef{ARN: sec.arn, Name: sec.name, ReplicationStatus: sec.replicationStatus(), VersionId: v.id}, nil
	}
	return nil, fail("ResourceExistsException", "The operation failed because the secret %s already exists.", sec.name)
}

// checkWrite holds what the three writing operations share against its limits.
func checkWrite(token *string, value secretValue, description string) error {
	if token == nil || *token == "" {
		return fail("InvalidRequestException", "You must provide a ClientRequestToken value. We recommend a UUID-type value.")
	}
	if n := len(*token); n < 32 || n > 64 {
		return fail("InvalidParameterException", "ClientRequestToken must be 32-64 characters long.")
	}
	if err := checkLength("description", len([]rune(description)), 0, 2048); err != nil {
		return err
	}
	return value.check()
}

var errNoValue = fail("InvalidRequestException", "You must provide either SecretString or SecretBinary.")

type putSecretValueInput struct {
	secretID
	ClientRequestToken *string
	SecretBinary       []byte
	RotationToken      *string
	SecretString       *string
	VersionStages      []string
}

func putSecretValue(c *call, in *putSecretValueInput) (any, error) {
	value := secretValue{in.SecretString, in.SecretBinary}
	if err := checkWrite(in.ClientRequestToken, value, ""); err != nil {
		return nil, err
	}
	if !value.given() {
		return nil, errNoValue
	}
	stages := in.VersionStages
	if stages == nil {
		stages = []string{stageCurrent}
	}
	if err := checkLength("versionStages", len(stages), 1, maxStages); err != nil {
		return nil, err
	}
	for _, stage := range stages {
		if err := checkLength("versionStages.member", len(stage), 1, maxStageName); err != nil {
			return nil, err
		}
	}
	if in.RotationToken != nil {
		if err := checkLength("rotationToken", len(*in.RotationToken), 36, 256); err != nil {
			return nil, err
		}
	}
	sec, err := c.valueSecret(in.SecretId, *in.ClientRequestToken)
	if err != nil {
		return nil, err
	}
	v, err := sec.addVersion(c.time, *in.ClientRequestToken, value, stages...)
	if err != nil {
		return nil, err
	}
	return &secretVersionRef{ARN: sec.arn, Name: sec.name, VersionId: v.id, VersionStages: v.stages}, nil
}

type updateSecretInput struct {
	secretID
	ClientRequestToken *string
	Description        *string
	KmsKeyId           *string
	SecretBinary       []byte
	SecretString       *string
	Type               *string
}

// updateSecret changes the details of a secret and, with a value, makes it the
// new AWSCURRENT version. Unlike PutSecretValue it refuses the token of a version
// that exists, whatever the value (UpdateSecret: "the operation results in an
// error").
func updateSecret(c *call, in *updateSecretInput) (any, error) {
	value := secretValue{in.SecretString, in.SecretBinary}
	description := stringOr(in.Description)
	if err := checkWrite(in.ClientRequestToken, value, description); err != nil {
		return nil, err
	}
	if (in.SecretString != nil || in.SecretBinary != nil) && !value.given() {
		return nil, errNoValue
	}
	key, kind := stringOr(in.KmsKeyId), stringOr(in.Type)
	if err := checkSecretSettings(key, kind); err != nil {
		return nil, err
	}
	sec, err := c.valueSecret(in.SecretId, *in.ClientRequestToken)
	if err != nil {
		return nil, err
	}
	if value.given() && sec.version(*in.ClientRequestToken) != nil {
		return nil, errTokenInUse(*in.ClientRequestToken, sec)
	}
	out := &secretVersionRef{ARN: sec.arn, Name: sec.name}
	if value.given() {
		v, err := sec.addVersion(c.time, *in.ClientRequestToken, value, stageCurrent)
		if err != nil {
			return nil, err
		}
		out.VersionId = v.id
	}
	if in.KmsKeyId != nil {
		sec.encrypt(secretKey(key)) // the new version too
	}
	if in.Description != nil {
		sec.description = description
	}
	if in.Type != nil {
		sec.kind = kind
	}
	sec.changed = c.time
	return out, nil
}

// encrypt sets the key of new versions and of those that are labelled
// AWSCURRENT, AWSPENDING or AWSPREVIOUS (KmsKeyId of UpdateSecret).
func (sec *secret) encrypt(kmsKeyID string) {
	sec.kmsKeyID = kmsKeyID
	for _, stage := range []string{stageCurrent, stagePending, stagePrevious} {
		if v := sec.labelled(stage); v != nil {
			v.kmsKeyID = kmsKeyID
		}
	}
}

func stringOr(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type updateSecretVersionStageInput struct {
	secretID
	MoveToVersionId     *string
	RemoveFromVersionId *string
	VersionStage        string
}

// updateSecretVersionStage moves, adds or removes a label. A label that a
// version has moves only when the caller names that version, which makes the
// operation a compare-and-swap.
func updateSecretVersionStage(c *call, in *updateSecretVersionStageInput) (any, error) {
	if err := checkLength("versionStage", len(in.VersionStage), 1, maxStageName); err != nil {
		return nil, err
	}
	if err := cmp.Or(checkVersionID("moveToVersionId", in.MoveToVersionId), checkVersionID("removeFromVersionId", in.RemoveFromVersionId)); err != nil {
		return nil, err
	}
	to, from := stringOr(in.MoveToVersionId), stringOr(in.RemoveFromVersionId)
	sec, err := c.valueSecret(in.SecretId, cmp.Or(to, from))
	if err != nil {
		return nil, err
	}
	out := &secretVersionRef{ARN: sec.arn, Name: sec.name}
	holder := sec.labelled(in.VersionStage)
	if to == "" {
		if err := sec.removeStage(holder, in.VersionStage, from); err != nil {
			return nil, err
		}
		sec.changed = c.time
		return out, nil
	}
	target := sec.version(to)
	switch {
	case target == nil:
		return nil, errVersionNotFound(to)
	case holder == target && from == "":
		return out, nil
	case holder == nil && from == "":
	case from == "":
		return nil, fail("InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", in.VersionStage, holder.id)
	case holder == nil || holder.id != from:
		return nil, errNotAttached(in.VersionStage, from)
	}
	if err := sec.checkStages(target, in.VersionStage); err != nil {
		return nil, err
	}
	sec.label(target, in.VersionStage)
	sec.changed = c.time
	return out, nil
}

func (sec *secret) removeStage(holder *secretVersion, stage, from string) error {
	switch {
	case from == "":
		return fail("InvalidParameterException", "You must specify MoveToVersionId, RemoveFromVersionId, or both.")
	case sec.version(from) == nil:
		return errVersionNotFound(from)
	case holder == nil || holder.id != from:
		return errNotAttached(stage, from)
	case stage == stageCurrent:
		return fail("InvalidParameterException", "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	}
	holder.unlabel(stage)
	return nil
}

func errVersionNotFound(id string) error {
	return fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret version: %s.", id)
}

func errNotAttached(stage, version string) error {
	return fail("InvalidParameterException", "Staging label %s isn't currently attached to version %s.", stage, version)
}
