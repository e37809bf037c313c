package secretstest

import (
	"slices"
)

type createSecretInput struct {
	Name               string
	ClientRequestToken *string
	Description        string
	KmsKeyId           string
	SecretBinary       []byte
	SecretString       *string
	Tags               []tag
}

func (in createSecretInput) ids() []string { return []string{in.Name} }

// A secretVersionRef is the answer of the operations that write a secret.
type secretVersionRef struct {
	ARN           string
	Name          string
	VersionId     string   `json:",omitempty"`
	VersionStages []string `json:",omitempty"`
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
	tags, ok := mergeTags(nil, in.Tags)
	if !ok {
		return nil, errSecretTags
	}
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	if sec := c.store.secrets[in.Name]; sec != nil {
		return c.createAgain(sec, *in.ClientRequestToken, value)
	}
	sec := c.newSecret(c.place, in.Name)
	sec.description, sec.kmsKeyID = in.Description, in.KmsKeyId
	sec.tags, sec.tagged = tags, len(tags) > 0
	out := &secretVersionRef{ARN: sec.arn, Name: sec.name}
	if value.given() {
		v, err := sec.addVersion(c.time, *in.ClientRequestToken, value, stageCurrent)
		if err != nil {
			return nil, err
		}
		out.VersionId = v.id
	}
	return out, nil
}

// createAgain answers a CreateSecret whose name is taken: a retry of the call
// that created the secret succeeds (ClientRequestToken of CreateSecret: "then
// the request is ignored").
func (c *call) createAgain(sec *secret, token string, value secretValue) (any, error) {
	if !sec.deleted.IsZero() {
		return nil, fail("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	if v := sec.version(token); v != nil && v.value.equal(value) {
		return &secretVersionRef{ARN: sec.arn, Name: sec.name, VersionId: v.id}, nil
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
	sec, err := c.secret(in.SecretId, true)
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
}

// updateSecret changes the details of a secret and, with a value, makes it the
// new AWSCURRENT version.
func updateSecret(c *call, in *updateSecretInput) (any, error) {
	value := secretValue{in.SecretString, in.SecretBinary}
	description := ""
	if in.Description != nil {
		description = *in.Description
	}
	if err := checkWrite(in.ClientRequestToken, value, description); err != nil {
		return nil, err
	}
	if (in.SecretString != nil || in.SecretBinary != nil) && !value.given() {
		return nil, errNoValue
	}
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	out := &secretVersionRef{ARN: sec.arn, Name: sec.name}
	if value.given() {
		v, err := sec.addVersion(c.time, *in.ClientRequestToken, value, stageCurrent)
		if err != nil {
			return nil, err
		}
		out.VersionId = v.id
	}
	if in.Description != nil {
		sec.description = description
	}
	if in.KmsKeyId != nil {
		sec.kmsKeyID = *in.KmsKeyId
	}
	sec.changed = c.time
	return out, nil
}

type updateSecretVersionStageInput struct {
	secretID
	MoveToVersionId     string
	RemoveFromVersionId string
	VersionStage        string
}

// updateSecretVersionStage moves, adds or removes a label. A label that a
// version has moves only when the caller names that version, which makes the
// operation a compare-and-swap.
func updateSecretVersionStage(c *call, in *updateSecretVersionStageInput) (any, error) {
	if err := checkLength("versionStage", len(in.VersionStage), 1, maxStageName); err != nil {
		return nil, err
	}
	sec, err := c.secret(in.SecretId, true)
	if err != nil {
		return nil, err
	}
	out := &secretVersionRef{ARN: sec.arn, Name: sec.name}
	holder := sec.labelled(in.VersionStage)
	if in.MoveToVersionId == "" {
		if err := sec.removeStage(holder, in.VersionStage, in.RemoveFromVersionId); err != nil {
			return nil, err
		}
		sec.changed = c.time
		return out, nil
	}
	target := sec.version(in.MoveToVersionId)
	switch {
	case target == nil:
		return nil, errVersionNotFound(in.MoveToVersionId)
	case holder == target && in.RemoveFromVersionId == "":
		return out, nil
	case holder == nil && in.RemoveFromVersionId == "":
	case in.RemoveFromVersionId == "":
		return nil, fail("InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", in.VersionStage, holder.id)
	case holder == nil || holder.id != in.RemoveFromVersionId:
		return nil, errNotAttached(in.VersionStage, in.RemoveFromVersionId)
	}
	if !slices.Contains(target.stages, in.VersionStage) && len(target.stages) >= maxStages {
		return nil, fail("LimitExceededException", "You have reached the maximum of %d staging labels of a version.", maxStages)
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
