package secretstest

import (
	"slices"
)

type getSecretValueInput struct {
	secretID
	VersionId    *string
	VersionStage *string
}

// A secretValueOutput is the answer of GetSecretValue and an entry of
// BatchGetSecretValue's.
type secretValueOutput struct {
	ARN           string
	CreatedDate   epoch
	Name          string
	SecretBinary  []byte  `json:",omitempty"`
	SecretString  *string `json:",omitempty"`
	VersionId     string
	VersionStages []string `json:",omitempty"` // absent for a deprecated version
}

func getSecretValue(c *call, in *getSecretValueInput) (any, error) {
	if err := checkVersionID("versionId", in.VersionId); err != nil {
		return nil, err
	}
	if in.VersionStage != nil {
		if err := checkLength("versionStage", len(*in.VersionStage), 1, maxStageName); err != nil {
			return nil, err
		}
	}
	return c.secretValue(in.SecretId, stringOr(in.VersionId), stringOr(in.VersionStage))
}

// checkVersionID holds the ID of a version against the model.
func checkVersionID(member string, id *string) error {
	if id == nil {
		return nil
	}
	return checkLength(member, len(*id), 32, 64)
}

// secretValue reads one version and records the access.
func (c *call) secretValue(id, versionID, stage string) (*secretValueOutput, error) {
	sec, err := c.secret(id, true)
	if err != nil {
		return nil, err
	}
	v, err := sec.selectVersion(versionID, stage)
	if err != nil {
		return nil, err
	}
	v.accessed, sec.accessed = c.time, c.time
	c.decrypts++
	return &secretValueOutput{
		ARN:           sec.arn,
		CreatedDate:   epoch{v.created},
		Name:          sec.name,
		SecretBinary:  v.value.binary,
		SecretString:  v.value.text,
		VersionId:     v.id,
		VersionStages: v.stages,
	}, nil
}

// selectVersion applies GetSecretValue's rule: VersionId and VersionStage must
// name the same version, and without either it is AWSCURRENT.
func (sec *secret) selectVersion(versionID, stage string) (*secretVersion, error) {
	if versionID != "" {
		v := sec.version(versionID)
		switch {
		case v == nil:
			return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", versionID)
		case stage != "" && !slices.Contains(v.stages, stage):
			return nil, fail("InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
		case v.value.given():
			return v, nil
		case stage == "":
			return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", versionID)
		}
	}
	if stage == "" {
		stage = stageCurrent
	}
	if v := sec.labelled(stage); v != nil && v.value.given() {
		return v, nil
	}
	// DescribeSecret: "During rotation, Secrets Manager creates an AWSPENDING
	// version ID before creating the new secret version."
	return nil, fail("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", stage)
}

// maxBatch is the cap of BatchGetSecretValue.
const maxBatch = 20

type batchGetSecretValueInput struct {
	SecretIdList []string
	Filters      []filter
	MaxResults   *int64
	NextToken    *string
}

func (in batchGetSecretValueInput) ids() []string { return in.SecretIdList }

type batchGetSecretValueOutput struct {
	Errors       []batchError
	NextToken    string `json:",omitempty"`
	SecretValues []*secretValueOutput
}

type batchError struct {
	SecretId  string
	ErrorCode string
	Message   string
}

// A batchItem is a secret to read, and the fault that it meets.
type batchItem struct {
	key   string // in the order of the list
	id    string
	fault *Error
	found *secret // by a filter; faults are asked about it once it is on a page
}

func batchGetSecretValue(c *call, in *batchGetSecretValueInput) (any, error) {
	items, err := c.batchItems(in)
	if err != nil {
		return nil, err
	}
	items, next, err := listing[batchItem]{items: items, key: func(i int) string { return items[i].key }, badToken: badSecretToken}.page(c, sizeOr(in.MaxResults, maxBatch), in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &batchGetSecretValueOutput{Errors: []batchError{}, SecretValues: []*secretValueOutput{}, NextToken: next}
	for _, item := range items {
		if sec := item.found; sec != nil {
			item.fault = c.judgeItem(&c.late, []string{sec.arn, sec.name}, c.operation, "GetSecretValue")
		}
		value, err := c.batchValue(item)
		if err != nil {
			e := asError(err)
			out.Errors = append(out.Errors, batchError{SecretId: item.id, ErrorCode: e.Code, Message: e.Message})
			continue
		}
		out.SecretValues = append(out.SecretValues, value)
	}
	return out, nil
}

func (c *call) batchItems(in *batchGetSecretValueInput) ([]batchItem, error) {
	if (len(in.SecretIdList) > 0) == (len(in.Filters) > 0) {
		return nil, fail("InvalidParameterException", "Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	}
	if err := checkRange("maxResults", in.MaxResults, 1, maxBatch); err != nil {
		return nil, err
	}
	if len(in.Filters) > 0 {
		secrets, err := c.filterSecrets(in.Filters, false)
		if err != nil {
			return nil, err
		}
		items := make([]batchItem, len(secrets))
		for i, sec := range secrets {
			items[i] = batchItem{key: sec.name, id: sec.arn, found: sec}
		}
		return items, nil
	}
	if in.MaxResults != nil {
		return nil, fail("InvalidParameterException", "'Filters' must be provided in order to use 'MaxResults'.")
	}
	if err := checkLength("secretIdList", len(in.SecretIdList), 1, maxBatch); err != nil {
		return nil, err
	}
	var items []batchItem
	for i, id := range in.SecretIdList {
		if slices.Index(in.SecretIdList, id) < i {
			continue // asked for twice, answered once
		}
		item := batchItem{key: byPosition(i), id: id}
		if c.itemErrs != nil {
			item.fault = c.itemErrs[i]
		}
		items = append(items, item)
	}
	return items, nil
}

func (c *call) batchValue(item batchItem) (*secretValueOutput, error) {
	if item.fault != nil {
		return nil, item.fault
	}
	if a, ok := parseARN(item.id); ok && a.place.account != c.place.account {
		return nil, errSecretNotFound
	}
	return c.secretValue(item.id, "", "")
}

// A secretOutput describes a secret: the answer of DescribeSecret and, with
// the versions under another name, an entry of ListSecrets.
type secretOutput struct {
	rotationOutput
	ARN                    string
	CreatedDate            epoch
	DeletedDate            epoch  `json:",omitzero"`
	Description            string `json:",omitempty"`
	KmsKeyId               string `json:",omitempty"`
	LastAccessedDate       epoch  `json:",omitzero"`
	LastChangedDate        epoch
	Name                   string
	OwningService          string              `json:",omitempty"`
	PrimaryRegion          string              `json:",omitempty"`
	ReplicationStatus      []replicaStatus     `json:",omitempty"`
	Tags                   []tag               `json:",omitzero"`
	Type                   string              `json:",omitempty"`
	VersionIdsToStages     map[string][]string `json:",omitempty"`
	SecretVersionsToStages map[string][]string `json:",omitempty"`
}

func (sec *secret) output() *secretOutput {
	out := &secretOutput{
		rotationOutput:  sec.rotation.output(),
		ARN:             sec.arn,
		CreatedDate:     epoch{sec.created},
		Description:     sec.description,
		KmsKeyId:        sec.kmsKeyID,
		LastChangedDate: epoch{sec.changed},
		Name:            sec.name,
		OwningService:   sec.owner,
		PrimaryRegion:   sec.primaryRegion(),
		Type:            sec.kind,
	}
	if !sec.deleted.IsZero() {
		out.DeletedDate = epoch{sec.deleted}
	}
	if !sec.accessed.IsZero() {
		out.LastAccessedDate = day(sec.accessed)
	}
	if sec.tagged {
		out.Tags = append([]tag{}, sec.tags...)
	}
	return out
}

// stages maps the versions that have labels to them.
func (sec *secret) stages() map[string][]string {
	m := make(map[string][]string)
	for _, v := range sec.versions {
		if len(v.stages) > 0 {
			m[v.id] = v.stages
		}
	}
	return m
}

func describeSecret(c *call, in *secretID) (any, error) {
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	out := sec.output()
	out.ReplicationStatus = sec.replicationStatus()
	out.VersionIdsToStages = sec.stages()
	if sec.rotation != nil && !sec.rotation.enabled {
		// "If the secret isn't configured for rotation or rotation has been
		// disabled, Secrets Manager returns null"; ListSecrets still tells it.
		out.LastRotatedDate = epoch{}
	}
	return out, nil
}

type listSecretVersionIDsInput struct {
	secretID
	IncludeDeprecated bool
	MaxResults        *int64
	NextToken         *string
}

type listSecretVersionIDsOutput struct {
	ARN       string
	Name      string
	NextToken string `json:",omitempty"`
	Versions  []secretVersionOutput
}

type secretVersionOutput struct {
	CreatedDate      epoch
	KmsKeyIds        []string
	LastAccessedDate epoch `json:",omitzero"`
	VersionId        string
	VersionStages    []string `json:",omitempty"`
}

func listSecretVersionIDs(c *call, in *listSecretVersionIDsInput) (any, error) {
	if err := checkRange("maxResults", in.MaxResults, 1, 100); err != nil {
		return nil, err
	}
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	var versions []secretVersionOutput
	for _, v := range sec.versions {
		if len(v.stages) == 0 && !in.IncludeDeprecated {
			continue
		}
		key := v.kmsKeyID
		if sec.primary != nil {
			key = sec.kmsKeyID
		}
		if key == "" {
			key = "DefaultEncryptionKey" // as recorded, for the key aws/secretsmanager
		}
		out := secretVersionOutput{CreatedDate: epoch{v.created}, KmsKeyIds: []string{key}, VersionId: v.id, VersionStages: v.stages}
		if !v.accessed.IsZero() {
			out.LastAccessedDate = day(v.accessed)
		}
		versions = append(versions, out)
	}
	versions, next, err := listing[secretVersionOutput]{items: versions, key: byPosition, badToken: badSecretToken}.page(c, sizeOr(in.MaxResults, 100), in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listSecretVersionIDsOutput{ARN: sec.arn, Name: sec.name, NextToken: next, Versions: versions}, nil
}
