package ssm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// explain makes the error of a ref from what the SDK said of an operation.
func (s *Store) explain(ref provider.Ref, op string, err error) error {
	e := &provider.Error{Ref: ref, Err: awsread.Clean(err)}
	var notFound *types.ParameterNotFound
	var noVersion *types.ParameterVersionNotFound
	switch {
	case errors.As(err, &noVersion),
		// What Secrets Manager said of a secret read through Parameter Store.
		errors.As(err, &notFound) && strings.Contains(awsread.Message(err), "secret value for"):
		e.Kind = provider.ErrVersionNotFound
		e.Hint = "it has no such version or label; of a parameter the last 100 versions are kept"
	case errors.As(err, &notFound):
		e.Kind = provider.ErrNotFound
		e.Hint = fmt.Sprintf("check the name and the Region (%s)", s.clients.Region(ref.Region))
		if strings.Contains(ref.Name, "/") && !strings.HasPrefix(ref.Name, "/") && !ref.IsARN() {
			e.Hint += ": in a hierarchy it begins with a slash, ssm:///" + ref.Name
		}
	default:
		e.Hint, e.Kind = awsread.Reason(err)
		if e.Kind == provider.ErrAccessDenied && e.Hint == "" {
			e.Hint = allow(ref, op)
		}
	}
	return e
}

func allow(ref provider.Ref, op string) string {
	switch {
	case op != "" && op != "GetParameter" && op != batchOp:
		return "allow ssm:" + op + " on it"
	case strings.HasPrefix(ref.Name, secretReference):
		return "allow ssm:GetParameter and ssm:GetParameters on it, and secretsmanager:GetSecretValue on the secret"
	}
	return "allow ssm:GetParameter and ssm:GetParameters on it"
}
