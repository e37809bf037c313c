package secrets_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// issued is a certificate in PEM and its key as PKCS#8, signed by parent or by
// itself.
type issued struct {
	cert      *x509.Certificate
	key       crypto.Signer
	pem, pkcs string
}

func issue(t testing.TB, name string, parent *issued) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), IsCA: parent == nil, BasicConstraintsValid: true,
	}
	if parent == nil {
		parent = &issued{template, key, "", ""}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &issued{cert, key, block("CERTIFICATE", der), pkcs8(t, key)}
}

func block(typ string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

func pkcs8(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return block("PRIVATE KEY", der)
}

func object(t testing.TB, members map[string]any) string {
	t.Helper()
	b, err := json.Marshal(members)
	require.NoError(t, err)
	return string(b)
}

func TestKeyPair(t *testing.T) {
	root := issue(t, "root.test", nil)
	leaf := issue(t, "leaf.test", root)
	der, err := x509.MarshalECPrivateKey(leaf.key.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	sec1 := block("EC PRIVATE KEY", der)
	params := block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})

	for name, test := range map[string]struct {
		content string
		certs   int
	}{
		"bundle":             {leaf.pem + root.pem + leaf.pkcs, 2},
		"bundle, key first":  {leaf.pkcs + leaf.pem, 1},
		"bundle, SEC 1":      {params + sec1 + leaf.pem + root.pem, 2},
		"bundle, with prose": {"\ufeffsubject=leaf\n" + leaf.pem + "\nissuer\n" + leaf.pkcs + "\n\n", 1},
		"bundle, CRLF":       {strings.ReplaceAll(leaf.pem+leaf.pkcs, "\n", "\r\n"), 1},
		"object":             {object(t, map[string]any{"certificate": leaf.pem + root.pem, "private_key": leaf.pkcs, "expires": 1, "note": nil}), 2},
		"object, tls.crt":    {object(t, map[string]any{"tls.crt": leaf.pem, "tls.key": sec1}), 1},
		"object, cert, key":  {" " + object(t, map[string]any{"cert": strings.TrimSpace(leaf.pem), "key": leaf.pkcs, "chain": root.pem}) + "\n", 2},
		"object, ACM":        {object(t, map[string]any{"Certificate": leaf.pem, "CertificateChain": root.pem, "PrivateKey": leaf.pkcs}), 2},
		"object, a null":     {object(t, map[string]any{"cert": leaf.pem, "certificate": nil, "key": leaf.pkcs}), 1},
	} {
		for _, typ := range []provider.Type{provider.SecretString, provider.SecretBinary} {
			pair, err := secrets.KeyPair(holding(t, typ, test.content))
			require.NoError(t, err, name)
			require.Len(t, pair.Certificate, test.certs, name)
			require.Equal(t, leaf.cert.Raw, pair.Certificate[0], name)
			require.Equal(t, "leaf.test", pair.Leaf.Subject.CommonName)
			require.True(t, leaf.key.(*ecdsa.PrivateKey).Equal(pair.PrivateKey))
		}
	}
	pair, err := secrets.KeyPairOf(holding(t, provider.SecureString, leaf.pem+root.pem), holding(t, provider.SecureString, leaf.pkcs))
	require.NoError(t, err)
	require.Len(t, pair.Certificate, 2)
}

func TestKeyPairErrors(t *testing.T) {
	leaf, other := issue(t, "hunter2.test", nil), issue(t, "other.test", nil)
	body := strings.Split(leaf.pkcs, "\n")[1]
	broken := strings.Replace(leaf.pem, "\n", " ", -1)
	for content, says := range map[string]string{
		"": "there is no -----BEGIN line", "hunter2": "there is no -----BEGIN line", leaf.pem: "none of the PEM blocks is a private key",
		leaf.pkcs: "none of the PEM blocks is a certificate", other.pem + leaf.pkcs: "does not belong to the first certificate of " + encoded,
		leaf.pem + leaf.pkcs + other.pkcs: "two private keys", broken + leaf.pkcs: "of 2 PEM blocks", leaf.pem + leaf.pem[:200] + "\n" + leaf.pkcs: "broken",
		leaf.pem + block("CERTIFICATE", []byte("hunter2")) + leaf.pkcs: "certificate 2 is not a valid X.509 certificate",
		leaf.pem + block("PRIVATE KEY", []byte("hunter2")):             "the private key is not valid",
		leaf.pem + block("ENCRYPTED PRIVATE KEY", []byte("hunter2")):   "is encrypted",
		leaf.pem + block("DSA PRIVATE KEY", []byte("hunter2")):         "openssl pkcs8",
		`{"hunter2"`: "is not JSON", `{}`: "has no certificate", object(t, map[string]any{"cert": leaf.pem}): "has no private_key",
		object(t, map[string]any{"cert": leaf.pem, "certificate": leaf.pem, "key": leaf.pkcs}):        "two members of the JSON object are the certificate",
		object(t, map[string]any{"cert": []string{leaf.pem}, "key": leaf.pkcs}):                       "the certificate in the JSON object is not a string",
		object(t, map[string]any{"cert": strings.ReplaceAll(leaf.pem, "\n", `\n`), "key": leaf.pkcs}): `written \n in JSON`,
		object(t, map[string]any{"cert": leaf.pem, "key": nil}):                                       "has no private_key",
	} {
		pair, err := secrets.KeyPair(holding(t, provider.SecretString, content))
		undecodable(t, err, says, "hunter2", body)
		require.Zero(t, pair)
	}
	cert, key := holding(t, provider.SecureString, leaf.pem), holding(t, provider.SecureString, other.pkcs)
	_, err := secrets.KeyPairOf(cert, key.WithRef(provider.Ref{Scheme: "mem", Name: "key"}))
	require.ErrorIs(t, err, provider.ErrDecode)
	require.ErrorContains(t, err, "mem://key: ")
	require.ErrorContains(t, err, "first certificate of "+encoded)
}

func TestCertPool(t *testing.T) {
	one, two := issue(t, "one.test", nil), issue(t, "two.test", nil)
	pool, err := secrets.CertPool(holding(t, provider.String, "# one\n"+one.pem+"# two\n"+two.pem+"\n"))
	require.NoError(t, err)
	want := x509.NewCertPool()
	want.AddCert(one.cert)
	want.AddCert(two.cert)
	require.True(t, want.Equal(pool))

	for content, says := range map[string]string{
		"": "no -----BEGIN line", "hunter2": "no -----BEGIN line", one.pem + one.pkcs: "PEM block 2 of 2 is not a certificate",
		one.pem + block("CERTIFICATE", []byte("hunter2")):                                "PEM block 2 of 2 is not a valid X.509 certificate",
		one.pem + strings.Replace(two.pem, "END CERT", "END hunter2", 1):                 "of 2 PEM blocks 1 are broken",
		one.pem + two.pem[:100]:                                                          "of 2 PEM blocks 1 are broken",
		strings.ReplaceAll(one.pem, "CERTIFICATE", "TRUSTED CERTIFICATE hunter2"):        "PEM block 1 of 1 is not a certificate",
		object(t, map[string]any{"certificate": strings.ReplaceAll(one.pem, "\n", " ")}): "broken",
	} {
		_, err := secrets.CertPool(holding(t, provider.String, content))
		undecodable(t, err, says, "hunter2")
	}
}

func TestPrivateKey(t *testing.T) {
	ec := issue(t, "x.test", nil)
	der, err := x509.MarshalECPrivateKey(ec.key.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for content, want := range map[string]crypto.Signer{
		ec.pkcs: ec.key, block("EC PRIVATE KEY", der): ec.key, ec.pem + ec.pkcs: ec.key, pkcs8(t, rsaKey): rsaKey,
		block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)): rsaKey, pkcs8(t, edKey) + "\n": edKey,
	} {
		got, err := secrets.PrivateKey(holding(t, provider.SecureString, content))
		require.NoError(t, err)
		require.True(t, want.(interface{ Equal(crypto.PrivateKey) bool }).Equal(got))
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	legacy := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("hunter2")}))
	for content, says := range map[string]string{
		"": "no -----BEGIN line", ec.pem: "none of the PEM blocks is a private key", pkcs8(t, x25519): "not one that signs", legacy: "is encrypted",
		block("PRIVATE KEY", der): "not of the form", block("EC PRIVATE KEY", []byte("hunter2")): "not valid", ec.pkcs + pkcs8(t, rsaKey): "two private keys",
	} {
		_, err := secrets.PrivateKey(holding(t, provider.SecureString, content))
		undecodable(t, err, says, "hunter2")
	}
}

// What decodes is what crypto/tls and crypto/x509 take, and never fewer
// certificates than there are BEGIN lines.
func FuzzPEM(f *testing.F) {
	const cert = "-----BEGIN CERTIFICATE-----\nMIIBLTCB4KADAgECAgEBMAUGAytlcDASMRAwDgYDVQQDEwdhLnRl\n-----END CERTIFICATE-----\n"
	for _, seed := range []string{"", cert, cert + cert, "x\n" + cert, `{"cert":"","key":""}`, "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		v := holding(t, provider.SecretBinary, string(content))
		for _, decode := range []func(secrets.Value) (any, error){anyOf(secrets.KeyPair), anyOf(secrets.PrivateKey), anyOf(secrets.CertPool)} {
			if _, err := decode(v); err != nil {
				undecodable(t, err, "")
				leaksNothing(t, err, string(content))
			}
		}
		if pool, err := secrets.CertPool(v); err == nil {
			plain := x509.NewCertPool()
			require.True(t, plain.AppendCertsFromPEM(content) || bytes.HasPrefix(content, []byte("\ufeff")))
			require.NotZero(t, bytes.Count(content, []byte("-----BEGIN ")))
			require.False(t, pool.Equal(x509.NewCertPool()))
		}
	})
}
