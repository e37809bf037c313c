package secrets

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/c0629bfc/secrets/provider"
)

// What a client does where no option says otherwise.
const (
	DefaultTTL           = 5 * time.Minute
	DefaultMaxEntries    = 1024
	DefaultFetchTimeout  = 10 * time.Second
	DefaultStaleIfError  = time.Hour
	DefaultStaleIfDenied = 5 * time.Minute
	DefaultNegativeTTL   = 10 * time.Second

	DefaultRejectInterval = time.Second
)

// MaxTTL is the longest TTL: a year. One that is longer is a mistake of units.
const MaxTTL = 366 * 24 * time.Hour

// Option configures a [Client]; see [New].
type Option func(*options)

type options struct {
	providers    []provider.Provider
	times        times
	maxEntries   int
	fetchTimeout time.Duration
	rates        map[string]rateLimit

	rejectInterval time.Duration
	vars           map[string]string
	fallback       Fallback
	logger         *slog.Logger
	observer       Observer
}

// WithProvider adds a store to read from, such as sm.New(cfg) or ssm.New(cfg).
// A client needs at least one, and at most one for each scheme.
func WithProvider(p provider.Provider) Option {
	return func(o *options) { o.providers = append(o.providers, p) }
}

// WithTTL sets how long a value is served from the cache after it was read; the
// default is [DefaultTTL], five minutes. It is a millisecond at least and
// at most [MaxTTL]. A pinned version is immutable, and served for as long as it is
// cached.
func WithTTL(d time.Duration) Option {
	return func(o *options) { o.times.ttl = d }
}

// WithMaxEntries sets how many secrets and parameters are cached; the default
// is [DefaultMaxEntries], 1,024. All fields of a secret are one entry. When
// there is no room, the least recently used entry goes.
func WithMaxEntries(n int) Option {
	return func(o *options) { o.maxEntries = n }
}

type rateLimit struct {
	perSecond float64
	burst     int
}

// WithRateLimit sets how fast the store of a scheme is asked: so many requests a
// second, and burst of them at once, retries included, and besides as many that
// write. What would be faster waits for its turn. The default is the provider's ([provider.Limited]), below
// the quota that all processes of an account share: for sm 50 a second and 100
// at once, of BatchGetSecretValue and ListSecrets (100 GetSecretValue or
// DescribeSecret, whose quota is a hundred times as high, count as one); for ssm
// 20 a second and 40 at once, for an account may do 40. Infinity
// ([math.Inf]) is no limit. When the store throttles all the same, the rate is
// halved, and recovers within a minute.
func WithRateLimit(scheme string, perSecond float64, burst int) Option {
	return func(o *options) {
		if o.rates == nil {
			o.rates = make(map[string]rateLimit)
		}
		o.rates[scheme] = rateLimit{perSecond, burst}
	}
}

// WithFetchTimeout sets how long the client waits for a provider; the default
// is [DefaultFetchTimeout], ten seconds. A call of the provider's that needs
// many requests has that time anew with each that succeeds, and waiting for the
// rate limit does not count. The time does not end with the context of the
// caller that happened to be first.
func WithFetchTimeout(d time.Duration) Option {
	return func(o *options) { o.fetchTimeout = d }
}

// WithStaleIfError sets for how long past its TTL a value is served while its
// store cannot be reached, throttles, or cannot decrypt it; the default is
// [DefaultStaleIfError], one hour, and 0 never serves a stale value. Meanwhile
// the store is asked again with exponential backoff and full jitter, from one
// second to five minutes.
func WithStaleIfError(d time.Duration) Option {
	return func(o *options) { o.times.stale = d }
}

// WithStaleIfDenied sets for how long past its TTL a value is served while its
// store refuses it: access is denied, it is scheduled for deletion, or it does
// not exist any more. The default is [DefaultStaleIfDenied], five minutes, time
// to mend a policy; 0 surfaces the refusal as soon as the TTL is over.
func WithStaleIfDenied(d time.Duration) Option {
	return func(o *options) { o.times.denied = d }
}

// WithNegativeTTL sets for how long a refusal is remembered of a value that is
// not cached: not found, version not found, access denied, scheduled for
// deletion. The default is [DefaultNegativeTTL], ten seconds; 0 asks the store
// at each read. [Client.Refresh] always asks.
func WithNegativeTTL(d time.Duration) Option {
	return func(o *options) { o.times.negative = d }
}

// WithRejectInterval sets how often [Client.Reject] asks the store again for one
// secret at most, while it finds no version that was not refused yet; the default
// is [DefaultRejectInterval], one second.
func WithRejectInterval(d time.Duration) Option {
	return func(o *options) { o.rejectInterval = d }
}

// WithVar gives a name a value in the refs of [Client.Load]: with
// WithVar("env", "prod") the tag "sm://${env}/db" names "sm://prod/db". The value
// may have letters, digits and the characters /_.-
func WithVar(name, value string) Option {
	return func(o *options) {
		if o.vars == nil {
			o.vars = make(map[string]string)
		}
		o.vars[name] = value
	}
}

// WithLogger sets where the client logs; the default is what [slog.Default]
// returns at the time. It logs when a store gets into trouble (Warn) and when
// it is well again (Info), and when a store that is well refuses to give a value
// again that is cached (Warn); never a value.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) { o.logger = l }
}

// WithObserver has the client tell what it does. Given more than once, it tells
// all observers, in their order.
func WithObserver(observer Observer) Option {
	return func(o *options) { o.observer = o.observer.and(observer) }
}

// nameable reports whether refs can have a scheme.
func nameable(scheme string) bool {
	r, err := provider.ParseRef(scheme + "://name")
	return err == nil && r.Scheme == scheme
}

func (o *options) check() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("secrets: "+format, args...)) }
	if len(o.providers) == 0 {
		fail("no provider: pass one by WithProvider, such as sm.New(cfg)")
	}
	schemes := make(map[string]bool)
	for _, p := range o.providers {
		switch {
		case p == nil:
			fail("WithProvider(nil)")
		case !nameable(p.Scheme()):
			fail("a provider of the scheme %q: no ref can name that", p.Scheme())
		case schemes[p.Scheme()]:
			fail("two providers of the scheme %q: a client takes one for each", p.Scheme())
		default:
			schemes[p.Scheme()] = true
		}
	}
	if o.times.ttl < time.Millisecond || o.times.ttl > MaxTTL {
		fail("WithTTL(%v): want at least 1ms and at most %v (a number without a unit is of nanoseconds)", o.times.ttl, MaxTTL)
	}
	for name, d := range map[string]time.Duration{
		"WithStaleIfError": o.times.stale, "WithStaleIfDenied": o.times.denied, "WithNegativeTTL": o.times.negative,
	} {
		if d < 0 || d > MaxTTL {
			fail("%s(%v): want from 0 to %v", name, d, MaxTTL)
		}
	}
	for scheme, r := range o.rates {
		if !(r.perSecond > 0) || r.burst < 1 {
			fail("WithRateLimit(%q, %v, %d): want more than 0 a second and a burst of at least 1", scheme, r.perSecond, r.burst)
		}
		if !schemes[scheme] {
			fail("WithRateLimit(%q): there is no provider of that scheme", scheme)
		}
	}
	if o.maxEntries < 1 {
		fail("WithMaxEntries(%d): want at least 1", o.maxEntries)
	}
	if o.fetchTimeout <= 0 {
		fail("WithFetchTimeout(%v): want more than 0", o.fetchTimeout)
	}
	for name, value := range o.vars {
		if !plain(name) || !plain(value) {
			fail("WithVar(%q, %q): want letters, digits and /_.- only, and not nothing", name, value)
		}
	}
	if o.rejectInterval <= 0 {
		fail("WithRejectInterval(%v): want more than 0", o.rejectInterval)
	}
	return errors.Join(errs...)
}
