package canary_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/transfer"
)

// echo answers with an error that quotes the request, as a validation does.
func echo(code string) func(request []byte, status int, body []byte) (int, []byte) {
	return func(request []byte, _ int, _ []byte) (int, []byte) {
		answer, _ := json.Marshal(map[string]string{"__type": code, "message": "Value '" + string(request) + "' failed to satisfy a constraint"})
		return http.StatusBadRequest, answer
	}
}

// writes writes canaries in every way that there is.
func (w *world) writes() {
	ctx := w.Context()
	cfg := w.config()
	secretStore, params := sm.New(cfg, sm.WithLogger(w.log)), ssm.New(cfg, ssm.WithLogger(w.log))
	text := func(name string) string { return w.net.Secret(name) }
	for _, ref := range []string{"sm://w/client", "ssm:///w/client", "sm://w/client", "ssm:///w/client"} {
		version, err := w.client.Put(ctx, ref, text("what Client.Put writes"))
		w.err("Put", err)
		w.show("Put", version)
	}
	_, err := w.client.Put(ctx, "sm://w/client", text("what Client.Put writes as bytes"), secrets.As(provider.SecretBinary))
	w.err("Put", err)
	_, err = w.client.Put(ctx, "sm://w/client", text("what Client.Put does not write"), secrets.IfAbsent())
	w.failed("Put", err)
	_, err = w.client.Put(ctx, "ssm:///w/client", text("what Client.Put does not write"), secrets.IfVersion(provider.NewVersion("77", time.Time{})))
	w.failed("Put", err)

	create, err := secretStore.Create(ctx, "sm://w/new", sm.Text(text("what sm creates")), sm.CreateOptions{Description: "d", Tags: map[string]string{"k": "v"}})
	w.err("sm.Create", err)
	w.show("sm.Create", create)
	_, err = secretStore.Create(ctx, "sm://w/new", sm.Binary([]byte(text("what sm does not create"))), sm.CreateOptions{})
	w.failed("sm.Create", err)
	const token = "11111111-2222-3333-4444-555555555555"
	for range 2 { // the same token with another value
		_, err = secretStore.PutVersion(ctx, "sm://w/new", sm.Binary([]byte(text("what sm puts"))), sm.PutOptions{Token: token, RotationToken: sm.Text(text("a rotation token"))})
		w.err("sm.PutVersion", err)
	}
	_, err = secretStore.PutVersion(ctx, "sm://w/none", sm.Text(text("what sm does not put")), sm.PutOptions{})
	w.failed("sm.PutVersion", err)
	large := make([]byte, 70_000)
	copy(large, text("what is too large"))
	_, err = secretStore.PutVersion(ctx, "sm://w/new", sm.Binary(large), sm.PutOptions{})
	w.failed("sm.PutVersion", err)
	password, err := secretStore.RandomPassword(ctx, sm.PasswordOptions{Length: 20, ExcludePunctuation: true})
	w.err("sm.RandomPassword", err)
	if err == nil {
		w.net.Watch("a random password", password.Text())
	}
	w.dump("sm.RandomPassword", password)
	for m, err := range secretStore.Secrets(ctx, sm.ListOptions{}) {
		w.err("sm.Secrets", err)
		w.show("sm.Secrets", m)
	}
	for v, err := range secretStore.Versions(ctx, "sm://w/new") {
		w.err("sm.Versions", err)
		w.show("sm.Versions", v)
	}
	m, err := secretStore.Describe(ctx, "sm://w/new")
	w.err("sm.Describe", err)
	w.show("sm.Describe", m)

	for i, v := range []provider.Value{
		ssm.SecureString(text("a SecureString")), ssm.String(text("a String")), ssm.StringList(text("an item"), text("another item")),
		ssm.StringList("a," + text("an item with a comma")), ssm.SecureString("{{" + text("a nested one") + "}}"), ssm.String(string(large)),
		ssm.SecureString(text("a value that does not match")),
	} {
		attributes := ssm.Attributes{Description: "d"}
		if i == 6 {
			attributes.AllowedPattern = "^[a-z]$"
		}
		ref := fmt.Sprint("ssm:///w/new", i)
		written, err := params.Create(ctx, ref, v, attributes)
		w.err("ssm.Create", err)
		w.show("ssm.Create", written)
		_, err = params.Create(ctx, ref, v, attributes)
		w.failed("ssm.Create", err)
		_, err = params.PutVersion(ctx, ref, v, attributes)
		w.err("ssm.PutVersion", err)
		_, err = params.PutVersion(ctx, ref+"/none", ssm.String(text("what ssm does not put")), ssm.Attributes{Tier: "Nonsense"})
		w.failed("ssm.PutVersion", err)
		for r, err := range params.History(ctx, ref) {
			w.err("ssm.History", err)
			w.dump("ssm.History", r)
		}
		m, err := params.Describe(ctx, ref)
		w.err("ssm.Describe", err)
		w.show("ssm.Describe", m)
	}
	w.copies(secretStore, params)
}

// copies copies what is there between the stores.
func (w *world) copies(secretStore *sm.Store, params *ssm.Store) {
	for _, places := range [][2]transfer.Place{
		{{Store: secretStore, Ref: "sm://app/"}, {Store: params, Ref: "ssm:///copy/"}},
		{{Store: params, Ref: "ssm:///app/"}, {Store: secretStore, Ref: "sm://copy/"}},
	} {
		plan, err := transfer.PlanCopy(w.Context(), places[0], places[1])
		w.err("PlanCopy", err)
		if err != nil {
			continue
		}
		w.show("a Plan", plan)
		w.show("a Plan's String", plan.String())
		w.err("Plan.Err", plan.Err())
		w.err("Plan.Run", plan.Run(w.Context(), func(p transfer.Progress) { w.show("Progress", p); w.err("Progress", p.Err) }))
		compared, err := transfer.Compare(w.Context(), places[0], places[1])
		w.err("Compare", err)
		w.show("a Comparison", compared)
	}
}

func TestWriting(t *testing.T) {
	watched(t, func(w *world) {
		w.seeded()
		w.writes()
	})
}

func TestWritesThatFail(t *testing.T) {
	for name, fault := range map[string]secretstest.Fault{
		"denied": {Err: secretstest.AccessDenied()}, "no key": {Err: secretstest.DecryptionFailure()}, "internal": {Err: secretstest.Internal()},
		"throttled": {Err: secretstest.Throttled()}, "reset": {Reset: true}, "truncated": {Truncate: true},
	} {
		t.Run(name, func(t *testing.T) {
			watched(t, func(w *world) {
				w.seeded()
				w.server.Inject(fault)
				w.writes()
			})
		})
	}
}

// AWS may quote what it refuses.
func TestWritesThatAreQuoted(t *testing.T) {
	for _, code := range []string{"ValidationException", "InvalidParameterException", "SerializationException"} {
		t.Run(code, func(t *testing.T) {
			watched(t, func(w *world) {
				w.seeded()
				defer w.wire.broken(echo(code), 0)()
				w.writes()
			})
		})
	}
}

// The embedded server says no more than AWS does, in its panics neither.
func TestSeedsThatCannotBe(t *testing.T) {
	watched(t, func(w *world) {
		secret := w.net.Secret("a seed")
		large := secret + string(make([]byte, 70_000))
		w.panics("SetSecret", func() { w.server.SetSecret("a name with spaces", secret) })
		w.panics("SetSecret", func() { w.server.SetSecret("large", large) })
		w.panics("SetSecretBinary", func() { w.server.SetSecretBinary("large", []byte(large)) })
		w.panics("SetParameter", func() { w.server.SetParameter("/a b", secret) })
		w.panics("SetParameter", func() { w.server.SetParameter("/large", large) })
		w.panics("SetSecureParameter", func() { w.server.SetSecureParameter("/nested", "{{"+secret+"}}") })
		w.panics("SetPublicParameter", func() { w.server.SetPublicParameter("/mine", secret) })
		require.NotZero(w, w.net.Size("SetSecret"))
	})
}
