package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/agent"
	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// serve starts a server and a fake agent in front of it.
func serve(t testing.TB, opts ...secretstest.Option) (*secretstest.Server, *fake) {
	srv := secretstest.NewServer(t, opts...)
	return srv, newFake(srv.Config())
}

func fetch(t testing.TB, s *agent.Store, refs ...string) []provider.Result {
	t.Helper()
	results := s.Fetch(t.Context(), readtest.Refs(t, refs...)...)
	require.Len(t, results, len(refs))
	return results
}

// requireKind checks one error: its kind, and words that it has.
func requireKind(t testing.TB, err, kind error, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*provider.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, kind, e.Kind, "%v", err)
	for _, w := range words {
		require.ErrorContains(t, err, w)
	}
}

func TestClientReadsAsWithPackageSM(t *testing.T) {
	srv, f := serve(t)
	f.extension = true
	srv.SetSecret("prod/db", `{"user":"app","password":"pw"}`)
	srv.SetSecureParameter("/prod/app/key", "k-1")
	endpoint := f.start(t)
	client, err := secrets.New(
		secrets.WithProvider(agent.Secrets(endpoint, agent.WithToken(token))),
		secrets.WithProvider(agent.Parameters(endpoint, agent.WithToken(token))),
	)
	require.NoError(t, err)
	defer client.Close()
	values, err := client.GetAll(t.Context(), "sm://prod/db#user", "sm://prod/db#password", "ssm:///prod/app/key")
	require.NoError(t, err)
	require.Equal(t, "app", values["sm://prod/db#user"].Text())
	require.Equal(t, "pw", values["sm://prod/db#password"].Text())
	require.Equal(t, "k-1", values["ssm:///prod/app/key"].Text())
	require.Equal(t, provider.SecureString, values["ssm:///prod/app/key"].Type())
	_, reads := f.seen()
	require.Equal(t, 2, reads, "all fields of a secret are one request")
	require.EqualValues(t, 2, client.Stats().APICalls)
}

// TestRotationIsFollowed has the agent keep what it read for an hour: the client's
// TTL holds all the same, and Refresh and Reject see a change at once.
func TestRotationIsFollowed(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, f := serve(t, secretstest.InProcess())
				f.ttl = time.Hour
				srv.SetSecret("db", "first")
				opts := []agent.Option{f.inProcess(), agent.WithToken(token)}
				if shared {
					opts = append(opts, agent.WithSharedCache())
				}
				client, err := secrets.New(secrets.WithProvider(agent.Secrets(opts...)), secrets.WithTTL(5*time.Minute))
				require.NoError(t, err)
				defer client.Close()
				read := func() secrets.Value {
					v, err := client.Get(t.Context(), "sm://db")
					require.NoError(t, err)
					return v
				}
				require.Equal(t, "first", read().Text())

				srv.SetSecret("db", "second")
				time.Sleep(5*time.Minute + time.Second)
				if shared {
					require.Equal(t, "first", read().Text(), "a renewal takes what the agent has cached")
				} else {
					require.Equal(t, "second", read().Text(), "the agent's cache adds nothing to the TTL")
				}
				used := read()
				srv.SetSecret("db", "third")
				next, err := client.Reject(t.Context(), used)
				require.NoError(t, err)
				require.Equal(t, "third", next.Text(), "what was refused is asked for anew")

				srv.SetSecret("db", "fourth")
				require.NoError(t, client.Refresh(t.Context(), "sm://db"))
				require.Equal(t, "fourth", read().Text())
			})
		})
	}
}

// TestSharedCacheSparesCalls has two processes renew what one machine's agent
// has: AWS is asked for the first reading of each, and for what changed.
func TestSharedCacheSparesCalls(t *testing.T) {
	srv, f := serve(t)
	srv.SetSecret("db", "first")
	endpoint := f.start(t)
	one := agent.Secrets(endpoint, agent.WithToken(token), agent.WithSharedCache())
	two := agent.Secrets(endpoint, agent.WithToken(token), agent.WithSharedCache())
	refs := readtest.Refs(t, "sm://db")
	first := readtest.Known(t, refs, one.Fetch(t.Context(), refs...))
	readtest.Known(t, refs, two.Fetch(t.Context(), refs...))
	for range 10 {
		for _, s := range []*agent.Store{one, two} {
			require.Equal(t, []string{"first"}, readtest.Texts(s.Refetch(t.Context(), first...)))
		}
	}
	_, reads := f.seen()
	require.Equal(t, 2, reads)

	// Two sees a change, and with it the agent; one learns of it there, and makes
	// sure.
	srv.SetSecret("db", "second")
	require.Equal(t, []string{"second"}, readtest.Texts(two.Fetch(t.Context(), refs...)))
	require.Equal(t, []string{"second"}, readtest.Texts(one.Refetch(t.Context(), first...)))
	_, reads = f.seen()
	require.Equal(t, 4, reads)
	// A version that is not known is one that the cache does not do for.
	require.Equal(t, []string{"second", "second"}, readtest.Texts(one.Refetch(t.Context(), first[0], provider.Known{Ref: refs[0]})))
	_, reads = f.seen()
	require.Equal(t, 5, reads)
}

func TestRequests(t *testing.T) {
	srv, f := serve(t)
	f.extension = true
	pinned := srv.SetSecret("a/b+c=d@e", "one")
	srv.SetSecret("a/b+c=d@e", "two")
	srv.SetParameter("/a/b.c", "p1")
	srv.SetParameter("/a/b.c", "p2")
	endpoint := f.start(t)
	sm := agent.Secrets(endpoint, agent.WithToken(token))
	ssm := agent.Parameters(endpoint, agent.WithToken(token))
	for _, test := range []struct {
		store            *agent.Store
		ref, text, query string
	}{
		{sm, "sm://a/b+c=d@e", "two", "refreshNow=true&secretId=a%2Fb%2Bc%3Dd%40e"},
		{sm, "sm://a/b+c=d@e#field", "two", "refreshNow=true&secretId=a%2Fb%2Bc%3Dd%40e"},
		{sm, "sm://a/b+c=d@e?stage=AWSPREVIOUS", "one", "refreshNow=true&secretId=a%2Fb%2Bc%3Dd%40e&versionStage=AWSPREVIOUS"},
		{sm, "sm://a/b+c=d@e?version=" + pinned, "one", "secretId=a%2Fb%2Bc%3Dd%40e&versionId=" + pinned},
		{ssm, "ssm:///a/b.c", "p2", "name=%2Fa%2Fb.c&withDecryption=true"},
		{ssm, "ssm:///a/b.c:1", "p1", "name=%2Fa%2Fb.c&version=1&withDecryption=true"},
		{ssm, "ssm:///aws/reference/secretsmanager/a/b+c=d@e", "two", "name=%2Faws%2Freference%2Fsecretsmanager%2Fa%2Fb%2Bc%3Dd%40e&withDecryption=true"},
	} {
		// It is the fake that knows refreshNow here, as the agent does.
		f.extension = test.store == ssm
		require.Equal(t, []string{test.text}, readtest.Texts(fetch(t, test.store, test.ref)), test.ref)
		queries, _ := f.seen()
		require.Equal(t, test.query, queries[len(queries)-1])
	}
	require.Equal(t, pinned, fetch(t, ssm, "ssm:///aws/reference/secretsmanager/a/b+c=d@e:AWSPREVIOUS")[0].Value.Version().ID)
	_, before := f.seen()
	fetch(t, ssm, "ssm:///a/b.c?label=none", "ssm:///a/b.c?label=none#x")
	_, after := f.seen()
	require.Equal(t, 1, after-before, "refs that mean the same are asked for once")
}

// TestVersionsAgreeWithAWS: dates of both kinds are those that AWS tells.
func TestVersionsAgreeWithAWS(t *testing.T) {
	srv, f := serve(t)
	srv.SetSecret("db", "pw")
	endpoint := f.start(t)
	s := agent.Secrets(endpoint, agent.WithToken(token))
	byAgent := fetch(t, s, "sm://db")[0].Value.Version()
	f.extension = true
	byExtension := fetch(t, s, "sm://db")[0].Value.Version()
	require.Equal(t, byExtension, byAgent)
	require.WithinDuration(t, time.Now(), byAgent.Created, time.Minute)
	require.Equal(t, []string{"AWSCURRENT"}, byAgent.Labels())
}

func TestToken(t *testing.T) {
	srv, f := serve(t)
	srv.SetSecret("db", "pw")
	endpoint := f.start(t)
	file := filepath.Join(t.TempDir(), "awssmatoken")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	require.NoFileExists(t, "/var/run/awssmatoken", "these tests are not for a machine with the agent")

	t.Run("Environment", func(t *testing.T) {
		for _, name := range []string{"AWS_TOKEN", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} {
			t.Setenv(name, "")
		}
		s := agent.Secrets(endpoint)
		requireKind(t, fetch(t, s, "sm://db")[0].Err, provider.ErrUnavailable, "AWS_TOKEN", "WithToken")
		for _, name := range []string{"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_SESSION_TOKEN", "AWS_TOKEN"} {
			t.Setenv(name, token)
			require.NoError(t, fetch(t, s, "sm://db")[0].Err, name)
			t.Setenv(name, "another") // and the next one comes before it
		}
		write(token)
		t.Setenv("AWS_TOKEN", "file://"+file)
		require.NoError(t, fetch(t, s, "sm://db")[0].Err)
	})
	t.Run("FileIsReadAnew", func(t *testing.T) {
		write("of-before-a-restart")
		s := agent.Secrets(endpoint, agent.WithToken("file://"+file))
		err := fetch(t, s, "sm://db")[0].Err
		requireKind(t, err, provider.ErrAccessDenied, "token")
		require.NotContains(t, err.Error(), "restart")
		write(token + "\n")
		require.NoError(t, fetch(t, s, "sm://db")[0].Err)
		write("")
		requireKind(t, fetch(t, s, "sm://db")[0].Err, provider.ErrUnavailable, "empty")
		require.NoError(t, os.Remove(file))
		requireKind(t, fetch(t, s, "sm://db")[0].Err, provider.ErrUnavailable, "awssmatokenreader")
	})
}

func TestPortIsTheExtensionsVariable(t *testing.T) {
	srv, f := serve(t)
	srv.SetSecret("db", "pw")
	listener := httptest.NewServer(f)
	defer listener.Close()
	t.Setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", listener.URL[strings.LastIndexByte(listener.URL, ':')+1:])
	require.NoError(t, fetch(t, agent.Secrets(agent.WithToken(token)), "sm://db")[0].Err)

	t.Setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "no port")
	requireKind(t, fetch(t, agent.Secrets(agent.WithToken(token)), "sm://db")[0].Err, provider.ErrUnavailable, "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT")
}

func TestEndpointIsOnlyAnAddress(t *testing.T) {
	for _, bad := range []string{"", "localhost:2773", "ftp://localhost", "http://user:pw@localhost", "http://localhost/secretsmanager/get", "http://localhost?x=y", "http://[::1", "http://"} {
		err := fetch(t, agent.Secrets(agent.WithEndpoint(bad), agent.WithToken(token)), "sm://db")[0].Err
		requireKind(t, err, provider.ErrUnavailable, "endpoint")
	}
	for _, bad := range []string{"http://user:hunter2@localhost", "http://user:hunter2@local host", "http://user:hunter2@[::1"} {
		err := fetch(t, agent.Secrets(agent.WithEndpoint(bad), agent.WithToken(token)), "sm://db")[0].Err
		requireKind(t, err, provider.ErrUnavailable, "endpoint")
		readtest.RequireNoLeak(t, err, "hunter2")
	}
}

// TestOnlyLoopbackIsConnectedTo: nothing is sent elsewhere, and nobody waits for
// the refusal. The addresses are those of documentation (RFC 5737, RFC 3849) and
// the link-local one of instance metadata.
func TestOnlyLoopbackIsConnectedTo(t *testing.T) {
	for _, host := range []string{"192.0.2.1", "[2001:db8::1]", "169.254.169.254", "0.0.0.0", "[::ffff:192.0.2.1]"} {
		s := agent.Secrets(agent.WithEndpoint("http://"+host+":2773"), agent.WithToken(token))
		requireKind(t, fetch(t, s, "sm://db")[0].Err, provider.ErrUnavailable, "loopback", "WithTransport")
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	srv, f := serve(t)
	srv.SetSecret("db", "pw")
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:1")
	t.Setenv("NO_PROXY", "")
	require.NoError(t, fetch(t, agent.Secrets(f.start(t), agent.WithToken(token)), "sm://db")[0].Err)
}

func TestForwardedRequestIsExplained(t *testing.T) {
	_, f := serve(t)
	s := agent.Secrets(agent.WithToken(token), agent.WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		return w.Result(), nil
	})))
	requireKind(t, fetch(t, s, "sm://db")[0].Err, provider.ErrUnavailable, "X-Forwarded-For")
}

func TestOldAgentIsAskedWithoutRefreshNow(t *testing.T) {
	srv, f := serve(t)
	f.old = true
	srv.SetSecret("db", "pw")
	var log bytes.Buffer
	s := agent.Secrets(f.start(t), agent.WithToken(token), agent.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	for range 3 {
		require.NoError(t, fetch(t, s, "sm://db")[0].Err)
	}
	queries, _ := f.seen()
	require.Equal(t, []string{"refreshNow=true&secretId=db", "secretId=db", "secretId=db", "secretId=db"}, queries)
	require.Equal(t, 1, strings.Count(log.String(), "refreshNow"), "it is said once")
}

// TestAgentThatStartsLater is waited for, and one that does not start is not
// waited for twice.
func TestAgentThatStartsLater(t *testing.T) {
	for _, extension := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			srv, f := serve(t, secretstest.InProcess())
			f.extension = extension
			srv.SetSecret("a", "1")
			srv.SetSecret("b", "2")
			s := agent.Secrets(f.inProcess(), agent.WithToken(token), agent.WithConcurrency(1))
			f.ready = time.Now().Add(time.Second)
			require.Equal(t, []string{"1", "2"}, readtest.Texts(fetch(t, s, "sm://a", "sm://b")))

			f.ready = time.Now().Add(time.Hour)
			began := time.Now()
			for _, r := range fetch(t, s, "sm://a", "sm://b", "sm://c", "sm://d") {
				requireKind(t, r.Err, provider.ErrUnavailable, "not ready", "handler")
			}
			require.LessOrEqual(t, time.Since(began), 2*time.Second)
		})
	}
}

func TestNobodyListens(t *testing.T) {
	// A port that no other test can be given meanwhile.
	s := agent.Secrets(agent.WithEndpoint("http://127.0.0.1:1"), agent.WithToken(token))
	err := fetch(t, s, "sm://db")[0].Err
	requireKind(t, err, provider.ErrUnavailable, "does the agent run")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestAgentThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := agent.Secrets(agent.WithToken(token), agent.WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})))
		began := time.Now()
		requireKind(t, fetch(t, s, "sm://db")[0].Err, provider.ErrUnavailable, "no answer within 10s")
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}

// TestCallersCancellationIsTold also where its context has a cause of its own.
func TestCallersCancellationIsTold(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel(errors.New("the deploy goes on"))
		<-r.Context().Done()
	}))
	defer hangs.Close()
	s := agent.Secrets(agent.WithEndpoint(hangs.URL), agent.WithToken(token))
	err := s.Fetch(ctx, readtest.Refs(t, "sm://db")...)[0].Err
	requireKind(t, err, provider.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
}

func TestConcurrencyIsBounded(t *testing.T) {
	srv, f := serve(t)
	srv.Inject(secretstest.Fault{Delay: 5 * time.Millisecond})
	refs := make([]string, 40)
	for i := range refs {
		refs[i] = fmt.Sprintf("sm://s%d", i)
		srv.SetSecret(refs[i][5:], "x")
	}
	for _, test := range []struct {
		opts []agent.Option
		most int
	}{{nil, 4}, {[]agent.Option{agent.WithConcurrency(9)}, 9}, {[]agent.Option{agent.WithConcurrency(0)}, 1}} {
		f.most = 0
		s := agent.Secrets(append(test.opts, f.start(t), agent.WithToken(token))...)
		for _, r := range fetch(t, s, refs...) {
			require.NoError(t, r.Err)
		}
		require.LessOrEqual(t, f.most, test.most)
	}
}

func TestRegions(t *testing.T) {
	srv, f := serve(t)
	f.extension = true
	srv.SetSecret("db", "pw")
	srv.SetParameter("/p", "v")
	endpoint := f.start(t)
	sm, ssm := agent.Secrets(endpoint, agent.WithToken(token)), agent.Parameters(endpoint, agent.WithToken(token))
	require.NoError(t, fetch(t, sm, "sm://db?region=us-east-1")[0].Err)
	require.NoError(t, fetch(t, ssm, "ssm:///p?region=us-east-1")[0].Err)
	r := fetch(t, sm, "sm://db?region=eu-west-1")[0]
	requireKind(t, r.Err, provider.ErrInvalidRef, "us-east-1", "eu-west-1")
	require.Zero(t, r.Value)
	requireKind(t, fetch(t, ssm, "ssm:///p?region=eu-west-1")[0].Err, provider.ErrInvalidRef, "us-east-1")
}

// TestOtherAccountIsReadByARN with the agent's credentials.
func TestOtherAccountIsReadByARN(t *testing.T) {
	srv := secretstest.NewServer(t, secretstest.WithAccount("222222222222"))
	srv.SetSecret("theirs", "pw")
	f := newFake(srv.ConfigFor("us-east-1", "111111111111"))
	s := agent.Secrets(f.start(t), agent.WithToken(token))
	require.Equal(t, []string{"pw", "not found"}, readtest.Texts(fetch(t, s, "arn:aws:secretsmanager:us-east-1:222222222222:secret:theirs", "sm://theirs")))
}
