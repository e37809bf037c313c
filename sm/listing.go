package sm

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// maxFilterValues is how many values a filter has at most (API Filter, Values).
const maxFilterValues = 10

// listing is what refreshes list to compare versions.
type listing struct {
	prefixes []string
	filters  [][]types.Filter // of one ListSecrets each, and its pages

	mu    sync.Mutex
	takes map[string]estimate // by Region
	noted sync.Once
}

// estimate is how many calls a listing took, or takes at least.
type estimate struct {
	calls int
	at    time.Time
}

func newListing(prefixes []string) *listing {
	l := &listing{prefixes: slices.Clone(prefixes), takes: make(map[string]estimate)}
	// The filter has no value that means all, and in it "!" at the start means
	// not (API Filter, Values).
	if len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return p == "" || p[0] == '!' }) {
		l.filters = [][]types.Filter{nil}
		return l
	}
	for values := range slices.Chunk(l.prefixes, maxFilterValues) {
		l.filters = append(l.filters, []types.Filter{{Key: types.FilterNameStringTypeName, Values: values}})
	}
	return l
}

// covers reports whether a listing can have a secret in it.
func (l *listing) covers(id string) bool {
	name := nameOf(id)
	return len(l.prefixes) == 0 || slices.ContainsFunc(l.prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// worthwhile reports whether a listing is likely to take no more calls than
// there are to be saved. What is known of it is forgotten after a while: secrets
// come and go.
func (l *listing) worthwhile(region string, calls int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.takes[region]
	return e.calls <= calls || time.Since(e.at) >= awsread.Pause
}

// took notes how many calls a listing took. Where it was broken off, it takes
// as many at least.
func (l *listing) took(region string, calls int, whole bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.takes[region]; !whole && e.calls >= calls && time.Since(e.at) < awsread.Pause {
		return
	}
	l.takes[region] = estimate{calls, time.Now()}
}

// compareListed settles the items whose known version is still the one, by
// listing the secrets of each Region.
func (s *Store) compareListed(ctx context.Context, items []*item) {
	byRegion := make(map[string][]*item)
	for _, it := range items {
		if it.known.ID != "" && !s.foreign(it.id) && s.listing.covers(it.id) {
			byRegion[it.region] = append(byRegion[it.region], it)
		}
	}
	var regions sync.WaitGroup
	for region, wanted := range byRegion {
		if calls := s.callsToRead(wanted); !s.noListing.On(region) && s.listing.worthwhile(region, calls) {
			regions.Go(func() { s.compareRegion(ctx, region, wanted, calls) })
		}
	}
	regions.Wait()
}

// callsToRead returns how many calls it takes to read the items.
func (s *Store) callsToRead(items []*item) int {
	if !s.mayBatch() {
		return len(items)
	}
	batches, singles := s.plan(items)
	return len(batches) + len(singles)
}

// compareRegion lists the secrets of a Region until all wanted are found, or
// until it took as many calls as reading the wanted does.
func (s *Store) compareRegion(ctx context.Context, region string, wanted []*item, most int) {
	byID := make(map[string][]*item, len(wanted))
	for _, it := range wanted {
		byID[it.id] = append(byID[it.id], it)
	}
	l, client := s.listing, s.clients.In(region)
	calls, open := 0, len(wanted)
	for _, filters := range l.filters {
		for pages, more := (awsread.Pages{}), true; more; {
			if calls == most {
				l.took(region, calls+1, false)
				l.noted.Do(func() {
					s.log().Warn("secrets are read and not listed, which takes fewer calls here: give sm.WithListing a narrower prefix, or do without it",
						"region", region, "calls", most, "next_try", awsread.Pause)
				})
				return
			}
			var out *secretsmanager.ListSecretsOutput
			err := s.limit.Do(ctx, func() (err error) {
				out, err = client.ListSecrets(ctx, &secretsmanager.ListSecretsInput{
					Filters: filters, MaxResults: aws.Int32(listSize), NextToken: pages.Token,
				})
				return err
			})
			if err != nil {
				s.listingFailed(region, wanted, err)
				return
			}
			calls++
			for _, e := range out.SecretList {
				open -= s.compareEntry(byID, e)
			}
			if open == 0 {
				l.took(region, calls, false)
				return
			}
			if more, err = pages.Next(out.NextToken, len(out.SecretList)); err != nil {
				s.noListingNow(region, err)
				return
			}
		}
	}
	l.took(region, calls, true)
}

// compareEntry compares the items that mean a listed secret: by its name, by
// its ARN, or by its ARN without the suffix unless that looks complete, as in
// match. It returns how many were found.
func (s *Store) compareEntry(byID map[string][]*item, e types.SecretListEntry) (found int) {
	arn := aws.ToString(e.ARN)
	s.learn(arn) // a listing has the secrets of our own account
	ids := []string{aws.ToString(e.Name), arn}
	if partial := withoutSuffix(arn); partial != arn && !hasSuffix(partial) {
		ids = append(ids, partial)
	}
	for _, id := range ids {
		for _, it := range byID[id] {
			if it.seen {
				continue
			}
			it.seen = true
			found++
			it.changes = aws.ToTime(e.NextRotationDate)
			// The listing may not have noticed a rotation that is over.
			overdue := !it.changes.IsZero() && !it.changes.After(time.Now())
			it.unchanged = !overdue && it.still(e.SecretVersionsToStages, e.CreatedDate)
			it.done = it.unchanged
		}
	}
	return found
}

// listingFailed leaves what a listing has not settled to be read. In an outage
// nothing else is tried; a throttled listing is no outage: its quota is a
// hundredth of that for reading (guide: Secrets Manager quotas), and may be used
// up by others.
func (s *Store) listingFailed(region string, wanted []*item, err error) {
	if _, kind := awsread.Reason(err); kind == provider.ErrThrottled || concerns(err) {
		s.noListingNow(region, err)
		return
	}
	for _, it := range wanted {
		if !it.done {
			it.fail(listOp, err)
		}
	}
}

func (s *Store) noListingNow(region string, err error) {
	if s.noListing.Begin(region) {
		s.log().Warn("secrets are read and not listed: allow secretsmanager:ListSecrets on *, or do without sm.WithListing",
			"region", region, "error", awsread.Clean(err), "next_try", awsread.Pause)
	}
}
