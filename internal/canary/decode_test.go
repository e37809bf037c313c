package canary_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// key returns a private key in PEM, which is watched, and a certificate of it.
func (w *world) key(name string) (cert, key string) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(w, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(w, err)
	key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	// What is before the seed is the same in all keys: 16 bytes (RFC 8410).
	w.net.Watch(name, strings.Split(key, "\n")[1][24:])
	w.net.Watch(name+" as bytes", string(private.Seed()))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0), IsCA: true, BasicConstraintsValid: true}
	der, err = x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(w, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), key
}

type shape struct {
	Name   int
	List   []int
	Map    map[string]int
	When   time.Time
	For    time.Duration
	Nested struct{ Deep bool }
}

// decoders are all of the package, and what they make of a value.
var decoders = map[string]func(secrets.Value) (any, error){
	"Text": decoder(secrets.Text), "Bytes": decoder(secrets.Bytes), "List": decoder(secrets.List),
	"Int": decoder(secrets.Int), "Bool": decoder(secrets.Bool), "Float": decoder(secrets.Float),
	"Duration": decoder(secrets.Duration), "Time": decoder(secrets.Time), "URL": decoder(secrets.URL),
	"JSON": decoder(secrets.JSON[shape]), "JSONStrict": decoder(secrets.JSONStrict[shape]), "JSON of a map": decoder(secrets.JSON[map[string]int]),
	"DBSecret": decoder(secrets.JSON[secrets.DBSecret]), "TextOf": decoder(secrets.TextOf[big.Int]),
	"KeyPair": decoder(secrets.KeyPair), "CertPool": decoder(secrets.CertPool), "PrivateKey": decoder(secrets.PrivateKey),
	"KeyPairOf": decoder(func(v secrets.Value) (tls.Certificate, error) { return secrets.KeyPairOf(v, v) }),
}

func decoder[T any](decode func(secrets.Value) (T, error)) func(secrets.Value) (any, error) {
	return func(v secrets.Value) (any, error) { return decode(v) }
}

func TestDecodingWhatIsSomethingElse(t *testing.T) {
	watched(t, func(w *world) {
		cert, key := w.key("a key")
		_, other := w.key("a key of another certificate")
		canary := w.net.Secret("a value of the wrong type")
		contents := []string{
			canary, " " + canary + "\n", `"` + canary + `"`, `{"` + canary + `":1}`, `{"Name":"` + canary + `"}`, `{"List":["` + canary + `"]}`,
			`{"Map":{"` + canary + `":"` + canary + `"}}`, `{"When":"` + canary + `","For":"` + canary + `"}`, `{"Nested":{"Deep":"` + canary + `"}}`,
			`{"Name":1}` + canary, `{"Name":` + canary, `{"unknown-` + canary + `":1}`, `["` + canary + `",1]`, canary + "\xff", canary + "\x00",
			"1" + canary, "90s" + canary, "true" + canary, "2026-01-02T" + canary, "https://user:" + canary + "@host:port/%zz", "://" + canary, "//" + canary + "\x7f",
			`{"username":"app","password":1` + canary + `}`, `{"username":"app","password":"` + canary + `","port":"x` + canary + `"}`, `{"password":"` + canary + `"}`,
			cert + other, key, key[:len(key)/2], "-----BEGIN PRIVATE KEY-----\n" + canary + "\n-----END PRIVATE KEY-----\n", strings.ReplaceAll(key, "\n", ""),
			"-----BEGIN " + canary + "-----\nAAAA\n-----END " + canary + "-----\n", `{"cert":"` + canary + `","key":"` + canary + `"}`, `{"certificate":` + fmt.Sprintf("%q", cert) + `,"private_key":` + fmt.Sprintf("%q", other) + `}`,
		}
		failures := 0
		for i, content := range contents {
			name := fmt.Sprintf("x/%d", i)
			w.server.SetSecret(name, content)
			w.server.SetSecureParameter("/"+name, content)
			for _, ref := range []string{"sm://" + name, "ssm:///" + name, "sm://" + name + "#field", "sm://" + name + "#/List/0"} {
				v, err := w.client.Get(w.Context(), ref)
				w.err("Get", err)
				for name, decode := range decoders {
					if err != nil {
						break
					}
					_, wrong := decode(v)
					w.err(name, wrong)
					if wrong != nil {
						failures++
					}
					h, wrong := secrets.Bind(w.Context(), w.client, ref, decode)
					w.handles = append(w.handles, h)
					w.err("Bind", wrong)
				}
			}
		}
		require.Greater(w, failures, 500)
	})
}

// A version that cannot be decoded after one that could, a decoder that quotes
// what it panics about, and callbacks that do.
func TestHandlesInTrouble(t *testing.T) {
	watched(t, func(w *world) {
		refresh := func() {
			require.NoError(w, w.client.Refresh(w.Context(), "sm://n"))
			synctest.Wait()
		}
		w.server.SetSecret("n", "1")
		number, err := secrets.Bind(w.Context(), w.client, "sm://n", secrets.Int)
		require.NoError(w, err)
		broken, err := secrets.Bind(w.Context(), w.client, "sm://n", func(v secrets.Value) (string, error) {
			if v.Text() != "1" {
				panic(fmt.Errorf("cannot use %s", v.Text()))
			}
			return v.Text(), nil
		})
		require.NoError(w, err)
		text, err := secrets.Bind(w.Context(), w.client, "sm://n", secrets.Text)
		require.NoError(w, err)
		var called atomic.Int32
		text.OnChange(func(s string) { called.Add(1); panic("cannot use " + s) })
		text.OnChange(func(s string) { called.Add(1); panic(fmt.Errorf("cannot use %s", s)) })
		text.OnChange(func(string) { called.Add(1); panic(text.Value()) })
		for range 2 {
			w.server.SetSecret("n", w.net.Secret("a version that does not decode"))
			refresh()
			require.Equal(w, 1, number.Load())
			w.failed("Handle.Err", number.Err())
			_, err = number.Get(w.Context())
			w.failed("Handle.Get", err)
			w.failed("Handle.Err after a panic", broken.Err())
			w.show("a Handle", number)
			w.show("a Handle of text", text)
		}
		require.EqualValues(w, 6, called.Load())
		_, err = secrets.Bind(w.Context(), w.client, "sm://n", func(v secrets.Value) (string, error) { panic(v.Text()) })
		w.failed("Bind", err)
		require.Contains(w, err.Error(), "panicked")
	})
}

func TestLoadingStructs(t *testing.T) {
	watched(t, func(w *world) {
		w.seeded()
		var wrong struct {
			Int    int                            `secret:"sm://app/text"`
			Bool   bool                           `secret:"ssm:///app/key"`
			For    time.Duration                  `secret:"sm://app/db#password"`
			List   []int                          `secret:"ssm:///app/plain"`
			Shape  shape                          `secret:"sm://app/db,json"`
			Handle *secrets.Handle[int]           `secret:"sm://app/db#password"`
			Key    crypto.Signer                  `secret:"sm://app/text"`
			Pair   tls.Certificate                `secret:"sm://app/text"`
			DB     secrets.DBSecret               `secret:"sm://app/text"`
			Wrong  map[string]map[string]struct{} `secret:"sm://app/db,json"`
			None   string                         `secret:"sm://app/db#none"`
		}
		w.failed("Load", w.client.Load(w.Context(), &wrong))
		w.show("a struct that did not load", wrong)
		var right struct {
			Value  secrets.Value                     `secret:"sm://app/text"`
			DB     secrets.DBSecret                  `secret:"sm://app/db"`
			Handle *secrets.Handle[secrets.DBSecret] `secret:"sm://app/db"`
		}
		require.NoError(w, w.client.Load(w.Context(), &right))
		require.NotEmpty(w, right.Handle.Load().Password())
		w.show("a struct that loaded", right)
		w.dump("a DBSecret", right.DB)
		w.dump("a DBSecret in a struct", struct {
			hidden secrets.DBSecret
			Shown  *secrets.DBSecret
		}{right.DB, &right.DB})
		w.dump("With", right.DB.With("app", w.net.Secret("another password")))
		_, err := secrets.JSON[secrets.DBSecret](provider.NewValue(right.Value.Ref(), provider.Version{}, provider.SecretString, `{"username":"x","password":{"`+w.net.Secret("not a password")+`":1}}`))
		w.failed("JSON of a DBSecret", err)
	})
}
