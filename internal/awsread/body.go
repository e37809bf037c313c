package awsread

import (
	"context"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// PlainBody is an API option of an SDK client: it sends the request's body as a
// reader that has no WriteTo.
//
// The SDK closes the body as soon as the answer's header is there. A transport
// of net/http whose goroutine has just written the body, and was descheduled
// before it looked for the body's end, then gets io.EOF from the SDK's WriteTo,
// takes that for a failed write and closes the connection under the answer: a
// call that has succeeded looks as if its answer were lost, and the SDK repeats
// it. Of a Read, io.EOF is what the transport looks for (issue 2737 of
// aws/aws-sdk-go-v2).
func PlainBody(stack *middleware.Stack) error {
	const id = "SecretsPlainBody"
	if _, ok := stack.Build.Get(id); ok { // by the configuration, of tests say
		return nil
	}
	return stack.Build.Add(middleware.BuildMiddlewareFunc(id,
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (out middleware.BuildOutput, metadata middleware.Metadata, err error) {
			if r, ok := in.Request.(*smithyhttp.Request); ok {
				if body, ok := r.GetStream().(io.ReadSeeker); ok {
					if in.Request, err = r.SetStream(struct{ io.ReadSeeker }{body}); err != nil {
						return out, metadata, err
					}
				}
			}
			return next.HandleBuild(ctx, in)
		}), middleware.Before)
}
