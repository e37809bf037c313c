package httpsecret_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/httpsecret"
)

var errSent = errors.New("sent")

// Whatever is taken for an origin, a request to another host goes without the
// secret, and one to that host with it.
func FuzzOrigin(f *testing.F) {
	_, c := world(f)
	for _, s := range []string{"https://api.example.com", "http://127.0.0.1:8080/", "https://[::1]", "https://user@host", "https://*.example.com", "https://a.example/path"} {
		f.Add(s, "https://other.example")
	}
	f.Fuzz(func(t *testing.T, origin, target string) {
		asked := 0
		put := func(http.Header, secrets.Value) error { asked++; return nil }
		transport, err := httpsecret.New(c, "sm://none", put, origin)
		if err != nil {
			return
		}
		u, err := url.Parse(origin)
		require.NoError(t, err)
		require.Nil(t, u.User)
		require.Contains(t, []string{"http", "https"}, u.Scheme)
		to, err := url.Parse(target)
		if err != nil || strings.EqualFold(to.Hostname(), u.Hostname()) {
			return
		}
		transport.Base = roundTrip(func(*http.Request) (*http.Response, error) { return nil, errSent })
		_, err = transport.RoundTrip(&http.Request{URL: to, Header: make(http.Header)})
		require.ErrorIs(t, err, errSent, "it was sent as it is")
		_, err = transport.RoundTrip(&http.Request{URL: u, Header: make(http.Header)})
		require.NotErrorIs(t, err, errSent, "the secret is asked for, and there is none")
		require.Zero(t, asked)
	})
}
