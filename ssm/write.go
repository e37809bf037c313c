package ssm

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// Put implements [provider.Writer]. A parameter that does not exist becomes a
// SecureString where v has no type, with the key of [WithKMSKey]. The type
// [provider.SecretString] means SecureString; a parameter is text, so
// [provider.SecretBinary] is refused. [Store.Create] and [Store.PutVersion] set
// what else a parameter has.
//
// Parameter Store does not compare and write in one step. On a Version, Put
// reads which one is current, refuses another, writes, and looks at the number
// of the version that it made: where somebody wrote in between, both versions
// are there and its own is the latest, and the error wraps
// [provider.ErrConflict] and says which version is the other's. Absent is
// decided by AWS, in one step.
//
// Nor does it know tokens. With a Token, Put reads the latest version,
// decrypted, and writes nothing where that has the type and content already: a
// repetition is not written twice as long as nobody wrote in between, and the
// same content written by another counts as a repetition. Without one, a call
// whose answer was lost and that the SDK repeats may leave two versions of the
// same content.
func (s *Store) Put(ctx context.Context, v provider.Value, cond provider.Condition) (provider.Version, error) {
	ctx = awsread.Aside(ctx) // what it reads, too
	ref := v.Ref()
	fail := func(err error) (provider.Version, error) { return provider.Version{}, err }
	if err := s.checkWrite(ref); err != nil {
		return fail(err)
	}
	if err := checkCondition(cond); err != nil {
		return fail(refuse(ref, err))
	}
	in, err := putInput(ref, v, Attributes{Tier: s.tier}, !cond.Absent)
	if err != nil {
		return fail(err)
	}
	untyped := in.Type == ""
	if untyped || cond.Version != "" || cond.Token != "" {
		latest, err := s.current(ctx, ref, "", cond.Token != "")
		gone := isCode[*types.ParameterNotFound](err)
		switch {
		case err != nil && !gone:
			return fail(s.explain(ref, "GetParameter", err))
		case !gone && cond.Token != "" && latest.is(in) && (!cond.Absent || latest.version.ID == "1"):
			return latest.version, nil
		case gone && cond.Version != "":
			return fail(conflict(ref, "there is no such parameter, and so no version "+cond.Version, err))
		case cond.Version != "" && latest.version.ID != cond.Version:
			return fail(conflict(ref, fmt.Sprintf("the current version is %s, not %s: read it and decide again", latest.version.ID, cond.Version), nil))
		case untyped && !gone:
			in.Type = types.ParameterType(latest.typ)
		case untyped:
			in.Type = types.ParameterTypeSecureString
		}
	}
	if in.Type == types.ParameterTypeSecureString && s.kmsKey != "" {
		in.KeyId = &s.kmsKey
	}
	if cond.Absent {
		w, err := s.create(ctx, ref, in)
		return w.Version, err
	}
	out, attempts, err := s.put(ctx, ref, in)
	if err != nil {
		return fail(s.explainPut(ctx, ref, in, err))
	}
	if cond.Version != "" {
		if err := s.checkFollows(ctx, ref, in, cond.Version, out.Version, attempts); err != nil {
			return fail(err)
		}
	}
	return version(out.Version), nil
}

func checkCondition(c provider.Condition) error {
	switch {
	case c.Absent && c.Version != "":
		return errors.New("the condition asks for no value and for a version of it: want one of them")
	case c.Token != "" && (len(c.Token) < 32 || len(c.Token) > 64):
		return fmt.Errorf("the condition's token has %d characters: want 32 to 64", len(c.Token))
	}
	return nil
}

// checkFollows checks that the version which was made came right after the one
// that was expected, or that what lies between was made by earlier attempts of
// the same call.
func (s *Store) checkFollows(ctx context.Context, ref provider.Ref, in *ssm.PutParameterInput, expected string, made int64, attempts int) error {
	before, err := strconv.ParseInt(expected, 10, 64)
	if err != nil {
		return conflict(ref, "the version that was current is not a number", nil)
	}
	if made == before+1 {
		return nil
	}
	if made <= before { // it was deleted and made anew
		return conflict(ref, fmt.Sprintf("written as version %d: the parameter was deleted meanwhile, with its version %d", made, before), nil)
	}
	for n := made - 1; n > before; n-- {
		if made-n < int64(attempts) {
			between, err := s.current(ctx, ref, strconv.FormatInt(n, 10), true)
			if err == nil && between.is(in) {
				continue
			}
		}
		return conflict(ref, fmt.Sprintf("written as version %d, but over version %d, which was written after version %d: read it by ?version=%d and decide again", made, n, before, n), nil)
	}
	return nil
}

// WithKMSKey sets the KMS key that SecureStrings are encrypted with whose
// [Attributes] name none, and those of [Store.Put]: its ID, ARN, alias or alias
// ARN. The default is the account's aws/ssm. AWS does not document that a
// parameter keeps its key when it is overwritten, so set it wherever parameters
// have a key of their own.
func WithKMSKey(id string) Option {
	return func(s *Store) { s.kmsKey = id }
}

// WithTier sets the tier that [Store.Put] asks for. The default is the account's
// ([Store.DefaultTier]). [IntelligentTiering] has AWS take the advanced tier,
// which has a price, only where a value or the number of parameters needs it; a
// parameter of the advanced tier does not go back to [Standard].
func WithTier(tier Tier) Option {
	return func(s *Store) { s.tier = tier }
}
