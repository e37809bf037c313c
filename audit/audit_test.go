package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

func TestEveryAccessIsRecordedWithWhoAndWhatFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		srv.SetSecret("prod/db", `{"password":"first"}`)
		srv.SetParameter("/prod/app/url", "https://example.com")
		sink := new(trail)
		c := open(t, srv, audit.New(sink))
		ctx := audit.WithPurpose(audit.WithPrincipal(t.Context(), "ann"), "report")

		db := get(ctx, t, c, "sm://prod/db#password")
		get(ctx, t, c, "sm://prod/db#password")
		get(audit.WithPrincipal(ctx, "bob"), t, c, "sm://prod/db#password")
		_, err := c.GetAll(ctx, "ssm:///prod/app/url", "sm://prod/none")
		require.Error(t, err)
		_, err = c.Get(ctx, "sm://prod/none")
		require.Error(t, err)
		_, err = c.Get(ctx, "sm://prod/db#user")
		require.Error(t, err)
		for _, err := range c.List(ctx, "ssm:///prod/") {
			require.NoError(t, err)
		}

		events := sink.take()
		require.Equal(t, []string{"store", "cache", "cache", "store", "store", "refusal", "cache", "store"}, of(events, source))
		require.Equal(t, []string{"ann", "ann", "bob", "ann", "ann", "ann", "ann", "ann"}, of(events, principal))
		first := events[0]
		require.NotEmpty(t, first.RequestID)
		require.Equal(t, audit.Event{Time: time.Now().UTC().Round(0), Action: audit.ActionRead, Ref: "sm://prod/db#password", Version: db.Version().ID,
			Source: "store", Outcome: "ok", Principal: "ann", Purpose: "report", RequestID: first.RequestID}, first)
		require.Equal(t, first.RequestID, events[1].RequestID, "a hit names the request that brought the version")
		outcomes := make(map[string]string)
		for _, e := range events {
			outcomes[e.Ref] = e.Outcome
		}
		require.Equal(t, map[string]string{"sm://prod/db#password": "ok", "ssm:///prod/app/url": "ok", "sm://prod/none": "not found", "sm://prod/db#user": "field not found"}, outcomes)
	})
}

func TestARefusedReadNamesTheRequestThatWasRefused(t *testing.T) {
	srv := secretstest.NewServer(t)
	srv.SetSecret("prod/db", "first")
	srv.Inject(secretstest.Fault{Err: secretstest.AccessDenied()})
	sink := new(trail)
	_, err := open(t, srv, audit.New(sink)).Get(t.Context(), "sm://prod/db")
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	events := sink.take()
	require.Len(t, events, 1)
	require.Equal(t, "access denied", events[0].Outcome)
	require.NotEmpty(t, events[0].RequestID)
	require.Contains(t, err.Error(), events[0].RequestID)
}

func TestRejectAndWhatAHandleTakesUpAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		srv.SetSecret("prod/db", "first")
		sink := new(trail)
		c := open(t, srv, audit.New(sink))
		ctx, cancel := context.WithCancel(audit.WithPrincipal(t.Context(), "pool"))
		h, err := secrets.Bind(ctx, c, "sm://prod/db", secrets.Text)
		require.NoError(t, err)
		cancel() // of Bind's context only the values are used later
		old := h.Value()
		srv.SetSecret("prod/db", "second")
		next, err := c.Reject(t.Context(), old)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, "second", h.Load())

		var handle, reject *audit.Event
		for _, e := range sink.take() {
			switch {
			case e.Source == "handle":
				handle = &e
			case e.Action == audit.ActionReject:
				reject = &e
			}
		}
		require.NotNil(t, handle)
		require.Equal(t, "pool", handle.Principal)
		require.Equal(t, next.Version().ID, handle.Version)
		require.NotNil(t, reject)
		require.Equal(t, next.Version().ID, reject.Version)
		require.Equal(t, old.Version().ID, reject.Refused)
		require.Equal(t, "ok", reject.Outcome)
	})
}

func TestSampleRecordsAllButHits(t *testing.T) {
	srv := secretstest.NewServer(t)
	srv.SetSecret("prod/db", "first")
	sink := new(trail)
	c := open(t, srv, audit.New(sink, audit.EveryNth(10)))
	for range 101 { // one from the store, then hits
		get(t.Context(), t, c, "sm://prod/db")
	}
	_, _ = c.Get(t.Context(), "sm://prod/none")
	_, _ = c.Get(t.Context(), "sm://prod/none")
	c.Invalidate()
	get(t.Context(), t, c, "sm://prod/db")
	require.Equal(t, append(append([]string{"store"}, slicesOf("cache", 10)...), "store", "refusal", "store"), of(sink.take(), source))

	c = open(t, srv, audit.New(sink, audit.Sample(10)))
	for range 10_001 {
		get(t.Context(), t, c, "sm://prod/db")
	}
	require.InDelta(t, 1000, len(sink.take()), 200) // 6 standard deviations
	c = open(t, srv, audit.New(sink, audit.Sample(0)))
	for range 3 {
		get(t.Context(), t, c, "sm://prod/db")
	}
	require.Len(t, sink.take(), 3, "less than one is every one")
}

func slicesOf(s string, n int) []string { return strings.Fields(strings.Repeat(s+" ", n)) }

func TestFirstReadRecordsEachVersionOncePerPrincipal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		srv.SetSecret("prod/db", "first")
		sink := new(trail)
		c := open(t, srv, audit.New(sink, audit.FirstRead(0)), secrets.WithTTL(time.Minute))
		ann, bob := audit.WithPrincipal(t.Context(), "ann"), audit.WithPrincipal(t.Context(), "bob")
		read := func(n int) {
			for range n {
				get(ann, t, c, "sm://prod/db")
				get(bob, t, c, "sm://prod/db")
			}
		}
		read(100)
		require.Equal(t, []string{"ann", "bob"}, of(sink.take(), principal))
		srv.SetSecret("prod/db", "second")
		require.NoError(t, c.Refresh(t.Context()))
		read(100)
		require.Equal(t, []string{"ann", "bob"}, of(sink.take(), principal))

		// That it is stale is news, too.
		srv.Inject(secretstest.Fault{Err: secretstest.Unavailable()})
		time.Sleep(2 * time.Minute)
		read(100)
		require.Equal(t, []string{"stale", "stale"}, of(sink.take(), source))
		for range 3 {
			_, err := c.Get(ann, "sm://prod/none")
			require.Error(t, err)
		}
		require.Len(t, sink.take(), 3, "what was not given is always recorded")
	})
}

func TestFirstReadForgetsNothingWithinItsMemoryAndRepeatsBeyond(t *testing.T) {
	const remember = 1024
	sink := new(trail)
	o := audit.New(sink, audit.FirstRead(remember))
	read := func(principals int) int {
		for i := range principals {
			o.Read(audit.WithPrincipal(t.Context(), strconv.Itoa(i)), secrets.Read{Ref: "sm://prod/db", Version: provider.NewVersion("1", time.Time{})})
		}
		return len(sink.take())
	}
	require.Equal(t, remember, read(remember))
	require.LessOrEqual(t, read(remember), remember/10, "nearly nothing is forgotten")
	require.GreaterOrEqual(t, read(8*remember), 7*remember, "nothing that is new is left out")
}

func TestAFailingSinkNeitherFailsNorFloods(t *testing.T) {
	srv := secretstest.NewServer(t)
	srv.SetSecret("prod/db", "first")
	var failures atomic.Int64
	c := open(t, srv, audit.New(&trail{err: errSink}, audit.OnError(func(err error) {
		require.ErrorIs(t, err, errSink)
		failures.Add(1)
	})))
	get(t.Context(), t, c, "sm://prod/db")
	get(t.Context(), t, c, "sm://prod/db")
	require.EqualValues(t, 2, failures.Load())

	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	defer slog.SetDefault(before)
	c = open(t, srv, audit.New(&trail{err: errSink}))
	for range 1000 {
		get(t.Context(), t, c, "sm://prod/db")
	}
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "one line a minute: %s", out.String())
}

func TestPrincipalsCannotForgeOrFloodLines(t *testing.T) {
	var out bytes.Buffer
	o := audit.New(audit.NewJSON(&out))
	who := "ann\"}\n{\"action\":\"read\"" + strings.Repeat("é", 1000) + "\xff"
	o.Read(audit.WithPrincipal(t.Context(), who), secrets.Read{Ref: "sm://a?region=eu-west-1&version=1"})
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	require.Less(t, out.Len(), 600)
	require.Contains(t, out.String(), "&version=1", "readable")
	var e audit.Event
	require.NoError(t, json.Unmarshal(out.Bytes(), &e))
	require.True(t, strings.HasPrefix(who, strings.TrimRight(e.Principal, "\uFFFD")))
}

func TestLinesAreWhatEncodingJSONReads(t *testing.T) {
	for _, e := range []audit.Event{
		{},
		{Time: time.Date(2026, 1, 2, 3, 4, 5, 6700, time.UTC), Action: audit.ActionReject, Ref: "sm://a#b", Version: "1", Refused: "2", Source: "s",
			Outcome: "o", Principal: "\"\\\n\u2028é<&>", Purpose: "a\nb", RequestID: "r", Dropped: 1<<64 - 1},
	} {
		var out bytes.Buffer
		require.NoError(t, audit.NewJSON(&out).Write(e))
		var read audit.Event
		require.NoError(t, json.Unmarshal(out.Bytes(), &read))
		require.Equal(t, e, read)
		want, err := json.Marshal(e)
		require.NoError(t, err)
		require.Equal(t, string(want)+"\n", out.String())
		out.Reset()
		chain, err := audit.NewChain(&out, nil, audit.Checkpoint{})
		require.NoError(t, err)
		require.NoError(t, chain.Write(e))
		require.Contains(t, out.String(), string(want[1:len(want)-1]))
		require.True(t, json.Valid(out.Bytes()))
	}
}

func TestWritesAreRecorded(t *testing.T) {
	srv := secretstest.NewServer(t)
	events := new(trail)
	c := open(t, srv, audit.New(events))
	ctx := audit.WithPrincipal(t.Context(), "alice")
	v, err := c.Put(ctx, "sm://prod/db", "first")
	require.NoError(t, err)
	_, err = c.Put(ctx, "sm://prod/db", "second", secrets.IfAbsent())
	require.Error(t, err)
	require.NoError(t, c.Delete(ctx, "sm://prod/db"))
	got := events.take()
	require.Len(t, got, 3)
	require.Equal(t, audit.ActionWrite, got[0].Action)
	require.Equal(t, v.ID, got[0].Version)
	require.Equal(t, "alice", got[0].Principal)
	require.NotEqual(t, got[0].Outcome, got[1].Outcome)
	require.Equal(t, audit.ActionDelete, got[2].Action)
}

func TestNoSecretInAnySink(t *testing.T) {
	const canary = "canary-5f1c9e"
	srv := secretstest.NewServer(t)
	srv.SetSecret("prod/db", `{"password":"`+canary+`","port":"`+canary+`"}`)
	srv.SetSecret("prod/text", canary)
	srv.SetSecureParameter("/prod/key", canary)
	var out, queued bytes.Buffer
	chain, err := audit.NewChain(&out, nil, audit.Checkpoint{})
	require.NoError(t, err)
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	queue := audit.NewQueue(audit.NewJSON(&queued), 100, audit.Block)
	c := open(t, srv, audit.New(chain), secrets.WithObserver(audit.New(audit.NewSlog(log))), secrets.WithObserver(audit.New(audit.NewJSON(&out))), secrets.WithObserver(audit.New(queue)))
	ctx := t.Context()
	v := get(ctx, t, c, "sm://prod/db")
	_, _ = c.GetAll(ctx, "sm://prod/text", "sm://prod/text#x", "ssm:///prod/key", "ssm:///prod/key", "sm://prod/none", "bad")
	_, _ = secrets.Bind(ctx, c, "sm://prod/db#port", secrets.Int)
	_, _ = c.Reject(ctx, v)
	for range c.List(ctx, "ssm:///prod/") {
		continue
	}
	require.NoError(t, queue.Close())
	text := out.String() + queued.String()
	require.Greater(t, strings.Count(text, "\n"), 20)
	require.NotContains(t, text, canary)
}

func TestSlogSinkKeepsTimesAndLevels(t *testing.T) {
	var out bytes.Buffer
	sink := audit.NewSlog(slog.New(slog.NewJSONHandler(&out, nil)))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, sink.Write(audit.Event{Time: at, Action: audit.ActionRead, Ref: "sm://a", Outcome: "ok"}))
	require.NoError(t, sink.Write(audit.Event{Time: at, Action: audit.ActionRead, Ref: "sm://b", Outcome: "access denied", Principal: "ann"}))
	require.NoError(t, sink.Write(audit.Event{Time: at, Action: audit.ActionDropped, Dropped: 7}))
	require.Equal(t, `{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"secret access","action":"read","ref":"sm://a","outcome":"ok"}
{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"secret access","action":"read","ref":"sm://b","outcome":"access denied","principal":"ann"}
{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"secret access","action":"dropped","dropped":7}
`, out.String())
}

func TestJSONSinkReturnsTheWritersError(t *testing.T) {
	require.ErrorIs(t, audit.NewJSON(failing{}).Write(audit.Event{}), errSink)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.Join(errSink) }
