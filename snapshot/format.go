package snapshot

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// A snapshot is
//
//	magic, version (1 byte), salt (32), binding check (16), key check (16),
//	length of the sealed data key (2, big endian), sealed data key,
//	nonce (12), ciphertext with its tag
//
// The binding check is SHA-256 of the salt and the binding, shortened. From the
// key and the salt HKDF-SHA-256 derives the key check and a key of this file's
// own, so that random nonces do not run out for a fleet that shares one key. All
// that stands before the nonce, and the binding, is additional data of
// AES-256-GCM.
const (
	magic     = "secrets snapshot"
	version   = 1
	saltSize  = 32
	checkSize = 16
	nonceSize = 12
	tagSize   = 16

	headSize = len(magic) + 1 + saltSize + 2*checkSize + 2
	// maxSealed is above what AWS KMS makes: a CiphertextBlob has at most 6,144
	// bytes (API Decrypt).
	maxSealed = 16 << 10
)

var errTruncated = fmt.Errorf("%w: it is truncated", ErrDamaged)

func bindingCheck(salt []byte, binding string) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte(binding))
	return h.Sum(nil)[:checkSize]
}

// derive returns the cipher of one file, and what tells its key from others.
func derive(key, salt []byte) (cipher.AEAD, []byte, error) {
	both, err := hkdf.Key(sha256.New, key, salt, magic, KeySize+checkSize)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(both[:KeySize])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, both[KeySize:], err
}

// additional is what the ciphertext is bound to.
func additional(head []byte, binding string) []byte {
	return append(bytes.Clone(head), binding...)
}

// seal makes a snapshot of a plaintext.
func seal(plain []byte, binding string, key dataKey) ([]byte, error) {
	secret, sealed := key()
	random := make([]byte, saltSize+nonceSize)
	_, _ = rand.Read(random) // it never fails
	salt, nonce := random[:saltSize], random[saltSize:]
	aead, check, err := derive(secret, salt)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, headSize+len(sealed)+nonceSize+len(plain)+tagSize)
	b = append(b, magic...)
	b = append(b, version)
	b = append(b, salt...)
	b = append(b, bindingCheck(salt, binding)...)
	b = append(b, check...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(sealed)))
	b = append(b, sealed...)
	ad := additional(b, binding)
	b = append(b, nonce...)
	return aead.Seal(b, nonce, plain, ad), nil
}

// unseal returns the plaintext of a snapshot, or one of the package's errors.
func unseal(ctx context.Context, b []byte, binding string, key Key) ([]byte, error) {
	if n := min(len(b), len(magic)); string(b[:n]) != magic[:n] {
		return nil, fmt.Errorf("%w: it is no snapshot", ErrFormat)
	}
	if len(b) <= len(magic) {
		return nil, errTruncated
	}
	if v := b[len(magic)]; v != version {
		return nil, fmt.Errorf("%w: its version is %d, and this program knows %d", ErrFormat, v, version)
	}
	if len(b) < headSize+nonceSize+tagSize {
		return nil, errTruncated
	}
	rest := b[len(magic)+1:]
	next := func(n int) []byte {
		part := rest[:n]
		rest = rest[n:]
		return part
	}
	salt := next(saltSize)
	if subtle.ConstantTimeCompare(next(checkSize), bindingCheck(salt, binding)) == 0 {
		return nil, ErrForeign
	}
	check := next(checkSize)
	n := int(binary.BigEndian.Uint16(next(2)))
	if len(rest) < n+nonceSize+tagSize {
		return nil, errTruncated
	}
	if key.sealed != (n > 0) {
		return nil, fmt.Errorf("%w: one by Envelope cannot be opened by Secret, nor the other way round", ErrWrongKey)
	}
	secret, err := key.open(ctx, bytes.Clone(next(n)))
	if err != nil {
		return nil, fmt.Errorf("%w: the data key cannot be opened: %w", ErrKeyService, err)
	}
	if len(secret) != KeySize {
		return nil, fmt.Errorf("%w: it opened a data key of %d bytes: want %d", ErrKeyService, len(secret), KeySize)
	}
	aead, want, err := derive(secret, salt)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(check, want) == 0 {
		return nil, ErrWrongKey
	}
	head := b[:headSize+n]
	plain, err := aead.Open(nil, next(nonceSize), rest, additional(head, binding))
	if err != nil {
		return nil, fmt.Errorf("%w: it was altered", ErrDamaged)
	}
	return plain, nil
}

// The reasons for which a snapshot is not used; test for them with [errors.Is].
var (
	// ErrDamaged: it is truncated or was altered. It is replaced.
	ErrDamaged = errors.New("the snapshot is damaged")
	// ErrTooOld: nothing in it is younger than the maximum age. It is replaced.
	ErrTooOld = errors.New("the snapshot is too old")
	// ErrKeyService: a function of the [Envelope] failed. The snapshot is
	// replaced once there is a data key.
	ErrKeyService = errors.New("the snapshot's key service failed")
	// ErrWrongKey: it was made under another key, or the part that tells this
	// was altered. It is left alone: after a change of keys use [WithOldKey].
	ErrWrongKey = errors.New("the snapshot has another key")
	// ErrForeign: it was made for another binding, or the part that tells this
	// was altered. It is left alone.
	ErrForeign = errors.New("the snapshot is bound to something else")
	// ErrFormat: it is no snapshot, or one of another version of the format. It
	// is left alone.
	ErrFormat = errors.New("the snapshot's format is unknown")
	// ErrUnsafe: it is not a regular file, others than its owner may read or
	// write it, it is too large, or it cannot be read. It is left alone.
	ErrUnsafe = errors.New("the snapshot's file is not safe to use")
)
