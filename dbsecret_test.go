package secrets_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"github.com/davecgh/go-spew/spew"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

func dbSecret(t testing.TB, content string) secrets.DBSecret {
	t.Helper()
	s, err := secrets.JSON[secrets.DBSecret](holding(t, provider.SecretString, content))
	require.NoError(t, err, content)
	return s
}

// full has all that the guide documents and two members that it does not.
const full = `{"engine":"postgres","host":"db.example.com","port":"6432","username":"app","password":"h<>&nter2","dbname":"orders",
	"dbInstanceIdentifier":"orders-1","dbClusterIdentifier":"orders","masterarn":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:master-AbCdEf",
	"ssl":"true","replica":"replica.example.com","big":12345678901234567890.10}`

func TestDBSecret(t *testing.T) {
	s := dbSecret(t, full)
	require.Equal(t, "postgres", s.Engine)
	require.Equal(t, "db.example.com", s.Host)
	require.Equal(t, 6432, s.Port)
	require.Equal(t, "db.example.com:6432", s.Addr())
	require.Equal(t, "app", s.Username)
	require.Equal(t, "h<>&nter2", s.Password())
	require.Equal(t, "orders", s.DBName)
	require.Equal(t, "orders-1", s.InstanceID)
	require.Equal(t, "orders", s.ClusterID)
	require.Equal(t, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:master-AbCdEf", s.MasterARN)
	require.Equal(t, new(true), s.SSL)
	require.Equal(t, "replica.example.com", s.Field("replica"))
	require.Equal(t, "12345678901234567890.10", s.Field("big"))
	require.Equal(t, "h<>&nter2", s.Field("password"))
	require.Empty(t, s.Field("nope"))

	// What RDS keeps of a master user that it manages.
	s = dbSecret(t, `{"username":"admin","password":"p"}`)
	require.Zero(t, s.Port)
	require.Nil(t, s.SSL)
	require.Empty(t, s.Engine+s.Host+s.DBName)
	require.Equal(t, "[::1]:5432", secrets.DBSecret{Host: "::1", Port: 5432}.Addr())

	var zero secrets.DBSecret
	require.Empty(t, zero.Password())
	require.Empty(t, zero.Field("password"))
}

func TestDBSecretPortsAndSSL(t *testing.T) {
	for engine, port := range map[string]int{
		"postgres": 5432, "aurora-postgresql": 5432, "mysql": 3306, "mariadb": 3306, "aurora-mysql": 3306, "sqlserver": 1433, "sqlserver-se": 1433,
		"oracle": 1521, "oracle-ee": 1521, "mongo": 27017, "redshift": 5439, "db2": 0, "": 0, "Postgres": 5432,
	} {
		for _, absent := range []string{``, `,"port":null`, `,"port":""`} {
			require.Equal(t, port, dbSecret(t, `{"username":"u","password":"p","engine":"`+engine+`"`+absent+`}`).Port, engine)
		}
	}
	for raw, port := range map[string]int{`5432`: 5432, `"5432"`: 5432, `" 5432\n"`: 5432, `1`: 1, `65535`: 65535} {
		require.Equal(t, port, dbSecret(t, `{"username":"u","password":"p","port":`+raw+`}`).Port)
	}
	for raw, want := range map[string]*bool{`true`: new(true), `false`: new(false), `"true"`: new(true), `"False"`: new(false), `null`: nil, `""`: nil} {
		require.Equal(t, want, dbSecret(t, `{"username":"u","password":"p","ssl":`+raw+`}`).SSL, raw)
	}
}

func TestDBSecretErrors(t *testing.T) {
	for content, says := range map[string]string{
		`"hunter2"`: "is a JSON object with username and password", `["hunter2"]`: "is a JSON object", `{"hunter2":1}`: `no "username"`,
		`{"username":"hunter2"}`: `no "password"`, `{"username":"hunter2","password":""}`: `no "password"`, `{"username":null,"password":"hunter2"}`: `no "username"`,
		`{"Username":"hunter2","Password":"hunter2"}`: `no "username"`, `{"username":"hunter2","password":31337}`: `"password" of the database secret is not a string`,
		`{"username":"hunter2","password":"p","host":["hunter2"]}`: `"host" of the database secret is not a string`,
		`{"username":"u","password":"p","port":31337.5}`:           `"port"`, `{"username":"u","password":"p","port":"hunter2"}`: `from 1 to 65535`,
		`{"username":"u","password":"p","port":0}`: `"port"`, `{"username":"u","password":"p","port":131337}`: `"port"`, `{"username":"u","password":"p","port":-1}`: `"port"`,
		`{"username":"u","password":"p","port":1e31337}`: `"port"`, `{"username":"u","password":"p","port":[31337]}`: `"port"`,
		`{"username":"u","password":"p","ssl":"hunter2"}`: `"ssl"`, `{"username":"u","password":"p","ssl":31337}`: `"ssl"`,
		`hunter2`: "is not JSON", `null`: "is null", ``: "is empty",
	} {
		s, err := secrets.JSON[secrets.DBSecret](holding(t, provider.SecretString, content))
		undecodable(t, err, says, "hunter2", "31337")
		require.Zero(t, s)
	}
}

func TestDBSecretIsWrittenBack(t *testing.T) {
	s := dbSecret(t, full)
	same, err := s.JSON()
	require.NoError(t, err)
	require.JSONEq(t, full, same)
	require.Contains(t, same, `"port":"6432"`, "what was a string is one still")
	require.Contains(t, same, "12345678901234567890.10", "numbers keep their digits")

	next := s.With("app_clone", `n<ew>&"`)
	require.Equal(t, "app", s.Username)
	require.Equal(t, "h<>&nter2", s.Password())
	require.Equal(t, "app_clone", next.Username)
	require.Equal(t, `n<ew>&"`, next.Password())
	require.Equal(t, s.Addr(), next.Addr())
	text, err := next.JSON()
	require.NoError(t, err)
	want := strings.NewReplacer(`"app"`, `"app_clone"`, "h<>&nter2", `n<ew>&\"`).Replace(full)
	require.JSONEq(t, want, text)
	require.Contains(t, text, `n<ew>&\"`, "as people write it")
	require.Equal(t, "app_clone", dbSecret(t, text).Username)

	next.Host, next.Port, next.SSL, next.DBName, next.MasterARN = "other", 5432, nil, "", "arn"
	text, err = next.JSON()
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &members))
	require.Equal(t, "other", members["host"])
	require.EqualValues(t, 5432, members["port"])
	require.Equal(t, "arn", members["masterarn"])
	require.NotContains(t, members, "ssl")
	require.NotContains(t, members, "dbname")
	require.Equal(t, "replica.example.com", members["replica"])

	// A default is not written, nor is what was not there.
	text, err = dbSecret(t, `{"engine":"mysql","username":"u","password":"p"}`).With("u", "q").JSON()
	require.NoError(t, err)
	require.Equal(t, `{"engine":"mysql","password":"q","username":"u"}`, text)

	// A new secret.
	text, err = secrets.DBSecret{Engine: "postgres", Host: "h", Port: 1, SSL: new(false)}.With("u", "p").JSON()
	require.NoError(t, err)
	require.Equal(t, `{"engine":"postgres","host":"h","password":"p","port":1,"ssl":false,"username":"u"}`, text)

	for _, bad := range []secrets.DBSecret{{}, s.With("", "hunter2"), s.With("u", ""), s.With("u", "hunter2\xff"), secrets.DBSecret{Port: 70000}.With("u", "hunter2")} {
		text, err := bad.JSON()
		require.ErrorContains(t, err, "cannot be stored")
		require.NotContains(t, err.Error(), "hunter2")
		require.Empty(t, text)
	}
}

func TestDBSecretRedactsItself(t *testing.T) {
	const password = "hunter2-ünïcode"
	s := dbSecret(t, `{"username":"bob","password":"`+password+`","token":"hunter2-token"}`)
	type inner struct {
		S secrets.DBSecret
		s secrets.DBSecret
	}
	for name, s := range map[string]secrets.DBSecret{"decoded": s, "with another": s.With("eve", "hunter2-other")} {
		for form, x := range map[string]any{
			"value": s, "pointer": &s, "slice": []secrets.DBSecret{s}, "map": map[string]secrets.DBSecret{"k": s}, "key": map[secrets.DBSecret]int{s: 1},
			"struct": inner{s, s}, "pointer to struct": &inner{s, s},
		} {
			t.Run(name+", "+form, func(t *testing.T) {
				var out bytes.Buffer
				for _, verb := range "vTtbcdoOqxXUeEfFgGspwz" {
					for _, flags := range []string{"", "+", "#", "-10", "010", " ", ".3", "+#"} {
						fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", x)
					}
				}
				fmt.Fprintln(&out, x, fmt.Errorf("wrapped %v", x))
				for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
					slog.New(h).Info("m", "x", x, slog.Group("g", "x", x))
				}
				if b, err := json.Marshal(x); err == nil {
					out.Write(b)
				}
				if b, err := xml.Marshal(x); err == nil {
					out.Write(b)
				}
				_ = template.Must(template.New("").Parse(`{{.}} {{printf "%s %q %v" . . .}} {{html .}} {{js .}}`)).Execute(&out, x)
				_ = htmltemplate.Must(htmltemplate.New("").Parse(`<p title="{{.}}">{{.}}</p><script>var x = {{.}}</script>`)).Execute(&out, x)
				(&spew.ConfigState{Indent: " ", DisableMethods: true, SpewKeys: true}).Fdump(&out, x)
				spew.Fdump(&out, x)
				for _, leak := range []string{"hunter2", "68756e746572", "68756E746572", "aHVudGVyMg", "104 117 110", "0x68, 0x75"} {
					require.NotContains(t, out.String(), leak)
				}
				require.Contains(t, out.String(), "[redacted]")
			})
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		require.Equal(t, "[redacted] [redacted]", fmt.Sprintf(verb+" "+verb, s, &s))
	}
	require.Equal(t, "[redacted]", s.String())
	require.Equal(t, "[redacted]", s.GoString())
	require.Equal(t, "[redacted]", s.LogValue().String())
	b, err := s.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "[redacted]", string(b))
}

// What decodes is written back as it was, and with another password differs in
// that alone.
func FuzzDBSecret(f *testing.F) {
	for _, seed := range []string{full, `{"username":"u","password":"p"}`, `{"username":"u","password":"p","port":"","ssl":false,"engine":"oracle-se2"}`, `{"username":"\ud800","password":"p","username":"x"}`, `{"username":1}`, `[]`} {
		f.Add(seed, "next")
	}
	f.Fuzz(func(t *testing.T, content, password string) {
		s, err := secrets.JSON[secrets.DBSecret](holding(t, provider.SecretString, content))
		if err != nil {
			undecodable(t, err, "")
			leaksNothing(t, err, content)
			return
		}
		text, err := s.JSON()
		require.NoError(t, err)
		var before, after map[string]any
		require.NoError(t, json.Unmarshal([]byte(strings.TrimSpace(strings.TrimPrefix(content, "\ufeff"))), &before))
		require.NoError(t, json.Unmarshal([]byte(text), &after))
		require.Equal(t, before, after)
		text, err = s.With(s.Username, password).JSON()
		if err != nil {
			return
		}
		after = nil
		require.NoError(t, json.Unmarshal([]byte(text), &after))
		require.Equal(t, password, after["password"])
		before["password"] = password
		require.Equal(t, before, after)
	})
}
