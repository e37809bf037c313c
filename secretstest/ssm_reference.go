package secretstest

import (
	"encoding/json"
	"strings"
)

func (ref parameterID) isReference() bool {
	return !ref.isARN && strings.HasPrefix(ref.name, referencePrefix)
}

// readReference reads a secret through Parameter Store ("Referencing AWS
// Secrets Manager secrets from Parameter Store parameters"): GetParameter and
// GetParameters only, and only with decryption. The selector is a version ID
// or a staging label.
func (c *call) readReference(ref parameterID, decrypt bool) (*parameterOutput, error) {
	if !decrypt {
		return nil, fail("ValidationException", "WithDecryption flag must be True for retrieving a Secret Manager secret.")
	}
	id := strings.TrimPrefix(ref.name, referencePrefix)
	value, err := c.referenced(id, ref.selector)
	if err != nil {
		e := asError(err)
		code := e.Code
		if code == "ResourceNotFoundException" {
			code = "ParameterNotFound"
		}
		return nil, &Error{
			Code:    code,
			Message: "An error occurred (" + code + ") when referencing Secrets Manager: " + e.Message,
			Status:  e.Status,
		}
	}
	source, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	text := string(value.SecretBinary)
	if value.SecretString != nil {
		text = *value.SecretString
	}
	out := &parameterOutput{
		ARN:              value.ARN,
		DataType:         dataTypeText,
		LastModifiedDate: value.CreatedDate,
		Name:             ref.name,
		SourceResult:     string(source),
		Type:             typeSecureString,
		Value:            text,
	}
	if ref.selector != "" {
		out.Selector = ":" + ref.selector
	}
	return out, nil
}

// referenced reads the secret as its caller, whose faults apply.
func (c *call) referenced(id, selector string) (*secretValueOutput, error) {
	if err := c.judgeItem(&c.late, c.aliases(c.place, id), "GetSecretValue"); err != nil {
		return nil, err
	}
	if sec := c.lookSecret(c.place, id); sec != nil && sec.version(selector) != nil {
		return c.secretValue(id, selector, "")
	}
	return c.secretValue(id, "", selector)
}
