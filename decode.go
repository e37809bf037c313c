package secrets

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/c0629bfc/secrets/provider"
)

// The functions that take a [Value] and return a T are decoders, for [Bind] and
// for a Value that [Client.Get] returned. A value that does not decode is a
// [provider.Error] of the kind [provider.ErrDecode], which names the ref and
// what was expected and quotes nothing of the value. What a decoder returns
// redacts itself no more, [DBSecret] excepted.

// Text decodes a value to its text, unchanged to the last newline. A binary
// value is an error, [provider.ErrNotText].
func Text(v Value) (string, error) {
	if v.Binary() {
		return "", &provider.Error{Ref: v.Ref(), Kind: provider.ErrNotText, Hint: "decode it by Bytes"}
	}
	return v.Text(), nil
}

// Bytes decodes a value to a copy of its content, unchanged. It never fails.
func Bytes(v Value) ([]byte, error) { return v.Bytes(), nil }

// JSON decodes a value that holds one JSON text, as [json.Unmarshal] does:
// members that T lacks are passed over. A value that is null, or that has
// anything behind the JSON text, is an error. A byte order mark before it is
// passed over, and a binary value may hold JSON too.
func JSON[T any](v Value) (T, error) { return decodeJSONOf[T](v, false) }

// JSONStrict is [JSON], but a member that T lacks is an error. Whoever adds a
// member to the secret then breaks its readers; most want JSON.
func JSONStrict[T any](v Value) (T, error) { return decodeJSONOf[T](v, true) }

// List decodes a list of strings. The items are separated by commas, as those
// of a parameter of the type StringList (API PutParameter, parameter Type: a
// comma separates, and nothing escapes one); space around an item is dropped.
// An empty value is a list of no items, an empty item among others an error.
//
// A value of any other type may also be a JSON array of strings, as a field of
// a JSON secret is; its items are taken exactly.
func List(v Value) ([]string, error) {
	text, err := decodeText(v)
	switch {
	case err != nil:
		return nil, err
	case text == "":
		return []string{}, nil
	case v.Type() != provider.StringList && looksLikeJSONArray(text):
		var items []*string
		if err := decodeJSON(v, &items, false); err != nil {
			return nil, err
		}
		if slices.Contains(items, nil) {
			return nil, decodeError(v, "an item of the JSON array is null, not a string")
		}
		list := make([]string, len(items))
		for i, s := range items {
			list[i] = *s
		}
		return list, nil
	}
	list := strings.Split(text, ",")
	for i, s := range list {
		if list[i] = strings.TrimSpace(s); list[i] == "" {
			return nil, decodeError(v, fmt.Sprintf("item %d of %d is empty: want items separated by single commas", i+1, len(list)))
		}
	}
	return list, nil
}

// looksLikeJSONArray tells a JSON array, also one that is broken behind its
// first string, from a list whose first item begins with a bracket, such as an
// IPv6 address.
func looksLikeJSONArray(text string) bool {
	rest, ok := strings.CutPrefix(text, "[")
	return ok && (strings.HasPrefix(strings.TrimSpace(rest), `"`) || json.Valid([]byte(text)))
}

// TextOf decodes a value to a type that unmarshals itself from text, as
// TextOf[netip.Addr] does. Space and newlines at the ends of the value are
// dropped; whether an empty text will do is the type's to say.
func TextOf[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](v Value) (T, error) {
	var x T
	if err := decodeTextUnmarshaler(v, P(&x)); err != nil {
		var zero T
		return zero, err
	}
	return x, nil
}

// decodeError is the error of a value that is not what it should be.
func decodeError(v Value, hint string) error {
	return &provider.Error{Ref: v.Ref(), Kind: provider.ErrDecode, Hint: hint}
}

// decodeHint is an error that holds nothing of the value: it may be shown where
// any other error of an unmarshaler is dropped.
type decodeHint string

func (h decodeHint) Error() string { return string(h) }

// byteOrderMark is what some editors and shells of Windows put before a text.
const byteOrderMark = "\ufeff"

// decodeText returns the text of a value without what people add to it unseen.
func decodeText(v Value) (string, error) {
	text, err := Text(v)
	return trimmed(text), err
}

func trimmed(text string) string {
	return strings.TrimSpace(strings.TrimPrefix(text, byteOrderMark))
}

func decodeTextUnmarshaler(v Value, u encoding.TextUnmarshaler) error {
	text, err := decodeText(v)
	if err != nil {
		return err
	}
	// Errors of unmarshalers quote their input as a rule.
	if u.UnmarshalText([]byte(text)) != nil {
		return decodeError(v, fmt.Sprintf("want the text of a %s", reflect.TypeOf(u).Elem()))
	}
	return nil
}

func decodeJSONOf[T any](v Value, strict bool) (T, error) {
	var x T
	if err := decodeJSON(v, &x, strict); err != nil {
		var zero T
		return zero, err
	}
	return x, nil
}

// decodeJSON unmarshals a value into what dst points to. No error of
// encoding/json gets out: they quote their input.
func decodeJSON(v Value, dst any, strict bool) error {
	raw := []byte(trimmed(v.Text()))
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(raw, new(json.RawMessage)); {
	case len(raw) == 0:
		return decodeError(v, "the value is empty: want JSON")
	case errors.As(err, &syntax):
		return decodeError(v, fmt.Sprintf("the value is not JSON: it breaks at byte %d of %d", syntax.Offset, len(raw)))
	case err != nil:
		return decodeError(v, "the value is not JSON")
	case !utf8.Valid(raw):
		return decodeError(v, "the value is not JSON: its encoding is not UTF-8") // json would replace the bytes
	case string(raw) == "null":
		return decodeError(v, "the value is null")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if strict {
		decoder.DisallowUnknownFields()
	}
	err := decoder.Decode(dst)
	if err == nil {
		return nil
	}
	t := reflect.TypeOf(dst).Elem()
	var hint decodeHint
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &hint):
		return decodeError(v, hint.Error())
	case errors.As(err, &mismatch):
		found, _, _ := strings.Cut(mismatch.Value, " ") // "number 42" is the number itself
		where := ""
		if path := knownPath(t, mismatch.Field); path != "" {
			where = " in " + path
		}
		return decodeError(v, fmt.Sprintf("want JSON for %s: found %s, want %s%s", t, found, mismatch.Type, where))
	case strict && strings.HasPrefix(err.Error(), "json: unknown field "):
		return decodeError(v, fmt.Sprintf("the JSON has a member that %s lacks: add it there, or decode by JSON", t))
	}
	return decodeError(v, fmt.Sprintf("want JSON for %s: one of its unmarshalers refuses the value", t))
}

// knownPath returns as much of a path of member names as t itself spells out:
// behind that come keys of maps, which encoding/json/v2 tells and which are part
// of the value.
func knownPath(t reflect.Type, path string) string {
	var known []string
	for step := range strings.SplitSeq(path, ".") {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			break
		}
		fields := reflect.VisibleFields(t)
		i := slices.IndexFunc(fields, func(f reflect.StructField) bool {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return step == name || step == f.Name
		})
		if i < 0 {
			break
		}
		known = append(known, step)
		t = fields[i].Type
	}
	return strings.Join(known, ".")
}
