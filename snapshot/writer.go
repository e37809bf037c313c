package snapshot

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// delay is how long after a change the file is written: what changes
	// meanwhile is written with it.
	delay = 2 * time.Second
	// again is how long after a failure writing is tried again.
	again = time.Minute
	// keyTimeout is how long an [Envelope] has to make a data key.
	keyTimeout = 10 * time.Second
)

// run writes the file until the snapshot is closed.
func (s *Snapshot) run() {
	defer close(s.ended)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	confirm := time.NewTicker(s.period())
	defer confirm.Stop()
	waiting := false
	for {
		select {
		case <-s.wake:
			if !waiting {
				timer.Reset(delay)
				waiting = true
			}
		case <-timer.C:
			waiting = false
			if s.write(s.ctx) != nil {
				timer.Reset(again)
				waiting = true
			}
		case <-confirm.C: // nobody else says it of a pinned version
			s.mu.Lock()
			if s.pinned {
				s.soil()
			}
			s.mu.Unlock()
		case <-s.ctx.Done():
			timer.Stop()
			_ = s.write(context.Background()) // Close returns it
			return
		}
	}
}

// write writes the file if there is something new. Ctx is for the [Envelope].
func (s *Snapshot) write(ctx context.Context) error {
	s.mu.Lock()
	if !s.dirty {
		s.mu.Unlock()
		return nil
	}
	s.dirty = false
	now := time.Now()
	all := make([]one, 0, s.kept.Len())
	for _, ref := range s.kept.Keys() {
		o, _ := s.kept.Peek(ref)
		if at := o.good(now); s.usable(at, now) {
			all = append(all, one{value: o.value, at: at})
		} else {
			s.kept.Remove(ref)
		}
	}
	s.mu.Unlock()
	slices.Reverse(all) // the latest first

	left, err := s.save(ctx, all)
	s.mu.Lock()
	failed := s.status.Err != nil
	switch {
	case err != nil && ctx.Err() != nil:
		s.dirty = true
	case err != nil:
		s.dirty, s.status.Err = true, err
	default:
		s.status.Err = nil
		s.status.Written = now.Round(0)
		for _, o := range all {
			if k, ok := s.kept.Peek(o.value.Ref()); ok && alike(k.value, o.value) {
				k.saved = o.at
			}
		}
	}
	s.mu.Unlock()
	switch {
	case ctx.Err() != nil: // Close has it written once more
	case err != nil && !failed:
		s.log().Warn("secrets: a snapshot cannot be written: it is tried again", "path", s.path, "error", err)
	case err == nil && failed:
		s.log().Info("secrets: a snapshot is written again", "path", s.path)
	}
	if left > 0 {
		s.log().Warn("secrets: a snapshot has no room for all values: those confirmed the longest ago are left out", "path", s.path, "left out", left)
	}
	return err
}

// save writes values, and returns how many there was no room for.
func (s *Snapshot) save(ctx context.Context, all []one) (left int, err error) {
	if s.data == nil {
		ctx, cancel := context.WithTimeout(ctx, keyTimeout)
		defer cancel()
		if s.data, err = s.keys[0].newDataKey(ctx); err != nil {
			s.data = nil
			return 0, fmt.Errorf("snapshot %s: %w", s.path, err)
		}
	}
	plain, n, err := encode(all, MaxSize-headSize-maxSealed-nonceSize-tagSize)
	if err != nil {
		return 0, fmt.Errorf("snapshot %s: %w", s.path, err)
	}
	b, err := seal(plain, s.binding, s.data)
	if err == nil {
		err = writeFile(s.path, b)
	}
	if err != nil {
		return 0, fmt.Errorf("snapshot %s: it cannot be written: %w", s.path, err)
	}
	return len(all) - n, nil
}
