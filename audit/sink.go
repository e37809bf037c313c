package audit

import (
	"context"
	"io"
	"log/slog"
	"sync"
)

// NewSlog returns a sink that logs each event: at level Info where a value was
// given, at Warn otherwise. The message is "secret access", the attributes are
// called as in JSON, and the record's time is the event's.
func NewSlog(l *slog.Logger) Sink { return slogSink{l.Handler()} }

type slogSink struct{ h slog.Handler }

func (s slogSink) Write(e Event) error {
	level := slog.LevelInfo
	if e.Outcome != ok {
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !s.h.Enabled(ctx, level) {
		return nil
	}
	r := slog.NewRecord(e.Time, level, "secret access", 0)
	r.AddAttrs(slog.String("action", string(e.Action)))
	for _, a := range []struct{ key, value string }{
		{"ref", e.Ref}, {"version", e.Version}, {"refused", e.Refused}, {"source", e.Source}, {"outcome", e.Outcome},
		{"principal", e.Principal}, {"purpose", e.Purpose}, {"request_id", e.RequestID},
	} {
		if a.value != "" {
			r.AddAttrs(slog.String(a.key, a.value))
		}
	}
	if e.Dropped > 0 {
		r.AddAttrs(slog.Uint64("dropped", e.Dropped))
	}
	return s.h.Handle(ctx, r)
}

// NewJSON returns a sink that writes each event as a line of JSON, by one Write
// and one at a time. To rotate files is w's business: it may change files
// between any two calls.
func NewJSON(w io.Writer) Sink { return &jsonSink{w: w} }

type jsonSink struct {
	mu   sync.Mutex
	w    io.Writer
	line []byte
}

func (s *jsonSink) Write(e Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = append(appendEvent(s.line[:0], e), '\n')
	_, err := s.w.Write(s.line)
	return err
}
