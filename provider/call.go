package provider

import (
	"context"
	"time"
)

// Call is one request that a provider made of its store, a retry counting as
// one more.
type Call struct {
	Operation string // the API operation, such as GetSecretValue
	RequestID string // the store's own ID of the request, "" if there was no answer
	Err       error  // what the store or the network said; nil if it succeeded
	Throttled bool   // the store refused it because there were too many

	Duration time.Duration // how long it took; it ended when it was reported
}

type (
	callKey struct{}
	paceKey struct{}
)

// WithCalls returns a context in which report is told of every request that a
// provider makes. It is called from the provider's goroutines, several at once,
// and must return fast.
func WithCalls(ctx context.Context, report func(Call)) context.Context {
	return context.WithValue(ctx, callKey{}, report)
}

// ReportCall is for providers: it tells the caller of Fetch, Probe or List, if
// it asked by [WithCalls], of a request that has ended.
func ReportCall(ctx context.Context, c Call) {
	if report, ok := ctx.Value(callKey{}).(func(Call)); ok {
		report(c)
	}
}

// WithPace returns a context in which every request of a provider's waits for
// its turn: wait is called before each, and its error ends the request. It is
// called from the provider's goroutines, several at once.
func WithPace(ctx context.Context, wait func(ctx context.Context, cost float64) error) context.Context {
	return context.WithValue(ctx, paceKey{}, wait)
}

// Pace is for providers: it waits until a request may go, if the caller of
// Fetch, Probe or List limits the rate by [WithPace]. Cost is the part of the
// store's scarcest quota that the request takes: 1 for an operation that has
// [Limited]'s rate, 0.01 for one whose quota is a hundred times that.
func Pace(ctx context.Context, cost float64) error {
	if wait, ok := ctx.Value(paceKey{}).(func(context.Context, float64) error); ok {
		return wait(ctx, cost)
	}
	return nil
}

// Limited is an optional capability of a [Provider]: to tell how fast one
// process should ask its store where nobody says otherwise, below the store's
// documented quota, which all processes of an account share.
type Limited interface {
	// RateLimit returns how many requests of cost 1 may go a second, and how
	// many at once.
	RateLimit() (perSecond float64, burst int)
}
