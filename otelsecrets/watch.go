package otelsecrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/c0629bfc/secrets"
)

// Watch has metrics show how a client is, until stop is called. A client need
// not have the observer to be watched. To watch several, give each a Telemetry
// of its own with [WithAttributes]: otherwise they report the same series.
func (t *Telemetry) Watch(c *secrets.Client) (stop func() error, err error) {
	var w watch
	var errs []error
	counter := func(name, unit, description string) metric.Int64Observable {
		i, err := t.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return i
	}
	level := func(name, unit, description string) metric.Int64Observable {
		i, err := t.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return i
	}
	seconds := func(name, description string) metric.Float64Observable {
		i, err := t.meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(description))
		errs = append(errs, err)
		return i
	}
	w.hits = counter("secrets.cache.hits", "{read}", "Reads answered from the cache.")
	w.misses = counter("secrets.cache.misses", "{read}", "Reads that waited for a store.")
	w.coalesced = counter("secrets.cache.coalesced", "{read}", "Misses that joined a call for the same value.")
	w.staleReads = counter("secrets.cache.stale_reads", "{read}", "Reads answered by a value past its TTL.")
	w.evictions = counter("secrets.cache.evictions", "{entry}", "Entries that went to make room.")
	w.rejections = counter("secrets.rejections", "{value}", "Values that a server refused.")
	w.entries = level("secrets.cache.entries", "{entry}", "Secrets and parameters in the cache.")
	w.stale = level("secrets.cache.stale_entries", "{entry}", "Entries that could not be refreshed the last time.")
	w.inFlight = level("secrets.in_flight", "{value}", "Secrets and parameters being read.")
	w.age = seconds("secrets.cache.age", "Since a store last confirmed a value: the longest, or by ref.")
	w.staleness = seconds("secrets.cache.staleness", "Since refreshing a value first failed: the longest, or by ref.")
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("otelsecrets: %w", err)
	}
	registration, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		w.observe(o, c, t)
		return nil
	}, w.hits, w.misses, w.coalesced, w.staleReads, w.evictions, w.rejections, w.entries, w.stale, w.inFlight, w.age, w.staleness)
	if err != nil {
		return nil, fmt.Errorf("otelsecrets: %w", err)
	}
	return registration.Unregister, nil
}

// watch is the instruments of one client.
type watch struct {
	hits, misses, coalesced, staleReads, evictions, rejections metric.Int64Observable
	entries, stale, inFlight                                   metric.Int64Observable
	age, staleness                                             metric.Float64Observable
}

func (w *watch) observe(o metric.Observer, c *secrets.Client, t *Telemetry) {
	common := metric.WithAttributeSet(attribute.NewSet(t.attributes...))
	s := c.Stats()
	for _, count := range []struct {
		instrument metric.Int64Observable
		n          uint64
	}{
		{w.hits, s.Hits}, {w.misses, s.Misses}, {w.coalesced, s.Coalesced}, {w.staleReads, s.StaleServed}, {w.evictions, s.Evictions},
		{w.rejections, s.Rejected}, {w.entries, uint64(s.Entries)}, {w.stale, uint64(len(s.Stale))}, {w.inFlight, uint64(max(s.InFlight, 0))},
	} {
		o.ObserveInt64(count.instrument, int64(count.n), common)
	}
	now := time.Now()
	var oldest, longest time.Duration
	for _, e := range c.Entries() {
		if e.Next.IsZero() || e.Version.ID == "" {
			continue // a pinned version does not age, and what is not read yet has no age
		}
		age, failing := now.Sub(e.Read), time.Duration(0)
		if !e.Since.IsZero() {
			failing = now.Sub(e.Since)
		}
		oldest, longest = max(oldest, age), max(longest, failing)
		if t.refs {
			own := metric.WithAttributes(refKey.String(e.Ref))
			o.ObserveFloat64(w.age, age.Seconds(), common, own)
			o.ObserveFloat64(w.staleness, failing.Seconds(), common, own)
		}
	}
	if !t.refs {
		o.ObserveFloat64(w.age, oldest.Seconds(), common)
		o.ObserveFloat64(w.staleness, longest.Seconds(), common)
	}
}
