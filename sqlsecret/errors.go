package sqlsecret

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/c0629bfc/secrets"
)

// coolingError is that of a login while no version works.
type coolingError struct {
	ref   string
	left  time.Duration
	cause error // the database's
}

func (e *coolingError) Error() string {
	return fmt.Sprintf("%s: the database refuses every version of the credentials: make the two agree; the next login in %v tries again: %v",
		e.ref, e.left.Round(time.Millisecond), e.cause)
}

func (e *coolingError) Unwrap() []error { return []error{secrets.ErrRejected, e.cause} }

// withoutPassword returns err or, if its text has the password in it, as errors
// of parsing a connection string may have, one that does not.
func withoutPassword(err error, s secrets.DBSecret) error {
	text, password := err.Error(), s.Password()
	userinfo := strings.TrimPrefix(url.UserPassword("", password).String(), ":")
	for _, form := range []string{password, url.QueryEscape(password), url.PathEscape(password), userinfo} {
		if strings.Contains(text, form) {
			return errors.New("the driver's error shows the password, and is left out: set the configuration's fields instead of parsing a connection string")
		}
	}
	return err
}
