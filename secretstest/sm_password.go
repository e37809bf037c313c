package secretstest

import (
	"crypto/rand"
	"math/big"
	"strings"
)

type getRandomPasswordInput struct {
	ExcludeCharacters       string
	ExcludeLowercase        bool
	ExcludeNumbers          bool
	ExcludePunctuation      bool
	ExcludeUppercase        bool
	IncludeSpace            bool
	PasswordLength          *int64
	RequireEachIncludedType *bool
}

// The character types of GetRandomPassword.
const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	numbers     = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

func getRandomPassword(_ *call, in *getRandomPasswordInput) (any, error) {
	if err := checkRange("passwordLength", in.PasswordLength, 1, 4096); err != nil {
		return nil, err
	}
	if err := checkLength("excludeCharacters", len(in.ExcludeCharacters), 0, 4096); err != nil {
		return nil, err
	}
	length := sizeOr(in.PasswordLength, 32)
	var types []string // what is left of each included type
	for _, t := range []struct {
		characters string
		excluded   bool
	}{
		{lowercase, in.ExcludeLowercase},
		{uppercase, in.ExcludeUppercase},
		{numbers, in.ExcludeNumbers},
		{punctuation, in.ExcludePunctuation},
	} {
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(in.ExcludeCharacters, r) {
				return -1
			}
			return r
		}, t.characters)
		if !t.excluded && left != "" {
			types = append(types, left)
		}
	}
	all := strings.Join(types, "")
	if in.IncludeSpace && !strings.Contains(in.ExcludeCharacters, " ") {
		all += " " // no type of its own: RequireEachIncludedType does not ask for it
	}
	if all == "" {
		return nil, fail("InvalidParameterException", "The password must contain at least one type of character.")
	}
	password := make([]byte, 0, length)
	if in.RequireEachIncludedType == nil || *in.RequireEachIncludedType {
		if length < len(types) {
			return nil, fail("InvalidParameterException", "The password length must be at least %d to contain each included type.", len(types))
		}
		for _, characters := range types {
			password = append(password, pick(characters))
		}
	}
	for len(password) < length {
		password = append(password, pick(all))
	}
	for i := range password { // so that the required types stand anywhere
		j := i + random(len(password)-i)
		password[i], password[j] = password[j], password[i]
	}
	return struct{ RandomPassword string }{string(password)}, nil
}

func pick(characters string) byte { return characters[random(len(characters))] }

func random(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		return 0 // rand.Reader never fails
	}
	return int(i.Int64())
}
