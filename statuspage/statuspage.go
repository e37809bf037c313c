// Package statuspage shows what a client holds, on a page for people and as JSON
// for machines:
//
//	recent := statuspage.NewRecent(50)
//	client, err := secrets.New(
//		secrets.WithProvider(sm.New(cfg)),
//		secrets.WithObserver(audit.New(recent)),
//	)
//	…
//	mux.Handle("/debug/secrets", statuspage.New(client, statuspage.WithRecent(recent)))
//
// No value is on it, nor anything that a value was made of: refs, versions,
// times, counts, the errors of the client (which name a ref and never a value),
// and where they are asked for the recent lines of the audit trail with their
// principals. That is more than the public should know. The handler asks nobody
// who he is: serve it where net/http/pprof may be served.
//
// # The page
//
// One document without scripts, images and anything from elsewhere, light or
// dark as the reader's system is. It can be filtered and sorted:
//
//	?q=prod/          what has that in its ref
//	?state=stale      stale, empty, expired or fresh (see [Entry])
//	?sort=hits        ref, age, next or hits; by default what is in trouble first
//	?format=json      JSON, as with "Accept: application/json"
//
// What is unknown among them is passed over. The page shows the first 1,000
// entries and JSON all. Only GET and HEAD are allowed, and nothing is to be
// stored by a cache.
//
// To read the page takes the client's lock for as long as it takes to copy a
// line for each entry, and makes no call.
package statuspage

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/cost"
)

// Option configures [New].
type Option func(*handler)

// WithTitle sets what the page says it is of, such as the program and the host;
// the default is "secrets".
func WithTitle(title string) Option { return func(h *handler) { h.title = title } }

// WithPrices sets the prices for what is saved; the default is [cost.US].
func WithPrices(p cost.Prices) Option { return func(h *handler) { h.prices = p } }

// WithRecent shows what r remembers.
func WithRecent(r *Recent) Option { return func(h *handler) { h.recent = r } }

// New returns a handler that shows a client, whatever the path. It is safe for
// concurrent use.
func New(c *secrets.Client, opts ...Option) http.Handler {
	h := &handler{client: c, title: "secrets", prices: cost.US, since: time.Now()}
	for _, opt := range opts {
		opt(h)
	}
	return h
}

type handler struct {
	client *secrets.Client
	title  string
	prices cost.Prices
	recent *Recent
	since  time.Time
}

//go:embed page.html
var pageText string

//go:embed style.css
var style string

var (
	page = template.Must(template.New("page").Funcs(functions).Parse(pageText))
	// policy lets the page's own style apply, its form be sent, and nothing else.
	policy = "default-src 'none'; style-src '" + digest(style) + "'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Vary", "Accept")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	q := queryOf(r.URL.Query())
	s := h.status()
	s.Entries = q.choose(s.Entries)
	var b strings.Builder
	var err error
	if wantsJSON(r) {
		header.Set("Content-Type", "application/json")
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		err = e.Encode(s)
	} else {
		header.Set("Content-Type", "text/html; charset=utf-8")
		err = page.Execute(&b, newView(s, q))
	}
	if err != nil { // before anything was sent
		http.Error(w, "the status cannot be shown", http.StatusInternalServerError)
		return
	}
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, b.String()) // the error is of a reader who went away
	}
}

func wantsJSON(r *http.Request) bool {
	switch r.URL.Query().Get("format") {
	case "json":
		return true
	case "html":
		return false
	}
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}
