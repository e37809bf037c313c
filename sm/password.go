package sm

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/provider"
)

// PasswordOptions is what a password may be made of. The zero value is 32
// characters, at least one of each of lowercase letters, uppercase letters,
// numbers and punctuation.
type PasswordOptions struct {
	Length             int    // 1 to 4,096 characters; zero is 32
	ExcludeCharacters  string // up to 4,096 single characters
	ExcludeLowercase   bool
	ExcludeUppercase   bool
	ExcludeNumbers     bool
	ExcludePunctuation bool
	IncludeSpace       bool // the password may have spaces
	// AnyMix drops the rule that a password has a character of each type.
	AnyMix bool
	Region string // whose Secrets Manager to ask; empty is the store's own
}

// characterTypes is how many types a password has a character of each of, unless
// that is given up (API GetRandomPassword, RequireEachIncludedType). A space it
// may have, which is no type there.
func (o PasswordOptions) characterTypes() (types int, space bool) {
	for _, t := range []struct {
		characters string
		in         bool
	}{
		{"abcdefghijklmnopqrstuvwxyz", !o.ExcludeLowercase},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", !o.ExcludeUppercase},
		{"0123456789", !o.ExcludeNumbers},
		{"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", !o.ExcludePunctuation},
	} {
		if t.in && strings.ContainsFunc(t.characters, func(c rune) bool { return !strings.ContainsRune(o.ExcludeCharacters, c) }) {
			types++
		}
	}
	return types, o.IncludeSpace && !strings.Contains(o.ExcludeCharacters, " ")
}

// RandomPassword has AWS make a password. Nothing is stored.
func (s *Store) RandomPassword(ctx context.Context, opts PasswordOptions) (provider.Value, error) {
	t := s.regional(opts.Region)
	length := opts.Length
	if length == 0 {
		length = 32
	}
	if length < 1 || length > maxPassword {
		return provider.Value{}, t.invalid("a password has 1 to %d characters, not %d", maxPassword, length)
	}
	if err := t.checkLength("what is excluded", opts.ExcludeCharacters, maxPassword); err != nil {
		return provider.Value{}, err
	}
	switch types, space := opts.characterTypes(); {
	case types == 0 && !space:
		return provider.Value{}, t.invalid("no character is left that the password may have")
	case !opts.AnyMix && length < types:
		return provider.Value{}, t.invalid("a password of %d characters cannot have one of each of %d types: make it longer, exclude some, or set AnyMix", length, types)
	}
	out, err := call(ctx, s, t, "GetRandomPassword", t.client.GetRandomPassword, &secretsmanager.GetRandomPasswordInput{
		PasswordLength:          aws.Int64(int64(length)),
		ExcludeCharacters:       orNil(opts.ExcludeCharacters),
		ExcludeLowercase:        &opts.ExcludeLowercase,
		ExcludeUppercase:        &opts.ExcludeUppercase,
		ExcludeNumbers:          &opts.ExcludeNumbers,
		ExcludePunctuation:      &opts.ExcludePunctuation,
		IncludeSpace:            &opts.IncludeSpace,
		RequireEachIncludedType: aws.Bool(!opts.AnyMix),
	})
	if err != nil {
		return provider.Value{}, err
	}
	return Text(aws.ToString(out.RandomPassword)), nil
}
