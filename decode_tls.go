package secrets

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
)

// KeyPair decodes a certificate with its chain and its private key, in PEM, from
// one value: either a bundle of all the blocks, or a JSON object with a
// certificate, a key and perhaps a chain. The names of its members may be
//
//	certificate, cert, crt, tls.crt
//	private_key, key, tls.key
//	certificate_chain, chain
//
// in upper or lower case and with "-", "." or no mark for "_"; CertificateChain
// is one, as API ExportCertificate of ACM has it. The first certificate is the
// server's own; the key must belong to it and must not be encrypted. Whether
// the certificate is valid now, and for what names, is left to the handshake.
func KeyPair(v Value) (tls.Certificate, error) {
	text := trimmed(v.Text())
	if !strings.HasPrefix(text, "{") {
		return keyPairOf(v, v, text, text)
	}
	var members map[string]json.RawMessage
	if err := decodeJSON(v, &members, false); err != nil {
		return tls.Certificate{}, err
	}
	found := make(map[string]string) // by role
	for name, raw := range members {
		role := keyPairRoles[strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))]
		if role == "" || string(raw) == "null" {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return tls.Certificate{}, decodeError(v, "the "+role+" in the JSON object is not a string")
		}
		if _, twice := found[role]; twice {
			return tls.Certificate{}, decodeError(v, "two members of the JSON object are the "+role+": keep one")
		}
		found[role] = text
	}
	for _, role := range []string{"certificate", "private_key"} {
		if found[role] == "" {
			return tls.Certificate{}, decodeError(v, "the JSON object has no "+role)
		}
	}
	return keyPairOf(v, v, found["certificate"]+"\n"+found["certificate_chain"], found["private_key"])
}

var keyPairRoles = map[string]string{
	"certificate": "certificate", "cert": "certificate", "crt": "certificate", "tlscrt": "certificate",
	"privatekey": "private_key", "key": "private_key", "tlskey": "private_key",
	"certificatechain": "certificate_chain", "chain": "certificate_chain",
}

// KeyPairOf is [KeyPair] for a certificate, with its chain, and a private key
// that are kept as two values. Two values that are rotated together may be read
// in between, and then do not match: one value has no such moment.
func KeyPairOf(cert, key Value) (tls.Certificate, error) {
	return keyPairOf(cert, key, cert.Text(), key.Text())
}

// CertPool decodes a pool of certificates from PEM, at least one. A block that
// is anything but a certificate is an error; text between blocks is passed over.
func CertPool(v Value) (*x509.CertPool, error) {
	blocks, err := decodePEM(v, v.Text())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for i, block := range blocks {
		cert, err := certificateOf(block)
		if err != nil {
			return nil, decodeError(v, fmt.Sprintf("PEM block %d of %d %s", i+1, len(blocks), err))
		}
		pool.AddCert(cert)
	}
	return pool, nil
}

// PrivateKey decodes a private key that signs, in PEM: PKCS#8, or an RSA key in
// PKCS#1 or an EC key in SEC 1. It must be the only key of the value and must
// not be encrypted; blocks of other types are passed over.
func PrivateKey(v Value) (crypto.Signer, error) {
	block, err := keyBlock(v, v.Text())
	if err != nil {
		return nil, err
	}
	return signerOf(v, block)
}

func keyPairOf(cert, key Value, certText, keyText string) (tls.Certificate, error) {
	var none tls.Certificate
	blocks, err := decodePEM(cert, certText)
	if err != nil {
		return none, err
	}
	n := 0
	for _, block := range blocks {
		if block.Type != certificateType {
			continue
		}
		n++
		if _, err := certificateOf(block); err != nil {
			return none, decodeError(cert, fmt.Sprintf("certificate %d %s", n, err))
		}
	}
	if n == 0 {
		return none, decodeError(cert, "none of the PEM blocks is a certificate")
	}
	block, err := keyBlock(key, keyText)
	if err != nil {
		return none, err
	}
	if _, err := signerOf(key, block); err != nil {
		return none, err
	}
	pair, err := tls.X509KeyPair([]byte(trimmed(certText)), pem.EncodeToMemory(block))
	if err != nil {
		return none, decodeError(key, fmt.Sprintf("the private key does not belong to the first certificate of %s", cert.Ref()))
	}
	return pair, nil
}

const certificateType = "CERTIFICATE"

// decodePEM returns all blocks of a text, at least one; one that is broken is an
// error, where pem.Decode would pass over it.
func decodePEM(v Value, text string) (blocks []*pem.Block, err error) {
	rest := []byte(trimmed(text))
	begun := bytes.Count(rest, []byte("-----BEGIN "))
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks = append(blocks, block)
	}
	switch {
	case begun == 0:
		return nil, decodeError(v, "want PEM: there is no -----BEGIN line")
	case len(blocks) < begun:
		return nil, decodeError(v, fmt.Sprintf(`of %d PEM blocks %d are broken: each line needs its line break, written \n in JSON`, begun, begun-len(blocks)))
	}
	return blocks, nil
}

// certificateOf returns the certificate in a block. Its errors go on after
// "certificate 1": those of crypto/x509 may quote what it parses.
func certificateOf(block *pem.Block) (*x509.Certificate, error) {
	if block.Type != certificateType {
		return nil, decodeHint("is not a certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, decodeHint("is not a valid X.509 certificate")
	}
	return cert, nil
}

// keyBlock returns the one private key among the blocks of a text.
func keyBlock(v Value, text string) (key *pem.Block, err error) {
	blocks, err := decodePEM(v, text)
	if err != nil {
		return nil, err
	}
	for _, block := range blocks {
		if block.Type != "PRIVATE KEY" && !strings.HasSuffix(block.Type, " PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, decodeError(v, "the private key is encrypted: store it without a passphrase, the store encrypts it")
		}
		if key != nil {
			return nil, decodeError(v, "there are two private keys: keep one")
		}
		key = block
	}
	if key == nil {
		return nil, decodeError(v, "none of the PEM blocks is a private key")
	}
	return key, nil
}

func signerOf(v Value, block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, decodeError(v, "want a private key in PKCS#8, PKCS#1 or SEC 1: convert it by openssl pkcs8 -topk8 -nocrypt")
	}
	if err != nil {
		return nil, decodeError(v, "the private key is not valid, or not of the form that its PEM block says")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, decodeError(v, "the private key is not one that signs")
	}
	return signer, nil
}
