package secrets

import (
	"context"
	"fmt"
	"iter"

	"github.com/c0629bfc/secrets/provider"
)

// List yields all values below a prefix: "ssm:///prod/app/" for the parameters
// of a hierarchy, at any depth, "sm://prod/" for the secrets whose names begin
// so ([provider.ParsePrefix]). It asks the store each time, page by page as the
// sequence is consumed: ten parameters (GetParametersByPath) or twenty secrets
// (BatchGetSecretValue) a call. What it yields goes into the cache as far as
// there is room, so that a read of the same ref right after it is a hit.
//
// A value that cannot be read is yielded as an error that names it, and the
// listing goes on. Parameter Store authorises a listing by the path alone: it
// returns parameters below it that a policy denies by name. Secrets Manager's
// listings may miss what changed in the last five minutes (API ListSecrets).
func (c *Client) List(ctx context.Context, prefix string) iter.Seq2[Value, error] {
	return func(yield func(Value, error) bool) {
		if c.ctx.Err() != nil {
			yield(Value{}, named(prefix, ErrClosed))
			return
		}
		r, err := provider.ParsePrefix(prefix)
		if err != nil {
			yield(Value{}, err)
			return
		}
		l, err := c.lane(prefix, r)
		if err != nil {
			yield(Value{}, err)
			return
		}
		lister, ok := l.provider.(provider.Lister)
		if !ok {
			yield(Value{}, fmt.Errorf("%s: the provider of %q cannot list", prefix, r.Scheme))
			return
		}
		if c.observer.Listed != nil {
			c.observer.Listed(ctx, prefix)
		}
		ctx, cancel := context.WithCancel(l.account(ctx, l.bucket))
		defer cancel()
		defer context.AfterFunc(c.ctx, cancel)()

		epoch := c.cache.invalidations()
		began := c.clock.read()
		plan := l.plan(began, began)
		for v, err := range lister.List(ctx, r) {
			switch {
			case err != nil && c.ctx.Err() != nil:
				yield(Value{}, named(prefix, ErrClosed))
				return
			case err != nil:
				err = named(prefix, err)
				c.read(ctx, Read{Ref: prefix, Source: SourceStore, Err: err})
			default:
				v = c.cache.offer(v.Ref().Base(), plan.arrival(provider.Result{Value: v.WithRef(v.Ref().Base())}, false), epoch)
				c.read(ctx, Read{Ref: v.Ref().String(), Version: v.Version(), Source: SourceStore})
			}
			if !yield(v, err) {
				return
			}
		}
	}
}
