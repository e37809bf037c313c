package sm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/sm"
)

func (l *life) testPassword(t *testing.T) {
	password := func(opts sm.PasswordOptions) string {
		v, err := l.store.RandomPassword(t.Context(), opts)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v), v.Text())
		return v.Text()
	}
	p := password(sm.PasswordOptions{})
	require.Len(t, p, 32)
	for _, some := range []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"} {
		require.True(t, strings.ContainsAny(p, some), "of each type")
	}
	require.NotEqual(t, p, password(sm.PasswordOptions{}))
	p = password(sm.PasswordOptions{Length: 1000, ExcludePunctuation: true, ExcludeUppercase: true, ExcludeLowercase: true, IncludeSpace: true})
	require.Contains(t, p, " ", "for all that is likely")
	require.Empty(t, strings.Trim(p, " 0123456789"))
	p = password(sm.PasswordOptions{Length: 100, ExcludePunctuation: true, ExcludeUppercase: true, ExcludeLowercase: true, ExcludeCharacters: "01234"})
	require.Len(t, p, 100)
	require.Empty(t, strings.Trim(p, "56789"))
}
