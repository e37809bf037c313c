package awsread

import (
	"context"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Hide is an API option for one call of an SDK client: it takes values out of
// what AWS says of them, as a ValidationException may quote what it refuses,
// before anybody is told, [Report] and the SDK's retries included.
func Hide(values ...string) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("SecretsHideValue",
			func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
				out, metadata, err := next.HandleDeserialize(ctx, in)
				for _, value := range values {
					if err != nil && value != "" && quotes(Message(err), value) {
						hideMessage(err)
					}
				}
				return out, metadata, err
			}), middleware.Before)
	}
}

// quotes reports whether message has the value in it, as text or, as bytes are
// sent, in base64. A short one is in many messages by chance: it counts between
// quotation marks alone.
func quotes(message, value string) bool {
	for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value))} {
		if len(form) >= 8 && strings.Contains(message, form) ||
			strings.Contains(message, "'"+form+"'") || strings.Contains(message, `"`+form+`"`) {
			return true
		}
	}
	return false
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
