package canary_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/agent"
	"github.com/c0629bfc/secrets/httpsecret"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/sqlsecret"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/tlssecret"
)

// refusal is what a database says of a login, to which it adds what it was sent.
type refusal struct{ says string }

func (r *refusal) Error() string    { return r.says }
func (r *refusal) SQLState() string { return "28P01" }

type database func(s secrets.DBSecret) error

func (d database) connect(s secrets.DBSecret) (driver.Connector, error) { return login{d, s}, nil }

type login struct {
	d database
	s secrets.DBSecret
}

func (l login) Connect(context.Context) (driver.Conn, error) { return nil, l.d(l.s) }
func (l login) Driver() driver.Driver                        { return nil }

// Drivers quote what they cannot parse, and databases what they refuse.
func TestDatabaseLogins(t *testing.T) {
	dsn := func(s secrets.DBSecret) string {
		return (&url.URL{Scheme: "postgres", User: url.UserPassword(s.Username, s.Password()), Host: s.Addr()}).String()
	}
	for name, refuse := range map[string]database{
		"refused":            func(secrets.DBSecret) error { return &refusal{"password authentication failed"} },
		"refused and quoted": func(s secrets.DBSecret) error { return &refusal{"no login with " + s.Password()} },
		"unparsable DSN":     func(s secrets.DBSecret) error { return fmt.Errorf("cannot parse %q", dsn(s)) },
		"unparsable port": func(s secrets.DBSecret) error {
			_, err := url.Parse(strings.Replace(dsn(s), ":5432", ":port", 1))
			return err
		},
		"quoted deep down": func(s secrets.DBSecret) error {
			return errors.Join(errors.New("cannot connect"), fmt.Errorf("host: %w", &refusal{dsn(s)}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			watched(t, func(w *world) {
				w.seeded()
				connector, err := sqlsecret.New(w.Context(), w.client, "sm://app/db", refuse.connect, sqlsecret.WithCoolDown(time.Second, time.Minute))
				require.NoError(w, err)
				db := sql.OpenDB(connector)
				for range 4 {
					w.failed("Ping", db.Ping())
					time.Sleep(400 * time.Millisecond)
				}
				w.show("a Connector", connector)
				require.NoError(w, db.Close())

				_, err = sqlsecret.New(w.Context(), w.client, "sm://app/db", func(s secrets.DBSecret) (driver.Connector, error) { return nil, refuse(s) })
				w.failed("sqlsecret.New", err)
				_, err = sqlsecret.New(w.Context(), w.client, "sm://app/text", refuse.connect)
				w.failed("sqlsecret.New", err)
				credentials, err := sqlsecret.Bind(w.Context(), w.client, "sm://app/db")
				require.NoError(w, err)
				w.show("Credentials", credentials)
				_, err = credentials.Login(w.Context(), func(_ context.Context, s secrets.DBSecret) error { return refuse(s) })
				w.failed("Login", err)
				credentials.Close()
			})
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(req *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body)), Request: req}
}

func TestHTTPCredentials(t *testing.T) {
	watched(t, func(w *world) {
		refs := w.seeded()
		secret := w.net.Secret("a value that no header can hold")
		w.server.SetSecret("app/lines", secret+"\n"+secret)
		w.server.SetSecret("app/spaces", secret+" "+secret)
		w.server.SetSecret("app/colon", `{"username":"`+secret+`:x","password":"`+secret+`"}`)
		// The header of basic authentication is a secret, and base64 of one.
		var sent int
		for what, server := range map[string]roundTrip{
			"unauthorized": func(r *http.Request) (*http.Response, error) {
				sent++
				return answer(r, http.StatusUnauthorized, "no"), nil
			},
			"broken": func(*http.Request) (*http.Response, error) { sent++; return nil, errBroken },
			"fine":   func(r *http.Request) (*http.Response, error) { sent++; return answer(r, http.StatusOK, "yes"), nil },
		} {
			for _, put := range []httpsecret.Credential{httpsecret.Bearer, httpsecret.Basic, httpsecret.Header("X-Api-Key")} {
				for _, ref := range append(refs, "sm://app/lines", "sm://app/spaces", "sm://app/colon", "sm://app/none") {
					transport, err := httpsecret.New(w.client, ref, put, "https://api.internal")
					require.NoError(w, err)
					transport.Base = server
					req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, "https://api.internal/path", strings.NewReader("body"))
					require.NoError(w, err)
					resp, err := (&http.Client{Transport: transport}).Do(req)
					w.err(what, err)
					w.show("a Transport", transport)
					w.net.Catch("a request", fmt.Sprintf("%v %+v %#v", req.Header, req, req))
					if resp != nil {
						w.net.Catch("a response", fmt.Sprintf("%v %+v %#v %v", resp, resp, resp.Request, resp.Request.Header))
						_ = resp.Body.Close()
					}
				}
			}
		}
		require.Greater(w, sent, 30)
		_, err := httpsecret.New(w.client, "sm://app/text", httpsecret.Bearer, "https://user:"+w.net.Secret("the password of an origin")+"@api.internal")
		w.err("httpsecret.New", err)
	})
}

func TestCertificates(t *testing.T) {
	watched(t, func(w *world) {
		cert, key := w.key("a server's key")
		other, _ := w.key("another key")
		w.server.SetSecret("tls", cert+key)
		w.server.SetSecret("cert", cert)
		w.server.SetSecret("key", key)
		w.server.SetSecret("roots", other)
		h, err := secrets.Bind(w.Context(), w.client, "sm://tls", secrets.KeyPair)
		require.NoError(w, err)
		followed, err := tlssecret.Follow(h)
		require.NoError(w, err)
		paired, err := tlssecret.BindPair(w.Context(), w.client, "sm://cert", "sm://key")
		require.NoError(w, err)
		_, err = tlssecret.BindPair(w.Context(), w.client, "sm://roots", "sm://key")
		w.failed("BindPair", err)
		roots, err := secrets.Bind(w.Context(), w.client, "sm://roots", secrets.CertPool)
		require.NoError(w, err)
		config, err := tlssecret.ClientConfig(&tls.Config{ServerName: "localhost"}, roots)
		require.NoError(w, err)
		serverConfig, err := tlssecret.ServerConfig(&tls.Config{GetCertificate: paired.GetCertificate}, roots)
		require.NoError(w, err)

		a, b := net.Pipe()
		for _, end := range []net.Conn{a, b} { // a pipe has no buffer: both may be writing
			require.NoError(w, end.SetDeadline(time.Now().Add(time.Second)))
		}
		server, client := tls.Server(a, serverConfig), tls.Client(b, config())
		ended := make(chan error)
		go func() { err := server.Handshake(); _ = a.Close(); ended <- err }()
		w.failed("a client that does not know the root", client.Handshake())
		_ = b.Close()
		w.failed("its server", <-ended)
		for _, next := range []string{w.net.Secret("no certificate at all"), other + key, cert, key} {
			for _, name := range []string{"tls", "cert", "key"} {
				w.server.SetSecret(name, next)
			}
			require.NoError(w, w.client.Refresh(w.Context(), "sm://tls", "sm://cert", "sm://key"))
			synctest.Wait()
			w.err("Follow", followed.Err())
			w.err("BindPair", paired.Err())
			w.err("Handle.Err", h.Err())
		}
		w.failed("Follow", followed.Err())
		w.show("a Certificate", followed)
		w.show("a Certificate of two", paired)
		followed.Close()
		paired.Close()
	})
}

// target is what a rotation changes, and says what it is asked for.
type target struct {
	*world
	fails string
}

func (t target) Next(context.Context, provider.Value) (string, error) {
	return t.net.Secret("what rotation makes"), t.at(rotation.StepCreate)
}
func (t target) Set(_ context.Context, current, pending, previous provider.Value) error {
	t.dump("rotation's values", []provider.Value{current, pending, previous})
	return t.at(rotation.StepSet)
}
func (t target) Test(context.Context, provider.Value) error { return t.at(rotation.StepTest) }

func (t target) at(step string) error {
	if t.fails == step {
		return errors.New("the database is down")
	}
	return nil
}

func TestRotations(t *testing.T) {
	watched(t, func(w *world) {
		w.seeded()
		cfg := w.config()
		for _, store := range []provider.Rotator{sm.New(cfg, sm.WithLogger(w.log)), ssm.New(cfg, ssm.WithLogger(w.log))} {
			ref := "sm://app/text"
			if store.(provider.Provider).Scheme() == "ssm" {
				ref = "ssm:///app/key"
			}
			for _, step := range []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest, ""} {
				w.err("Rotate", rotation.Rotate(w.Context(), store, ref, target{w, step}, rotation.WithLogger(w.log)))
			}
			w.err("Rotate", rotation.Rotate(w.Context(), store, ref+"/none", target{w, ""}, rotation.WithLogger(w.log)))
			w.err("Rotate", rotation.Rotate(w.Context(), store, ref, rotation.Token{Field: "token"}, rotation.WithLogger(w.log)))
			r, err := store.BeginRotation(w.Context(), mustParse(w, ref), provider.RotationOptions{Caller: sm.Text(w.net.Secret("a rotation token"))})
			w.err("BeginRotation", err)
			if err == nil {
				w.err("StorePending", r.StorePending(w.Context(), w.net.Secret("a pending value")))
				w.dump("State", r.State())
				r.Close()
			}
			w.err("Abandon", rotation.Abandon(w.Context(), store, ref, target{w, rotation.StepTest}, rotation.WithLogger(w.log)))
		}
		function := rotation.Lambda(sm.New(cfg), target{w, ""}, rotation.WithLogger(w.log))
		for _, step := range []string{rotation.StepCreate, "nonsense"} {
			w.failed("Lambda", function(w.Context(), rotation.Event{Step: step, SecretID: "app/text", ClientRequestToken: "11111111-2222-3333-4444-555555555555",
				RotationToken: w.net.Secret("the event's rotation token")}))
		}
		w.show("Generate", func() error { _, err := rotation.Password{Length: 5000}.Generate(w.Context()); return err }())
	})
}

func mustParse(w *world, ref string) provider.Ref {
	w.Helper()
	r, err := provider.ParseRef(ref)
	require.NoError(w, err)
	return r
}

// The agent's token is a secret, and its answers have one.
func TestTheAgent(t *testing.T) {
	watched(t, func(w *world) {
		token, secret := w.net.Secret("the agent's token"), w.net.Secret("what the agent answers")
		body, err := json.Marshal(map[string]any{"ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf", "Name": "x", "VersionId": "v", "SecretString": secret, "CreatedDate": "1569534789.046"})
		require.NoError(w, err)
		answers := map[string]roundTrip{
			"well": func(r *http.Request) (*http.Response, error) { return answer(r, 200, string(body)), nil },
			"binary": func(r *http.Request) (*http.Response, error) {
				return answer(r, 200, `{"VersionId":"v","SecretBinary":"`+base64.StdEncoding.EncodeToString([]byte(secret))+`"}`), nil
			},
			"not base64": func(r *http.Request) (*http.Response, error) {
				return answer(r, 200, `{"VersionId":"v","SecretBinary":"!`+secret+`"}`), nil
			},
			"cut": func(r *http.Request) (*http.Response, error) { return answer(r, 200, string(body[:len(body)-20])), nil },
			"a number": func(r *http.Request) (*http.Response, error) {
				return answer(r, 200, strings.Replace(string(body), `String":"`, `String":7,"`, 1)), nil
			},
			"of another place": func(r *http.Request) (*http.Response, error) {
				return answer(r, 200, strings.Replace(string(body), "us-east-1", "eu-west-1", 1)), nil
			},
			"no JSON": func(r *http.Request) (*http.Response, error) { return answer(r, 200, secret), nil },
			"refused": func(r *http.Request) (*http.Response, error) { return answer(r, 403, "Bad Token"), nil },
			"AWS's error": func(r *http.Request) (*http.Response, error) {
				return answer(r, 400, `{"__type":"ResourceNotFoundException","message":"none"}`), nil
			},
			"broken": func(*http.Request) (*http.Response, error) { return nil, errBroken },
			"redirect": func(r *http.Request) (*http.Response, error) {
				resp := answer(r, 302, "")
				resp.Header.Set("Location", "http://example.com")
				return resp, nil
			},
		}
		for name, rt := range answers {
			c, err := secrets.New(secrets.WithLogger(w.log), secrets.WithProvider(agent.Secrets(agent.WithTransport(rt), agent.WithToken(token), agent.WithLogger(w.log))),
				secrets.WithProvider(agent.Parameters(agent.WithTransport(rt), agent.WithToken(token), agent.WithLogger(w.log))))
			require.NoError(w, err)
			for _, ref := range []string{"sm://x", "sm://x#field", "sm://x?region=us-east-1", "ssm:///x"} {
				v, err := c.Get(w.Context(), ref)
				w.err(name, err)
				w.dump(name, v)
			}
			for _, s := range c.Stats().Stale {
				w.err(name, s.Err)
			}
			require.NoError(w, c.Close())
		}
		for _, wrong := range []string{"file:///none/of/this", token + "\n" + token} {
			store := agent.Secrets(agent.WithTransport(answers["well"]), agent.WithToken(wrong), agent.WithLogger(w.log))
			w.err("agent", store.Fetch(w.Context(), mustParse(w, "sm://x"))[0].Err)
			w.net.Catch("a Store", fmt.Sprintf("%v %T", mustParse(w, "sm://x"), store))
		}
	})
}
