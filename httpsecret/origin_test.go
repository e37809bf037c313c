package httpsecret_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/httpsecret"
)

// echo answers with the Authorization header that it got, or redirects.
func echo(t *testing.T) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write([]byte(r.Header.Get("Authorization")))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestSecretGoesToNoOtherHost(t *testing.T) {
	server, c := world(t)
	server.SetSecret("api", "hunter2")
	trusted, also, other := echo(t), echo(t), echo(t)
	client, _ := through(t, c, "sm://api", httpsecret.Bearer, trusted.URL, also.URL+"/")
	for name, test := range map[string]struct {
		url  string
		sent bool
	}{
		"named":                       {trusted.URL, true},
		"named, with a path":          {trusted.URL + "/a/b?c=d#e", true},
		"named second":                {also.URL, true},
		"another":                     {other.URL, false},
		"redirected to itself":        {trusted.URL + "?to=/x", true},
		"redirected to another named": {trusted.URL + "?to=" + also.URL, true},
		"redirected to another":       {trusted.URL + "?to=" + other.URL, false},
		"redirected from another":     {other.URL + "?to=" + trusted.URL, false},
		"redirected away and back":    {trusted.URL + "?to=" + other.URL + "?to=" + trusted.URL, false},
		"away and further":            {trusted.URL + "?to=" + other.URL + "?to=/x", false},
		"the same host, another port": {other.URL, false},
		"another name of the host":    {strings.Replace(trusted.URL, "127.0.0.1", "localhost", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := get(t, client, test.url)
			require.Equal(t, 200, status)
			if test.sent {
				require.Equal(t, "Bearer hunter2", body)
			} else {
				require.Empty(t, body)
			}
		})
	}
}

// recorder answers requests without sending them anywhere.
type recorder struct{ got string }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.got = req.Header.Get("Authorization")
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: req}, nil
}

func TestOrigins(t *testing.T) {
	server, c := world(t)
	server.SetSecret("api", "hunter2")
	for origin, urls := range map[string]map[string]bool{
		"https://api.example.com": {
			"https://api.example.com/x": true, "https://API.example.com": true, "https://api.example.com:443/": true,
			"http://api.example.com": false, "http://api.example.com:443": false, "https://api.example.com:8443": false,
			"https://api.example.com.": false, "https://api.example.com.evil.org": false, "https://evil.org/api.example.com": false,
			"https://user@evil.org": false, "https://api.example.com@evil.org": false, "https://xapi.example.com": false,
		},
		"https://KEY.example.com:443/": {"https://key.example.com": true, "https://\u212aey.example.com": false},
		"http://[::1]:80":              {"http://[::1]/": true, "http://[::1]:81/": false, "https://[::1]/": false},
	} {
		transport, err := httpsecret.New(c, "sm://api", httpsecret.Bearer, origin)
		require.NoError(t, err)
		base := &recorder{}
		transport.Base = base
		for url, sent := range urls {
			base.got = ""
			req, err := http.NewRequest(http.MethodGet, url, nil)
			require.NoError(t, err)
			resp, err := transport.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, sent, base.got != "", url)
		}
	}
}

func TestNewRefusesWhatNamesNobody(t *testing.T) {
	_, c := world(t)
	_, err := httpsecret.New(c, "sm://api", httpsecret.Bearer)
	require.ErrorContains(t, err, "name the servers")
	_, err = httpsecret.New(c, "sm://api", nil, "https://api.example.com")
	require.ErrorContains(t, err, "sm://api: there is no Credential")
	_, err = httpsecret.New(c, "nonsense", httpsecret.Bearer, "https://api.example.com")
	require.ErrorContains(t, err, "nonsense")
	for _, origin := range []string{"", "api.example.com", "//api.example.com", "https://", "ftp://api.example.com", "https://:443", "https://*",
		"https://api.example.com/v1", "https://api.example.com?x", "https://api.example.com#x", "https://user:hunter2@api.example.com", "https://api.example.com ", "%"} {
		_, err := httpsecret.New(c, "sm://api", httpsecret.Bearer, origin)
		require.Error(t, err, origin)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
