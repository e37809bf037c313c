package sm

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// batchSize is how many secrets one BatchGetSecretValue reads at most (API
// BatchGetSecretValue, SecretIdList).
const batchSize = 20

// Fetch implements [provider.Provider]. Refs that mean the same are asked for
// once.
func (s *Store) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	return s.fetch(ctx, refs, nil, s.describing)
}

// Refetch implements [provider.Refetcher]. By default it is [Store.Fetch];
// [WithListing] and [WithDescribe] compare versions first.
func (s *Store) Refetch(ctx context.Context, known ...provider.Known) []provider.Result {
	refs, versions := awsread.Split(known)
	return s.fetch(ctx, refs, versions, s.describing)
}

// fetch reads the refs, of which the caller knows these versions, or none. It may
// describe their secrets to learn when they are to be rotated.
func (s *Store) fetch(ctx context.Context, refs []provider.Ref, known []provider.Version, describe bool) []provider.Result {
	results := make([]provider.Result, len(refs))
	items, of := s.gather(refs, func(i int, err error) { results[i].Err = err })
	for i, v := range awsread.Agree(len(items), of, known) {
		items[i].known = v
	}
	switch {
	case s.listing != nil:
		s.compareListed(ctx, items)
	case describe:
		s.compareDescribed(ctx, items)
	}
	if describe {
		d := s.dates(items)
		s.read(ctx, items, d.jobs(ctx)...)
		d.settle()
	} else {
		s.read(ctx, items)
	}
	for i, ref := range refs {
		if of[i] < 0 {
			continue
		}
		switch it := items[of[i]]; {
		case it.err != nil:
			results[i].Err = s.explain(ref, it.op, it.err)
		case it.unchanged:
			results[i] = provider.Result{Unchanged: true, Changes: it.changes}
		default:
			results[i] = provider.Result{Value: provider.NewValue(ref, it.version, it.typ, it.content), Changes: it.changes, RequestID: it.request}
		}
	}
	return results
}

// item is one thing to ask for, and the answer once it is there.
type item struct {
	key
	known provider.Version // what the caller has; zero: nothing that helps

	done      bool
	unchanged bool // known is still what the key means
	secret
	changes time.Time // when the secret is to be rotated, where that was learnt
	request string    // the ID of the request that brought the value
	seen    bool      // in a listing, or described

	op  string // the operation that failed
	err error  // as the SDK gave it
}

// secret is what Secrets Manager answers with.
type secret struct {
	version provider.Version
	typ     provider.Type
	content string
}

func (it *item) fail(op string, err error) {
	it.done, it.op, it.err = true, op, err
}

func (s *Store) gather(refs []provider.Ref, fail func(i int, err error)) (items []*item, of []int) {
	keys, of := awsread.Gather("sm", refs, s.keyOf, fail)
	items = make([]*item, len(keys))
	for i, k := range keys {
		items[i] = &item{key: k}
	}
	return items, of
}

// read settles every item that is open: first all batches and what no batch can
// carry, with what else is to be done, then what the batches left over.
func (s *Store) read(ctx context.Context, items []*item, also ...func()) {
	items = slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.done })
	batches, singles := s.plan(items)
	var mu sync.Mutex
	var left []*item
	var jobs []func()
	for _, batch := range batches {
		jobs = append(jobs, func() {
			rest := s.readBatch(ctx, batch)
			mu.Lock()
			defer mu.Unlock()
			left = append(left, rest...)
		})
	}
	s.limit.Run(ctx, slices.Concat(jobs, s.singly(ctx, singles), also))
	s.limit.Run(ctx, s.singly(ctx, left))
	for _, it := range items {
		if !it.done { // ctx ended before its turn came
			it.fail("", ctx.Err())
		}
	}
}

// plan divides the items into batches, each of one Region, and those to be
// read by themselves.
func (s *Store) plan(items []*item) (batches [][]*item, singles []*item) {
	byRegion := make(map[string][]*item)
	var regions []string
	for _, it := range items {
		if it.stage != "" || it.pinned != "" || s.foreign(it.id) {
			singles = append(singles, it)
			continue
		}
		if byRegion[it.region] == nil {
			regions = append(regions, it.region)
		}
		byRegion[it.region] = append(byRegion[it.region], it)
	}
	for _, region := range regions {
		for batch := range slices.Chunk(byRegion[region], batchSize) {
			if len(batch) == 1 {
				singles = append(singles, batch[0])
			} else {
				batches = append(batches, batch)
			}
		}
	}
	return batches, singles
}

// singly returns the jobs that read each item by itself.
func (s *Store) singly(ctx context.Context, items []*item) []func() {
	jobs := make([]func(), len(items))
	for i, it := range items {
		jobs[i] = func() { s.readOne(ctx, it) }
	}
	return jobs
}

func (s *Store) readOne(ctx context.Context, it *item) {
	const op = "GetSecretValue"
	in := &secretsmanager.GetSecretValueInput{SecretId: &it.id}
	if it.stage != "" {
		in.VersionStage = &it.stage
	}
	if it.pinned != "" {
		in.VersionId = &it.pinned
	}
	out, err := s.clients.In(it.region).GetSecretValue(ctx, in)
	if err != nil {
		it.fail(op, err)
		return
	}
	if accountOf(it.id) == "" {
		s.learn(aws.ToString(out.ARN))
	}
	it.request = awsread.RequestID(out.ResultMetadata)
	it.settle(op, out.VersionId, out.CreatedDate, out.VersionStages, out.SecretString, out.SecretBinary)
}

// settle takes the parts that the answers of GetSecretValue and
// BatchGetSecretValue have in common.
func (it *item) settle(op string, id *string, created *time.Time, stages []string, text *string, binary []byte) {
	switch {
	case text != nil:
		it.typ, it.content = provider.SecretString, *text
	case binary != nil:
		it.typ, it.content = provider.SecretBinary, string(binary)
	default:
		it.fail(op, errNoVersion)
		return
	}
	it.version = provider.NewVersion(aws.ToString(id), aws.ToTime(created), stages...)
	it.done = true
}
