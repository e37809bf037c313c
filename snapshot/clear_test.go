package snapshot_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"reflect"
	"testing"

	"github.com/davecgh/go-spew/spew"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/snapshot"
)

func TestNothingInTheClear(t *testing.T) {
	const canary, name = "canary-7f3a91c4", "prod/very-special-name"
	path := inTemp(t)
	var l log
	s := open(t, path, l.option())
	s.Keep(value(t, "sm://"+name, canary))
	require.NoError(t, s.Close())
	s = open(t, path, l.option())
	require.Equal(t, canary, text(t, s, "sm://"+name))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, hidden := range []string{canary, name, string(key), binding} {
		require.NotContains(t, string(b), hidden)
		for skip := range 3 { // however it falls into groups of three
			whole := base64.RawStdEncoding.EncodeToString([]byte(hidden)[skip:])
			require.NotContains(t, string(b), whole[:len(whole)-2])
		}
	}
	k := snapshot.Secret(key)
	printed := fmt.Sprintf("%v %+v %#v %s %v %+v %#v", s, s, s, s, k, k, k) + fmt.Sprintf("%+v", reflect.ValueOf(s).Elem()) + spew.Sdump(s, k) + l.String()
	require.NotContains(t, printed, canary)
	require.NotContains(t, printed, string(key))
	require.NotContains(t, printed, fmt.Sprint(key[:8])[1:20])
	require.NotContains(t, printed, "0x6b, 0x33, 0x79")
	require.NotContains(t, printed, "6b 33 79 21")

	first, err := os.ReadFile(path)
	require.NoError(t, err)
	s.Keep(value(t, "sm://other", "x"))
	s.Forget(parse(t, "sm://other"))
	require.NoError(t, s.Close())
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, len(first), len(again))
	require.NotEqual(t, first[17:49], again[17:49], "another salt")
	require.NotEqual(t, first[len(first)-40:], again[len(again)-40:])
}
