package provider

import "context"

// Call is one request that a provider made of its store, a retry counting as
// one more.
type Call struct {
	Operation string // the API operation, such as GetSecretValue
	RequestID string // the store's own ID of the request, "" if there was no answer
	Err       error  // what the store or the network said; nil if it succeeded
}

type callKey struct{}

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
