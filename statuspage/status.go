package statuspage

import (
	"strings"
	"time"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/cost"
	"github.com/c0629bfc/secrets/provider"
)

// Status is the JSON of the page. Fields may be added; those that are there keep
// their names and types. Times are in UTC, and those that are not known are left
// out.
type Status struct {
	Title string    `json:"title"`
	Time  time.Time `json:"time"`
	Since time.Time `json:"since"` // when the handler was made
	// Entries are those that the query chose, and States how many there are in
	// each state.
	Entries []Entry       `json:"entries"`
	States  map[State]int `json:"states"`
	Totals  Totals        `json:"totals"`
	Calls   Calls         `json:"api_calls"`
	Saved   Saved         `json:"saved"`
	// Recent is what [WithRecent] remembers, the latest first; empty without.
	Recent []audit.Event `json:"recent"`
}

// State is how an entry is.
type State string

// The states, the worst first.
const (
	Stale   State = "stale"   // it could not be refreshed, and is served on
	Empty   State = "empty"   // a handle holds it, and it was invalidated and not read again yet
	Expired State = "expired" // its TTL is over; nobody reads it, and the next one who does waits
	Fresh   State = "fresh"
)

// Entry is one secret or parameter, by [secrets.Entry].
type Entry struct {
	Ref        string     `json:"ref"`
	State      State      `json:"state"`
	Version    string     `json:"version"`
	Created    *time.Time `json:"created,omitempty"`
	Labels     []string   `json:"labels"`
	Type       string     `json:"type"`
	Held       bool       `json:"held"`
	Read       *time.Time `json:"read,omitempty"`
	AgeSeconds float64    `json:"age_seconds"` // since Read
	Next       *time.Time `json:"next,omitempty"`
	StaleSince *time.Time `json:"stale_since,omitempty"`
	Error      string     `json:"error,omitempty"`
	Hits       uint64     `json:"hits"`
}

// Totals are the counts of [secrets.Stats].
type Totals struct {
	Hits        uint64 `json:"hits"`
	Misses      uint64 `json:"misses"`
	Coalesced   uint64 `json:"coalesced"`
	StaleServed uint64 `json:"stale_served"`
	Rejected    uint64 `json:"rejected"`
	Evictions   uint64 `json:"evictions"`
	Entries     int    `json:"entries"`
	InFlight    int    `json:"in_flight"`
	Fetches     uint64 `json:"fetches"`
	Fetched     uint64 `json:"fetched"`
	Probed      uint64 `json:"probed"`
	Unchanged   uint64 `json:"unchanged"`
	Changed     uint64 `json:"changed"`
	Errors      uint64 `json:"errors"`
}

// Calls are the requests to the stores.
type Calls struct {
	Total       uint64            `json:"total"`
	ByOperation map[string]uint64 `json:"by_operation"`
}

// Saved is what the client saved since it was made.
type Saved struct {
	Calls int64 `json:"calls"` // against a call at each read
	// Dollars is about what a call at each read of a secret would have cost more
	// in AWS Secrets Manager. Parameters are not counted, since their standard
	// throughput is free, and of reads of both stores those of secrets are
	// estimated by the hits of the entries. It is below zero where little is read.
	Dollars float64 `json:"dollars"`
	Prices  string  `json:"prices"` // of when and where
}

// status reads the client.
func (h *handler) status() Status {
	now := time.Now()
	stats, held := h.client.Stats(), h.client.Entries()
	s := Status{Title: h.title, Time: now.UTC(), Since: h.since.UTC(),
		Entries: make([]Entry, len(held)), States: map[State]int{Stale: 0, Empty: 0, Expired: 0, Fresh: 0},
		Totals: Totals{
			Hits: stats.Hits, Misses: stats.Misses, Coalesced: stats.Coalesced, StaleServed: stats.StaleServed, Rejected: stats.Rejected,
			Evictions: stats.Evictions, Entries: stats.Entries, InFlight: stats.InFlight, Fetches: stats.Fetches, Fetched: stats.Fetched,
			Probed: stats.Probed, Unchanged: stats.Unchanged, Changed: stats.Changed, Errors: stats.Errors,
		},
		Calls:  Calls{Total: stats.APICalls, ByOperation: stats.Calls},
		Saved:  saved(stats, held, h.prices),
		Recent: []audit.Event{},
	}
	if s.Calls.ByOperation == nil {
		s.Calls.ByOperation = map[string]uint64{}
	}
	for i, e := range held {
		s.Entries[i] = entryOf(e, now)
		s.States[s.Entries[i].State]++
	}
	if h.recent != nil {
		s.Recent = h.recent.Events()
	}
	return s
}

func entryOf(e secrets.Entry, now time.Time) Entry {
	out := Entry{Ref: e.Ref, State: Fresh, Version: e.Version.ID, Created: known(e.Version.Created), Labels: e.Version.Labels(), Type: string(e.Type),
		Held: e.Held, Next: known(e.Next), StaleSince: known(e.Since), Hits: e.Hits}
	if out.Labels == nil {
		out.Labels = []string{}
	}
	if e.Err != nil {
		out.Error = e.Err.Error()
	}
	empty := e.Version == provider.Version{} && e.Type == ""
	if !empty {
		out.Read, out.AgeSeconds = known(e.Read), max(now.Sub(e.Read), 0).Seconds()
	}
	switch {
	case empty:
		out.State = Empty
	case e.Err != nil:
		out.State = Stale
	case e.Stale:
		out.State = Expired
	}
	return out
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Round(0)
	return &t
}

// perCalls is how many calls the price of calls is for.
const perCalls = 10_000

func saved(s secrets.Stats, held []secrets.Entry, p cost.Prices) Saved {
	var calls float64 // to Secrets Manager
	for operation, n := range s.Calls {
		if strings.Contains(operation, "Secret") {
			calls += float64(n)
		}
	}
	// An entry that was never hit was read once all the same.
	var ofSecrets, all float64
	for _, e := range held {
		n := float64(e.Hits) + 1
		all += n
		if strings.HasPrefix(e.Ref, "sm:") || strings.HasPrefix(e.Ref, "arn:") && strings.Contains(e.Ref, ":secretsmanager:") {
			ofSecrets += n
		}
	}
	reads := float64(s.Hits + s.Misses)
	switch {
	case all > 0:
		reads *= ofSecrets / all
	case calls == 0:
		reads = 0
	}
	price := float64(p.SecretCalls) / float64(cost.Dollar) / perCalls
	return Saved{Calls: s.SavedPerRead(), Dollars: (reads - calls) * price, Prices: strings.Trim(p.Date+", "+p.Regions, ", ")}
}
