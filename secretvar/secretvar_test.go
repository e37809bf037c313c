package secretvar

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gocloud.dev/gcerrors"
	"gocloud.dev/runtimevar"
	"gocloud.dev/runtimevar/driver"
	"gocloud.dev/runtimevar/drivertest"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is one of the project's own suite. It is in this package because the
// suite takes a driver, which is not exported.
type harness struct {
	scheme string
	srv    *secretstest.Server
	client *secrets.Client
}

func (h *harness) ref(name string) string {
	if h.scheme == "ssm" {
		return "ssm:///" + name
	}
	return "sm://" + name
}

func (h *harness) MakeWatcher(_ context.Context, name string, decoder *runtimevar.Decoder) (driver.Watcher, error) {
	return newWatcher(h.client, h.ref(name), decoder, &Options{WaitDuration: time.Millisecond})
}

func (h *harness) CreateVariable(_ context.Context, name string, val []byte) error {
	if h.scheme == "ssm" {
		h.srv.SetParameter("/"+name, string(val))
	} else {
		h.srv.SetSecret(name, string(val))
	}
	return nil
}

func (h *harness) UpdateVariable(ctx context.Context, name string, val []byte) error {
	return h.CreateVariable(ctx, name, val)
}

// DeleteVariable deletes behind the client's back, through another.
func (h *harness) DeleteVariable(ctx context.Context, name string) error {
	other, err := secrets.New(secrets.WithProvider(sm.New(h.srv.Config())), secrets.WithProvider(ssm.New(h.srv.Config())))
	if err != nil {
		return err
	}
	return errors.Join(other.Delete(ctx, h.ref(name)), other.Close())
}

func (h *harness) Mutable() bool { return true }

func (h *harness) Close() {
	_ = h.client.Close()
	h.srv.Close()
}

// asTest checks what the package says of As.
type asTest struct{}

func (asTest) Name() string { return "value and error" }

func (asTest) SnapshotCheck(s *runtimevar.Snapshot) error {
	var v secrets.Value
	if !s.As(&v) || v.Text() != s.Value.(string) {
		return errors.New("Snapshot.As(*secrets.Value) failed")
	}
	return nil
}

func (asTest) ErrorCheck(v *runtimevar.Variable, err error) error {
	var e *provider.Error
	if !v.ErrorAs(err, &e) || e.Kind != provider.ErrNotFound {
		return errors.New("Variable.ErrorAs(**provider.Error) failed")
	}
	return nil
}

// TestConformance is the suite of the project. It deletes and expects to see
// that, so nothing stale is served.
func TestConformance(t *testing.T) {
	for _, scheme := range []string{"sm", "ssm"} {
		t.Run(scheme, func(t *testing.T) {
			drivertest.RunConformanceTests(t, func(*testing.T) (drivertest.Harness, error) {
				srv, err := secretstest.Start()
				if err != nil {
					return nil, err
				}
				client, err := secrets.New(secrets.WithProvider(sm.New(srv.Config())), secrets.WithProvider(ssm.New(srv.Config())),
					secrets.WithTTL(5*time.Millisecond), secrets.WithStaleIfDenied(0), secrets.WithNegativeTTL(0),
					secrets.WithRateLimit("sm", 1e6, 1e6), secrets.WithRateLimit("ssm", 1e6, 1e6), secrets.WithLogger(slog.New(slog.DiscardHandler)))
				return &harness{scheme, srv, client}, err
			}, []drivertest.AsTest{asTest{}})
		})
	}
}

func serve(t testing.TB) (*secretstest.Server, *secrets.Client) {
	srv := secretstest.NewServer(t, secretstest.InProcess())
	client, err := secrets.New(secrets.WithProvider(sm.New(srv.Config())), secrets.WithProvider(ssm.New(srv.Config())), secrets.WithTTL(time.Minute), secrets.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return srv, client
}

// open opens a variable for a test of a bubble: Close is its end.
func open(t testing.TB, client *secrets.Client, ref string, decoder *runtimevar.Decoder) *runtimevar.Variable {
	t.Helper()
	v, err := OpenVariable(client, ref, decoder, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	return v
}

func TestChangeIsSeenWithinTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t)
		srv.SetSecret("db", `{"password":"first","other":1}`)
		v := open(t, client, "sm://db#password", runtimevar.StringDecoder)
		s, err := v.Watch(t.Context())
		require.NoError(t, err)
		require.Equal(t, "first", s.Value)

		// Another field is none of its business.
		srv.SetSecret("db", `{"password":"first","other":2}`)
		short, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		_, err = v.Watch(short)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)

		srv.SetSecret("db", `{"password":"second","other":2}`)
		began := time.Now()
		s, err = v.Watch(t.Context())
		require.NoError(t, err)
		require.Equal(t, "second", s.Value)
		require.LessOrEqual(t, time.Since(began), time.Minute)
	})
}

// TestVariablesShareCalls has 40 variables follow 40 secrets for an hour: what is
// due within a quarter of the TTL travels together, so that these are some 4 calls
// a TTL, and not 40 reads each.
func TestVariablesShareCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t)
		for i := range 40 {
			name := "s" + string(rune('0'+i/10)) + string(rune('0'+i%10))
			srv.SetSecret(name, "x")
			open(t, client, "sm://"+name, runtimevar.StringDecoder)
		}
		time.Sleep(10 * time.Minute)
		before := srv.Calls()
		time.Sleep(time.Hour)
		require.LessOrEqual(t, srv.Calls()-before, 60*8)
	})
}

func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t)
		_, err := OpenVariable(client, "no ref", runtimevar.StringDecoder, nil)
		require.ErrorIs(t, err, provider.ErrInvalidRef)

		srv.SetSecret("text", `{"hunter2":"hunter2"}`)
		fail := runtimevar.NewDecoder("", func(_ context.Context, b []byte, _ any) error { return errors.New("cannot decode " + string(b)) })
		for _, test := range []struct {
			ref     string
			decoder *runtimevar.Decoder
			fault   *secretstest.Error
			code    gcerrors.ErrorCode
		}{
			{"sm://nothing", runtimevar.StringDecoder, nil, gcerrors.NotFound},
			{"sm://text#field", runtimevar.StringDecoder, nil, gcerrors.NotFound},
			{"sm://text", fail, nil, gcerrors.InvalidArgument},
			{"sm://text", runtimevar.NewDecoder(0, runtimevar.JSONDecode), nil, gcerrors.InvalidArgument},
			{"sm://denied", runtimevar.StringDecoder, secretstest.AccessDenied(), gcerrors.PermissionDenied},
			{"sm://key", runtimevar.StringDecoder, &secretstest.Error{Code: "DecryptionFailure"}, gcerrors.Internal},
			{"sm://slow", runtimevar.StringDecoder, &secretstest.Error{Code: "ThrottlingException"}, gcerrors.ResourceExhausted},
			{"sm://down", runtimevar.StringDecoder, &secretstest.Error{Code: "InternalServiceError", Status: 500}, gcerrors.Unknown},
		} {
			if test.fault != nil {
				srv.Inject(secretstest.Fault{Name: test.ref[5:], Err: test.fault})
			}
			v, err := OpenVariable(client, test.ref, test.decoder, nil)
			require.NoError(t, err)
			_, err = v.Watch(t.Context())
			require.Equal(t, test.code, gcerrors.Code(err), "%s: %v", test.ref, err)
			require.ErrorContains(t, err, test.ref)
			require.NotContains(t, err.Error(), "hunter2")
			require.NoError(t, v.Close())
		}
	})
}

// TestOutageIsSurvived: what the client serves on is the variable's.
func TestOutageIsSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t)
		srv.SetSecret("db", "pw")
		v := open(t, client, "sm://db", runtimevar.StringDecoder)
		_, err := v.Watch(t.Context())
		require.NoError(t, err)
		remove := srv.Inject(secretstest.Fault{Err: &secretstest.Error{Code: "InternalServiceError", Status: 500}})
		short, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		_, err = v.Watch(short)
		require.ErrorIs(t, err, context.DeadlineExceeded, "nothing changed")
		remove()
		srv.SetSecret("db", "new")
		s, err := v.Watch(t.Context())
		require.NoError(t, err)
		require.Equal(t, "new", s.Value)
	})
}

func TestURLOpener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t)
		srv.SetSecret("prod/my_db", `{"password":"first","n":{"a":1}}`)
		srv.SetSecret("prod/my_db", `{"password":"second","n":{"a":1}}`)
		srv.SetParameter("/prod/app/url", "u")
		mux := new(runtimevar.URLMux)
		opener := &URLOpener{Client: client, Decoder: runtimevar.StringDecoder}
		mux.RegisterVariable("sm", opener)
		mux.RegisterVariable("ssm", opener)
		mux.RegisterVariable("arn", opener)
		for url, want := range map[string]any{
			"sm://prod/my_db#password":                                                         "second",
			"sm://prod/my_db?stage=AWSPREVIOUS#password":                                       "first",
			"sm://prod/my_db?decoder=bytes&stage=AWSPREVIOUS#password":                         []byte("first"),
			"sm://prod/my_db?wait=1m#/n/a":                                                     "1",
			"ssm:///prod/app/url":                                                              "u",
			"ssm:///prod/app/url?version=1&decoder=string":                                     "u",
			"arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/my_db?wait=1s#password": "second",
		} {
			v, err := mux.OpenVariable(t.Context(), url)
			require.NoError(t, err, url)
			s, err := v.Latest(t.Context())
			require.NoError(t, err, url)
			require.Equal(t, want, s.Value, url)
			require.NoError(t, v.Close())
		}
		for _, bad := range []string{"sm://x?decoder=none", "sm://x?wait=soon", "sm://x?other=1", "ssm:///"} {
			_, err := mux.OpenVariable(t.Context(), bad)
			require.Error(t, err, bad)
		}
	})
}

// TestDecodesOnce: the decoder is called for what is new, and for nothing else.
func TestDecodesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, client := serve(t)
		srv.SetSecret("db", `{"a":1}`)
		decoded := 0
		v := open(t, client, "sm://db", runtimevar.NewDecoder(map[string]int{}, func(_ context.Context, b []byte, to any) error {
			decoded++
			return json.Unmarshal(b, to)
		}))
		s, err := v.Watch(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]int{"a": 1}, s.Value)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 1, decoded)

		srv.SetSecret("db", "no JSON")
		_, err = v.Watch(t.Context())
		require.ErrorIs(t, err, provider.ErrDecode)
		srv.SetSecret("db", "still none")
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 3, decoded)
		srv.SetSecret("db", `{"a":2}`)
		s, err = v.Watch(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]int{"a": 2}, s.Value)
	})
}
