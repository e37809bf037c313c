// Package koanfsecret loads secrets and parameters into koanf: its provider
// reads through a [secrets.Client], and so from the client's cache.
//
//	k := koanf.New(".")
//	app := koanfsecret.Provider(client, "ssm:///prod/app/") // all that is below
//	err := k.Load(app, nil)
//	…
//	err = k.Load(koanfsecret.Provider(client, "sm://prod/db"), nil) // a JSON secret
//	url, port := k.String("app.url"), k.Int("port")
//
// To follow changes, load anew when it calls back, into another [koanf.Koanf] if
// readers must not see one half of the old and one half of the new:
//
//	err = app.Watch(func(any, error) {
//		fresh := koanf.New(".")
//		if err := fresh.Load(app, nil); err == nil {
//			current.Store(fresh)
//		}
//	})
//	defer app.Unwatch()
//
// A koanf keeps plain copies of values and prints them; whoever holds one holds
// the secrets.
package koanfsecret

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

// Secrets is a provider of one secret or parameter, or of all below a prefix. It
// is safe for concurrent use.
type Secrets struct {
	client *secrets.Client
	source string
	prefix *provider.Ref // nil: source names one value

	mu      sync.Mutex
	watched []*secrets.Handle[secrets.Value]
	stops   []func()
	told    []secrets.Value // what the handles had when the last callback began
	cb      func(event any, err error)
	calling bool
}

// readTimeout bounds a Read, for which koanf has no context. A listing of a
// thousand parameters takes 100 calls (GetParametersByPath, ten a page).
const readTimeout = time.Minute

// Provider returns a provider of what source names: a prefix that ends in a
// slash, such as "ssm:///prod/app/" or "sm://prod/" ([provider.ParsePrefix]), or
// a ref of one value ([provider.ParseRef]). What is wrong with source shows when
// it is read.
func Provider(client *secrets.Client, source string) *Secrets {
	s := &Secrets{client: client, source: source}
	if prefix, err := provider.ParsePrefix(source); err == nil && (prefix.Name == "" || prefix.Name[len(prefix.Name)-1] == '/') {
		s.prefix = &prefix
	}
	return s
}

// Read returns a nested map.
//
// Of one value it is the JSON object in it; for a value in another form, use
// ReadBytes by giving koanf a parser. Of a prefix, what follows it in each name
// is the path of a key, by its slashes: "/prod/app/db/host" below
// "ssm:///prod/app/" is host in db. A StringList becomes a []string, a secret
// that is a JSON object what is in that; everything else is a string, bytes
// included, which koanf converts.
//
// If anything cannot be read, the error joins all that went wrong, each with its
// ref. A name that is both a value and the path of others is an error.
func (s *Secrets) Read() (map[string]any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	if s.prefix == nil {
		v, err := s.client.Get(ctx, s.source)
		if err != nil {
			return nil, err
		}
		return secrets.JSON[map[string]any](v)
	}
	values, err := s.values(ctx)
	if err != nil {
		return nil, err
	}
	return nest(*s.prefix, values)
}

// ReadBytes returns the content of one value, for a parser. A prefix has none.
func (s *Secrets) ReadBytes() ([]byte, error) {
	if s.prefix != nil {
		return nil, errors.New(s.source + ": a prefix is read without a parser")
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	v, err := s.client.Get(ctx, s.source)
	return v.Bytes(), err
}

// values lists what is below the prefix. What is watched is not listed again.
func (s *Secrets) values(ctx context.Context) ([]secrets.Value, error) {
	s.mu.Lock()
	refs := make([]string, len(s.watched))
	for i, h := range s.watched {
		refs[i] = h.Value().Ref().String()
	}
	s.mu.Unlock()
	var values []secrets.Value
	if len(refs) > 0 {
		found, err := s.client.GetAll(ctx, refs...)
		for _, ref := range refs {
			values = append(values, found[ref])
		}
		return values, err
	}
	var errs []error
	for v, err := range s.client.List(ctx, s.source) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		values = append(values, v)
	}
	return values, errors.Join(errs...)
}
