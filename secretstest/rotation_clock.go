package secretstest

import (
	"fmt"
	"time"
)

// arm begins the rotations that are due and sets the timer for the next. s.mu
// is held. It is called whenever the clock or a secret may have changed.
func (s *Server) arm() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.closed {
		return
	}
	now := s.now()
	var next time.Time
	for sec := range s.scheduled {
		a, _ := parseARN(sec.arn)
		st := s.stores[a.place]
		if st.secrets[sec.name] != sec || sec.primary != nil {
			delete(s.scheduled, sec)
			continue
		}
		due := sec.rotation.due()
		if due.IsZero() || !sec.deleted.IsZero() {
			continue
		}
		if !due.After(now) {
			s.rotateDue(sec, now)
			if due = sec.rotation.due(); due.IsZero() {
				continue
			}
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	if !next.IsZero() {
		s.timer = time.AfterFunc(next.Sub(now), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.arm()
		})
	}
}

// rotateDue begins a scheduled rotation or a retry.
func (s *Server) rotateDue(sec *secret, now time.Time) {
	rot, run := sec.rotation, sec.unfinished()
	window := !rot.opens.IsZero() && !rot.opens.After(now)
	if window {
		rot.plan(now) // so that it does not begin twice
	}
	switch {
	case run != nil:
		if window {
			run.failures = 0
		}
		s.begin(sec, run)
		return
	case !window:
		rot.run = nil // AWSPENDING was taken away: nothing to try again
		return
	}
	run = newRun(newUUID())
	if err := sec.addPending(now, run.token, secretValue{}); err != nil {
		s.rotationErrs = append(s.rotationErrs, fmt.Errorf("secretstest: rotation of %s: %w", sec.name, err))
		return
	}
	s.begin(sec, run)
}
