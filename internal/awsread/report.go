package awsread

import (
	"context"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/c0629bfc/secrets/provider"
)

// RequestID returns the ID that a service gave a request.
func RequestID(metadata middleware.Metadata) string {
	id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
	return id
}

// Report is an API option of an SDK client: each attempt of a call waits for
// its turn where the caller asked for that by [provider.WithPace], and is
// reported to whoever asked by [provider.WithCalls]. Cost says what part of the
// store's scarcest quota an operation takes.
func Report(cost func(operation string) float64) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("SecretsReportCall",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
				operation := awsmiddleware.GetOperationName(ctx)
				if err := provider.Pace(ctx, cost(operation)); err != nil {
					return out, metadata, err
				}
				began := time.Now()
				out, metadata, err = next.HandleFinalize(ctx, in)
				_, kind := Reason(err)
				provider.ReportCall(ctx, provider.Call{Operation: operation, RequestID: RequestID(metadata), Err: Clean(err), Throttled: err != nil && kind == provider.ErrThrottled,
					Duration: time.Since(began)})
				return out, metadata, err
			}), "Retry", middleware.After)
	}
}
