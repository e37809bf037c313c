package secrets_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

type limits struct{ Burst, Rate int }

type credentials struct {
	User     string `secret:"sm://${env}/db#username"`
	Password string `secret:"sm://${env}/db#password"`
}

type settings struct {
	credentials             // embedded
	Nested      credentials // by its name
	Pointer     *credentials
	Replica     *struct {
		Host string `secret:"ssm:///${env}/replica,optional"`
	}
	URL      *url.URL      `secret:"ssm:///${env}/app/url"`
	Timeout  time.Duration `secret:"ssm:///${env}/app/timeout"`
	Hosts    []string      `secret:"ssm:///${env}/app/hosts"`
	Addr     netip.Addr    `secret:"ssm:///${env}/app/addr"`
	Limits   limits        `secret:"ssm:///${env}/app/limits,json"`
	Raw      secrets.Value `secret:"sm://${env}/db"`
	Workers  int           `secret:"ssm:///${env}/app/workers,default=4"`
	Greeting string        `secret:"ssm:///${env}/app/greeting,default=hello, world"`
	Sentry   string        `secret:"sm://${env}/sentry,optional"`
	Other    int           // no tag

	DB     *secrets.Handle[secrets.DBSecret] `secret:"sm://${env}/db"`
	Live   *secrets.Handle[limits]           `secret:"ssm:///${env}/app/limits,json"`
	Late   *secrets.Handle[int]              `secret:"ssm:///${env}/app/late,default=7"`
	Absent *secrets.Handle[int]              `secret:"ssm:///${env}/app/absent,optional"`
}

func seedConfig(server *secretstest.Server) {
	server.SetSecret("prod/db", `{"engine":"postgres","host":"db","username":"u","password":"p"}`)
	for name, value := range map[string]string{"url": "https://a.example/x", "timeout": "1500ms", "hosts": "a,b", "addr": "10.0.0.1", "limits": `{"Burst":2,"Rate":3}`} {
		server.SetParameter("/prod/app/"+name, value)
	}
}

func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithVar("env", "prod"), secrets.WithTTL(time.Minute))
		seedConfig(server)
		got := settings{Sentry: "as it was", Other: 3}
		require.NoError(t, c.Load(t.Context(), &got))
		for _, cr := range []credentials{got.credentials, got.Nested, *got.Pointer} {
			require.Equal(t, credentials{"u", "p"}, cr)
		}
		require.Empty(t, got.Replica.Host)
		require.Equal(t, "https://a.example/x", got.URL.String())
		require.Equal(t, 1500*time.Millisecond, got.Timeout)
		require.Equal(t, []string{"a", "b"}, got.Hosts)
		require.Equal(t, netip.MustParseAddr("10.0.0.1"), got.Addr)
		require.Equal(t, limits{2, 3}, got.Limits)
		require.Equal(t, "sm://prod/db", got.Raw.Ref().String())
		require.Equal(t, 4, got.Workers)
		require.Equal(t, "hello, world", got.Greeting)
		require.Equal(t, "as it was", got.Sentry)
		require.Equal(t, 3, got.Other)
		require.Equal(t, "p", got.DB.Load().Password())
		require.Equal(t, limits{2, 3}, got.Live.Load())
		require.Equal(t, 7, got.Late.Load())
		require.Nil(t, got.Absent)

		server.SetSecret("prod/db", `{"engine":"postgres","host":"db","username":"u","password":"new"}`)
		server.SetParameter("/prod/app/limits", `{"Burst":9}`)
		server.SetParameter("/prod/app/late", "8")
		time.Sleep(2 * time.Minute)
		require.Equal(t, "new", got.DB.Load().Password())
		require.Equal(t, limits{Burst: 9}, got.Live.Load())
		require.Equal(t, 8, got.Late.Load(), "a default gives way")
		require.Equal(t, "p", got.Password, "a plain field is read once")
		require.NoError(t, got.Late.Err())
	})
}

func TestLoadTellsAllThatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithVar("env", "prod"))
		seedConfig(server)
		server.SetParameter("/prod/text", "hunter2")
		type wrong struct {
			Good    string                  `secret:"sm://prod/db#username"`
			Missing string                  `secret:"sm://prod/nowhere"`
			Field   string                  `secret:"sm://prod/db#nothing"`
			Number  int                     `secret:"ssm:///prod/text"`
			Live    *secrets.Handle[int]    `secret:"ssm:///prod/text"`
			Fine    *secrets.Handle[string] `secret:"sm://prod/db#username"`
			In      struct {
				Deep string `secret:"ssm:///prod/nowhere"`
			}
		}
		got := wrong{Good: "as it was"}
		err := c.Load(t.Context(), &got)
		for _, says := range []string{
			"wrong.Missing: sm://prod/nowhere", "wrong.Field: sm://prod/db#nothing", "wrong.Number: ssm:///prod/text",
			"wrong.Live: ssm:///prod/text", "wrong.In.Deep: ssm:///prod/nowhere",
		} {
			require.ErrorContains(t, err, says)
		}
		require.ErrorIs(t, err, provider.ErrNotFound)
		require.ErrorIs(t, err, provider.ErrFieldNotFound)
		require.ErrorIs(t, err, provider.ErrDecode)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "Good")
		require.Equal(t, wrong{Good: "as it was"}, got, "nothing is set")
		time.Sleep(24 * time.Hour)
		require.Zero(t, c.Stats().Entries, "no handle is left behind")

		remove := server.Inject(secretstest.Fault{Err: secretstest.AccessDenied()})
		defer remove()
		var optional struct {
			Denied string `secret:"sm://prod/db#password,optional"`
		}
		require.ErrorIs(t, c.Load(t.Context(), &optional), provider.ErrAccessDenied, "a refusal is no absence")
	})
}

// Mistakes in a tag are found before any call.
func TestLoadRefusesBadTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t, secrets.WithVar("env", "prod"))
		for says, dst := range map[string]any{
			"want a pointer to a struct":     settings{},
			"Load(<nil>)":                    nil,
			"(*secrets_test.settings): want": (*settings)(nil),
			"(*int)":                         new(int),
			"no field has a tag":             &struct{ A int }{},
			`A: "nonsense"`: &struct {
				A string `secret:"nonsense"`
			}{},
			`A: "": invalid ref`: &struct {
				A string `secret:""`
			}{},
			"A: vault://x": &struct {
				A string `secret:"vault://x"`
			}{},
			`A: sm://x: "often" is none of the options`: &struct {
				A string `secret:"sm://x,often"`
			}{},
			"optional and has a default": &struct {
				A string `secret:"sm://x,optional,default=1"`
			}{},
			"${region} has no value": &struct {
				A string `secret:"sm://${region}/x"`
			}{},
			"not closed": &struct {
				A string `secret:"sm://${env"`
			}{},
			"a: the field is not exported": &struct {
				a string `secret:"sm://x"` //nolint:unused // it is the mistake
			}{},
			"does not decode to a secrets_test.limits": &struct {
				A limits `secret:"sm://x"`
			}{},
			"does not decode to a chan int": &struct {
				A *secrets.Handle[chan int] `secret:"sm://x"`
			}{},
			"A: sm://x: value cannot be decoded": &struct {
				A int `secret:"sm://x,default=many"`
			}{},
			"B: sm://x: value cannot be decoded": &struct {
				B *secrets.Handle[int] `secret:"sm://x,default=many"`
			}{},
		} {
			err := c.Load(t.Context(), dst)
			require.ErrorContains(t, err, says, reflect.TypeOf(dst))
		}
		require.Zero(t, server.Calls())
		for _, opt := range []secrets.Option{secrets.WithVar("", "x"), secrets.WithVar("env", ""), secrets.WithVar("env", "a#b"), secrets.WithVar("e}", "b")} {
			_, err := secrets.New(secrets.WithProvider(&store{}), opt)
			require.ErrorContains(t, err, "WithVar")
		}
	})
}

type tree struct {
	Name        string `secret:"sm://prod/db#username"`
	Left, Right *tree
}

func TestLoadOfATypeWithinItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		seedConfig(server)
		var root tree
		require.NoError(t, c.Load(t.Context(), &root))
		require.Equal(t, tree{Name: "u"}, root)
	})
}

// Sixty refs over both stores: at most six calls.
func TestLoadReadsInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, c := world(t)
		var fields []reflect.StructField
		for i := range 30 {
			server.SetSecret(fmt.Sprintf("app/%d", i), "s")
			server.SetSecureParameter(fmt.Sprintf("/app/%d", i), "p")
			typ := reflect.TypeFor[string]()
			if i%2 == 0 {
				typ = reflect.TypeFor[*secrets.Handle[string]]()
			}
			fields = append(fields,
				reflect.StructField{Name: fmt.Sprintf("S%d", i), Type: typ, Tag: reflect.StructTag(fmt.Sprintf(`secret:"sm://app/%d"`, i))},
				reflect.StructField{Name: fmt.Sprintf("P%d", i), Type: typ, Tag: reflect.StructTag(fmt.Sprintf(`secret:"ssm:///app/%d"`, i))})
		}
		dst := reflect.New(reflect.StructOf(fields))
		require.NoError(t, c.Load(t.Context(), dst.Interface()))
		require.LessOrEqual(t, server.Calls(), 6)
		require.Equal(t, "p", dst.Elem().FieldByName("P29").String())
		require.Equal(t, "s", dst.Elem().FieldByName("S0").Interface().(*secrets.Handle[string]).Load())
	})
}
