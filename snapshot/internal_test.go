package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

var (
	testKey  = Secret(bytes.Repeat([]byte{1}, KeySize))
	errClose = []error{ErrDamaged, ErrKeyService, ErrWrongKey, ErrForeign, ErrFormat}
)

func sealed(t testing.TB, plain string) []byte {
	t.Helper()
	data, err := testKey.newDataKey(context.Background())
	require.NoError(t, err)
	b, err := seal([]byte(plain), "b", data)
	require.NoError(t, err)
	return b
}

// Every other value of every byte.
func TestUnsealDetectsEveryChange(t *testing.T) {
	b := sealed(t, `[{"ref":"sm://a"}]`)
	for i := range b {
		was := b[i]
		for x := range 256 {
			if b[i] = byte(x); byte(x) == was {
				continue
			}
			plain, err := unseal(t.Context(), b, "b", testKey)
			if err == nil || plain != nil || !typed(err) {
				t.Fatalf("byte %d as %d: %v", i, x, err)
			}
		}
		b[i] = was
	}
	plain, err := unseal(t.Context(), b, "b", testKey)
	require.NoError(t, err)
	require.Equal(t, `[{"ref":"sm://a"}]`, string(plain))
}

// Nor can one be made of the parts of two under the same key.
func TestTwoSnapshotsCannotBeSpliced(t *testing.T) {
	a, b := sealed(t, `[{"ref":"sm://a"}]`), sealed(t, `[{"ref":"sm://b"}]`)
	for cut := range len(a) {
		spliced := append(bytes.Clone(a[:cut]), b[cut:]...)
		if bytes.Equal(spliced, a) || bytes.Equal(spliced, b) {
			continue
		}
		plain, err := unseal(t.Context(), spliced, "b", testKey)
		if err == nil || plain != nil || !typed(err) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func typed(err error) bool {
	for _, kind := range errClose {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func FuzzUnseal(f *testing.F) {
	good := sealed(f, "[]")
	f.Add(good)
	f.Add(good[:headSize])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range []Key{testKey, Envelope(
			func(context.Context) ([]byte, []byte, error) { return nil, nil, nil },
			func(context.Context, []byte) ([]byte, error) { return bytes.Repeat([]byte{1}, KeySize), nil })} {
			if _, err := unseal(t.Context(), b, "b", k); err != nil && !typed(err) {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`[{"ref":"sm://a","kept":"2026-01-02T03:04:05Z","version":"v","created":"2026-01-02T03:04:05.000000006Z","labels":["AWSCURRENT"],"type":"SecretString","content":"aGk="}]`))
	f.Add([]byte(`[{"ref":"sm://a?stage=AWSPENDING","kept":"2026-01-02T03:04:05Z","content":null},{"ref":"x"}]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		all, err := decode(plain)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		b, n, err := encode(all, MaxSize)
		if err != nil || n != len(all) {
			return // kept in a year that JSON does not know
		}
		back, err := decode(b)
		require.NoError(t, err)
		require.Len(t, back, len(all))
		for i, o := range back {
			require.True(t, alike(all[i].value, o.value))
			require.Equal(t, all[i].value.Ref(), o.value.Ref())
			require.True(t, all[i].at.Equal(o.at))
		}
	})
}

// The size that a value is taken for is not below what it takes.
func TestSize(t *testing.T) {
	for _, content := range []string{"", "a", "abcd", string(make([]byte, 1000))} {
		ref, err := provider.ParseRef("sm://prod/a-long-name?region=eu-central-1&stage=AWSPREVIOUS")
		require.NoError(t, err)
		now := time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
		o := one{value: provider.NewValue(ref, provider.NewVersion("7d2c", now, "AWSPREVIOUS", "mine"), provider.SecretString, content), at: now}
		b, n, err := encode([]one{o}, MaxSize)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.LessOrEqual(t, len(b), o.size())
	}
}

func TestValuesThatThereIsNoRoomForAreLeftOut(t *testing.T) {
	var all []one
	for i := range 20 {
		ref, err := provider.ParseRef(fmt.Sprintf("sm://n%d", i))
		require.NoError(t, err)
		all = append(all, one{value: provider.NewValue(ref, provider.Version{}, provider.SecretString, strings.Repeat("x", 1000)), at: time.Now().UTC()})
	}
	b, n, err := encode(all, 10_000)
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), 10_000)
	require.Equal(t, 6, n)
	back, err := decode(b)
	require.NoError(t, err)
	require.Equal(t, "n0", back[0].value.Ref().Name, "the first are the latest")
}

// What says to whom a snapshot belongs takes no key to compute, but it cannot be
// put on another one's.
func TestAHeadCannotBeForged(t *testing.T) {
	b := sealed(t, "[]")
	salt := b[len(magic)+1:][:saltSize]
	copy(b[len(magic)+1+saltSize:], bindingCheck(salt, "other"))
	_, err := unseal(t.Context(), b, "other", testKey)
	require.ErrorIs(t, err, ErrDamaged)

	lax := Envelope(func(context.Context) ([]byte, []byte, error) {
		return bytes.Repeat([]byte{1}, KeySize), []byte("sealed"), nil
	},
		func(context.Context, []byte) ([]byte, error) { return bytes.Repeat([]byte{1}, KeySize), nil })
	data, err := lax.newDataKey(t.Context())
	require.NoError(t, err)
	b, err = seal([]byte("[]"), "b", data)
	require.NoError(t, err)
	_, err = unseal(t.Context(), b, "b", lax)
	require.NoError(t, err)
	b[headSize] ^= 1
	_, err = unseal(t.Context(), b, "b", lax)
	require.ErrorIs(t, err, ErrDamaged)
}
