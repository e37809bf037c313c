package ssm

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// String returns a text to store as it is.
func String(text string) provider.Value { return textOf(provider.String, text) }

// StringList returns items to store separated by commas. Nothing escapes a comma
// in an item (API PutParameter, Type): take a String for those.
func StringList(items ...string) provider.Value {
	return textOf(provider.StringList, strings.Join(items, ","))
}

// SecureString returns a text to store encrypted. Like every [provider.Value] it
// prints as a redaction.
func SecureString(text string) provider.Value { return textOf(provider.SecureString, text) }

func textOf(t provider.Type, text string) provider.Value {
	return provider.NewValue(provider.Ref{}, provider.Version{}, t, text)
}

// typeOf is the type that a value is stored with: its own, or SecureString for
// what was read from Secrets Manager as a text.
func typeOf(v provider.Value) (provider.Type, error) {
	switch v.Type() {
	case provider.SecretString:
		return provider.SecureString, nil
	case provider.SecretBinary:
		return "", errors.New("a parameter is text: encode the value, as base64 say, and put that as a SecureString")
	}
	return v.Type(), nil
}

// Attributes are what a parameter has besides its value. AWS documents of the
// policies and of the type that an overwrite without them keeps them; of the
// rest it says nothing, so give that with each version where it matters.
type Attributes struct {
	// KMSKey is the KMS key of a SecureString: its ID, ARN, alias or alias ARN;
	// empty is that of [WithKMSKey], and else the account's aws/ssm, which no
	// other account can use.
	KMSKey string
	// DataType is [DataTypeText] where it is empty.
	DataType DataType
	// Tier is the account's default where it is empty ([Store.DefaultTier]).
	Tier Tier
	// AllowedPattern is a regular expression, in AWS's syntax and of 1,024
	// characters at most, that this value and all later ones must match. Where
	// Go's syntax means the same, a value that cannot match is refused before
	// the call.
	AllowedPattern string
	// Description has 1,024 characters at most, and nothing secret: everyone
	// who may list parameters reads it.
	Description string
	// Policies replace those that the parameter has: nil leaves them, an empty
	// slice removes them all. Only advanced parameters have policies.
	Policies Policies
	// Tags are for Create alone: an overwrite takes none ([Store.Tag] does).
	Tags map[string]string
}

// Tier is what a parameter may hold and what it costs. A parameter of the
// standard tier becomes advanced by an overwrite that says so; there is no way
// back but to delete it and create it again (API PutParameter, Tier).
type Tier string

const (
	// Standard parameters are free: values of 4,096 bytes, 10,000 of them in
	// an account and Region, no policies.
	Standard Tier = "Standard"
	// Advanced parameters have a price each month and call: values of 8,192
	// bytes, 100,000 of them in an account and Region, policies, sharing with
	// other accounts.
	Advanced Tier = "Advanced"
	// IntelligentTiering has AWS make a parameter advanced once it needs that:
	// by its size, its policies, or because there are 10,000 standard ones.
	IntelligentTiering Tier = "Intelligent-Tiering"
)

// DataType says what a parameter's value is checked for (API PutParameter,
// DataType).
type DataType string

const (
	// DataTypeText is not checked.
	DataTypeText DataType = "text"
	// DataTypeImage is the ID of an Amazon Machine Image in a String. AWS looks for
	// the image after it has answered: where there is none, the parameter is
	// never written, and the version that was returned does not come to be. An
	// EventBridge event of AWS tells (guide: parameter-store-ec2-aliases). It
	// needs ec2:DescribeImages.
	DataTypeImage DataType = "aws:ec2:image"
	// DataTypeIntegration is what an automation needs to call another service.
	DataTypeIntegration DataType = "aws:ssm:integration"
)

// Written is what a write made.
type Written struct {
	Version provider.Version
	// Tier is what AWS chose. It is empty where the answer was lost and the
	// write was found to have been made.
	Tier Tier
}

// Create makes the parameter, as a SecureString where v has no type. One that
// exists gives [provider.ErrConflict].
//
// AWS asks for 30 seconds between the deletion of a parameter and the creation
// of another by its name (API DeleteParameter).
func (s *Store) Create(ctx context.Context, ref string, v provider.Value, attributes Attributes) (Written, error) {
	parsed, err := s.writable(ref)
	if err != nil {
		return Written{}, err
	}
	if v.Type() == "" {
		v = SecureString(v.Text())
	}
	in, err := putInput(parsed, v, s.keyed(v, attributes), false)
	if err != nil {
		return Written{}, err
	}
	return s.create(ctx, parsed, in)
}

// PutVersion adds a version to the parameter, which becomes the latest. A value
// without a type has the parameter's, which is asked for first where
// [WithKMSKey] is set; and a parameter that does not exist is created where the
// value has one.
//
// A parameter has its latest 100 versions. The oldest goes when the next is
// written, unless it has a label: then the write is refused, and the error says
// which label to move (API ParameterMaxVersionLimitExceeded).
//
// AWS knows no token by which to recognise a write: one whose answer is lost
// and that the SDK repeats makes two versions of the same content.
func (s *Store) PutVersion(ctx context.Context, ref string, v provider.Value, attributes Attributes) (Written, error) {
	parsed, err := s.writable(ref)
	if err != nil {
		return Written{}, err
	}
	in, err := putInput(parsed, v, s.keyed(v, attributes), true)
	if err != nil {
		return Written{}, err
	}
	if in.Type == "" && in.KeyId == nil && s.kmsKey != "" {
		latest, err := s.current(awsread.Aside(ctx), parsed, "", false)
		if err == nil && latest.typ == provider.SecureString {
			in.KeyId = &s.kmsKey
		} else if err != nil && !isCode[*types.ParameterNotFound](err) { // what that means is for PutParameter to say
			return Written{}, s.explain(parsed, "GetParameter", err)
		}
	}
	out, _, err := s.put(ctx, parsed, in)
	if err != nil {
		return Written{}, s.explainPut(ctx, parsed, in, err)
	}
	return written(out), nil
}

const putOp = "PutParameter"

// keyed gives the attributes of a SecureString the store's key if they have none.
func (s *Store) keyed(v provider.Value, a Attributes) Attributes {
	if typ, err := typeOf(v); err == nil && typ == provider.SecureString && a.KMSKey == "" {
		a.KMSKey = s.kmsKey
	}
	return a
}

// putInput checks what is to be written, and makes the request of it.
func putInput(ref provider.Ref, v provider.Value, a Attributes, overwrite bool) (*ssm.PutParameterInput, error) {
	typ, err := typeOf(v)
	if err == nil {
		err = checkPut(v.Text(), typ, a, overwrite)
	}
	if err != nil {
		return nil, refuse(ref, err)
	}
	value := v.Text()
	in := &ssm.PutParameterInput{
		Name:      aws.String(ref.Name),
		Value:     &value,
		Overwrite: &overwrite,
		Type:      types.ParameterType(typ),
		Tier:      types.ParameterTier(a.Tier),
		Tags:      tagList(a.Tags),
	}
	for to, from := range map[**string]string{
		&in.KeyId: a.KMSKey, &in.DataType: string(a.DataType), &in.AllowedPattern: a.AllowedPattern, &in.Description: a.Description,
	} {
		if from != "" {
			*to = &from
		}
	}
	if a.Policies != nil {
		text, err := a.Policies.text()
		if err != nil {
			return nil, refuse(ref, err)
		}
		in.Policies = &text
	}
	return in, nil
}

// put makes the call. Attempts is how often it was made.
func (s *Store) put(ctx context.Context, ref provider.Ref, in *ssm.PutParameterInput) (out *ssm.PutParameterOutput, attempts int, err error) {
	err = s.limit.Do(awsread.Aside(ctx), func() (err error) {
		out, err = s.client(ref).PutParameter(ctx, in, counting(&attempts), hiding(*in.Value))
		return err
	})
	return out, attempts, err
}

// create makes the call for a parameter that does not exist. Where the SDK had
// to repeat it, "it exists" may be its own doing.
func (s *Store) create(ctx context.Context, ref provider.Ref, in *ssm.PutParameterInput) (Written, error) {
	out, attempts, err := s.put(ctx, ref, in)
	switch {
	case err == nil:
		return written(out), nil
	case attempts > 1 && isCode[*types.ParameterAlreadyExists](err):
		if made, readErr := s.current(ctx, ref, "", true); readErr == nil && made.is(in) && made.version.ID == "1" {
			return Written{Version: made.version}, nil
		}
	}
	return Written{}, s.explainPut(ctx, ref, in, err)
}

// written reads the answer, which has no date.
func written(out *ssm.PutParameterOutput) Written {
	return Written{Version: version(out.Version), Tier: Tier(out.Tier)}
}

func version(n int64) provider.Version {
	return provider.NewVersion(strconv.FormatInt(n, 10), time.Time{})
}

// current reads a version of the parameter, or the latest.
func (s *Store) current(ctx context.Context, ref provider.Ref, selector string, decrypt bool) (parameter, error) {
	it := &item{key: key{region: s.clients.Region(ref.Region), name: ref.Name, selector: selector, decrypt: decrypt}}
	s.limit.Run(ctx, s.singly(ctx, []*item{it}))
	if !it.done {
		it.fail("GetParameter", ctx.Err())
	}
	return it.parameter, it.err
}

// is reports whether the parameter is what in writes.
func (p parameter) is(in *ssm.PutParameterInput) bool {
	return p.content == *in.Value && (in.Type == "" || p.typ == provider.Type(in.Type))
}

func (s *Store) client(ref provider.Ref) *ssm.Client {
	return s.clients.In(s.clients.Region(ref.Region))
}
