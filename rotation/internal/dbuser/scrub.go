package dbuser

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// window is how many bytes of a password a message may have in a row.
const window = 4

// scrub returns err, which may be nil, or, if its text has a piece of a password in it, as the
// syntax errors of databases do, one that has not.
func scrub(err error, passwords ...string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, password := range passwords {
		for i := range max(1, len(password)-window+1) {
			if piece := password[i:min(i+window, len(password))]; piece != "" && strings.Contains(text, piece) {
				return errors.Join(fmt.Errorf("the database's message%s has a piece of a password in it, and is left out", code(err)), ended(err))
			}
		}
	}
	return err
}

// code is the error's SQLSTATE, if it has one.
func code(err error) string {
	var e interface{ SQLState() string }
	if errors.As(err, &e) {
		return " (SQLSTATE " + e.SQLState() + ")"
	}
	return ""
}

// ended is what err says of the context's end, or nil.
func ended(err error) error {
	for _, e := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return e
		}
	}
	return nil
}
