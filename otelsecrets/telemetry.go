package otelsecrets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// scope is the name of the instrumentation.
const scope = "github.com/c0629bfc/secrets/otelsecrets"

// The attributes that no convention has.
const (
	schemeKey  = attribute.Key("secrets.scheme")  // sm, ssm
	outcomeKey = attribute.Key("secrets.outcome") // of a refresh
	refKey     = attribute.Key("secrets.ref")
	versionKey = attribute.Key("secrets.version")
	sourceKey  = attribute.Key("secrets.source") // of a read
)

// Telemetry makes metrics and spans of what clients do. It is safe for
// concurrent use; make it with [New].
type Telemetry struct {
	meters     metric.MeterProvider
	tracers    trace.TracerProvider
	attributes []attribute.KeyValue
	refs       bool
	reads      bool

	meter     metric.Meter
	tracer    trace.Tracer
	refreshes metric.Int64Counter
	calls     metric.Int64Counter
	throttled metric.Int64Counter
}

// Option configures a [Telemetry]; see [New].
type Option func(*Telemetry)

// WithMeterProvider sets where metrics go; the default is
// [otel.GetMeterProvider].
func WithMeterProvider(p metric.MeterProvider) Option { return func(t *Telemetry) { t.meters = p } }

// WithTracerProvider sets where spans go; the default is
// [otel.GetTracerProvider].
func WithTracerProvider(p trace.TracerProvider) Option { return func(t *Telemetry) { t.tracers = p } }

// WithAttributes adds attributes to all metrics and spans, such as a name for
// the client in a program that has several.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(t *Telemetry) { t.attributes = append(t.attributes, attributes...) }
}

// WithRefs names refs: age and staleness are told for each (secrets.ref), and
// spans have theirs. It makes as many time series as the client has entries.
func WithRefs() Option { return func(t *Telemetry) { t.refs = true } }

// WithReadEvents adds an event "secrets.read" to the span of who reads, with
// source, version and aws.request_id, wherever the answer was no plain hit: it
// was waited for, stale, refused, or not what was asked for. It has every read
// told to the observer, a hit too, which costs a hit some nanoseconds.
func WithReadEvents() Option { return func(t *Telemetry) { t.reads = true } }

// New returns what makes metrics and spans. The error is the meter provider's.
func New(opts ...Option) (*Telemetry, error) {
	t := &Telemetry{meters: otel.GetMeterProvider(), tracers: otel.GetTracerProvider()}
	for _, opt := range opts {
		opt(t)
	}
	t.meter = t.meters.Meter(scope)
	t.tracer = t.tracers.Tracer(scope)
	var errs []error
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := t.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	t.refreshes = counter("secrets.refreshes", "{value}", "Values that a store was asked for, by outcome.")
	t.calls = counter("secrets.api.calls", "{call}", "Requests to stores, retries included.")
	t.throttled = counter("secrets.api.throttled", "{call}", "Requests to stores that were throttled.")
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("otelsecrets: %w", err)
	}
	return t, nil
}

// Observer returns what to give a client by [secrets.WithObserver].
func (t *Telemetry) Observer() secrets.Observer {
	o := secrets.Observer{Refreshed: t.refreshed, Called: t.called}
	if t.reads {
		o.Read = t.read
	}
	return o
}

// called counts a request and makes a span of it.
func (t *Telemetry) called(c provider.Call) {
	ctx := context.Background()
	attributes := append(t.attributes[:len(t.attributes):len(t.attributes)], semconv.RPCMethod(c.Operation))
	name := c.Operation
	if service := serviceOf(c.Operation); service != "" {
		name = service + "/" + name
		attributes = append(attributes, semconv.RPCSystemKey.String("aws-api"), semconv.RPCService(service))
	}
	if c.Err != nil {
		attributes = append(attributes, semconv.ErrorTypeKey.String(codeOf(c.Err)))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	t.calls.Add(ctx, 1, set)
	if c.Throttled {
		t.throttled.Add(ctx, 1, set)
	}
	if c.RequestID != "" {
		attributes = append(attributes, semconv.AWSRequestID(c.RequestID))
	}
	ended := time.Now()
	_, span := t.tracer.Start(ctx, name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...),
		trace.WithTimestamp(ended.Add(-c.Duration)))
	if c.Err != nil {
		span.SetStatus(codes.Error, codeOf(c.Err))
	}
	span.End(trace.WithTimestamp(ended))
}

// refreshed counts the outcome for one value and makes a span of it.
func (t *Telemetry) refreshed(r secrets.Refresh) {
	ctx := context.Background()
	attributes := append(t.attributes[:len(t.attributes):len(t.attributes)], schemeKey.String(schemeOf(r.Ref)), outcomeKey.String(outcomeOf(r)))
	if r.Err != nil {
		attributes = append(attributes, semconv.ErrorTypeKey.String(kindOf(r.Err)))
	}
	t.refreshes.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(attributes...)))
	if t.refs {
		attributes = append(attributes, refKey.String(r.Ref))
	}
	if r.Version.ID != "" {
		attributes = append(attributes, versionKey.String(r.Version.ID))
	}
	_, span := t.tracer.Start(ctx, "secrets refresh", trace.WithNewRoot(), trace.WithAttributes(attributes...))
	if r.Err != nil {
		span.SetStatus(codes.Error, kindOf(r.Err))
	}
	span.End()
}

// read adds an event to the reader's span.
func (t *Telemetry) read(ctx context.Context, r secrets.Read) {
	if r.Source == secrets.SourceCache && r.Err == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	attributes := append(t.attributes[:len(t.attributes):len(t.attributes)], sourceKey.String(r.Source.String()), schemeKey.String(schemeOf(r.Ref)))
	if t.refs {
		attributes = append(attributes, refKey.String(r.Ref))
	}
	if r.Version.ID != "" {
		attributes = append(attributes, versionKey.String(r.Version.ID))
	}
	if r.RequestID != "" {
		attributes = append(attributes, semconv.AWSRequestID(r.RequestID))
	}
	if r.Err != nil {
		attributes = append(attributes, semconv.ErrorTypeKey.String(kindOf(r.Err)))
	}
	span.AddEvent("secrets.read", trace.WithAttributes(attributes...))
}

func outcomeOf(r secrets.Refresh) string {
	switch {
	case r.Err != nil:
		return "error"
	case r.Changed:
		return "changed"
	case r.Probed:
		return "confirmed"
	case r.Previous.ID != "":
		return "unchanged"
	}
	return "new"
}

// serviceOf returns the AWS SDK's ID of the service that has an operation (the
// ServiceID of packages secretsmanager and ssm) of those that packages sm, ssm and
// agent call for a client, or nothing.
func serviceOf(operation string) string {
	switch operation {
	case "GetSecretValue", "BatchGetSecretValue", "ListSecrets", "DescribeSecret",
		"CreateSecret", "PutSecretValue", "UpdateSecretVersionStage", "DeleteSecret":
		return "Secrets Manager"
	case "GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory",
		"PutParameter", "DeleteParameter":
		return "SSM"
	}
	return ""
}

func schemeOf(ref string) string {
	r, err := provider.ParseRef(ref)
	if err != nil {
		return "invalid"
	}
	return r.Scheme
}

// codeOf returns the service's error code, as the conventions want it.
func codeOf(err error) string {
	if e, ok := errors.AsType[interface {
		error
		ErrorCode() string
	}](err); ok {
		return e.ErrorCode()
	}
	return kindOf(err)
}

var kinds = []error{
	provider.ErrNotFound, provider.ErrVersionNotFound, provider.ErrFieldNotFound, provider.ErrNotText, provider.ErrDecode,
	provider.ErrAccessDenied, provider.ErrDecryption, provider.ErrThrottled, provider.ErrDeleted, provider.ErrInvalidRef,
	provider.ErrInvalid, provider.ErrConflict, provider.ErrUnavailable,
}

// kindOf returns a word for an error, of which there are few.
func kindOf(err error) string {
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return strings.ReplaceAll(kind.Error(), " ", "_")
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, secrets.ErrClosed):
		return "closed"
	}
	return "_OTHER" // the conventions' word
}
