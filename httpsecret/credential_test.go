package httpsecret_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/httpsecret"
	"github.com/c0629bfc/secrets/provider"
)

func value(text string, typ provider.Type) secrets.Value {
	return provider.NewValue(provider.Ref{Scheme: "sm", Name: "api"}, provider.Version{}, typ, text)
}

func TestCredentials(t *testing.T) {
	key := httpsecret.Header("X-Api-Key")
	for _, test := range []struct {
		put        httpsecret.Credential
		text       string
		name, want string // nothing where it is an error
	}{
		{httpsecret.Bearer, "abc.d-e_f~+/==\r\n", "Authorization", "Bearer abc.d-e_f~+/=="},
		{httpsecret.Bearer, " \n", "", ""},
		{httpsecret.Bearer, "hunter2 hunter2", "", ""},
		{httpsecret.Bearer, "hunter2\r\nX-Evil: 1", "", ""},
		{key, " hunter2 and more\n", "X-Api-Key", "hunter2 and more"},
		{key, "", "", ""},
		{key, "hunter2\x00", "", ""},
		{key, "hunter2\nhunter2", "", ""},
		{httpsecret.Basic, `{"username":"Aladdin","password":"open sesame","engine":"none"}`, "Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
		{httpsecret.Basic, `{"username":"key","password":""}`, "Authorization", "Basic a2V5Og=="},
		{httpsecret.Basic, `{"username":"hunter2"}`, "", ""},
		{httpsecret.Basic, `{"password":"hunter2"}`, "", ""},
		{httpsecret.Basic, `{"username":"","password":"hunter2"}`, "", ""},
		{httpsecret.Basic, `{"username":"hunter2:x","password":"x"}`, "", ""},
		{httpsecret.Basic, `{"username":["hunter2"],"password":"x"}`, "", ""},
		{httpsecret.Basic, `hunter2:x`, "", ""},
	} {
		h := http.Header{}
		h.Set(test.name, "before")
		err := test.put(h, value(test.text, provider.SecretString))
		if test.want == "" {
			require.ErrorIs(t, err, provider.ErrDecode, test.text)
			require.ErrorContains(t, err, "sm://api")
			require.NotContains(t, err.Error(), "hunter2")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, []string{test.want}, h.Values(test.name))
	}
	require.ErrorIs(t, httpsecret.Bearer(http.Header{}, value("x", provider.SecretBinary)), provider.ErrNotText)
}
