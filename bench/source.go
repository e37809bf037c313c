package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

// source is where a peer's values come from. Peers that load by themselves are
// given the same reader that this module's client has, so that what differs is
// the cache and not how well its loader was written.
type source struct {
	reader provider.Provider
	api    *secretsmanager.Client // for the two that talk to the service themselves; nil if reader is memory
}

// one reads one value.
func (s source) one(ctx context.Context, key string) (secrets.Value, error) {
	r, err := provider.ParseRef(key)
	if err != nil {
		return secrets.Value{}, err
	}
	result := s.reader.Fetch(ctx, r)[0]
	return result.Value, result.Err
}

// many reads many values in as few calls as the store allows.
func (s source) many(ctx context.Context, keys []string) (map[string]secrets.Value, error) {
	refs := make([]provider.Ref, len(keys))
	for i, key := range keys {
		var err error
		if refs[i], err = provider.ParseRef(key); err != nil {
			return nil, err
		}
	}
	values := make(map[string]secrets.Value, len(keys))
	var errs []error
	for i, result := range s.reader.Fetch(ctx, refs...) {
		values[keys[i]] = result.Value
		errs = append(errs, result.Err)
	}
	return values, errors.Join(errs...)
}

// keysOf returns n refs of a store, "sm" or "ssm".
func keysOf(scheme string, n int) []string {
	prefix := "sm://"
	if scheme == "ssm" {
		prefix = "ssm:///"
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%sprod/service-%d/database", prefix, i)
	}
	return keys
}

// nameOf returns the name in a key, without allocating.
func nameOf(key string) string { return key[strings.Index(key, "://")+len("://"):] }

// memory is a store without a network. What it returns is a new version each
// time, unless it was filled beforehand.
type memory struct {
	filled map[string]secrets.Value // by name
	reads  atomic.Int64             // values handed out
}

func (*memory) Scheme() string { return "sm" }

func (m *memory) Fetch(_ context.Context, refs ...provider.Ref) []provider.Result {
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		n := m.reads.Add(1)
		if v, ok := m.filled[r.Name]; ok {
			results[i].Value = v
		} else {
			results[i].Value = provider.NewValue(r, provider.NewVersion(strconv.FormatInt(n, 10), time.Time{}), provider.SecretString, "a password")
		}
	}
	return results
}

// fill makes the values of the keys now, so that what a cache holds besides
// them can be told from them.
func (m *memory) fill(keys []string) {
	m.filled = make(map[string]secrets.Value, len(keys))
	for _, key := range keys {
		r, err := provider.ParseRef(key)
		check(err)
		m.filled[r.Name] = provider.NewValue(r, provider.NewVersion("1", time.Time{}), provider.SecretString, "a password")
	}
}

// serving returns a source on a server, and puts the keys into it.
func serving(server *secretstest.Server, keys []string) source {
	cfg := server.Config()
	s := source{reader: sm.New(cfg), api: secretsmanager.NewFromConfig(cfg)}
	for _, key := range keys {
		if strings.HasPrefix(key, "ssm:") {
			s.reader = ssm.New(cfg)
			server.SetSecureParameter(nameOf(key), "a password")
		} else {
			server.SetSecret(nameOf(key), "a password")
		}
	}
	return s
}

// check ends the program, or the test, at what cannot go wrong in a sound run.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
