package ssm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// refusals are the errors of writes that AWS has a code for: what kind each is,
// and the cure.
var refusals = map[string]struct {
	kind error
	hint string
}{
	"ParameterAlreadyExists":             {provider.ErrConflict, "it exists already: PutVersion, or a Put without IfAbsent, adds a version to it"},
	"ParameterLimitExceeded":             {ErrInvalid, "the account has all the parameters of the tier that it may have in the Region, 10,000 standard or 100,000 advanced ones: delete some, or take the other tier"},
	"HierarchyLevelLimitExceeded":        {ErrInvalid, "a hierarchy has 15 levels at most"},
	"HierarchyTypeMismatch":              {ErrInvalid, "a parameter keeps its type: write it without one, take another name, or delete it and create it again 30 seconds later"},
	"IncompatiblePolicy":                 {ErrInvalid, "a parameter has one Expiration at most, and an ExpirationNotification needs one"},
	"InvalidAllowedPattern":              {ErrInvalid, "AWS does not accept the allowed pattern as a regular expression"},
	"InvalidPolicyAttribute":             {ErrInvalid, "AWS does not accept an attribute of a policy"},
	"InvalidPolicyType":                  {ErrInvalid, "AWS does not know the type of a policy"},
	"ParameterPatternMismatch":           {ErrInvalid, "the value does not match the parameter's allowed pattern, which Describe tells"},
	"ParameterMaxVersionLimitExceeded":   {ErrInvalid, keptBy(0, nil)},
	"PoliciesLimitExceeded":              {ErrInvalid, "a parameter has ten policies at most"},
	"UnsupportedParameterType":           {ErrInvalid, "want the type String, StringList or SecureString"},
	"ParameterVersionLabelLimitExceeded": {ErrInvalid, "a version has ten labels at most: move some to another by Label, or remove them by Unlabel"},
	"TooManyTagsError":                   {ErrInvalid, "a parameter has 50 tags at most: remove some by Untag"},
	"TooManyUpdates":                     {provider.ErrThrottled, "another write of it is under way: try again"},
	"ServiceSettingNotFound":             {provider.ErrNotFound, "Parameter Store has no such setting in this Region"},
}

// validations are the cures of what AWS refuses with no code of its own, by
// what its message says.
var validations = []struct{ says, hint string }{
	{"downgrade", "an advanced parameter does not become a standard one: delete it and create it again, with a value of 4,096 bytes at most and no policies"},
	{"policies to a standard", "a standard parameter has no policies: take the tier Advanced"},
	{"maximum parameter value of 4096", "a standard parameter holds 4,096 bytes at most: take the tier Advanced, or IntelligentTiering"},
	{"type is required", "it does not exist, and to create it takes a type"},
	{"tags and overwrite", "an overwrite takes no tags: set them by Tag"},
	{"nest another parameter", `the value has "{{" in it, which Parameter Store takes for a reference to another parameter: encode it, as base64 say`},
}

// explainWrite is explain for what changes a parameter or tells of it. Of no
// error it makes none.
func (s *Store) explainWrite(ref provider.Ref, op string, err error) error {
	if err == nil {
		return nil
	}
	code := strings.TrimSuffix(awsread.Code(err), "Exception")
	if r, ok := refusals[code]; ok {
		return &provider.Error{Ref: ref, Kind: r.kind, Hint: r.hint, Err: awsread.Clean(err)}
	}
	if code == "InvalidResourceId" { // of a tag operation
		return &provider.Error{Ref: ref, Kind: provider.ErrNotFound, Err: awsread.Clean(err),
			Hint: fmt.Sprintf("check the name and the Region (%s)", s.clients.Region(ref.Region))}
	}
	explained := s.explain(ref, op, err)
	e, ok := explained.(*provider.Error)
	if !ok || code != "Validation" {
		return explained
	}
	e.Kind = ErrInvalid
	for _, v := range validations {
		if strings.Contains(strings.ToLower(awsread.Message(err)), v.says) {
			e.Hint = v.hint
			break
		}
	}
	return e
}

// explainPut is explainWrite for PutParameter.
func (s *Store) explainPut(ctx context.Context, ref provider.Ref, in *ssm.PutParameterInput, err error) error {
	if isCode[*types.ParameterMaxVersionLimitExceeded](err) {
		return &provider.Error{Ref: ref, Kind: ErrInvalid, Hint: s.oldestLabels(ctx, ref), Err: awsread.Clean(err)}
	}
	explained := s.explainWrite(ref, putOp, err)
	if e, ok := explained.(*provider.Error); ok && e.Kind == provider.ErrDecryption {
		key := aws.ToString(in.KeyId)
		if key == "" {
			key = "alias/aws/ssm"
		}
		e.Hint = fmt.Sprintf("AWS could not encrypt it: allow kms:Encrypt and, for an advanced parameter, kms:GenerateDataKey on %s, and check that the key exists and is enabled", key)
	}
	return explained
}

// oldestLabels says which labels keep the oldest version, if that can be read.
func (s *Store) oldestLabels(ctx context.Context, ref provider.Ref) string {
	var oldest Metadata
	least := int64(0)
	for m, err := range s.Versions(ctx, ref.String()) {
		if err != nil {
			least = 0
			break
		}
		if n, _ := strconv.ParseInt(m.Version.ID, 10, 64); least == 0 || n < least {
			oldest, least = m, n
		}
	}
	return keptBy(least, oldest.Version.Labels())
}

// keptBy says why the oldest version does not make room for another.
func keptBy(oldest int64, labels []string) string {
	const first = "it has 100 versions, and the oldest, which would go, is kept by "
	if oldest == 0 || len(labels) == 0 {
		return first + "a label: move that to a newer version by Label, or remove it by Unlabel"
	}
	return fmt.Sprintf(first+"the label %s: it is version %d; move the label to a newer version by Label, or remove it by Unlabel", strings.Join(labels, " and "), oldest)
}

// conflict is the error of a write that was overtaken.
func conflict(ref provider.Ref, hint string, err error) error {
	e := &provider.Error{Ref: ref, Kind: provider.ErrConflict, Hint: hint}
	if err != nil {
		e.Err = awsread.Clean(err)
	}
	return e
}

// isCode reports whether err has an error of type E in its tree.
func isCode[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func operationError(op string, err error) error {
	return &smithy.OperationError{ServiceID: ssm.ServiceID, OperationName: op, Err: err}
}
