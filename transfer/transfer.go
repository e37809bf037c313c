// Package transfer copies and moves values between Secrets Manager and
// Parameter Store, between prefixes, Regions and accounts, and compares what is
// on both sides.
//
//	store := ssm.New(cfg)
//	plan, err := transfer.PlanCopy(ctx,
//		transfer.Place{Store: store, Ref: "ssm:///dev/app/"},
//		transfer.Place{Store: store, Ref: "ssm:///prod/app/"})
//	…
//	fmt.Print(plan) // names, types, tiers, sizes and versions, never a value
//	err = plan.Run(ctx, nil)
//
// A ref that ends in a slash is a prefix, any other names one value. The source
// may name it by a version, a label or a field, or by its ARN; the target is
// always whole. Two accounts are two stores.
//
// # What is copied
//
// The value and its type, and nothing else: descriptions, tags, KMS keys, tiers,
// data types, patterns, policies, labels, older versions, replicas and the
// schedule of a rotation stay behind, and with a move they go. The plan says of
// each value what it leaves ([Item.Left]), before anything is written: so that
// nothing is lost unseen, and what matters is set at the target, by the packages
// sm and ssm. A new secret gets the key aws/secretsmanager, a SecureString the
// key of the target store (ssm.WithKMSKey). What the target has already, it keeps
// as far as AWS does when a value is written over another.
//
// Between parameters a type is kept. A SecureString, String or StringList
// becomes a SecretString, and a SecretString becomes a SecureString. What cannot
// be is refused in the plan, before anything is written: a SecretBinary as a
// parameter, more than 8,192 bytes or "{{…}}" in a parameter, a name that the
// target does not take, a parameter's type changed by overwriting it.
//
// # Resuming
//
// What is equal at the target is not written. So a run that broke off, by an
// error, the end of its context or of its process, is resumed by planning and
// running anew. A write whose answer was lost is not repeated then: to a secret
// it has a token that is made from both versions, so that it is the same in each
// process, and a parameter is read before it is written. Only where the SDK
// itself repeats the overwriting of a parameter may two versions of one content
// be left (ssm.Store.Put).
//
// A run writes on condition of what the plan saw at the target. What somebody
// else wrote meanwhile is left as it is, and that item fails with
// [provider.ErrConflict]; the next plan says what there is now.
//
// # Consistency
//
// A listing of secrets may miss the changes of the last five minutes (API
// ListSecrets). Only what a prefix holds is asked of a listing. What the plan or
// a comparison is about is then read by its name on the other side, so that a
// secret which is there is not taken for one to create, nor reported as missing.
// What has changed below the source's own prefix within five minutes may be
// left out: plan again.
//
// # Permissions
//
// Those that packages sm and ssm name: of the source for List, or Fetch of one
// value, of the target for Fetch and for Put with a condition, and for a move
// also for Fetch and Delete of the source. To say what stays behind, of source
// and target: ssm.Store.Versions and Tags, sm.Store.Describe and Policy; without
// these permissions a plan is made all the same, and says what it could not read.
//
// # Rate
//
// Requests are held to what each store says of itself ([provider.Limited]),
// which is below its quotas: of Parameter Store 20 reads or 1.5 writes a second,
// for PutParameter has 3 a second by default. [WithRateLimit] sets another rate.
// Items are written one after the other: 500 parameters take six minutes, and the
// plan for them nearly one, for their history and tags ([WithValuesOnly] saves it).
package transfer

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/c0629bfc/secrets/internal/schedule"
	"github.com/c0629bfc/secrets/provider"
)

// Place is a value, or all values below a prefix, in a store.
type Place struct {
	// Store reads. To list a prefix it is a [provider.Lister] too; to be written
	// to, or moved from, a [provider.Writer]. Those of sm and ssm are both.
	Store provider.Provider
	// Ref is of the store's scheme. If it ends in a slash it is a prefix.
	Ref string
}

// Option configures a plan or a comparison.
type Option func(*options)

type options struct {
	advanced   bool
	valuesOnly bool
	rates      map[string]rate
}

type rate struct {
	perSecond float64
	burst     int
}

// WithAdvanced has values above 4,096 bytes written to Parameter Store too,
// which are refused without it: such parameters are of the advanced tier and
// have a price. The store must be one that makes them so, by ssm.WithTier or by
// its account's default tier (Intelligent-Tiering or Advanced). If not, they fail
// when they are written.
func WithAdvanced() Option {
	return func(o *options) { o.advanced = true }
}

// WithValuesOnly has a plan not ask what its sources have besides their values,
// which takes calls, time and permissions of its own: then [Item.Left] is empty,
// and the plan does not say what stays behind.
func WithValuesOnly() Option {
	return func(o *options) { o.valuesOnly = true }
}

// WithRateLimit sets how fast the store of a scheme is asked, as the option of
// that name does for the client of package secrets: so many reads a second, and
// burst of them at once. A write to Parameter Store costs 13⅓ reads. A rate or
// burst of nothing, or a scheme of neither place, is an error of what it is given to.
func WithRateLimit(scheme string, perSecond float64, burst int) Option {
	return func(o *options) { o.rates[scheme] = rate{perSecond, burst} }
}

// side is a place with its ref parsed and its requests paced.
type side struct {
	store  provider.Provider
	ref    provider.Ref
	prefix bool
	bucket *schedule.Bucket // nil is no limit
}

// sides makes the two sides of a plan or comparison. The same store has the same
// bucket on both.
func sides(from, to Place, opts []Option) (a, b *side, o options, err error) {
	o.rates = make(map[string]rate)
	for _, opt := range opts {
		opt(&o)
	}
	if err = o.check(from, to); err != nil {
		return nil, nil, o, err
	}
	if a, err = newSide(from); err != nil {
		return nil, nil, o, err
	}
	if b, err = newSide(to); err != nil {
		return nil, nil, o, err
	}
	if a.prefix != b.prefix {
		return nil, nil, o, fmt.Errorf("%s and %s: both or neither are a prefix, which ends in a slash", a.ref, b.ref)
	}
	if same := identical(a.store, b.store); same && a.ref.Region == b.ref.Region && (a.ref == b.ref || a.prefix && (strings.HasPrefix(a.ref.Name, b.ref.Name) || strings.HasPrefix(b.ref.Name, a.ref.Name))) {
		return nil, nil, o, fmt.Errorf("%s and %s: one is the other or holds it", a.ref, b.ref)
	}
	a.bucket = o.bucket(a.store)
	if b.bucket = a.bucket; !identical(a.store, b.store) {
		b.bucket = o.bucket(b.store)
	}
	return a, b, o, nil
}

// check refuses rates that make no sense.
func (o options) check(from, to Place) error {
	for scheme, r := range o.rates {
		if !(r.perSecond > 0) || r.burst < 1 {
			return fmt.Errorf("transfer: WithRateLimit(%q, %v, %d): want more than 0 a second and a burst of at least 1", scheme, r.perSecond, r.burst)
		}
		if !slices.ContainsFunc([]Place{from, to}, func(p Place) bool { return p.Store != nil && p.Store.Scheme() == scheme }) {
			return fmt.Errorf("transfer: WithRateLimit(%q): neither place is of that scheme", scheme)
		}
	}
	return nil
}

func newSide(p Place) (*side, error) {
	if p.Store == nil {
		return nil, fmt.Errorf("%s: the place has no store", p.Ref)
	}
	s := &side{store: p.Store}
	r, err := provider.ParsePrefix(p.Ref)
	if s.prefix = err == nil && (r.Name == "" || strings.HasSuffix(r.Name, "/")); !s.prefix {
		r, err = provider.ParseRef(p.Ref)
	}
	if err != nil {
		return nil, err
	}
	if s.ref = r; r.Scheme != s.store.Scheme() {
		return nil, fmt.Errorf("%s: the place's store is of scheme %q", r, s.store.Scheme())
	}
	if _, ok := s.store.(provider.Lister); s.prefix && !ok {
		return nil, fmt.Errorf("%s: the place's store cannot list", r)
	}
	return s, nil
}

func (o options) bucket(store provider.Provider) *schedule.Bucket {
	if r, ok := o.rates[store.Scheme()]; ok {
		return schedule.NewBucket(r.perSecond, r.burst)
	}
	if limited, ok := store.(provider.Limited); ok {
		return schedule.NewBucket(limited.RateLimit())
	}
	return nil
}

// identical reports whether two stores are one object.
func identical(a, b provider.Provider) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// paced has the store's requests wait for their turn, after that of whoever
// called, and the rate be lowered where the store throttles.
func (s *side) paced(ctx context.Context) context.Context {
	if s.bucket == nil {
		return ctx
	}
	inner := provider.WithPace(ctx, func(turn context.Context, cost float64) error {
		if err := provider.Pace(ctx, cost); err != nil {
			return err
		}
		return s.bucket.Wait(turn, cost, func(time.Duration) {})
	})
	return provider.WithCalls(inner, func(c provider.Call) {
		if c.Throttled {
			s.bucket.Throttled(time.Now())
		}
		provider.ReportCall(ctx, c)
	})
}

// writer returns the store's means to write, for what where names.
func (s *side) writer() (provider.Writer, error) {
	w, ok := s.store.(provider.Writer)
	if !ok {
		return nil, fmt.Errorf("%s: the place's store cannot write", s.ref)
	}
	if r := s.ref; r != (provider.Ref{Scheme: r.Scheme, Name: r.Name, Region: r.Region}) {
		return nil, &provider.Error{Ref: r, Kind: provider.ErrInvalidRef, Hint: "what is written or moved is a whole value: drop the version, stage, label or field"}
	}
	return w, nil
}
