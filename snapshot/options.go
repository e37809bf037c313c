package snapshot

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/c0629bfc/secrets"
)

// DefaultMaxAge is how old a value may be where no option says otherwise.
const DefaultMaxAge = 24 * time.Hour

// Option configures a [Snapshot]; see [Open].
type Option func(*Snapshot)

// WithMaxAge sets for how long after the store brought or confirmed it a value
// may be used, in wall time, and a pinned version after a process that had read
// it wrote the file; the default is [DefaultMaxAge], 24 hours, and at least a
// minute and at most [secrets.MaxTTL] are allowed. One that is of the future by
// more than a minute is not used either.
func WithMaxAge(d time.Duration) Option { return func(s *Snapshot) { s.maxAge = d } }

// WithOldKey adds a key under which a file may be that was written before the
// key was changed. Nothing is written under it.
func WithOldKey(k Key) Option { return func(s *Snapshot) { s.keys = append(s.keys, k) } }

// WithLogger sets where the snapshot logs; the default is what [slog.Default]
// returns at the time. It logs a file that is not used (Warn, and Error if it is
// left alone) and when writing begins to fail (Warn) and succeeds again (Info).
func WithLogger(l *slog.Logger) Option { return func(s *Snapshot) { s.logger = l } }

func (s *Snapshot) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("snapshot: Open(%q): "+format, append([]any{s.path}, args...)...)
	}
	switch {
	case s.path == "":
		return fail("there is no path")
	case s.binding == "":
		return fail("there is no binding: say which account and program it is for")
	case s.maxAge < time.Minute || s.maxAge > secrets.MaxTTL:
		return fail("WithMaxAge(%v): want from %v to %v", s.maxAge, time.Minute, secrets.MaxTTL)
	}
	for _, k := range s.keys {
		if err := k.check(); err != nil {
			return fail("%w", err)
		}
	}
	return nil
}
