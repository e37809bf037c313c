package rotation_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/rotation"
)

func generate(t *testing.T, p rotation.Password) string {
	t.Helper()
	password, err := p.Generate(t.Context())
	require.NoError(t, err)
	return password
}

var (
	lower       = "abcdefghijklmnopqrstuvwxyz"
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`|}~" // no "{": Parameter Store refuses "{{"
)

func TestPasswordsHaveOneOfEachType(t *testing.T) {
	for range 200 {
		for length, p := range map[int]rotation.Password{32: {}, 4: {Length: 4}, 5: {Length: 5, IncludeSpace: true}, 4096: {Length: 4096}} {
			password := generate(t, p)
			require.Len(t, password, length)
			for _, class := range []string{lower, upper, digits, punctuation} {
				require.True(t, strings.ContainsAny(password, class))
			}
			require.Equal(t, length == 5, strings.Contains(password, " "))
			require.NotContains(t, password, "{")
		}
	}
}

func TestPasswordsHaveNothingThatIsExcluded(t *testing.T) {
	for range 100 {
		require.False(t, strings.ContainsAny(generate(t, rotation.Password{Length: 200, ExcludeCharacters: `/@"'\aB3é`}), `/@"'\aB3`))
		for class, p := range map[string]rotation.Password{
			lower: {Length: 100, ExcludeLowercase: true}, upper: {Length: 100, ExcludeUppercase: true},
			digits: {Length: 100, ExcludeNumbers: true}, punctuation: {Length: 100, ExcludePunctuation: true},
			lower + upper + digits: {Length: 100, ExcludeCharacters: lower + upper + digits},
		} {
			require.False(t, strings.ContainsAny(generate(t, p), class))
		}
		require.Regexp(t, `^[01]+$`, generate(t, rotation.Password{AnyMix: true, ExcludeLowercase: true, ExcludeUppercase: true, ExcludePunctuation: true, ExcludeCharacters: "23456789"}))
	}
}

func TestPasswordsThatCannotBe(t *testing.T) {
	for message, p := range map[string]rotation.Password{
		"1 to 4096":       {Length: 4097},
		"not -1":          {Length: -1},
		"no character":    {ExcludeCharacters: lower + upper + digits + punctuation},
		"4 types":         {Length: 3},
		"of 5 types":      {Length: 4, IncludeSpace: true},
		"cannot have one": {Length: 1, ExcludeNumbers: true},
	} {
		_, err := p.Generate(t.Context())
		require.ErrorContains(t, err, message)
	}
	require.Len(t, generate(t, rotation.Password{Length: 1, AnyMix: true}), 1)
}

// Each of 93 characters is drawn about equally often: a byte taken modulo 93 would
// give the first 70 of them half as often again as the others.
func TestPasswordsFavourNoCharacter(t *testing.T) {
	counts := make(map[rune]int)
	const n = 93 * 4000
	for drawn := 0; drawn < n; drawn += 4000 {
		for _, r := range generate(t, rotation.Password{Length: 4000}) {
			counts[r]++
		}
	}
	require.Len(t, counts, 93)
	for r, c := range counts {
		require.InDelta(t, 4000, c, 450, "%q", r) // seven standard deviations
	}
}
