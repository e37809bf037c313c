package awsread

import (
	"sync"
	"time"
)

// Pause is how long what AWS refused is not tried again, so that a policy that
// is mended is noticed without a restart.
const Pause = 15 * time.Minute

// maxPauses bounds what is remembered; beyond it, all is tried again.
const maxPauses = 10_000

// Pauses remembers what was refused a moment ago. The zero Pauses is ready for
// use, and safe for concurrent use.
type Pauses[K comparable] struct {
	mu    sync.Mutex
	until map[K]time.Time
	noted bool
}

// On reports whether k was refused less than a Pause ago.
func (p *Pauses[K]) On(k K) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.until[k]
	if ok && !time.Now().Before(until) {
		delete(p.until, k)
		ok = false
	}
	return ok
}

// Begin remembers that k was refused. It reports whether that is the first
// refusal of all, which is worth a line in the log.
func (p *Pauses[K]) Begin(k K) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil || len(p.until) >= maxPauses {
		p.until = make(map[K]time.Time)
	}
	p.until[k] = time.Now().Add(Pause)
	first, p.noted = !p.noted, true
	return first
}
