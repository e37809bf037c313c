// Package secretvar is a driver of gocloud.dev/runtimevar: its variables are
// secrets and parameters that a [secrets.Client] reads.
//
//	v, err := secretvar.OpenVariable(client, "sm://prod/db#password", runtimevar.StringDecoder, nil)
//	…
//	defer v.Close()
//	snapshot, err := v.Latest(ctx)
//
// All variables of a client share its cache and its calls: they are read in
// batches, a change is seen when the client's refresher sees it, within the TTL,
// and variables of several fields of one secret are one read.
//
// A runtimevar follows its variable in the background, where nothing runs on AWS
// Lambda between invocations; there use [secrets.Handle.Get].
//
// # URLs
//
// [URLOpener] opens refs as URLs. It has to be registered, with a client, for
// the schemes of the refs:
//
//	opener := &secretvar.URLOpener{Client: client}
//	runtimevar.DefaultURLMux().RegisterVariable("sm", opener)
//	runtimevar.DefaultURLMux().RegisterVariable("ssm", opener)
//	v, err := runtimevar.OpenVariable(ctx, "sm://prod/db?decoder=string#password")
//
// # As
//
// Snapshot.As gives a *[secrets.Value]; Variable.ErrorAs what [errors.As] does,
// such as **provider.Error.
package secretvar

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"gocloud.dev/runtimevar"
	"gocloud.dev/runtimevar/driver"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// Options sets options.
type Options struct {
	// WaitDuration is how often a variable looks by itself whether it can be read
	// (again), and whether it cannot be any more. Looking costs a call only where
	// nothing is cached. Changes of a value do not wait for it. The default is
	// driver.DefaultWaitDuration, 30 seconds.
	WaitDuration time.Duration
}

// OpenVariable returns a variable of what ref names ([provider.ParseRef]). It
// makes no call; the variable does. The decoder gets the content of the value or
// of the field, and is called once for each that differs from the one before.
//
// A value that is refused or missing is an error of the variable only when the
// client does not serve a stale one any more ([secrets.WithStaleIfDenied]).
// Errors have the codes NotFound, PermissionDenied, ResourceExhausted (throttled),
// InvalidArgument, FailedPrecondition (scheduled for deletion), Internal
// (decryption) or Unknown; one of the decoder is told by its type alone, since
// its text may quote the value.
func OpenVariable(client *secrets.Client, ref string, decoder *runtimevar.Decoder, opts *Options) (*runtimevar.Variable, error) {
	w, err := newWatcher(client, ref, decoder, opts)
	if err != nil {
		return nil, err
	}
	return runtimevar.New(w), nil
}

func newWatcher(client *secrets.Client, ref string, decoder *runtimevar.Decoder, opts *Options) (*watcher, error) {
	parsed, err := provider.ParseRef(ref)
	if err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &Options{}
	}
	return &watcher{client: client, ref: ref, parsed: parsed, decoder: decoder, wait: driver.WaitDuration(opts.WaitDuration), changed: make(chan struct{}, 1)}, nil
}

// URLOpener opens URLs that are refs, such as "sm://prod/db#password" or
// "ssm:///prod/app/url?label=blue". Beside the query of a ref they may have
//
//   - decoder: the decoder to use (runtimevar.DecoderByName), by default Decoder
//     or, where that is nil, runtimevar.BytesDecoder;
//   - wait: Options.WaitDuration, as [time.ParseDuration] takes it.
type URLOpener struct {
	Client  *secrets.Client
	Decoder *runtimevar.Decoder
	Options Options
}

// OpenVariableURL implements runtimevar.VariableURLOpener.
func (o *URLOpener) OpenVariableURL(ctx context.Context, u *url.URL) (*runtimevar.Variable, error) {
	fail := func(err error) (*runtimevar.Variable, error) { return nil, fmt.Errorf("open variable %v: %w", u, err) }
	q := u.Query()
	decoder, err := runtimevar.DecoderByName(ctx, q.Get("decoder"), o.Decoder)
	if err != nil {
		return fail(err)
	}
	opts := o.Options
	if wait := q.Get("wait"); wait != "" {
		if opts.WaitDuration, err = time.ParseDuration(wait); err != nil {
			return fail(err)
		}
	}
	q.Del("decoder")
	q.Del("wait")
	ref := *u
	ref.RawQuery = q.Encode()
	return OpenVariable(o.Client, ref.String(), decoder, &opts)
}
