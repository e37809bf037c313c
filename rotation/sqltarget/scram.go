package sqltarget

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// scram returns the SCRAM-SHA-256 verifier of a password of printable ASCII, as
// PostgreSQL keeps it (PostgreSQL manual, pg_authid; RFC 5802, section 3).
func scram(password string) string {
	const iterations = 4096 // PostgreSQL's own, and RFC 7677's least
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		panic("sqltarget: pbkdf2: " + err.Error()) // of FIPS mode, and a shorter salt
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac(salted, "Server Key")))
}
