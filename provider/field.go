package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// fieldSteps splits a field into the members to follow: a plain name is one
// step, an RFC 6901 pointer one for each of its tokens.
func fieldSteps(field string) ([]string, error) {
	if field == "" {
		return nil, errors.New("the field is empty")
	}
	if field[0] != '/' {
		return []string{field}, nil
	}
	steps := strings.Split(field[1:], "/")
	for i, s := range steps {
		for rest := s; ; {
			_, after, found := strings.Cut(rest, "~")
			if !found {
				break
			}
			if after == "" || after[0] != '0' && after[0] != '1' {
				return nil, errors.New(`a "~" in a JSON pointer must be "~0" or "~1" (RFC 6901)`)
			}
			rest = after[1:]
		}
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	return steps, nil
}

// pointerTo returns the field that means the member of that very name, also
// where the name begins with a slash.
func pointerTo(name string) string {
	if !strings.HasPrefix(name, "/") {
		return name
	}
	return "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// member returns the member of a JSON object or the element of an array.
func member(raw json.RawMessage, step string) (json.RawMessage, bool) {
	switch kindOf(raw) {
	case '{':
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return nil, false
		}
		next, ok := object[step]
		return next, ok
	case '[':
		// RFC 6901 section 4: no leading zeros; "-" is past the end.
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || strconv.Itoa(i) != step {
			return nil, false
		}
		var array []json.RawMessage
		if json.Unmarshal(raw, &array) != nil || i >= len(array) {
			return nil, false
		}
		return array[i], true
	}
	return nil, false
}

// kindOf returns the first byte of the JSON value, which tells its kind.
func kindOf(raw json.RawMessage) byte {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}
