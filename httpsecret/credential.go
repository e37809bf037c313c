package httpsecret

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// Credential puts a value on the header of a request: [Bearer], [Basic],
// [Header] or a function of one's own. It sets the header's fields rather than
// adding to them, is called for each request, from many goroutines, and its
// errors must not quote the value.
type Credential func(h http.Header, v secrets.Value) error

// Bearer puts a token on the Authorization header (RFC 6750). Space and newlines
// at the ends of the value are dropped.
func Bearer(h http.Header, v secrets.Value) error {
	token, err := field(v)
	if err != nil {
		return err
	}
	if strings.ContainsAny(token, " \t") {
		return decodeError(v, "want a token: there is space in it")
	}
	h.Set("Authorization", "Bearer "+token)
	return nil
}

// Header puts the value itself on a header of that name, such as "X-Api-Key".
// Space and newlines at the ends of the value are dropped, as HTTP would.
func Header(name string) Credential {
	return func(h http.Header, v secrets.Value) error {
		text, err := field(v)
		if err != nil {
			return err
		}
		h.Set(name, text)
		return nil
	}
}

// Basic puts a username and password on the Authorization header (RFC 7617).
// The value is a JSON object with "username" and "password", as secrets of
// databases are; the password may be empty, as APIs want it that take a key for
// the username.
func Basic(h http.Header, v secrets.Value) error {
	user, err := secrets.JSON[login](v)
	switch {
	case err != nil:
		return err
	case user.Username == nil || *user.Username == "":
		return decodeError(v, `the JSON object has no "username"`)
	case user.Password == nil:
		return decodeError(v, `the JSON object has no "password"`)
	case strings.Contains(*user.Username, ":"):
		return decodeError(v, `a "username" with a colon cannot be sent by basic authentication`)
	}
	h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(*user.Username+":"+*user.Password)))
	return nil
}

type login struct{ Username, Password *string }

// field returns a value as it may stand in a header (RFC 9110, section 5.5).
func field(v secrets.Value) (string, error) {
	text, err := secrets.Text(v)
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", decodeError(v, "the value is empty")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", decodeError(v, "a control character, such as a line break, cannot be sent in a header")
	}
	return text, nil
}

func decodeError(v secrets.Value, hint string) error {
	return &provider.Error{Ref: v.Ref(), Kind: provider.ErrDecode, Hint: hint}
}
