package redistarget_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/redistarget"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type world struct {
	*testing.T
	admin  *redis.Client
	base   *redis.Options
	server *secretstest.Server
	store  *sm.Store
	client *secrets.Client
	user   string
}

// newWorld has a server that SECRETS_TEST_REDIS names, a redis:// URL of a user that
// may do anything, and a user there whose password is "first".
func newWorld(t *testing.T, user string, rules ...any) *world {
	url := os.Getenv("SECRETS_TEST_REDIS")
	if url == "" {
		t.Skip("SECRETS_TEST_REDIS names no server")
	}
	base, err := redis.ParseURL(url)
	require.NoError(t, err)
	w := &world{T: t, base: base, admin: redis.NewClient(base), server: secretstest.NewServer(t), user: "t" + rand.Text()[:8] + user}
	t.Cleanup(func() { require.NoError(t, w.admin.Close()) })
	w.store = sm.New(w.server.Config())
	w.client, err = secrets.New(secrets.WithProvider(w.store))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.client.Close()) })
	w.acl("SETUSER", append([]any{w.user, "on", ">first", "+ping"}, rules...)...)
	t.Cleanup(func() { w.acl("DELUSER", w.user) })
	w.server.SetSecret("master", w.secret(base.Username, base.Password))
	w.server.SetSecret("app", w.secret(w.user, "first"))
	return w
}

func (w *world) acl(command string, args ...any) {
	w.Helper()
	require.NoError(w, w.admin.Do(context.Background(), append([]any{"ACL", command}, args...)...).Err())
}

func (w *world) secret(user, password string) string {
	host, port, _ := strings.Cut(w.base.Addr, ":")
	text, err := json.Marshal(map[string]any{"engine": "redis", "host": host, "port": port, "username": user, "password": password, "masterarn": "sm://master"})
	require.NoError(w, err)
	return string(text)
}

func (w *world) target(opts ...redistarget.Option) rotation.Target {
	return redistarget.New(plain, append([]redistarget.Option{redistarget.WithSuperuser(redistarget.Master(w.client))}, opts...)...)
}

// plain saves the time that it takes to see that there is no TLS.
func plain(s secrets.DBSecret) (*redis.UniversalOptions, error) {
	s.SSL = new(bool)
	return redistarget.Options(s)
}

func (w *world) rotate(target rotation.Target) {
	w.Helper()
	require.NoError(w, rotation.Rotate(w.Context(), w.store, "sm://app", target, rotation.WithLogger(slog.New(slog.DiscardHandler))))
}

func (w *world) read(ref string) secrets.DBSecret {
	require.NoError(w, w.client.Refresh(w.Context(), ref))
	v, err := w.client.Get(w.Context(), ref)
	require.NoError(w, err)
	s, err := secrets.JSON[secrets.DBSecret](v)
	require.NoError(w, err)
	return s
}

func (w *world) login(user, password string) error {
	o := *w.base
	o.Username, o.Password = user, password
	c := redis.NewClient(&o)
	defer c.Close()
	return c.Ping(w.Context()).Err()
}

func value(text string) provider.Value {
	return provider.NewValue(provider.Ref{Scheme: "sm", Name: "app"}, provider.Version{}, provider.SecretString, text)
}

func always(password string) redistarget.Option {
	return redistarget.WithPassword(func(context.Context) (string, error) { return password, nil })
}

func TestTenRotations(t *testing.T) {
	w := newWorld(t, "")
	passwords := []string{"first"}
	for range 10 {
		w.rotate(w.target())
		now := w.read("sm://app")
		require.Equal(t, w.user, now.Username)
		require.NoError(t, w.login(w.user, now.Password()))
		require.NoError(t, w.login(w.user, passwords[len(passwords)-1]), "the old password works until the next rotation")
		if n := len(passwords); n > 1 {
			require.ErrorContains(t, w.login(w.user, passwords[n-2]), "WRONGPASS", "and no longer")
		}
		require.Equal(t, passwords[len(passwords)-1], w.read("sm://app?stage=AWSPREVIOUS").Password())
		passwords = append(passwords, now.Password())
	}
}

func TestUserThatSetsItsOwnPassword(t *testing.T) {
	w := newWorld(t, "", "+acl")
	target := redistarget.New(plain)
	w.rotate(target)
	w.rotate(target)
	require.NoError(t, w.login(w.user, w.read("sm://app").Password()))
	require.ErrorContains(t, w.login(w.user, "first"), "WRONGPASS")
}

func TestOddNamesAndPasswords(t *testing.T) {
	for _, name := range []string{`'`, `"`, `\`, `%s`, `#a`, `>b`, "ü", "🔑", "~*", "+@all"} {
		w := newWorld(t, name)
		for _, password := range []string{`'`, `"`, `\`, `%s`, ` `, "line\nfeed", "é", "🔑", "#" + strings.Repeat("a", 64), "<x", ">y", "nopass", "resetpass", "on"} {
			w.rotate(w.target(always(password)))
			require.NoError(t, w.login(w.user, password), "%q %q", w.user, password)
		}
	}
}

func TestSetIsRepeatable(t *testing.T) {
	w := newWorld(t, "")
	target := w.target()
	current, pending := value(w.secret(w.user, "first")), value(w.secret(w.user, "second"))
	for range 3 {
		require.NoError(t, target.Set(t.Context(), current, pending, provider.Value{}))
		require.NoError(t, target.Test(t.Context(), pending))
		require.NoError(t, target.Test(t.Context(), current))
	}
	// The current password was never set, but the previous was.
	next := value(w.secret(w.user, "fourth"))
	require.NoError(t, target.Set(t.Context(), value(w.secret(w.user, "third")), next, pending))
	require.NoError(t, target.Test(t.Context(), next))
	require.ErrorContains(t, target.Test(t.Context(), pending), "WRONGPASS")
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, "")
	target := w.target()
	current := value(w.secret(w.user, "first"))
	for _, pending := range []string{
		w.secret(w.base.Username, w.base.Password),
		strings.Replace(w.secret(w.user, "second"), "127.0.0.1", "localhost", 1),
	} {
		require.ErrorContains(t, target.Set(t.Context(), current, value(pending), provider.Value{}), "the pending version has the")
	}
	err := target.Set(t.Context(), value(w.secret(w.user, "guessed")), value(w.secret(w.user, "second")), provider.Value{})
	require.ErrorContains(t, err, "WRONGPASS")
	require.NotContains(t, err.Error(), "guessed")
	require.NoError(t, w.login(w.user, "first"))
	require.Error(t, w.login(w.user, "second"))
}

func TestTLSComesFirstAndIsDemandedWhereTheSecretSaysSo(t *testing.T) {
	w := newWorld(t, "")
	for ssl, want := range map[string][]bool{`true`: {true}, `false`: {false}, `null`: {true, false}} {
		var asked []bool
		target := redistarget.New(func(s secrets.DBSecret) (*redis.UniversalOptions, error) {
			asked = append(asked, *s.SSL)
			o, err := redistarget.Options(s)
			if *s.SSL { // which the server never answers to
				o.DialTimeout = 300 * time.Millisecond
			}
			return o, err
		})
		err := target.Test(t.Context(), value(strings.Replace(w.secret(w.user, "first"), `{`, `{"ssl":`+ssl+`,`, 1)))
		require.Equal(t, want, asked)
		require.Equal(t, ssl == "true", err != nil, "the server has no TLS")
	}
}
