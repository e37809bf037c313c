package canary_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/internal/canary"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// crashes are how a process may end that holds secrets, after which the runtime
// prints the value of the panic and the stacks of all goroutines.
var crashes = map[string]func(c *secrets.Client, v provider.Value, db secrets.DBSecret){
	"panic with a Value":       func(_ *secrets.Client, v provider.Value, _ secrets.DBSecret) { panic(v) },
	"panic with a DBSecret":    func(_ *secrets.Client, _ provider.Value, db secrets.DBSecret) { panic(db) },
	"panic with a client":      func(c *secrets.Client, _ provider.Value, _ secrets.DBSecret) { panic(c) },
	"panic with a printed one": func(_ *secrets.Client, v provider.Value, db secrets.DBSecret) { panic(fmt.Sprintf("%v %#v", v, db)) },
	"panic with an error": func(_ *secrets.Client, v provider.Value, _ secrets.DBSecret) {
		_, err := secrets.Int(v)
		panic(err)
	},
	"nil pointer in a function that has the text": func(_ *secrets.Client, v provider.Value, db secrets.DBSecret) {
		use(v.Text(), db.Password(), nil)
	},
}

//go:noinline
func use(text, password string, into *int) { *into = len(text) + len(password) }

// crash is the process that crashes. Its canary comes by standard input, since
// arguments and environment are not secret.
func crash(how string) {
	var secret string
	if err := json.NewDecoder(os.Stdin).Decode(&secret); err != nil {
		panic("no canary")
	}
	server, err := secretstest.Start()
	if err != nil {
		panic(err)
	}
	server.SetSecret("db", `{"username":"app","password":"`+secret+`"}`)
	c, err := secrets.New(secrets.WithProvider(sm.New(server.Config())))
	if err != nil {
		panic(err)
	}
	v, err := c.Get(context.Background(), "sm://db#password")
	if err != nil {
		panic(err)
	}
	whole, err := c.Get(context.Background(), "sm://db")
	if err != nil {
		panic(err)
	}
	db, err := secrets.JSON[secrets.DBSecret](whole)
	if err != nil {
		panic(err)
	}
	if how == "a leak" {
		panic(v.Text())
	}
	crashes[how](c, v, db)
}

func crashed(t *testing.T, how string) *canary.Net {
	t.Helper()
	net := new(canary.Net)
	secret, err := json.Marshal(net.Secret("the password"))
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SECRETS_CANARY_CRASH="+how, "GOTRACEBACK=all")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	go func() {
		_, _ = in.Write(secret)
		_ = in.Close()
	}()
	output, err := cmd.CombinedOutput()
	require.Error(t, err, how)
	require.Contains(t, string(output), "goroutine ", how)
	net.Catch("what a crash prints: "+how, string(output))
	return net
}

func TestACrashPrintsNoSecret(t *testing.T) {
	for how := range crashes {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, crashed(t, how).Leaks())
		})
	}
	require.NotEmpty(t, crashed(t, "a leak").Leaks(), "the text itself would be found")
}
