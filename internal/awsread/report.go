package awsread

import (
	"context"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/c0629bfc/secrets/provider"
)

// Report is an API option of an SDK client: it reports each attempt of a call
// to whoever asked by [provider.WithCalls].
func Report(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("SecretsReportCall",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleFinalize(ctx, in)
			id, _ := awsmiddleware.GetRequestIDMetadata(metadata)
			provider.ReportCall(ctx, provider.Call{Operation: awsmiddleware.GetOperationName(ctx), RequestID: id, Err: Clean(err)})
			return out, metadata, err
		}), "Retry", middleware.After)
}
