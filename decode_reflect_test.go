package secrets

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

type (
	name    string
	level   int8
	secs    time.Duration
	words   []string
	octets  []byte
	on      bool
	ratio   float32
	counted uint16
	pair    struct{ A, B int }
)

// decodeTo decodes content into a new T by decodeInto.
func decodeTo[T any](content string, asJSON bool) (x T, err error) {
	v := provider.NewValue(provider.Ref{Scheme: "mem", Name: "it"}, provider.Version{}, provider.String, content)
	err = decodeInto(v, reflect.ValueOf(&x).Elem(), asJSON)
	return x, err
}

func decodesTo[T any](t *testing.T, want T, content string, asJSON bool) {
	t.Helper()
	require.NoError(t, decodable(reflect.TypeFor[T](), asJSON))
	got, err := decodeTo[T](content, asJSON)
	require.NoError(t, err)
	require.Equal(t, want, got)
	if !asJSON {
		if reflect.TypeFor[T]().Kind() == reflect.Pointer {
			return
		}
		p, err := decodeTo[*T](content, false)
		require.NoError(t, err)
		require.Equal(t, want, *p)
	}
}

func TestDecodeInto(t *testing.T) {
	decodesTo(t, " text\n", " text\n", false)
	decodesTo(t, name("n"), "n", false)
	decodesTo(t, []byte(" b\n"), " b\n", false)
	decodesTo(t, octets("b"), "b", false)
	decodesTo(t, json.RawMessage("{}"), "{}", false)
	decodesTo(t, true, "true\n", false)
	decodesTo(t, on(true), "1", false)
	decodesTo(t, -5, "-5\n", false)
	decodesTo(t, int8(-128), "-128", false)
	decodesTo(t, level(127), "127", false)
	decodesTo(t, int64(-1<<63), "-9223372036854775808", false)
	decodesTo(t, uint8(255), "255", false)
	decodesTo(t, counted(65535), "65535", false)
	decodesTo(t, uint64(1<<64-1), "18446744073709551615", false)
	decodesTo(t, 0.5, "0.5", false)
	decodesTo(t, ratio(0.5), "0.5", false)
	decodesTo(t, 90*time.Second, "90s\n", false)
	decodesTo(t, secs(90), "90", false)
	decodesTo(t, time.Unix(0, 0).UTC(), "1970-01-01T00:00:00Z\n", false)
	decodesTo(t, url.URL{Scheme: "https", Host: "h", Path: "/p"}, "https://h/p\n", false)
	decodesTo(t, &url.URL{Scheme: "https", Host: "h", Path: "/p"}, "https://h/p", false)
	decodesTo(t, []string{"a", "b"}, "a, b", false)
	decodesTo(t, words{"a", "b"}, "a,b", false)
	decodesTo(t, netip.MustParseAddr("::1"), "::1\n", false)
	decodesTo(t, *big.NewInt(7), "7", false)
	decodesTo(t, pair{1, 2}, `{"A":1,"B":2}`, true)
	decodesTo(t, &pair{1, 2}, `{"A":1,"B":2}`, true)
	decodesTo(t, map[string]int{"a": 1}, `{"a":1}`, true)
	decodesTo(t, any("x"), `"x"`, true)
	decodesTo(t, "x", `"x"`, true)

	v, err := decodeTo[Value](" x\n", false)
	require.NoError(t, err)
	require.Equal(t, " x\n", v.Text())
	v, err = decodeTo[Value]("not JSON", true)
	require.NoError(t, err)
	require.Equal(t, "not JSON", v.Text(), "a Value is the value, whatever the tag says")
	s, err := decodeTo[DBSecret](`{"username":"u","password":"p"}`, false)
	require.NoError(t, err)
	require.Equal(t, "p", s.Password())
	p, err := decodeTo[*DBSecret](`{"username":"u","password":"p"}`, true)
	require.NoError(t, err)
	require.Equal(t, "p", p.Password())
}

func TestDecodeIntoCertificates(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))

	pair, err := decodeTo[tls.Certificate](certPEM+keyPEM, false)
	require.NoError(t, err)
	require.Equal(t, der, pair.Certificate[0])
	ptr, err := decodeTo[*tls.Certificate](certPEM+keyPEM, false)
	require.NoError(t, err)
	require.Equal(t, der, ptr.Certificate[0])
	pool, err := decodeTo[*x509.CertPool](certPEM, false)
	require.NoError(t, err)
	require.False(t, pool.Equal(x509.NewCertPool()))
	signer, err := decodeTo[crypto.Signer](keyPEM, false)
	require.NoError(t, err)
	require.True(t, key.Equal(signer))
}

func TestDecodeIntoLeavesTheFieldOnError(t *testing.T) {
	refused := func(field any, content string, asJSON bool, kind error) {
		t.Helper()
		v := provider.NewValue(provider.Ref{Scheme: "mem", Name: "it"}, provider.Version{}, provider.String, content)
		x := reflect.ValueOf(field).Elem()
		before := x.Interface()
		err := decodeInto(v, x, asJSON)
		require.ErrorIs(t, err, kind)
		require.ErrorContains(t, err, "mem://it: ")
		require.NotContains(t, err.Error(), "31337")
		require.Equal(t, before, x.Interface())
	}
	refused(new(int8(7)), "31337", false, provider.ErrDecode)
	refused(new(int8(7)), "128", false, provider.ErrDecode)
	refused(new(level(7)), "-129", false, provider.ErrDecode)
	refused(new(int32(7)), "2147483648", false, provider.ErrDecode)
	refused(new(uint8(7)), "256", false, provider.ErrDecode)
	refused(new(uint(7)), "-1", false, provider.ErrDecode)
	refused(new(float32(7)), "1e39", false, provider.ErrDecode)
	refused(new(true), "31337", false, provider.ErrDecode)
	refused(new(time.Second), "31337", false, provider.ErrDecode)
	refused(&words{"x"}, "31337,,", false, provider.ErrDecode)
	refused(new(netip.MustParseAddr("::1")), "31337x", false, provider.ErrDecode)
	refused(&pair{7, 7}, `{"A":1,"B":"31337"}`, true, provider.ErrDecode)
	refused(new(new(7)), "31337x", false, provider.ErrDecode)
	refused(new(url.URL{Host: "h"}), "31337", false, provider.ErrDecode)
	refused(new(DBSecret{Host: "h"}), "31337", false, provider.ErrDecode)
	refused(&map[string]int{"was": 1}, `{"is":2,"x":"31337"}`, true, provider.ErrDecode)
	refused(new("was"), `31337`, true, provider.ErrDecode)
}

func TestDecodeIntoRefusesTypes(t *testing.T) {
	type loop *loop
	for _, typ := range []reflect.Type{
		reflect.TypeFor[pair](), reflect.TypeFor[any](), reflect.TypeFor[map[string]string](), reflect.TypeFor[chan int](), reflect.TypeFor[func()](),
		reflect.TypeFor[[]int](), reflect.TypeFor[[4]byte](), reflect.TypeFor[complex128](), reflect.TypeFor[**int](), reflect.TypeFor[loop](),
		reflect.TypeFor[x509.CertPool](), reflect.TypeFor[uintptr](),
	} {
		require.ErrorContains(t, decodable(typ, false), "does not decode to a "+typ.String())
		err := decodeInto(Value{}, reflect.New(typ).Elem(), false)
		require.ErrorContains(t, err, typ.String())
		require.NotErrorIs(t, err, provider.ErrDecode, "what is wrong is the program, not the value")
	}
}
