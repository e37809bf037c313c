package secretstest

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// A listing is a sorted list that is returned in pages. A token holds the key of
// the last item returned, so that a listing goes on behind it whatever was added
// or deleted meanwhile: a program may delete what it lists.
type listing[T any] struct {
	items      []T
	key        func(i int) string // of an item; in the order of the list
	descending bool               // the order of the keys
	badToken   error              // the service's error for a token that is none
}

// byPosition is the key of lists that only grow at their end.
func byPosition(i int) string { return fmt.Sprintf("%09d", i) }

// page cuts one page and returns the token of the next, "" after the last. The
// token names its operation, so that one operation's token is refused by
// another.
func (l listing[T]) page(c *call, size int, token *string) ([]T, string, error) {
	start := 0
	if token != nil {
		last, began, err := c.decodeToken(*token)
		if err != nil {
			return nil, "", l.badToken
		}
		for began && start < len(l.items) && !l.behind(start, last) {
			start++
		}
	} else if c.emptyPages && len(l.items) > 0 {
		return []T{}, c.encodeToken("-", ""), nil
	}
	if c.pageSize > 0 {
		size = min(size, c.pageSize)
	}
	end := min(start+size, len(l.items))
	next := ""
	if end < len(l.items) {
		next = c.encodeToken("+", l.key(end-1))
	}
	// A full slice of length zero, not nil, so that it encodes as [].
	return append([]T{}, l.items[start:end]...), next, nil
}

// behind reports whether the item comes after the one with the key last.
func (l listing[T]) behind(i int, last string) bool {
	if l.descending {
		return l.key(i) < last
	}
	return l.key(i) > last
}

func (c *call) encodeToken(began, last string) string {
	return base64.StdEncoding.EncodeToString([]byte(c.operation + "\n" + began + last))
}

// decodeToken returns the key of the last item returned; began is false before
// the first.
func (c *call) decodeToken(token string) (last string, began bool, err error) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return "", false, err
	}
	operation, rest, _ := strings.Cut(string(raw), "\n")
	last, began = strings.CutPrefix(rest, "+")
	if operation != c.operation || !began && rest != "-" {
		return "", false, fmt.Errorf("a token of %q", operation)
	}
	return last, began, nil
}

// sizeOr returns the caller's MaxResults, or the default.
func sizeOr(given *int64, otherwise int) int {
	if given != nil {
		return int(*given)
	}
	return otherwise
}

var (
	badSecretToken    = fail("InvalidNextTokenException", "The NextToken value is invalid.")
	badParameterToken = fail("InvalidNextToken", "The specified token is not valid.")
)
