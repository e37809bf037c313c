package rotation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// Generator returns a new password or token. [Password.Generate] is one that
// needs no network. To have Secrets Manager make it (GetRandomPassword):
//
//	func(ctx context.Context) (string, error) {
//		v, err := store.RandomPassword(ctx, sm.PasswordOptions{ExcludeCharacters: `/@"'\{`})
//		return v.Text(), err
//	}
//
// What is for Parameter Store should have no "{{": it may take that for a
// reference to another parameter, and refuse the value.
type Generator func(ctx context.Context) (string, error)

// Password is what a generated password is made of: the parameters of
// GetRandomPassword (API GetRandomPassword), with the same defaults. The zero
// value is 32 characters, at least one of each of lowercase letters, uppercase
// letters, numbers and punctuation. A "{" is never among them, so that each can
// be stored in either store: see [Generator].
type Password struct {
	Length             int    // 1 to 4,096 characters; zero is 32
	ExcludeCharacters  string // none of these
	ExcludeLowercase   bool
	ExcludeUppercase   bool
	ExcludeNumbers     bool
	ExcludePunctuation bool
	IncludeSpace       bool
	// AnyMix drops the rule that a password has a character of each type.
	AnyMix bool
}

const maxPassword = 4096 // API GetRandomPassword, PasswordLength

// Generate draws a password from crypto/rand. All that the fields allow are
// equally likely. The error is of fields that allow none.
func (p Password) Generate(context.Context) (string, error) {
	length := p.Length
	if length == 0 {
		length = 32
	}
	types := p.types()
	switch {
	case length < 1 || length > maxPassword:
		return "", fmt.Errorf("rotation: a password has 1 to %d characters, not %d", maxPassword, length)
	case len(types) == 0:
		return "", errors.New("rotation: no character is left that the password may have")
	case !p.AnyMix && length < len(types):
		return "", fmt.Errorf("rotation: a password of %d characters cannot have one of each of %d types: make it longer, exclude some, or set AnyMix", length, len(types))
	}
	all := strings.Join(types, "")
	for {
		// To draw again, rather than to repair what lacks a type, keeps all
		// passwords equally likely.
		password := draw(all, length)
		if p.AnyMix || hasEach(password, types) {
			return password, nil
		}
	}
}

// types returns the characters of each type that may occur, without those types
// of which none may.
func (p Password) types() (types []string) {
	for _, t := range []struct {
		characters string
		in         bool
	}{
		{"abcdefghijklmnopqrstuvwxyz", !p.ExcludeLowercase},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", !p.ExcludeUppercase},
		{"0123456789", !p.ExcludeNumbers},
		{"!\"#$%&'()*+,-./:;<=>?@[\\]^_`|}~", !p.ExcludePunctuation},
		{" ", p.IncludeSpace},
	} {
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(p.ExcludeCharacters, r) {
				return -1
			}
			return r
		}, t.characters)
		if t.in && left != "" {
			types = append(types, left)
		}
	}
	return types
}

// draw returns n of the characters, each independently and equally likely. There
// are fewer than 256.
func draw(characters string, n int) string {
	limit := 256 - 256%len(characters) // a byte from here on would favour the first ones
	out := make([]byte, 0, n)
	var random [64]byte
	for {
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			if int(b) < limit {
				if out = append(out, characters[int(b)%len(characters)]); len(out) == n {
					return string(out)
				}
			}
		}
	}
}

func hasEach(password string, types []string) bool {
	for _, t := range types {
		if !strings.ContainsAny(password, t) {
			return false
		}
	}
	return true
}
