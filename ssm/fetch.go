package ssm

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

// batchSize is how many names one GetParameters reads at most (API
// GetParameters, Names).
const batchSize = 10

// secretReference is the path under which Parameter Store hands out secrets of
// Secrets Manager (guide: ps-integration-secretsmanager).
const secretReference = "/aws/reference/secretsmanager/"

// Fetch implements [provider.Provider]. Refs that mean the same are asked for
// once.
func (s *Store) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	return s.fetch(ctx, refs, nil, s.expiries != nil)
}

// Probe implements [provider.Prober]: it is Fetch without decryption. Only of
// a secret that is read through Parameter Store is the value decrypted too,
// which AWS insists on. Expires is zero without [WithExpiry].
func (s *Store) Probe(ctx context.Context, refs ...provider.Ref) []provider.ProbeResult {
	results := make([]provider.ProbeResult, len(refs))
	items, of := s.gather(refs, func(i int, err error) { results[i].Err = err })
	s.read(ctx, items)
	if s.expiries != nil {
		s.learnExpiry(ctx, items)
	}
	for i, ref := range refs {
		if of[i] < 0 {
			continue
		}
		if it := items[of[i]]; it.err != nil {
			results[i].Err = s.explain(ref, it.op, it.err)
		} else {
			results[i] = provider.ProbeResult{Version: it.versionFor(ref), LastChanged: it.version.Created, Expires: it.expires}
		}
	}
	return results
}

// key is what is asked of Parameter Store, and how.
type key struct {
	region   string
	name     string // or ARN
	selector string // version or label; empty is the latest version
	decrypt  bool
}

// wire is the name as Parameter Store takes it.
func (k key) wire() string {
	if k.selector == "" {
		return k.name
	}
	return k.name + ":" + k.selector
}

// item is one thing to ask for, and the answer once it is there.
type item struct {
	key
	done bool
	parameter
	expires time.Time // where that was learnt
	request string    // the ID of the request that brought the value

	op  string // the operation that failed
	err error  // as the SDK gave it
}

// parameter is what Parameter Store answers with.
type parameter struct {
	version provider.Version
	typ     provider.Type
	content string
}

func (it *item) fail(op string, err error) {
	it.done, it.op, it.err = true, op, err
}

// gather makes the items that the refs mean, to be read without decryption
// where that is possible.
func (s *Store) gather(refs []provider.Ref, fail func(i int, err error)) (items []*item, of []int) {
	keys, of := awsread.Gather("ssm", refs, func(ref provider.Ref) key {
		return key{
			region:   s.clients.Region(ref.Region),
			name:     ref.Name,
			selector: ref.Version + ref.Label, // at most one of them is set
			decrypt:  strings.HasPrefix(ref.Name, secretReference),
		}
	}, fail)
	items = make([]*item, len(keys))
	for i, k := range keys {
		items[i] = &item{key: k}
	}
	return items, of
}

// versionFor is the version as a ref that reads by label is told it.
func (it *item) versionFor(ref provider.Ref) provider.Version {
	if ref.Label != "" && it.version.Labels() == nil {
		return provider.NewVersion(it.version.ID, it.version.Created, ref.Label)
	}
	return it.version
}

// read settles every item: first all batches and what is alone, then what the
// batches left over.
func (s *Store) read(ctx context.Context, items []*item) {
	batches, singles := plan(items)
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
	s.limit.Run(ctx, slices.Concat(jobs, s.singly(ctx, singles)))
	s.limit.Run(ctx, s.singly(ctx, left))

	for _, it := range items {
		if !it.done { // ctx ended before its turn came
			it.fail("", ctx.Err())
		}
	}
}

// singly returns the jobs that read each item by itself.
func (s *Store) singly(ctx context.Context, items []*item) []func() {
	jobs := make([]func(), len(items))
	for i, it := range items {
		jobs[i] = func() {
			const op = "GetParameter"
			out, err := s.clients.In(it.region).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(it.wire()), WithDecryption: &it.decrypt})
			if err != nil {
				it.fail(op, err)
				return
			}
			it.request = awsread.RequestID(out.ResultMetadata)
			it.settle(op, out.Parameter)
		}
	}
	return jobs
}
