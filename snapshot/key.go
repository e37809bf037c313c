package snapshot

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
)

// KeySize is how many bytes a key has: AES-256.
const KeySize = 32

// Key is what a snapshot is encrypted under: [Secret] or [Envelope]. The zero
// Key is none.
type Key struct {
	// Functions, because printers that follow pointers print a func as its
	// address.
	generate func(context.Context) (key, sealed []byte, err error)
	open     func(ctx context.Context, sealed []byte) ([]byte, error)
	sealed   bool
	bad      error
}

// Secret is a key of [KeySize] random bytes that the program has from elsewhere:
// an environment that its orchestrator fills, a hardware token, a file on another
// volume. Not from the stores that the snapshot stands in for, and not a
// passphrase. Many processes may share it.
func Secret(key []byte) Key {
	if len(key) != KeySize {
		return Key{bad: fmt.Errorf("the key has %d bytes: want %d, from crypto/rand", len(key), KeySize)}
	}
	if subtle.ConstantTimeCompare(key, make([]byte, KeySize)) == 1 {
		return Key{bad: errors.New("the key is all zeros")}
	}
	key = slices.Clone(key)
	return Key{
		generate: func(context.Context) ([]byte, []byte, error) { return key, nil, nil },
		open:     func(context.Context, []byte) ([]byte, error) { return key, nil },
	}
}

// Envelope is a data key which some service makes and opens, and which is in the
// file in the form that only the service can open. Generate returns a new key of
// [KeySize] bytes in both forms; a process calls it once, before it first
// writes. Open is called once, if there is a file. With AWS KMS:
//
//	snapshot.Envelope(
//		func(ctx context.Context) (key, sealed []byte, err error) {
//			out, err := client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
//				KeyId: &keyID, KeySpec: types.DataKeySpecAes256, EncryptionContext: about})
//			if err != nil {
//				return nil, nil, err
//			}
//			return out.Plaintext, out.CiphertextBlob, nil
//		},
//		func(ctx context.Context, sealed []byte) ([]byte, error) {
//			out, err := client.Decrypt(ctx, &kms.DecryptInput{
//				KeyId: &keyID, CiphertextBlob: sealed, EncryptionContext: about})
//			if err != nil {
//				return nil, err
//			}
//			return out.Plaintext, nil
//		},
//	)
//
// A process that starts while KMS is down too cannot open its snapshot: this
// helps in an outage of the stores alone. A multi-Region key lets open ask
// another Region.
func Envelope(generate func(context.Context) (key, sealed []byte, err error), open func(ctx context.Context, sealed []byte) ([]byte, error)) Key {
	if generate == nil || open == nil {
		return Key{bad: errors.New("Envelope needs both functions")}
	}
	return Key{generate: generate, open: open, sealed: true}
}

// check says what is wrong with a key as such.
func (k Key) check() error {
	if k.bad == nil && k.open == nil {
		return errors.New("there is no key: use Secret or Envelope")
	}
	return k.bad
}

// dataKey hides a key from printers. It returns the key, and its sealed form.
type dataKey func() (key, sealed []byte)

func (k Key) newDataKey(ctx context.Context) (dataKey, error) {
	key, sealed, err := k.generate(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: a data key cannot be made: %w", ErrKeyService, err)
	}
	if len(key) != KeySize || len(sealed) > maxSealed || k.sealed && len(sealed) == 0 {
		return nil, fmt.Errorf("%w: it made a data key of %d bytes, %d sealed: want %d, and from 1 to %d",
			ErrKeyService, len(key), len(sealed), KeySize, maxSealed)
	}
	key, sealed = slices.Clone(key), slices.Clone(sealed)
	return func() ([]byte, []byte) { return key, sealed }, nil
}
