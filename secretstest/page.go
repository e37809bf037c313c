package secretstest

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// page cuts one page of items and returns the token of the next, "" after the
// last. The token names its operation, so that one operation's token is
// refused by another; badToken is the error of the service for such a token.
func page[T any](c *call, items []T, size int, token *string, badToken error) ([]T, string, error) {
	start := 0
	if token != nil {
		var err error
		if start, err = c.decodeToken(*token); err != nil {
			return nil, "", badToken
		}
	} else if c.emptyPages && len(items) > 0 {
		return []T{}, c.encodeToken(0), nil
	}
	if c.pageSize > 0 {
		size = min(size, c.pageSize)
	}
	start = min(start, len(items))
	end := min(start+size, len(items))
	next := ""
	if end < len(items) {
		next = c.encodeToken(end)
	}
	// A full slice of length zero, not nil, so that it encodes as [].
	return append([]T{}, items[start:end]...), next, nil
}

func (c *call) encodeToken(offset int) string {
	return base64.StdEncoding.EncodeToString([]byte(c.operation + "\n" + strconv.Itoa(offset)))
}

func (c *call) decodeToken(token string) (int, error) {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return 0, err
	}
	operation, offset, _ := strings.Cut(string(raw), "\n")
	if operation != c.operation {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(offset, 10, 31)
	return int(n), err
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
