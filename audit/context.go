package audit

import (
	"context"
	"strings"
)

// maxText is how many bytes of a principal or purpose are kept: both often come
// from outside, and a trail is not to be flooded by them.
const maxText = 256

type (
	principalKey struct{}
	purposeKey   struct{}
)

// WithPrincipal returns a context in which secrets are read for who: a user, a
// tenant, a job. It is recorded as it is given, up to 256 bytes.
func WithPrincipal(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, principalKey{}, clip(who))
}

// WithPurpose returns a context in which secrets are read for a purpose. It is
// recorded as it is given, up to 256 bytes.
func WithPurpose(ctx context.Context, purpose string) context.Context {
	return context.WithValue(ctx, purposeKey{}, clip(purpose))
}

// Principal returns for whom secrets are read in ctx, or "".
func Principal(ctx context.Context) string {
	who, _ := ctx.Value(principalKey{}).(string)
	return who
}

// Purpose returns what for secrets are read in ctx, or "".
func Purpose(ctx context.Context) string {
	purpose, _ := ctx.Value(purposeKey{}).(string)
	return purpose
}

// clip also mends what would be no valid JSON, a rune that was cut in two too.
func clip(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "\uFFFD")
}
