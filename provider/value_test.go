package provider_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"log/slog"
	"testing"
	"text/template"
	"time"

	"github.com/davecgh/go-spew/spew"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
)

const hidden = "hunter2-ünïcode"

func secret(t testing.TB, content string) provider.Value {
	return provider.NewValue(ref(t, "sm://prod/db"), provider.NewVersion("v1", time.Unix(1, 0), "AWSCURRENT"), provider.SecretString, content)
}

// forms is every shape in which a value may come to a printer, unexported
// fields of somebody's struct included: fmt calls no method on those.
func forms(v provider.Value) map[string]any {
	type inner struct {
		V provider.Value
		v provider.Value
	}
	return map[string]any{
		"value": v, "pointer": &v, "slice": []provider.Value{v}, "map": map[string]provider.Value{"k": v},
		"key": map[provider.Value]int{v: 1}, "struct": inner{v, v}, "pointer to struct": &inner{v, v},
		"any": any(v), "result": provider.Result{Value: v}, "error": provider.Result{Value: v, Err: errors.New("x")},
	}
}

func TestValueRedactsItself(t *testing.T) {
	for name, x := range forms(secret(t, hidden)) {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			for _, verb := range "vTtbcdoOqxXUeEfFgGspwz" {
				for _, flags := range []string{"", "+", "#", "-10", "010", " ", ".3", "+#"} {
					fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", x)
				}
			}
			fmt.Fprintln(&out, x)
			fmt.Fprint(&out, fmt.Errorf("wrapped %v", x))
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
			// testify prints a failed comparison through this, with methods off.
			(&spew.ConfigState{Indent: " ", DisableMethods: true, SpewKeys: true}).Fdump(&out, x)
			spew.Fdump(&out, x)

			for _, leak := range []string{hidden, "hunter2", "68756e746572", "aHVudGVyMg", "104 117 110", "0x68, 0x75"} {
				require.NotContains(t, out.String(), leak)
			}
			require.Contains(t, out.String(), "[redacted]")
		})
	}
}

func TestValueIsWhatTheStoreHeld(t *testing.T) {
	v := secret(t, hidden)
	require.Equal(t, hidden, v.Text())
	require.Equal(t, []byte(hidden), v.Bytes())
	require.False(t, v.Binary())
	require.Equal(t, provider.SecretString, v.Type())
	require.Equal(t, "sm://prod/db", v.Ref().String())
	require.Equal(t, "v1", v.Version().ID)
	require.Equal(t, "v1", v.Version().String())

	v.Bytes()[0] = 'X'
	require.Equal(t, hidden, v.Text(), "Bytes is a copy")

	raw := "\x00\xff\xfe\n"
	b := provider.NewValue(v.Ref(), v.Version(), provider.SecretBinary, raw)
	require.True(t, b.Binary())
	require.Equal(t, []byte(raw), b.Bytes())

	renamed := v.WithRef(ref(t, "sm://other"))
	require.Equal(t, "sm://other", renamed.Ref().String())
	require.Equal(t, hidden, renamed.Text())
	require.True(t, v == v.WithRef(v.Ref()), "the same ref is the same object")

	var zero provider.Value
	require.Empty(t, zero.Text())
	require.Empty(t, zero.Bytes())
	require.Zero(t, zero.Ref())
	require.Zero(t, zero.Version())
	require.Zero(t, zero.Type())
	require.Equal(t, "[redacted]", fmt.Sprint(zero))
	require.Zero(t, zero.WithRef(v.Ref()))
	_, err := zero.Field("x")
	require.ErrorIs(t, err, provider.ErrFieldNotFound)
}

func TestValueField(t *testing.T) {
	v := secret(t, ` {"password":"p\"w\u00e9\ud83d\udd11","port":5432,"big":12345678901234567890.10,"ssl":true,"none":null,
		"empty":"","":"nameless","a":[{"b":"deep"},[1, 2]],"o":{"x": 1 },"/odd~key":"odd","a/b":"slash","dup":"1","dup":"2"}`)
	for field, want := range map[string]string{
		"password": "p\"wé🔑", "port": "5432", "big": "12345678901234567890.10", "ssl": "true", "empty": "",
		"/": "nameless", "/a/0/b": "deep", "/a/1/1": "2", "/a/1": "[1, 2]", "o": `{"x": 1 }`, "/o/x": "1",
		"/~1odd~0key": "odd", "a/b": "slash", "/a~1b": "slash", "dup": "2",
	} {
		got, err := v.Field(field)
		require.NoError(t, err, field)
		require.Equal(t, want, got.Text(), field)
		require.Equal(t, field, got.Ref().Field)
		require.Equal(t, v.Version(), got.Version())
		require.Equal(t, v.Type(), got.Type())
	}
	for field, says := range map[string]string{
		"nope": "no such member", "Password": "no such member", "none": "null", "/a/2": "no such member", "/a/-": "no such member",
		"/a/00": "no such member", "/a/-1": "no such member", "/a/x": "no such member", "/password/x": "no such member",
		"/a/0/b/c": "no such member", "": "empty", "/~": "RFC 6901",
	} {
		_, err := v.Field(field)
		require.ErrorIs(t, err, provider.ErrFieldNotFound, field)
		require.ErrorContains(t, err, says, field)
		require.ErrorContains(t, err, "sm://prod/db")
	}
	for _, content := range []string{hidden, "", `{"a":"` + hidden, `{"a":"` + hidden + `"} x`, `"` + hidden + `"`, `["` + hidden + `"]`, "\xff\xfe" + hidden, `{"x":"\ud800` + hidden + `"`} {
		_, err := secret(t, content).Field("a")
		require.ErrorIs(t, err, provider.ErrFieldNotFound)
		require.NotContains(t, err.Error(), "hunter", "the error has nothing of the value")
	}
}

func TestVersion(t *testing.T) {
	at := time.Unix(5, 0)
	v := provider.NewVersion("id", at, "b", "a")
	require.Equal(t, []string{"a", "b"}, v.Labels())
	require.True(t, v.HasLabel("a"))
	require.False(t, v.HasLabel("c"))
	require.True(t, v == provider.NewVersion("id", at, "a", "b"), "comparable, in any order of labels")
	require.Empty(t, provider.NewVersion("id", at).Labels())
	require.False(t, provider.Version{}.HasLabel(""))
}

func TestError(t *testing.T) {
	cause := &json.SyntaxError{Offset: 3}
	err := error(&provider.Error{Ref: ref(t, "sm://prod/db#user"), Kind: provider.ErrAccessDenied, Hint: "allow it", Err: fmt.Errorf("api: %w", cause)})
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	require.NotErrorIs(t, err, provider.ErrNotFound)
	var syntax *json.SyntaxError
	require.ErrorAs(t, err, &syntax)
	require.Equal(t, "sm://prod/db#user: access denied (allow it): api: ", err.Error())
	require.Equal(t, "sm://x: not found", (&provider.Error{Ref: ref(t, "sm://x"), Kind: provider.ErrNotFound}).Error())
	require.ErrorIs(t, &provider.Error{Kind: io.EOF}, io.EOF)
}
