package statuspage

import (
	"sync"

	"github.com/c0629bfc/secrets/audit"
)

// Recent is a sink of package audit that remembers the last events, for
// [WithRecent]. It is safe for concurrent use; to remember an event takes a
// lock and no allocation. With [audit.FirstRead] or [audit.Sample] the hits of
// a busy client do not push everything else out.
type Recent struct {
	mu   sync.Mutex
	ring []audit.Event
	next int
	full bool
}

// NewRecent returns one that remembers n events; less than 1 means 1.
func NewRecent(n int) *Recent { return &Recent{ring: make([]audit.Event, max(n, 1))} }

// Write implements [audit.Sink]. It never fails.
func (r *Recent) Write(e audit.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next] = e
	if r.next++; r.next == len(r.ring) {
		r.next, r.full = 0, true
	}
	return nil
}

// Events returns what is remembered, the latest first.
func (r *Recent) Events() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.next
	if r.full {
		n = len(r.ring)
	}
	events := make([]audit.Event, n)
	for i := range events {
		events[i] = r.ring[(r.next-1-i+len(r.ring))%len(r.ring)]
	}
	return events
}
