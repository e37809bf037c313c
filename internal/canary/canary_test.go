package canary_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/canary"
)

// The search finds what it is there to find, in whatever form a program prints
// it; else that it finds nothing shows nothing.
func TestACanaryIsFoundInWhateverFormItIsPrinted(t *testing.T) {
	for form, print := range map[string]func(secret string) string{
		"alone":     func(s string) string { return s },
		"quoted":    func(s string) string { return fmt.Sprintf("parsing %q: invalid", "x"+s) },
		"cut short": func(s string) string { return "invalid character in " + s[:9] + "..." },
		"its end":   func(s string) string { return s[len(s)-9:] },
		"in a struct": func(s string) string {
			return fmt.Sprintf("%+v", struct {
				P *string
				S string
			}{S: s})
		},
		"in Go's syntax":       func(s string) string { return fmt.Sprintf("%#v", []string{s}) },
		"its bytes":            func(s string) string { return fmt.Sprint([]byte(s)) },
		"its bytes in Go":      func(s string) string { return fmt.Sprintf("%#v", []byte(s)) },
		"as numbers in JSON":   func(s string) string { return strings.ReplaceAll(fmt.Sprint([]byte(s)), " ", ",") },
		"in hexadecimal":       func(s string) string { return fmt.Sprintf("%x", s) },
		"in capitals":          func(s string) string { return fmt.Sprintf("%X", s) },
		"in lower case":        strings.ToLower,
		"in base64":            func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"in base64, shifted 1": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x" + s)) },
		"in base64, shifted 2": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("xy" + s)) },
		"in a header":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte("user:" + s)) },
		"in JSON":              func(s string) string { b, _ := json.Marshal(map[string]string{"password": s}); return string(b) },
		"in a URL":             func(s string) string { return url.UserPassword("user", s).String() },
		"reversed": func(s string) string {
			b := []byte(s)
			for i := range len(b) / 2 {
				b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
			}
			return string(b)
		},
	} {
		net := new(canary.Net)
		other := net.Secret("another")
		secret := net.Secret("the password")
		net.Catch("a log line", "before "+print(secret)+" after")
		net.Catch("another", "nothing")
		leaks := net.Leaks()
		require.NotEmpty(t, leaks, form)
		for _, leak := range leaks {
			require.Contains(t, leak, "a log line shows the password", form)
			require.NotContains(t, leak, secret[:9], form+": a report of a leak is none itself")
			require.NotContains(t, leak, other, form)
		}
	}
}

// Two writes with a half of a canary each are one text.
func TestACanaryIsFoundAcrossWrites(t *testing.T) {
	net := new(canary.Net)
	secret := net.Secret("the key")
	w := net.Writer("a stream")
	for _, half := range []string{secret[:6], secret[6:12]} {
		_, err := w.Write([]byte(half))
		require.NoError(t, err)
	}
	require.Len(t, net.Leaks(), 1)
	require.Equal(t, 12, net.Size("a stream"))
	require.Equal(t, []string{"a stream"}, net.Places())
}

func TestWhatIsNoCanaryIsNone(t *testing.T) {
	net := new(canary.Net)
	secret := net.Secret("the key")
	net.Catch("a log line", "value cannot be decoded "+secret[:6]+" "+base32.StdEncoding.EncodeToString([]byte("another text")))
	require.Empty(t, net.Leaks())
	require.Empty(t, new(canary.Net).Leaks())
}
