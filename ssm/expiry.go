package ssm

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const (
	// historySize is the largest page of GetParameterHistory (API
	// GetParameterHistory, MaxResults).
	historySize = 50
	// maxExpiries bounds what is remembered; beyond it, all is learnt anew.
	maxExpiries = 10_000
)

// expiries remembers when parameters expire, by the version that was read: a
// policy comes with a version (API PutParameter, Policies).
type expiries struct {
	mu    sync.Mutex
	known map[key]expiry
}

type expiry struct {
	version provider.Version
	at      time.Time // zero: never
}

func (e *expiries) of(it *item) (at time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known, ok := e.known[it.plain()]
	return known.at, ok && awsread.Same(known.version, it.version)
}

func (e *expiries) remember(it *item, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil || len(e.known) >= maxExpiries {
		e.known = make(map[key]expiry)
	}
	e.known[it.plain()] = expiry{it.version, at}
}

// plain is the key without how it is asked for.
func (it *item) plain() key {
	k := it.key
	k.decrypt = false
	return k
}

// learnExpiry learns when the parameters that were read expire, unless that is
// known of their versions already. What cannot be learnt costs nothing else.
func (s *Store) learnExpiry(ctx context.Context, items []*item) {
	var jobs []func()
	var ended atomic.Bool
	for _, it := range items {
		// Names that begin with "aws" are AWS's own: public parameters, and
		// secrets of Secrets Manager (API PutParameter, Name).
		if it.err != nil || strings.HasPrefix(it.base(), "aws/") {
			continue
		}
		var ok bool
		if it.expires, ok = s.expiries.of(it); ok || s.noHistory.On(it.plain()) {
			continue
		}
		it.expires = time.Time{}
		jobs = append(jobs, func() {
			if ended.Load() {
				return
			}
			at, err := s.expiry(ctx, it.key)
			switch {
			case err == nil:
				it.expires = at
				s.expiries.remember(it, at)
			case awsread.Concerns(err) || awsread.UnknownOperation(err):
				if s.noHistory.Begin(it.plain()) {
					s.log().Warn("it is not known when a parameter expires: allow ssm:GetParameterHistory on it, or do without ssm.WithExpiry",
						"parameter", it.name, "error", awsread.Clean(err), "next_try", awsread.Pause)
				}
			default: // an outage or a throttled call is not answered with more
				ended.Store(true)
			}
		})
	}
	s.limit.Run(ctx, jobs)
}

// expiry asks when a parameter expires by the policies of its latest version.
func (s *Store) expiry(ctx context.Context, k key) (time.Time, error) {
	client := s.clients.In(k.region)
	var latest types.ParameterHistory
	for pages, more := (awsread.Pages{}), true; more; {
		out, err := client.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{
			Name: &k.name, MaxResults: aws.Int32(historySize), NextToken: pages.Token,
		})
		if err != nil {
			return time.Time{}, err
		}
		for _, h := range out.Parameters {
			if h.Version >= latest.Version {
				latest = h
			}
		}
		if more, err = pages.Next(out.NextToken, len(out.Parameters)); err != nil {
			return time.Time{}, err
		}
	}
	return expiration(latest.Policies), nil
}

// expiration returns the time of the Expiration policy, of which a parameter
// has one at most, or zero (guide: parameter-store-policies).
func expiration(policies []types.ParameterInlinePolicy) time.Time {
	for _, p := range policies {
		if policy, err := readPolicy([]byte(aws.ToString(p.PolicyText))); err == nil {
			if expiration, ok := policy.(Expiration); ok {
				return expiration.At
			}
		}
	}
	return time.Time{}
}
