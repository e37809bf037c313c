package ssm

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
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

// hiding takes a value out of what AWS says of it: a ValidationException may
// quote what it refuses.
func hiding(value string) func(*ssm.Options) {
	return func(o *ssm.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("SecretsHideValue",
				func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
					out, metadata, err := next.HandleDeserialize(ctx, in)
					if err != nil && quotes(awsread.Message(err), value) {
						hideMessage(err)
					}
					return out, metadata, err
				}), middleware.Before)
		})
	}
}

// quotes reports whether message has the value in it. A short one is in many
// messages by chance: it counts between quotation marks alone.
func quotes(message, value string) bool {
	return len(value) >= 8 && strings.Contains(message, value) ||
		strings.Contains(message, "'"+value+"'") || strings.Contains(message, `"`+value+`"`)
}

// hideMessage replaces the message of the service's error, which each of the
// SDK's types keeps in a field of its own.
func hideMessage(err error) {
	const hidden = "[AWS's message quotes the value]"
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || reflect.TypeOf(api).Kind() != reflect.Pointer {
		return
	}
	if v := reflect.ValueOf(api).Elem(); v.Kind() == reflect.Struct {
		switch m := v.FieldByName("Message"); {
		case m.Kind() == reflect.String:
			m.SetString(hidden)
		case m.Kind() == reflect.Pointer && m.Type().Elem().Kind() == reflect.String:
			text := hidden
			m.Set(reflect.ValueOf(&text))
		}
	}
}
