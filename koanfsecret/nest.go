package koanfsecret

import (
	"fmt"
	"strings"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// nest makes the map of what is below a prefix.
func nest(prefix provider.Ref, values []secrets.Value) (map[string]any, error) {
	root := make(map[string]any)
	leaves := make(map[string]string) // the ref by its path
	for _, v := range values {
		ref := v.Ref()
		content, err := convert(v)
		if err != nil {
			return nil, err
		}
		steps := strings.Split(strings.TrimPrefix(ref.Name, prefix.Name), "/")
		in := root
		for i, step := range steps[:len(steps)-1] {
			if other, taken := leaves[strings.Join(steps[:i+1], "/")]; taken {
				return nil, conflict(other, ref)
			}
			next, ok := in[step].(map[string]any)
			if !ok {
				next = make(map[string]any)
				in[step] = next
			}
			in = next
		}
		last := steps[len(steps)-1]
		if _, taken := in[last]; taken {
			return nil, conflict(ref.String(), ref)
		}
		in[last] = content
		leaves[strings.Join(steps, "/")] = ref.String()
	}
	return root, nil
}

func conflict(value string, other provider.Ref) error {
	if value == other.String() {
		return fmt.Errorf("%s: it is both a value and the path of others, which no nested map can be: rename it, or load a longer prefix", value)
	}
	return fmt.Errorf("%s: it is both a value and the path of %s, which no nested map can be: rename it, or load a longer prefix", value, other)
}

// convert returns what a value is in koanf.
func convert(v secrets.Value) (any, error) {
	switch v.Type() {
	case provider.StringList:
		return secrets.List(v)
	case provider.SecretString:
		if object, err := secrets.JSON[map[string]any](v); err == nil {
			return object, nil
		}
	}
	return v.Text(), nil
}
