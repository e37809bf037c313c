package secrets_test

import (
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

const encoded = "mem://it"

// holding returns a value of a type and content, as a store gives it.
func holding(t testing.TB, typ provider.Type, content string) secrets.Value {
	t.Helper()
	ref, err := provider.ParseRef(encoded)
	require.NoError(t, err)
	return provider.NewValue(ref, provider.NewVersion("1", time.Time{}), typ, content)
}

// undecodable checks an error of a decoder: it has a kind, names the ref, says
// something of what was expected, and shows none of what it must not.
func undecodable(t testing.TB, err error, says string, hidden ...string) {
	t.Helper()
	require.ErrorIs(t, err, provider.ErrDecode)
	var e *provider.Error
	require.ErrorAs(t, err, &e)
	require.NoError(t, e.Err, "what caused it may quote the value")
	require.Equal(t, encoded, e.Ref.String())
	require.ErrorContains(t, err, encoded+": value cannot be decoded (")
	require.ErrorContains(t, err, says)
	for _, h := range hidden {
		require.NotContains(t, err.Error(), h)
	}
}

// decoders are all decoders of text but Text itself, in one shape.
var decoders = map[string]func(secrets.Value) (any, error){
	"int": anyOf(secrets.Int), "bool": anyOf(secrets.Bool), "float": anyOf(secrets.Float), "duration": anyOf(secrets.Duration),
	"time": anyOf(secrets.Time), "url": anyOf(secrets.URL), "addr": anyOf(secrets.TextOf[netip.Addr]), "list": anyOf(secrets.List),
	"level": anyOf(secrets.TextOf[slog.Level]), "big": anyOf(secrets.TextOf[big.Int]),
}

func anyOf[T any](decode func(secrets.Value) (T, error)) func(secrets.Value) (any, error) {
	return func(v secrets.Value) (any, error) {
		x, err := decode(v)
		if err != nil {
			return nil, err
		}
		return x, nil
	}
}

func TestTextAndBytesAreExact(t *testing.T) {
	for _, content := range []string{"", "hunter2", " hunter2\n", "\ufeffx\r\n", "a\x00b", "ünïcode 🔑"} {
		v := holding(t, provider.SecretString, content)
		text, err := secrets.Text(v)
		require.NoError(t, err)
		require.Equal(t, content, text)
		b, err := secrets.Bytes(v)
		require.NoError(t, err)
		require.Equal(t, content, string(b))
	}
	v := holding(t, provider.SecretBinary, "\xff\x00\xfe")
	b, err := secrets.Bytes(v)
	require.NoError(t, err)
	require.Equal(t, []byte("\xff\x00\xfe"), b)
	b[0] = 'x'
	require.Equal(t, "\xff\x00\xfe", v.Text(), "Bytes is a copy")
}

func TestDecodersOfTextRefuseBinary(t *testing.T) {
	v := holding(t, provider.SecretBinary, "1")
	_, err := secrets.Text(v)
	require.ErrorIs(t, err, provider.ErrNotText)
	require.ErrorContains(t, err, encoded)
	for name, decode := range decoders {
		_, err := decode(v)
		require.ErrorIs(t, err, provider.ErrNotText, name)
	}
}

func TestScalars(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 5e8, time.UTC)
	for _, test := range []struct {
		decoder, content string
		want             any
	}{
		{"int", "5432", 5432}, {"int", "-1", -1}, {"int", "+7", 7}, {"int", "007", 7}, {"int", "9223372036854775807", 9223372036854775807},
		{"bool", "true", true}, {"bool", "FALSE", false}, {"bool", "1", true}, {"bool", "f", false},
		{"float", "0.25", 0.25}, {"float", "-1e3", -1000.0}, {"float", "7", 7.0},
		{"duration", "90s", 90 * time.Second}, {"duration", "1h30m", 90 * time.Minute}, {"duration", "0", time.Duration(0)}, {"duration", "-5ms", -5 * time.Millisecond},
		{"time", "2026-07-01T12:00:00.5Z", at},
		{"addr", "10.0.0.1", netip.MustParseAddr("10.0.0.1")}, {"level", "warn+1", slog.LevelWarn + 1},
	} {
		for _, content := range []string{test.content, test.content + "\n", " \t" + test.content + " \r\n", "\ufeff" + test.content + "\n"} {
			got, err := decoders[test.decoder](holding(t, provider.String, content))
			require.NoError(t, err, test.decoder+" "+content)
			require.Equal(t, test.want, got)
		}
	}
	u, err := secrets.URL(holding(t, provider.String, "https://user:p%40ss@db.example.com:8443/a?b=c#d\n"))
	require.NoError(t, err)
	require.Equal(t, "db.example.com:8443", u.Host)
	u, err = secrets.URL(holding(t, provider.String, "file:///etc/hosts"))
	require.NoError(t, err)
	require.Equal(t, "/etc/hosts", u.Path)
}

func TestScalarErrorsSayWhatIsWantedAndNotWhatIsThere(t *testing.T) {
	junk := []string{"hunter2", "hun ter2", "1hunter2", "hunter2\x00", "\xff\xfehunter2", "http://hunter2\x7f/", "%hunter2", "://hunter2", "{\"hunter2\":1}", "[\"hunter2\",1]"}
	for decoder, says := range map[string]string{
		"int": "a whole number", "bool": "true or false", "float": "a finite number", "duration": "a duration with its unit",
		"time": "RFC 3339", "url": "an absolute URL", "addr": "netip.Addr", "level": "slog.Level", "big": "big.Int",
	} {
		for _, content := range junk {
			_, err := decoders[decoder](holding(t, provider.SecureString, content))
			undecodable(t, err, says, "hunter2")
		}
		if decoder != "addr" { // to whose UnmarshalText nothing is the zero Addr
			_, err := decoders[decoder](holding(t, provider.SecureString, " \n"))
			undecodable(t, err, says)
		}
	}
	for decoder, contents := range map[string][]string{
		"int":      {"1.0", "1e3", "0x10", "1_000", "1 2", "1\x00", "１２", "9223372036854775808", "-" + strings.Repeat("9", 5000)},
		"float":    {"NaN", "inf", "-Infinity", "1e400", "1,5"},
		"bool":     {"yes", "on", "2", "truE"},
		"duration": {"30", "5 minutes", "1d", "9999999h", strings.Repeat("9", 5000) + "s"},
		"time":     {"2031-07-01", "1751371200", "2031-07-01T12:00:00", "2031-07-01 12:00:00Z", "2031-13-01T12:00:00Z"},
		"url":      {"db.example.com", "localhost:5432", "/rooted", "//elsewhere/rooted", "jdbc:postgresql://host/db", "https://", "mailto:a@b"},
		"list":     {"a,,b", ",", "a,", ",a", "a, ,b", "[1,2]", `["a",null]`, `["a",["b"]]`, `["a"`, `["a"] "b"`, `[ "a", 2 ]`},
	} {
		for _, content := range contents {
			_, err := decoders[decoder](holding(t, provider.String, content))
			require.Error(t, err, decoder+" "+content)
			undecodable(t, err, "")
			if len(content) > 8 { // the shorter ones are in the examples of a hint
				require.NotContains(t, err.Error(), content)
			}
		}
	}
	_, err := secrets.Int(holding(t, provider.String, "99999999999999999999"))
	undecodable(t, err, "does not fit in 64 bits", "999")
}

func TestList(t *testing.T) {
	for content, want := range map[string][]string{
		"a": {"a"}, "a,b": {"a", "b"}, " a , b c,d\n": {"a", "b c", "d"}, "": {}, " \n": {},
		`["a, b"," c ",""]`: {"a, b", " c ", ""}, "[]": {}, " [ \"a\" ] \n": {"a"}, "\ufeff[\"a\"]": {"a"},
		"[::1]:80,[::2]:80": {"[::1]:80", "[::2]:80"}, "{x},y": {"{x}", "y"},
	} {
		got, err := secrets.List(holding(t, provider.SecretString, content))
		require.NoError(t, err, content)
		require.Equal(t, want, got, content)
	}
	got, err := secrets.List(holding(t, provider.StringList, `["a","b"]`))
	require.NoError(t, err)
	require.Equal(t, []string{`["a"`, `"b"]`}, got, "a StringList is split at its commas, whatever is in it")
}

type config struct {
	User  string            `json:"user"`
	Limit int8              `json:"limit"`
	In    struct{ A []int } `json:"in"`
	Map   map[string]int    `json:"map"`
	When  time.Time         `json:"when"`
	Addr  netip.Addr        `json:"addr"`
}

func TestJSON(t *testing.T) {
	for _, content := range []string{
		`{"user":"u","limit":7,"in":{"A":[1]}}`, " \n{\"user\":\"u\",\"limit\":7,\"in\":{\"A\":[1]}}\r\n", "\ufeff{\"user\":\"u\",\"limit\":7,\"in\":{\"A\":[1]}}",
	} {
		for _, typ := range []provider.Type{provider.SecretString, provider.SecretBinary} {
			v := holding(t, typ, content)
			want := config{User: "u", Limit: 7}
			want.In.A = []int{1}
			for _, decode := range []func(secrets.Value) (config, error){secrets.JSON[config], secrets.JSONStrict[config]} {
				got, err := decode(v)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		}
	}
	more := holding(t, provider.SecretString, `{"user":"u","hunter2":1}`)
	got, err := secrets.JSON[config](more)
	require.NoError(t, err)
	require.Equal(t, config{User: "u"}, got)
	_, err = secrets.JSONStrict[config](more)
	undecodable(t, err, "a member that secrets_test.config lacks", "hunter2")

	text, err := secrets.JSON[string](holding(t, provider.SecretString, `"a\nb"`))
	require.NoError(t, err)
	require.Equal(t, "a\nb", text)
}

func TestJSONErrorsShowNothingOfTheValue(t *testing.T) {
	for content, says := range map[string]string{
		"": "is empty", " \n": "is empty", "null": "is null", "hunter2": "is not JSON: it breaks at byte ", `{"user":"hunter2"`: "breaks at byte 17 of 17",
		`{"user":"hunter2"} x`: "is not JSON", `{"user":"hunter2"}{}`: "is not JSON", "{\"user\":\"hunter2\xff\"}": "not UTF-8", "{\"user\":\"\x00hunter2\"}": "is not JSON",
		`["hunter2"]`: "found array, want secrets_test.config", `{"user":31337}`: "found number, want string in user",
		`{"limit":31337}`: "found number, want int8 in limit", `{"limit":"hunter2"}`: "found string, want int8 in limit", `{"in":{"A":["hunter2"]}}`: "in in.A",
		`{"map":{"hunter2":"hunter2"}}`: "found string, want int in map)", `{"when":"hunter2"}`: "refuses the value", `{"addr":"hunter2"}`: "refuses the value",
		`{"limit":1e31337}`: "in limit", strings.Repeat("[", 20000): "is not JSON",
	} {
		for name, decode := range map[string]func(secrets.Value) (config, error){"JSON": secrets.JSON[config], "JSONStrict": secrets.JSONStrict[config]} {
			got, err := decode(holding(t, provider.SecretString, content))
			undecodable(t, err, says, "hunter2", "31337")
			require.Zero(t, got, name+": nothing half decoded")
		}
	}
	_, err := secrets.JSON[chan int](holding(t, provider.SecretString, "1"))
	undecodable(t, err, "chan int")
}

func TestDecodersOverBothStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		server.SetSecret("prod/db", `{"engine":"mysql","host":"h","username":"u","password":"p","hosts":["a","b"],"ttl":"90s","ssl":true}`)
		server.SetSecretBinary("prod/limits", []byte(`{"user":"u","limit":3}`))
		_, err := awsssm.NewFromConfig(server.Config()).PutParameter(t.Context(), &awsssm.PutParameterInput{
			Name: aws.String("/prod/hosts"), Type: types.ParameterTypeStringList, Value: aws.String("a,b")})
		require.NoError(t, err)

		db, err := secrets.JSON[secrets.DBSecret](get(t, c, "sm://prod/db"))
		require.NoError(t, err)
		require.Equal(t, "h:3306", db.Addr())
		limits, err := secrets.JSON[config](get(t, c, "sm://prod/limits"))
		require.NoError(t, err)
		require.Equal(t, config{User: "u", Limit: 3}, limits)
		_, err = secrets.Text(get(t, c, "sm://prod/limits"))
		require.ErrorIs(t, err, provider.ErrNotText)
		for _, ref := range []string{"sm://prod/db#hosts", "ssm:///prod/hosts"} {
			hosts, err := secrets.List(get(t, c, ref))
			require.NoError(t, err)
			require.Equal(t, []string{"a", "b"}, hosts)
		}
		ttl, err := secrets.Duration(get(t, c, "sm://prod/db#ttl"))
		require.NoError(t, err)
		require.Equal(t, 90*time.Second, ttl)
		ssl, err := secrets.Bool(get(t, c, "sm://prod/db#ssl"))
		require.NoError(t, err)
		require.True(t, ssl)
		_, err = secrets.Int(get(t, c, "sm://prod/db#password"))
		require.EqualError(t, err, "sm://prod/db#password: value cannot be decoded (want a whole number, such as 42)")
	})
}

// Every decoder bears every content, says nothing of it in its error, and is of
// one mind about it with and without a newline at the end.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "1", "true", "90s", "2026-07-01T12:00:00Z", "https://h/p", "a,b", `["a"]`, `{"a":[1,"x",null]}`, "\ufeff1", "1e999", "\xff\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		all := map[string]func(secrets.Value) (any, error){"json": anyOf(secrets.JSON[config]), "strict": anyOf(secrets.JSONStrict[config]), "any": anyOf(secrets.JSON[any])}
		for name, decode := range decoders {
			all[name] = decode
		}
		for name, decode := range all {
			v := holding(t, provider.SecretString, content)
			x, err := decode(v)
			y, again := decode(holding(t, provider.SecretString, content+"\n"))
			require.Equal(t, fmt.Sprint(x), fmt.Sprint(y), name)
			require.Equal(t, err == nil, again == nil, name)
			if err != nil {
				undecodable(t, err, "")
				leaksNothing(t, err, content)
			}
		}
	})
}

// leaksNothing checks that an error has nothing of a content but what all its like have:
// the examples in its hint.
func leaksNothing(t testing.TB, err error, content string) {
	t.Helper()
	says := strings.NewReplacer("2026-07-01T12:00:00Z", "", "https://host/path", "").Replace(err.Error())
	if s := strings.TrimSpace(content); len(s) > 12 {
		require.NotContains(t, says, s)
	}
}
