package canary_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/snapshot"
)

// seeded puts canaries of every kind into both stores and returns their refs.
func (w *world) seeded() (refs []string) {
	w.server.SetSecret("app/db", fmt.Sprintf(`{"engine":"postgres","host":"db.internal","username":"app","password":%q,"deep":{"list":[{"token":%q}]}}`,
		w.net.Secret("the password"), w.net.Secret("a field deep in JSON")))
	w.server.SetSecret("app/text", w.net.Secret("a secret that is text"))
	w.server.SetSecretBinary("app/binary", []byte(w.net.Secret("a binary secret")))
	w.server.SetSecureParameter("/app/key", w.net.Secret("a SecureString"))
	w.server.SetParameter("/app/plain", w.net.Secret("a String"))
	w.server.SetParameter("/app/json", fmt.Sprintf(`{"key":%q}`, w.net.Secret("a field of a parameter")))
	return []string{"sm://app/db", "sm://app/db#password", "sm://app/db#/deep/list/0/token", "sm://app/text", "sm://app/binary",
		"ssm:///app/key", "ssm:///app/plain", "ssm:///app/json#key"}
}

func TestReading(t *testing.T) {
	watched(t, func(w *world) {
		refs := w.seeded()
		ctx := w.Context()
		for range 2 { // from the store, from the cache
			for _, ref := range refs {
				v, err := w.client.Get(ctx, ref)
				require.NoError(w, err)
				require.NotEmpty(w, v.Text())
				w.dump("a Value", v)
				w.dump("a Value in a struct", struct {
					Exported, hidden provider.Value
					List             []provider.Value
					Map              map[string]*provider.Value
				}{v, v, []provider.Value{v}, map[string]*provider.Value{"v": &v}})
				w.dump("a Result", provider.Result{Value: v})
			}
		}
		all, err := w.client.GetAll(ctx, append(refs, "sm://app/none", "ssm:///app/none")...)
		w.failed("GetAll", err)
		w.dump("GetAll's map", all)
		for _, prefix := range []string{"sm://app/", "ssm:///app/"} {
			for v, err := range w.client.List(ctx, prefix) {
				require.NoError(w, err)
				w.dump("List", v)
			}
		}
		_, err = w.client.Text(ctx, "sm://app/binary")
		w.failed("Text of a binary secret", err)
		for _, ref := range []string{
			"sm://app/db#nosuch", "sm://app/db#/deep/list/7", "sm://app/db#/password/deeper", "sm://app/text#field", "sm://app/binary#field",
			"ssm:///app/key#field", "sm://app/db?stage=NOSUCH", "sm://app/text?version=00000000-0000-0000-0000-000000000000", "ssm:///app/key?version=99", "ssm:///app/key?label=nosuch",
		} {
			_, err := w.client.Get(ctx, ref)
			w.failed(ref, err)
		}
	})
}

// What the stores, and the network before them, can do to a read: when there is
// nothing to serve, and when there is a stale value.
func TestReadsThatFail(t *testing.T) {
	faults := map[string]secretstest.Fault{
		"denied":      {Err: secretstest.AccessDenied()},
		"no key":      {Err: secretstest.DecryptionFailure()},
		"internal":    {Err: secretstest.Internal()},
		"throttled":   {Err: secretstest.Throttled()},
		"unavailable": {Err: secretstest.Unavailable()},
		"reset":       {Reset: true},
		"truncated":   {Truncate: true},
		"hanging":     {Delay: time.Hour},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			watched(t, func(w *world) {
				refs := w.seeded()
				for _, warm := range []bool{false, true} {
					if warm {
						_, err := w.client.GetAll(w.Context(), refs...)
						require.NoError(w, err)
					}
					remove := w.server.Inject(fault)
					w.reads(refs)
					remove()
					w.client.Invalidate(refs...)
				}
			})
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]func(request []byte, status int, body []byte) (int, []byte){
		"text where an object belongs": func(_ []byte, status int, body []byte) (int, []byte) {
			text, _ := json.Marshal(string(body))
			return status, text
		},
		"a number for the value":    replacing(`":"`, `":7,"`),
		"not JSON behind the value": func(_ []byte, status int, body []byte) (int, []byte) { return status, append(body, "}x"...) },
		"no quotes":                 replacing(`"`, ``),
		"base64 that is none":       replacing(`"SecretBinary":"`, `"SecretBinary":"!`),
		"a string for the date":     replacing(`Date":`, `Date":"x","x":`),
		"the answer as HTML of a proxy": func(_ []byte, _ int, body []byte) (int, []byte) {
			return http.StatusBadGateway, append([]byte("<html>"), body...)
		},
		"the answer with a status of 400":  func(_ []byte, _ int, body []byte) (int, []byte) { return http.StatusBadRequest, body },
		"the answer with a status of 500":  func(_ []byte, _ int, body []byte) (int, []byte) { return http.StatusInternalServerError, body },
		"a code of an error in the answer": replacing(`{`, `{"__type":{},`),
	} {
		t.Run(name, func(t *testing.T) {
			watched(t, func(w *world) {
				defer w.wire.broken(answer, 0)()
				w.reads(w.seeded())
			})
		})
	}
	t.Run("cut", func(t *testing.T) {
		watched(t, func(w *world) {
			refs := w.seeded()
			for limit := 1; limit < 400; limit += 23 {
				mend := w.wire.broken(nil, limit)
				w.reads(refs)
				mend()
				w.client.Invalidate(refs...)
			}
		})
	})
}

// reads reads in every way, and shows what fails.
func (w *world) reads(refs []string) {
	ctx := w.Context()
	for _, ref := range refs {
		v, err := w.client.Get(ctx, ref)
		w.err("Get", err)
		w.show("Get", v)
		_, err = w.client.Text(ctx, ref)
		w.err("Text", err)
		h, err := secrets.Bind(ctx, w.client, ref, secrets.Bytes)
		w.err("Bind", err)
		w.handles = append(w.handles, h)
		if err == nil {
			_, err = h.Get(ctx)
			w.err("Handle.Get", err)
			w.err("Handle.Err", h.Err())
			w.show("a Handle", h)
			next, err := w.client.Reject(ctx, h.Value())
			w.err("Reject", err)
			w.show("Reject", next)
			h.Close()
		}
	}
	values, err := w.client.GetAll(ctx, refs...)
	w.err("GetAll", err)
	w.show("GetAll", values)
	w.err("Refresh", w.client.Refresh(ctx, refs...))
	for _, prefix := range []string{"sm://app/", "ssm:///app/"} {
		for v, err := range w.client.List(ctx, prefix) {
			w.err("List", err)
			w.show("List", v)
		}
	}
	var config struct {
		Password string            `secret:"sm://app/db#password"`
		Key      secrets.Value     `secret:"ssm:///app/key"`
		All      map[string]string `secret:"sm://app/db,json"`
	}
	w.err("Load", w.client.Load(ctx, &config))
	time.Sleep(10 * time.Minute) // the refresher meets it too
	synctest.Wait()
	w.status()
}

// A provider that panics may have a value in its panic.
func TestProvidersThatPanic(t *testing.T) {
	p := &panicking{}
	watched(t, func(w *world) {
		p.says = w.net.Secret("what a provider panics with")
		_, err := w.client.Get(w.Context(), "mem://x")
		w.failed("Get", err)
		_, err = w.client.GetAll(w.Context(), "mem://y", "mem://z")
		w.failed("GetAll", err)
		w.failed("Refresh", w.client.Refresh(w.Context(), "mem://x"))
	}, secrets.WithProvider(p))
}

type panicking struct{ says string }

func (*panicking) Scheme() string { return "mem" }

func (p *panicking) Fetch(context.Context, ...provider.Ref) []provider.Result {
	panic(fmt.Errorf("cannot parse %q", p.says))
}

// A snapshot is of secrets alone, and neither the file nor what is said of it
// shows one: when it is written, loaded, altered, foreign, and cannot be written.
func TestSnapshots(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "snapshot")
	watched(t, func(w *world) {
		refs := w.seeded()
		key := []byte(w.net.Secret("the snapshot's key") + "012345")
		open := func(path, binding string, key []byte) *snapshot.Snapshot {
			s, err := snapshot.Open(w.Context(), path, binding, snapshot.Secret(key), snapshot.WithLogger(w.log))
			require.NoError(w, err)
			w.show("a snapshot's Status", s.Status())
			w.err("a snapshot's Status", s.Status().Refused)
			return s
		}
		closed := func(s *snapshot.Snapshot) {
			w.err("a snapshot's Close", s.Close())
			w.show("a Snapshot", s)
			w.show("a snapshot's Status", s.Status())
			if file, err := os.ReadFile(path); err == nil {
				w.net.Catch("a snapshot's file", string(file))
			}
		}
		kept := open(path, "here", key)
		c := w.open(secrets.WithFallback(kept))
		_, err := c.GetAll(w.Context(), refs...)
		require.NoError(w, err)
		require.NoError(w, c.Close())
		closed(kept)
		require.NotZero(w, w.net.Size("a snapshot's file"))

		w.server.Inject(secretstest.Fault{Err: secretstest.Unavailable()})
		kept = open(path, "here", key)
		require.Nil(w, kept.Status().Refused)
		w.client = w.open(secrets.WithFallback(kept))
		for _, ref := range refs {
			_, err := w.client.Get(w.Context(), ref)
			require.NoError(w, err)
		}
		w.reads(refs)
		require.NoError(w, w.client.Close())
		closed(kept)

		closed(open(path, "elsewhere", key))
		closed(open(path, "here", []byte(w.net.Secret("another key")+"012345")))
		closed(open(filepath.Join(dir, "none", "snapshot"), "here", key))
		file, err := os.ReadFile(path)
		require.NoError(w, err)
		for _, altered := range [][]byte{file[:len(file)/2], append(file, 'x'), nil} {
			require.NoError(w, os.WriteFile(path, altered, 0o600))
			closed(open(path, "here", key))
		}
		_, err = snapshot.Open(w.Context(), path, "here", snapshot.Secret([]byte(w.net.Secret("a key that is too short"))))
		w.failed("snapshot.Open", err)
	})
}
