package rotation_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func valueOf(text string) provider.Value {
	return provider.NewValue(provider.Ref{Scheme: "sm", Name: "token"}, provider.Version{}, provider.SecretString, text)
}

func TestTokenReplacesTheValueOrOneField(t *testing.T) {
	content, err := rotation.Token{}.Next(t.Context(), valueOf("old"))
	require.NoError(t, err)
	require.Regexp(t, `^[A-Za-z0-9]{43}$`, content)

	token := rotation.Token{Field: "key", Generate: func(context.Context) (string, error) { return `<"new">`, nil }}
	content, err = token.Next(t.Context(), valueOf(`{"key":"old","id":7,"more":{"a":[1]}}`))
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(content), &members))
	require.Equal(t, map[string]any{"key": `<"new">`, "id": 7.0, "more": map[string]any{"a": []any{1.0}}}, members)

	for _, text := range []string{"hunter2", "null", "[]", ""} {
		_, err = token.Next(t.Context(), valueOf(text))
		require.ErrorContains(t, err, "sm://token")
		require.NotContains(t, err.Error(), "hunter2")
	}
	failed := errors.New("no entropy")
	_, err = rotation.Token{Generate: func(context.Context) (string, error) { return "", failed }}.Next(t.Context(), valueOf("old"))
	require.ErrorIs(t, err, failed)
}

func TestTokenMadeBySecretsManager(t *testing.T) {
	server := secretstest.NewServer(t)
	store := sm.New(server.Config())
	server.SetSecret("token", "old")
	target := rotation.Token{Generate: func(ctx context.Context) (string, error) {
		v, err := store.RandomPassword(ctx, sm.PasswordOptions{Length: 20})
		return v.Text(), err
	}}
	require.NoError(t, rotation.Rotate(t.Context(), store, "sm://token", target, rotation.WithLogger(silent)))
	r := store.Fetch(t.Context(), provider.Ref{Scheme: "sm", Name: "token"})[0]
	require.NoError(t, r.Err)
	require.Len(t, r.Value.Text(), 20)
}

// api is one that makes keys.
type api struct {
	keys map[string]bool
	made int
}

func (a *api) target() rotation.APIKey {
	return rotation.APIKey{
		Create: func(context.Context, provider.Value) (string, error) {
			a.made++
			key := string(rune('a' + a.made))
			a.keys[key] = false
			return key, nil
		},
		Activate: func(_ context.Context, _, pending provider.Value) error { a.keys[pending.Text()] = true; return nil },
		Check: func(_ context.Context, pending provider.Value) error {
			if !a.keys[pending.Text()] {
				return errors.New("the API refuses the key")
			}
			return nil
		},
		Revoke: func(_ context.Context, old provider.Value) error { delete(a.keys, old.Text()); return nil },
	}
}

func TestAPIKeysWorkUntilTheRotationAfterTheNext(t *testing.T) {
	server := secretstest.NewServer(t)
	store := sm.New(server.Config())
	server.SetSecret("key", "a")
	a := &api{keys: map[string]bool{"a": true}}
	want := []map[string]bool{{"a": true, "b": true}, {"b": true, "c": true}, {"c": true, "d": true}}
	for _, keys := range want {
		require.NoError(t, rotation.Rotate(t.Context(), store, "sm://key", a.target(), rotation.WithLogger(silent)))
		require.Equal(t, keys, a.keys)
	}
}

func TestAPIKeyThatIsInUseIsNotRevoked(t *testing.T) {
	a := &api{keys: map[string]bool{"a": true}}
	for _, v := range [][3]string{{"a", "b", "a"}, {"a", "b", "b"}, {"a", "b", ""}} {
		previous := valueOf(v[2])
		if v[2] == "" {
			previous = provider.Value{}
		}
		require.NoError(t, a.target().Set(t.Context(), valueOf(v[0]), valueOf(v[1]), previous))
		require.Equal(t, map[string]bool{"a": true, "b": true}, a.keys)
	}
	bare := a.target()
	bare.Activate, bare.Revoke = nil, nil
	require.NoError(t, bare.Set(t.Context(), valueOf("a"), valueOf("b"), valueOf("c")))
	_, err := rotation.APIKey{}.Next(t.Context(), valueOf("a"))
	require.ErrorContains(t, err, "needs Create and Check")
	require.ErrorContains(t, rotation.APIKey{}.Test(t.Context(), valueOf("a")), "needs Create and Check")
}
