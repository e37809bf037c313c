package statuspage_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/cost"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/statuspage"
)

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c, h := scene(t, 60)
		s := statusOf(t, h, "/debug/secrets?format=json")
		require.Equal(t, "checkout on ip-10-0-3-17", s.Title)
		require.True(t, s.Time.Equal(time.Now()))
		require.WithinRange(t, s.Since, s.Time.Add(-80*time.Minute), s.Time.Add(-70*time.Minute))
		stats := c.Stats()
		require.Equal(t, stats.Hits, s.Totals.Hits)
		require.Equal(t, stats.Entries, s.Totals.Entries)
		require.Equal(t, stats.APICalls, s.Calls.Total)
		require.Equal(t, stats.Calls, s.Calls.ByOperation)
		require.Equal(t, stats.SavedPerRead(), s.Saved.Calls)
		require.Contains(t, s.Saved.Prices, cost.US.Regions)

		require.Equal(t, len(c.Entries()), len(s.Entries))
		require.Equal(t, map[statuspage.State]int{statuspage.Stale: 2, statuspage.Empty: 0, statuspage.Expired: s.States[statuspage.Expired], statuspage.Fresh: s.States[statuspage.Fresh]}, s.States)
		byRef := make(map[string]statuspage.Entry)
		for _, e := range s.Entries {
			byRef[e.Ref] = e
		}
		e := byRef["sm://prod/checkout/stripe"]
		require.Equal(t, statuspage.Stale, e.State)
		require.Contains(t, e.Error, "access denied")
		require.WithinRange(t, *e.StaleSince, s.Time.Add(-5*time.Minute), s.Time)
		require.Greater(t, e.AgeSeconds, 60.0)
		require.Positive(t, e.Hits)
		e = byRef["sm://prod/checkout/db"]
		require.Equal(t, statuspage.Fresh, e.State)
		require.True(t, e.Held)
		require.Equal(t, "SecretString", e.Type)
		require.Equal(t, []string{"AWSCURRENT"}, e.Labels)
		require.NotNil(t, e.Created)
		require.NotNil(t, e.Next)
		require.Nil(t, e.StaleSince)
		require.InDelta(t, s.Time.Sub(*e.Read).Seconds(), e.AgeSeconds, 0.001)
		require.Nil(t, byRef["ssm:///prod/checkout/url?version=1"].Next, "a pinned version is never refreshed")
		require.NotEmpty(t, s.Recent)
		require.True(t, slices.IsSortedFunc(s.Recent, func(a, b audit.Event) int { return b.Time.Compare(a.Time) }), "the latest first")
		worst := []statuspage.State{statuspage.Stale, statuspage.Empty, statuspage.Expired, statuspage.Fresh}
		require.True(t, slices.IsSortedFunc(s.Entries, func(a, b statuspage.Entry) int {
			return slices.Index(worst, a.State) - slices.Index(worst, b.State)
		}), "trouble is first")
		require.Equal(t, statuspage.Expired, s.Entries[2].State)

		srv.Inject(secretstest.Fault{Delay: time.Minute})
		c.Invalidate("sm://prod/checkout/db")
		e = statusOf(t, h, "/?format=json&q=checkout/db").Entries[0]
		require.Equal(t, statuspage.Empty, e.State)
		require.Nil(t, e.Read)
	})
}

func TestThePageShowsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, h := scene(t, 60)
		body := ask(h, "GET", "/").Body.String()
		for _, e := range c.Entries() {
			require.Contains(t, body, "<code>"+e.Ref+"</code>")
		}
		for _, says := range []string{
			"2 of 60</b> cannot be refreshed", "stale for", "access denied (allow secretsmanager:GetSecretValue on it)",
			"decryption failed", "never: pinned", "when it is read", "held", "BatchGetSecretValue</dt>", "not found</b>", "alice@example.com", "refund 4711",
		} {
			require.Contains(t, body, says)
		}
	})
}

func TestQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, h := scene(t, 60)
		refs := func(query string) (refs []string) {
			for _, e := range statusOf(t, h, "/?format=json&"+query).Entries {
				refs = append(refs, e.Ref)
			}
			return refs
		}
		require.Equal(t, []string{"sm://" + longName, "sm://prod/checkout/stripe"}, refs("state=stale"))
		require.Len(t, refs("q=CHECKOUT"), 7)
		require.Equal(t, []string{"sm://prod/checkout/stripe"}, refs("q=checkout&state=stale"))
		require.Empty(t, refs("q=nothing"))
		require.True(t, slices.IsSorted(refs("sort=ref")))
		hits := statusOf(t, h, "/?format=json&sort=hits").Entries
		require.True(t, slices.IsSortedFunc(hits, func(a, b statuspage.Entry) int { return int(b.Hits) - int(a.Hits) }))
		require.Positive(t, hits[0].Hits)
		ages := statusOf(t, h, "/?format=json&sort=age").Entries
		require.True(t, slices.IsSortedFunc(ages, func(a, b statuspage.Entry) int { return int(b.AgeSeconds - a.AgeSeconds) }))
		next := statusOf(t, h, "/?format=json&sort=next").Entries
		require.NotNil(t, next[0].Next)
		require.Nil(t, next[len(next)-1].Next)
		require.Equal(t, refs(""), refs("state=nonsense&sort=nonsense"), "what is unknown is passed over")
		body := ask(h, http.MethodGet, "/?q=checkout&state=stale&sort=hits").Body.String()
		for _, keeps := range []string{`value="checkout"`, `value="stale" selected`, `value="hits" selected`} {
			require.Contains(t, body, keeps)
		}
	})
}

func TestMethodsAndHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, h := scene(t, 20)
		for _, w := range []http.Header{ask(h, "GET", "/").Header(), ask(h, "HEAD", "/").Header(), ask(h, "POST", "/").Header(), ask(h, "GET", "/?format=json").Header()} {
			require.Equal(t, "no-store", w.Get("Cache-Control"))
			require.Equal(t, "nosniff", w.Get("X-Content-Type-Options"))
			require.Contains(t, w.Get("Content-Security-Policy"), "default-src 'none'")
			require.NotContains(t, w.Get("Content-Security-Policy"), "unsafe")
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
			w := ask(h, method, "/")
			require.Equal(t, http.StatusMethodNotAllowed, w.Code)
			require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
			require.NotContains(t, w.Body.String(), "sm://")
		}
		head := ask(h, "HEAD", "/")
		require.Equal(t, http.StatusOK, head.Code)
		require.Empty(t, head.Body.String())

		kind := func(target string, header ...string) string {
			return ask(h, "GET", target, header...).Header().Get("Content-Type")
		}
		const asHTML, asJSON = "text/html; charset=utf-8", "application/json"
		require.Equal(t, asHTML, kind("/"))
		require.Equal(t, asHTML, kind("/", "Accept", "*/*"))
		require.Equal(t, asHTML, kind("/", "Accept", "text/html,application/xhtml+xml,application/json;q=0.9"))
		require.Equal(t, asJSON, kind("/", "Accept", "application/json"))
		require.Equal(t, asJSON, kind("/?format=json", "Accept", "text/html"))
		require.Equal(t, asHTML, kind("/?format=html", "Accept", "application/json"))
	})
}

func TestNoSecretIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, h := scene(t, 60)
		v, err := c.Get(t.Context(), "sm://prod/checkout/signing-key")
		require.NoError(t, err)
		require.Contains(t, v.Text(), canary)
		for _, target := range []string{"/", "/?format=json", "/?state=stale", "/?q=checkout"} {
			require.NotContains(t, ask(h, "GET", target).Body.String(), canary)
		}
	})
}

// What comes from outside cannot become markup.
func TestRefsAndQueriesAreEscaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const evil = "</code><script>alert(1)</script>\"' onload=x\u202e" // and what turns the text after it around
		recent := statuspage.NewRecent(1)
		c, err := secrets.New(secrets.WithProvider(memory{}), secrets.WithObserver(audit.New(recent)))
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Get(audit.WithPrincipal(t.Context(), evil), "mem://"+strings.ReplaceAll(evil, " ", "%20"))
		require.NoError(t, err)
		h := statuspage.New(c, statuspage.WithTitle(evil), statuspage.WithRecent(recent))
		body := ask(h, "GET", "/?q=%3C/code%3E%3Cscript%3E").Body.String() + ask(h, "GET", "/").Body.String()
		require.NotContains(t, body, "<script")
		require.NotContains(t, body, `"' onload`)
		require.Contains(t, body, "&lt;script&gt;")
		require.Contains(t, body, "\u202e</bdi>", "it turns nothing else around")
		require.Equal(t, 1, len(statusOf(t, h, "/?format=json").Entries))
		require.NotContains(t, ask(h, "GET", "/?format=json").Body.String(), "<script")
	})
}

// Nor what a store says.
func TestErrorsAreEscaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const evil = `</td><script>alert(1)</script><img src=x onerror=alert(1)>`
		p := &breaking{}
		c, err := secrets.New(secrets.WithProvider(p), secrets.WithLogger(slog.New(slog.DiscardHandler)))
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Get(t.Context(), "mem://x")
		require.NoError(t, err)
		p.says = errors.New(evil)
		require.Error(t, c.Refresh(t.Context(), "mem://x"))
		h := statuspage.New(c)
		body := ask(h, "GET", "/").Body.String()
		require.Contains(t, body, "&lt;img src=x")
		require.NotContains(t, body, "<img")
		require.NotContains(t, body, "<script")
		require.Contains(t, statusOf(t, h, "/?format=json").Entries[0].Error, evil)
		require.NotContains(t, ask(h, "GET", "/?format=json").Body.String(), "<img")
	})
}

// breaking is a store that begins to fail.
type breaking struct {
	memory
	says error
}

func (b *breaking) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	results := b.memory.Fetch(ctx, refs...)
	for i, r := range refs {
		if b.says != nil {
			results[i] = provider.Result{Err: &provider.Error{Ref: r, Kind: provider.ErrUnavailable, Err: b.says}}
		}
	}
	return results
}

// memory is a store in which everything has the value of its name.
type memory struct{}

func (memory) Scheme() string { return "mem" }

func (memory) Fetch(_ context.Context, refs ...provider.Ref) []provider.Result {
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		results[i].Value = provider.NewValue(r, provider.NewVersion("1", time.Time{}), provider.String, canary)
	}
	return results
}

func TestAClientThatReadNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := secrets.New(secrets.WithProvider(memory{}))
		require.NoError(t, err)
		h := statuspage.New(c)
		body := ask(h, "GET", "/").Body.String()
		require.Contains(t, body, "nothing was read yet")
		raw := ask(h, "GET", "/?format=json").Body.String()
		require.NotContains(t, raw, "null", "lists and maps are never null")
		require.NoError(t, c.Close())
		require.Equal(t, http.StatusOK, ask(h, "GET", "/").Code, "nor after Close")
	})
}

func TestThePageIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := secrets.New(secrets.WithProvider(memory{}), secrets.WithMaxEntries(2000))
		require.NoError(t, err)
		defer c.Close()
		refs := make([]string, 1200)
		for i := range refs {
			refs[i] = fmt.Sprintf("mem://n%04d", i)
		}
		_, err = c.GetAll(t.Context(), refs...)
		require.NoError(t, err)
		h := statuspage.New(c)
		body := ask(h, "GET", "/").Body.String()
		require.Equal(t, 1000, strings.Count(body, `<tbody class=`))
		require.Contains(t, body, "200 more are not shown")
		require.Len(t, statusOf(t, h, "/?format=json").Entries, 1200)
	})
}

func TestDollarsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		srv.SetSecret("a", canary)
		c, err := secrets.New(secrets.WithProvider(sm.New(srv.Config())))
		require.NoError(t, err)
		defer c.Close()
		for range 20_000 {
			_, err := c.Get(t.Context(), "sm://a")
			require.NoError(t, err)
		}
		prices := cost.US
		prices.SecretCalls, prices.Date = 7*cost.Dollar, "1999"
		s := statusOf(t, statuspage.New(c, statuspage.WithPrices(prices)), "/?format=json")
		require.InDelta(t, 2*7, s.Saved.Dollars, 0.01, "20,000 reads by one call")
		require.Equal(t, "1999, US Regions", s.Saved.Prices)
		require.Contains(t, ask(statuspage.New(c, statuspage.WithPrices(prices)), "GET", "/").Body.String(), "$13.99")
	})
}

func TestRecent(t *testing.T) {
	r := statuspage.NewRecent(3)
	require.Empty(t, r.Events())
	for i := range 7 {
		require.NoError(t, r.Write(audit.Event{Ref: fmt.Sprint(i)}))
		refs := ""
		for _, e := range r.Events() {
			refs += e.Ref
		}
		require.Equal(t, []string{"0", "10", "210", "321", "432", "543", "654"}[i], refs)
	}
	none := statuspage.NewRecent(-1)
	require.NoError(t, none.Write(audit.Event{Ref: "x"}))
	require.Len(t, none.Events(), 1)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = r.Write(audit.Event{}) }))
}

var update = flag.Bool("update", false, "write testdata/schema.json")

// The names and types of the JSON's fields are an API.
func TestJSONSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, h := scene(t, 60)
		var body any
		require.NoError(t, json.Unmarshal(ask(h, "GET", "/?format=json").Body.Bytes(), &body))
		got, err := json.MarshalIndent(schema(body), "", "  ")
		require.NoError(t, err)
		got = append(got, '\n')
		if *update {
			require.NoError(t, os.WriteFile("testdata/schema.json", got, 0o644))
		}
		want, err := os.ReadFile("testdata/schema.json")
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	})
}

// schema replaces values by their types. Elements of a list are joined into one,
// and a map of what is named by data has one entry.
func schema(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for name, x := range v {
			if strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "Batch") || strings.HasPrefix(name, "List") || strings.HasPrefix(name, "Describe") {
				name = "<operation>"
			}
			out[name] = schema(x)
		}
		return out
	case []any:
		var joined any = "nothing"
		for _, x := range v {
			s, ok := schema(x).(map[string]any)
			if !ok {
				return []any{schema(x)}
			}
			if all, ok := joined.(map[string]any); ok {
				for name, x := range s {
					if old, list := all[name].([]any); !list || old[0] == "nothing" {
						all[name] = x
					}
				}
			} else {
				joined = s
			}
		}
		return []any{joined}
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return "time"
		}
		return "string"
	case float64:
		return "number"
	case bool:
		return "bool"
	}
	return fmt.Sprintf("%T", v)
}
