package rotation

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/c0629bfc/secrets/provider"
)

// Token is a [Target] for a value that only its readers know, such as a key that
// services sign with or a token that they show each other: there is no system
// to tell. Readers that check what others show should accept the previous value
// too, until all have the new one.
type Token struct {
	// Generate makes the new value; nil is 43 letters and digits, 256 bits.
	Generate Generator
	// Field is the member of a JSON object that changes, while the others stay;
	// empty is the whole value.
	Field string
}

// Next implements [Target].
func (t Token) Next(ctx context.Context, current provider.Value) (string, error) {
	generate := t.Generate
	if generate == nil {
		generate = Password{Length: 43, ExcludePunctuation: true}.Generate
	}
	token, err := generate(ctx)
	if err != nil || t.Field == "" {
		return token, err
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(current.Bytes(), &members) != nil || members == nil { // its error would quote the value
		return "", fmt.Errorf("%s: not a JSON object, so it has no member %q to rotate: leave Field empty, or store an object", current.Ref(), t.Field)
	}
	if members[t.Field], err = json.Marshal(token); err != nil {
		return "", err
	}
	content, err := json.Marshal(members)
	return string(content), err
}

// Set implements [Target]: there is nothing to do.
func (Token) Set(context.Context, provider.Value, provider.Value, provider.Value) error { return nil }

// Test implements [Target]: there is nothing to test.
func (Token) Test(context.Context, provider.Value) error { return nil }
