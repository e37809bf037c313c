package otelsecrets_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/otelsecrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "correct horse battery staple"

// bench is a client that is watched, and what was told of it.
type bench struct {
	*secretstest.Server
	client *secrets.Client
	reader *sdkmetric.ManualReader
	spans  *tracetest.SpanRecorder
	tracer trace.Tracer
	stop   func() error
}

func newBench(t *testing.T, ttl time.Duration, opts ...otelsecrets.Option) *bench {
	t.Helper()
	b := &bench{Server: secretstest.NewServer(t, secretstest.InProcess()), reader: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(b.spans))
	b.tracer = tracers.Tracer("test")
	telemetry, err := otelsecrets.New(append(opts, otelsecrets.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader))), otelsecrets.WithTracerProvider(tracers))...)
	require.NoError(t, err)
	cfg := b.Config()
	b.client, err = secrets.New(secrets.WithProvider(sm.New(cfg)), secrets.WithProvider(ssm.New(cfg)),
		secrets.WithObserver(telemetry.Observer()), secrets.WithTTL(ttl), secrets.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.client.Close()) })
	b.stop, err = telemetry.Watch(b.client)
	require.NoError(t, err)
	return b
}

// collect returns all points, as "name{attributes}".
func (b *bench) collect(t *testing.T) map[string]float64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, b.reader.Collect(t.Context(), &data))
	points := make(map[string]float64)
	add := func(name string, set attribute.Set, n float64) {
		var parts []string
		for _, kv := range set.ToSlice() {
			parts = append(parts, string(kv.Key)+"="+kv.Value.String())
		}
		if len(parts) > 0 {
			name += "{" + strings.Join(parts, ",") + "}"
		}
		points[name] = n
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			require.NotEmpty(t, m.Description, m.Name)
			require.NotEmpty(t, m.Unit, m.Name)
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					add(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			default:
				t.Fatalf("%s is a %T", m.Name, d)
			}
		}
	}
	require.NotContains(t, fmt.Sprint(points), canary)
	return points
}

func (b *bench) read(t *testing.T, ref string) {
	t.Helper()
	_, err := b.client.Get(t.Context(), ref)
	require.NoError(t, err)
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secrets.MaxTTL) // no refresh comes by itself
		b.SetSecret("db", canary)
		b.SetParameter("/url", canary)
		for range 10 {
			b.read(t, "sm://db")
		}
		b.read(t, "ssm:///url")
		_, err := b.client.Get(t.Context(), "sm://nowhere")
		require.Error(t, err)
		time.Sleep(time.Minute)
		got := b.collect(t)
		for name, want := range map[string]float64{
			"secrets.cache.hits": 9, "secrets.cache.misses": 3, "secrets.cache.coalesced": 0, "secrets.cache.stale_reads": 0, "secrets.cache.evictions": 0,
			"secrets.cache.entries": 2, "secrets.cache.stale_entries": 0, "secrets.in_flight": 0, "secrets.rejections": 0,
			"secrets.cache.age": 60, "secrets.cache.staleness": 0,
			"secrets.refreshes{secrets.outcome=new,secrets.scheme=sm}":                                                                         1,
			"secrets.refreshes{secrets.outcome=new,secrets.scheme=ssm}":                                                                        1,
			"secrets.refreshes{error.type=not_found,secrets.outcome=error,secrets.scheme=sm}":                                                  1,
			"secrets.api.calls{rpc.method=GetSecretValue,rpc.service=Secrets Manager,rpc.system=aws-api}":                                      1,
			"secrets.api.calls{rpc.method=GetParameter,rpc.service=SSM,rpc.system=aws-api}":                                                    1,
			"secrets.api.calls{error.type=ResourceNotFoundException,rpc.method=GetSecretValue,rpc.service=Secrets Manager,rpc.system=aws-api}": 1,
		} {
			require.Contains(t, got, name)
			require.InDelta(t, want, got[name], 0.5, name)
		}
		require.Len(t, got, 17, "%v", got)

		b.SetSecret("db", "changed")
		require.NoError(t, b.client.Refresh(t.Context(), "sm://db", "ssm:///url"))
		got = b.collect(t)
		require.EqualValues(t, 1, got["secrets.refreshes{secrets.outcome=changed,secrets.scheme=sm}"])
		require.EqualValues(t, 1, got["secrets.refreshes{secrets.outcome=unchanged,secrets.scheme=ssm}"])
		require.Less(t, got["secrets.cache.age"], 1.0)

		require.NoError(t, b.stop())
		got = b.collect(t)
		require.NotContains(t, got, "secrets.cache.hits")
	})
}

func TestMetricsOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secrets.DefaultTTL)
		b.SetSecret("db", canary)
		b.read(t, "sm://db")
		b.read(t, "sm://db")
		b.Inject(secretstest.Fault{Err: secretstest.Throttled()})
		require.Error(t, b.client.Refresh(t.Context(), "sm://db"))
		time.Sleep(10 * time.Minute)
		b.read(t, "sm://db")
		got := b.collect(t)
		throttled := "{error.type=ThrottlingException,rpc.method=GetSecretValue,rpc.service=Secrets Manager,rpc.system=aws-api}"
		require.Greater(t, got["secrets.api.throttled"+throttled], 2.0)
		require.Equal(t, got["secrets.api.calls"+throttled], got["secrets.api.throttled"+throttled])
		require.Positive(t, got["secrets.refreshes{error.type=throttled,secrets.outcome=error,secrets.scheme=sm}"])
		require.EqualValues(t, 1, got["secrets.cache.stale_entries"])
		require.EqualValues(t, 1, got["secrets.cache.stale_reads"])
		require.InDelta(t, 600, got["secrets.cache.staleness"], 10)
		require.InDelta(t, 600, got["secrets.cache.age"], 10)
	})
}

// The number of series does not grow with the number of secrets, unless asked.
func TestCardinality(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := make(map[string][]int)
		for name, opts := range map[string][]otelsecrets.Option{"default": nil, "refs": {otelsecrets.WithRefs()}} {
			b := newBench(t, secrets.DefaultTTL, opts...)
			for _, n := range []int{5, 50} {
				for i := range n {
					b.SetSecret(fmt.Sprint("s/", i), "x")
					b.read(t, fmt.Sprint("sm://s/", i))
				}
				got := b.collect(t)
				counts[name] = append(counts[name], len(got))
				require.Equal(t, name == "refs", strings.Contains(fmt.Sprint(got), "s/1"))
			}
			if name == "refs" {
				require.Contains(t, b.collect(t), "secrets.cache.age{secrets.ref=sm://s/7}")
			}
		}
		require.Equal(t, counts["default"][0], counts["default"][1])
		require.Equal(t, 2*45, counts["refs"][1]-counts["refs"][0])
	})
}

func attributes(s sdktrace.ReadOnlySpan) map[string]string {
	m := make(map[string]string)
	for _, kv := range s.Attributes() {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}

func TestSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secrets.DefaultTTL, otelsecrets.WithAttributes(attribute.String("app", "shop")))
		id := b.SetSecret("db", canary)
		b.read(t, "sm://db")
		b.read(t, "sm://db")
		b.Inject(secretstest.Fault{Operation: "GetSecretValue", Err: secretstest.AccessDenied()})
		require.Error(t, b.client.Refresh(t.Context(), "sm://db"))
		var names []string
		for _, s := range b.spans.Ended() {
			names = append(names, s.Name())
			require.False(t, s.Parent().IsValid(), "a request serves many")
			require.Equal(t, "shop", attributes(s)["app"])
			require.NotContains(t, fmt.Sprint(s.Attributes(), s.Events(), s.Status()), canary)
		}
		require.Equal(t, []string{"Secrets Manager/GetSecretValue", "secrets refresh", "Secrets Manager/GetSecretValue", "secrets refresh"}, names, "a hit makes no span")

		call, refresh := b.spans.Ended()[0], b.spans.Ended()[1]
		require.Equal(t, trace.SpanKindClient, call.SpanKind())
		require.NotEmpty(t, attributes(call)["aws.request_id"])
		require.Equal(t, "aws-api", attributes(call)["rpc.system"])
		require.Equal(t, codes.Unset, call.Status().Code)
		require.Equal(t, trace.SpanKindInternal, refresh.SpanKind())
		require.Equal(t, id, attributes(refresh)["secrets.version"])
		require.NotContains(t, attributes(refresh), "secrets.ref")

		call, refresh = b.spans.Ended()[2], b.spans.Ended()[3]
		require.Equal(t, codes.Error, call.Status().Code)
		require.Equal(t, "AccessDeniedException", attributes(call)["error.type"])
		require.Equal(t, "access_denied", attributes(refresh)["error.type"])
	})
}

// The conventions for AWS SDK calls are for those alone, and each has its service.
func TestEachCallHasTheServiceItGoesTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, spans := secretstest.NewServer(t, secretstest.InProcess()), tracetest.NewSpanRecorder()
		telemetry, err := otelsecrets.New(otelsecrets.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))))
		require.NoError(t, err)
		cfg := srv.Config()
		c, err := secrets.New(secrets.WithProvider(sm.New(cfg, sm.WithListing("a"), sm.WithDescribe())), secrets.WithProvider(ssm.New(cfg, ssm.WithExpiry())),
			secrets.WithProvider(other{}), secrets.WithObserver(telemetry.Observer()), secrets.WithLogger(slog.New(slog.DiscardHandler)))
		require.NoError(t, err)
		defer c.Close()
		ctx := t.Context()
		refs := []string{"sm://a", "sm://b", "sm://c", "ssm:///a", "ssm:///b", "other://x"}
		for _, ref := range refs[:5] {
			version, err := c.Put(ctx, ref, canary)
			require.NoError(t, err)
			_, err = c.Put(ctx, ref, "changed", secrets.IfVersion(version))
			require.NoError(t, err)
		}
		for range 3 {
			_, err = c.GetAll(ctx, refs...)
			require.NoError(t, err)
			time.Sleep(secrets.DefaultTTL)
		}
		for _, prefix := range []string{"sm://", "ssm:///"} {
			for _, err := range c.List(ctx, prefix) {
				require.NoError(t, err)
			}
		}
		for _, ref := range refs[:5] {
			require.NoError(t, c.Delete(ctx, ref))
		}
		seen := make(map[string]int)
		for _, s := range spans.Ended() {
			if s.SpanKind() == trace.SpanKindClient {
				a := attributes(s)
				seen[a["rpc.system"]+"|"+a["rpc.service"]+"|"+a["rpc.method"]]++
				require.Equal(t, strings.TrimPrefix(a["rpc.service"]+"/"+a["rpc.method"], "/"), s.Name())
			}
		}
		require.Positive(t, seen["||AccessSecretVersion"], "which has a Secret in its name")
		delete(seen, "||AccessSecretVersion")
		calls := make(map[string]int)
		for _, r := range srv.Requests() {
			service := "Secrets Manager"
			if strings.Contains(r.Operation, "Parameter") {
				service = "SSM"
			}
			calls["aws-api|"+service+"|"+r.Operation]++
		}
		require.Equal(t, calls, seen)
		require.GreaterOrEqual(t, len(calls), 13, "%v", calls)
	})
}

// other is a store that is not of AWS.
type other struct{}

func (other) Scheme() string { return "other" }

func (other) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	provider.ReportCall(ctx, provider.Call{Operation: "AccessSecretVersion"})
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		results[i].Value = provider.NewValue(r, provider.NewVersion("1", time.Time{}), provider.String, canary)
	}
	return results
}

func TestReadEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secrets.DefaultTTL, otelsecrets.WithReadEvents(), otelsecrets.WithRefs())
		b.SetSecret("db", `{"password":"`+canary+`"}`)
		ctx, span := b.tracer.Start(t.Context(), "checkout")
		for range 5 {
			_, err := b.client.Get(ctx, "sm://db#password")
			require.NoError(t, err)
		}
		_, err := b.client.Get(ctx, "sm://db#none")
		require.Error(t, err)
		span.End()

		spans := b.spans.Ended()
		i := slices.IndexFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "checkout" })
		events := spans[i].Events()
		require.Len(t, events, 2, "a hit is no event")
		told := make(map[string]string)
		for _, kv := range events[0].Attributes {
			told[string(kv.Key)] = kv.Value.String()
		}
		require.Equal(t, "secrets.read", events[0].Name)
		require.Equal(t, "store", told["secrets.source"])
		require.Equal(t, "sm://db#password", told["secrets.ref"])
		call := spans[slices.IndexFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return s.SpanKind() == trace.SpanKindClient })]
		require.Equal(t, attributes(call)["aws.request_id"], told["aws.request_id"], "they join")
		require.Contains(t, fmt.Sprint(events[1].Attributes), "field_not_found")
		require.NotContains(t, fmt.Sprint(events), canary)
	})
}

// Without WithReadEvents a hit is as it is without an observer.
func TestHitsAreNotTold(t *testing.T) {
	telemetry, err := otelsecrets.New()
	require.NoError(t, err)
	require.Nil(t, telemetry.Observer().Read)
}
