package koanfsecret_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knadh/koanf/parsers/json"
	"github.com/knadh/koanf/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/koanfsecret"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ koanf.Provider = (*koanfsecret.Secrets)(nil)

func serve(t testing.TB, opts ...secretstest.Option) (*secretstest.Server, *secrets.Client) {
	srv := secretstest.NewServer(t, opts...)
	client, err := secrets.New(secrets.WithProvider(sm.New(srv.Config())), secrets.WithProvider(ssm.New(srv.Config())), secrets.WithTTL(time.Minute), secrets.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return srv, client
}

func load(t testing.TB, client *secrets.Client, source string, parser koanf.Parser) *koanf.Koanf {
	t.Helper()
	k := koanf.New(".")
	require.NoError(t, k.Load(koanfsecret.Provider(client, source), parser))
	return k
}

func TestHierarchyOfParameters(t *testing.T) {
	srv, client := serve(t)
	srv.SetParameter("/prod/app/url", "https://app.example.com")
	srv.SetParameter("/prod/app/db/host", "db.internal")
	srv.SetParameter("/prod/app/db/port", "5432")
	srv.SetSecureParameter("/prod/app/db/replica/password", `{"not":"taken apart"}`)
	srv.SetParameter("/prod/apple", "of another")
	_, err := client.Put(t.Context(), "ssm:///prod/app/hosts", "a,b", secrets.As(provider.StringList))
	require.NoError(t, err)
	k := load(t, client, "ssm:///prod/app/", nil)
	require.Equal(t, []string{"db.host", "db.port", "db.replica.password", "hosts", "url"}, k.Keys())
	require.Equal(t, []string{"a", "b"}, k.Strings("hosts"))
	require.Equal(t, "https://app.example.com", k.String("url"))
	require.Equal(t, 5432, k.Int("db.port"))
	require.Equal(t, `{"not":"taken apart"}`, k.String("db.replica.password"))
	require.Equal(t, "db.internal", load(t, client, "ssm:///", nil).String("prod.app.db.host"))
}

func TestPrefixOfSecrets(t *testing.T) {
	srv, client := serve(t)
	srv.SetSecret("prod/db", `{"user":"app","port":5432}`)
	srv.SetSecret("prod/app/token", "plain")
	srv.SetSecretBinary("prod/app/key", []byte{0, 255})
	k := load(t, client, "sm://prod/", nil)
	require.Equal(t, "app", k.String("db.user"))
	require.Equal(t, 5432, k.Int("db.port"))
	require.Equal(t, "plain", k.String("app.token"))
	require.Equal(t, []byte{0, 255}, k.Bytes("app.key"))
}

func TestOneSecret(t *testing.T) {
	srv, client := serve(t)
	srv.SetSecret("app", `{"db":{"user":"app"},"hosts":["a","b"]}`)
	k := load(t, client, "sm://app", nil)
	require.Equal(t, "app", k.String("db.user"))
	require.Equal(t, []string{"a", "b"}, k.Strings("hosts"))
	require.Equal(t, "app", load(t, client, "sm://app#db", nil).String("user"))
	require.Equal(t, "app", load(t, client, "sm://app", json.Parser()).String("db.user"), "a parser gets the bytes")
	require.EqualValues(t, 1, client.Stats().APICalls)
}

func TestErrorsNameTheRef(t *testing.T) {
	srv, client := serve(t)
	srv.SetSecret("text", "hunter2")
	srv.SetParameter("/a/b", "hunter2")
	srv.SetParameter("/a/b/c", "hunter2")
	for source, words := range map[string]string{
		"sm://nothing": "sm://nothing", "sm://text": "sm://text", "ssm:///a/": "ssm:///a/b", "no ref": "no ref", "ssm:///a": "ssm:///a",
	} {
		_, err := koanfsecret.Provider(client, source).Read()
		require.ErrorContains(t, err, words)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := koanfsecret.Provider(client, "sm://nothing").ReadBytes()
	require.ErrorIs(t, err, provider.ErrNotFound)
	_, err = koanfsecret.Provider(client, "ssm:///a/").ReadBytes()
	require.ErrorContains(t, err, "parser")
	require.ErrorContains(t, koanfsecret.Provider(client, "ssm:///none/").Watch(func(any, error) {}), "nothing")
	require.ErrorIs(t, koanfsecret.Provider(client, "sm://nothing").Watch(func(any, error) {}), provider.ErrNotFound)

	// All that goes wrong is told.
	remove := srv.Inject(secretstest.Fault{Operation: "GetParametersByPath", Err: secretstest.AccessDenied()})
	_, err = koanfsecret.Provider(client, "ssm:///a/").Read()
	remove()
	require.ErrorIs(t, err, provider.ErrAccessDenied)
}

// TestBothAValueAndAPath fails in whichever order the store lists them.
func TestBothAValueAndAPath(t *testing.T) {
	srv, client := serve(t)
	srv.SetSecret("x/a!", "listed before x/a/b")
	srv.SetSecret("x/a/b", "1")
	require.Equal(t, "1", load(t, client, "sm://x/", nil).String("a.b"))
	srv.SetSecret("x/a", "2")
	_, err := koanfsecret.Provider(client, "sm://x/").Read()
	require.ErrorContains(t, err, "sm://x/a: it is both")
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t, secretstest.InProcess())
		srv.SetParameter("/prod/app/level", "info")
		srv.SetParameter("/prod/app/db/host", "one")
		for i := range 25 {
			srv.SetParameter("/prod/app/more/"+string(rune('a'+i)), "x")
		}
		p := koanfsecret.Provider(client, "ssm:///prod/app/")
		k := koanf.New(".")
		require.NoError(t, k.Load(p, nil))
		calls := 0
		require.NoError(t, p.Watch(func(event any, err error) {
			require.NoError(t, err)
			calls++
			require.NoError(t, k.Load(p, nil))
		}))
		require.Error(t, p.Watch(func(any, error) {}), "once is enough")

		before := srv.Calls("GetParametersByPath")
		srv.SetParameter("/prod/app/level", "debug")
		srv.SetParameter("/prod/app/db/host", "two")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, "debug", k.String("level"))
		require.Equal(t, "two", k.String("db.host"))
		require.LessOrEqual(t, calls, 2)
		require.NotZero(t, calls)
		require.Equal(t, before, srv.Calls("GetParametersByPath"), "nothing is listed again")

		calls = 0
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Zero(t, calls, "nothing changed")

		require.NoError(t, p.Unwatch())
		require.NoError(t, p.Unwatch())
		srv.SetParameter("/prod/app/level", "warn")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Zero(t, calls)
		require.NoError(t, k.Load(p, nil))
		require.Equal(t, "warn", k.String("level"), "a Read lists again")
	})
}

// TestWatchOfOneField calls back for the field, and for no other.
func TestWatchOfOneField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t, secretstest.InProcess())
		srv.SetSecret("app", `{"log":{"level":"info"},"other":1}`)
		p := koanfsecret.Provider(client, "sm://app#log")
		calls := 0
		require.NoError(t, p.Watch(func(any, error) { calls++ }))
		defer func() { require.NoError(t, p.Unwatch()) }()
		srv.SetSecret("app", `{"log":{"level":"info"},"other":2}`)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, calls)
		srv.SetSecret("app", `{"log":{"level":"debug"},"other":2}`)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, calls)
		read, err := p.Read()
		require.NoError(t, err)
		require.Equal(t, map[string]any{"level": "debug"}, read)
	})
}

// TestCallbackThatBlocks gets what it missed in one more call.
func TestCallbackThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t, secretstest.InProcess())
		for _, name := range []string{"/a/1", "/a/2", "/a/3"} {
			srv.SetParameter(name, "old")
		}
		p := koanfsecret.Provider(client, "ssm:///a/")
		release := make(chan struct{})
		calls := 0
		require.NoError(t, p.Watch(func(any, error) {
			if calls++; calls == 1 {
				<-release
			}
		}))
		srv.SetParameter("/a/1", "new")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, calls)
		for _, name := range []string{"/a/1", "/a/2", "/a/3"} {
			srv.SetParameter(name, "newer")
			time.Sleep(2 * time.Minute)
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		require.Equal(t, 2, calls)
		require.NoError(t, p.Unwatch())
	})
}

// TestCallbackOfAnEarlierWatch is not called for a later one, even if it is still
// running.
func TestCallbackOfAnEarlierWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t, secretstest.InProcess())
		srv.SetParameter("/a/1", "old")
		p := koanfsecret.Provider(client, "ssm:///a/1")
		release := make(chan struct{})
		earlier, later := 0, 0
		require.NoError(t, p.Watch(func(any, error) {
			earlier++
			<-release
		}))
		srv.SetParameter("/a/1", "new")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, earlier)
		require.NoError(t, p.Unwatch())
		require.NoError(t, p.Watch(func(any, error) { later++ }))
		srv.SetParameter("/a/1", "newer")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		close(release)
		synctest.Wait()
		require.Equal(t, 1, earlier)
		require.Equal(t, 1, later)
		require.NoError(t, p.Unwatch())
	})
}

// TestCallbackThatPanics is called again with the next change.
func TestCallbackThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t, secretstest.InProcess())
		srv.SetParameter("/a/1", "old")
		p := koanfsecret.Provider(client, "ssm:///a/1")
		calls := 0
		require.NoError(t, p.Watch(func(any, error) {
			calls++
			panic("hunter2")
		}))
		for _, value := range []string{"new", "newer"} {
			srv.SetParameter("/a/1", value)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
		}
		require.Equal(t, 2, calls)
		require.NoError(t, p.Unwatch())
	})
}
