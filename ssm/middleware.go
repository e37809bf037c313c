package ssm

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go/middleware"

	"github.com/c0629bfc/secrets/internal/awsread"
)

// counting has a call count its attempts, the SDK's retries included.
func counting(attempts *int) func(*ssm.Options) {
	return func(o *ssm.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("SecretsCountAttempts",
				func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
					*attempts++
					return next.HandleFinalize(ctx, in)
				}), "Retry", middleware.After)
		})
	}
}

// hiding takes a value out of what AWS says of it.
func hiding(value string) func(*ssm.Options) {
	return func(o *ssm.Options) { o.APIOptions = append(o.APIOptions, awsread.Hide(value)) }
}
