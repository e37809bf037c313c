package statuspage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/statuspage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is part of every value.
const canary = "canary-5d1e"

const longName = "a-team-with-a-long-name/production/eu-central-1/payment-processing/settlement-service/postgresql-primary/application-user/credentials-v2"

// scene is a service in the middle of trouble: run it in a bubble.
func scene(t *testing.T, entries int) (*secretstest.Server, *secrets.Client, http.Handler) {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)))
	srv := secretstest.NewServer(t, secretstest.InProcess())
	recent := statuspage.NewRecent(12)
	c, err := secrets.New(secrets.WithProvider(sm.New(srv.Config())), secrets.WithProvider(ssm.New(srv.Config())),
		secrets.WithObserver(audit.New(recent, audit.FirstRead(10_000))), secrets.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	h := statuspage.New(c, statuspage.WithTitle("checkout on ip-10-0-3-17"), statuspage.WithRecent(recent))

	ctx := audit.WithPurpose(audit.WithPrincipal(t.Context(), "checkout"), "start")
	db := `{"engine":"postgres","host":"db","username":"app","password":"` + canary + `"}`
	for _, name := range []string{"prod/checkout/db", longName} {
		srv.SetSecret(name, db)
		handle, err := secrets.Bind(ctx, c, "sm://"+name, secrets.JSON[secrets.DBSecret])
		require.NoError(t, err)
		t.Cleanup(handle.Close)
	}
	srv.SetSecret("prod/checkout/stripe", canary)
	srv.SetSecret("prod/checkout/signing-key", canary)
	srv.SetSecret("prod/checkout/signing-key", canary)
	srv.SetParameter("/prod/checkout/url", canary)
	srv.SetParameter("/prod/checkout/url", canary)
	srv.SetSecureParameter("/prod/checkout/webhook", canary)
	refs := []string{"sm://prod/checkout/stripe", "sm://prod/checkout/signing-key", "sm://prod/checkout/signing-key?stage=AWSPREVIOUS",
		"ssm:///prod/checkout/url", "ssm:///prod/checkout/url?version=1", "ssm:///prod/checkout/webhook"}
	unbroken := strings.Repeat("NoPlaceToBreak", 9)
	srv.SetSecret(unbroken, canary)
	refs = append(refs, "sm://"+unbroken)
	kinds := []string{"api-key", "oauth-client", "smtp", "webhook"}
	for i := range entries - len(refs) - 2 {
		name := fmt.Sprintf("prod/tenants/%03d/%s", i/len(kinds)+1, kinds[i%len(kinds)])
		if i%3 == 0 {
			srv.SetSecureParameter("/"+name, canary)
			refs = append(refs, "ssm:///"+name)
		} else {
			srv.SetSecret(name, canary)
			refs = append(refs, "sm://"+name)
		}
	}
	_, err = c.GetAll(ctx, refs...)
	require.NoError(t, err)
	read := func(refs []string, n int) {
		for i, ref := range refs {
			for range max(n*400/(i+1), 1) {
				_, _ = c.Get(ctx, ref)
			}
		}
	}
	for i := range 35 {
		time.Sleep(2 * time.Minute)
		if i == 25 {
			refs = refs[:len(refs)-5] // which expire
		}
		read(refs, 3)
	}
	srv.Inject(secretstest.Fault{Name: "prod/checkout/stripe", Err: secretstest.AccessDenied()})
	srv.Inject(secretstest.Fault{Name: longName, Err: secretstest.DecryptionFailure()})
	require.Error(t, c.Refresh(ctx, "sm://prod/checkout/stripe", "sm://"+longName))
	for range 3 {
		time.Sleep(time.Minute)
		read(refs, 1)
	}
	later := audit.WithPrincipal(t.Context(), "alice@example.com")
	_, _ = c.Get(audit.WithPurpose(later, "refund 4711"), "sm://prod/checkout/signing-key")
	_, _ = c.Get(later, "sm://prod/checkout/missing")
	_, _ = c.Get(later, "sm://prod/checkout/stripe")
	_, _ = c.Get(later, "ssm:///prod/checkout/url")
	time.Sleep(42 * time.Second)
	return srv, c, h
}

// ask makes a request of a handler.
func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func statusOf(t *testing.T, h http.Handler, target string) statuspage.Status {
	t.Helper()
	w := ask(h, http.MethodGet, target)
	require.Equal(t, http.StatusOK, w.Code)
	var s statuspage.Status
	d := json.NewDecoder(strings.NewReader(w.Body.String()))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&s))
	return s
}
