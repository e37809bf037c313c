package audit

import (
	"context"
	"strings"
)

// What often comes from outside is kept up to a length, so that it does not flood
// a trail.
const (
	maxText = 256  // bytes of a principal or purpose
	maxRef  = 4096 // of a ref, which has no more (provider.ParseRef); what a writer calls one may
)

type (
	principalKey struct{}
	purposeKey   struct{}
)

// WithPrincipal returns a context in which secrets are read for who: a user, a
// tenant, a job. It is recorded as it is given, up to 256 bytes.
func WithPrincipal(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, principalKey{}, clip(who, maxText))
}

// WithPurpose returns a context in which secrets are read for a purpose. It is
// recorded as it is given, up to 256 bytes.
func WithPurpose(ctx context.Context, purpose string) context.Context {
	return context.WithValue(ctx, purposeKey{}, clip(purpose, maxText))
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

// clip also mends what would be no valid JSON, a rune that was cut in two too,
// by what takes no more room.
func clip(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "?")
}
