package ssm

import (
	"context"
	"slices"
	"strings"
	"sync"

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
	results := make([]provider.Result, len(refs))
	s.read(ctx, refs, true, func(i int, p *parameter, err error) {
		if err != nil {
			results[i].Err = err
		} else {
			results[i].Value = provider.NewValue(refs[i], p.version, p.typ, p.content)
		}
	})
	return results
}

// Probe implements [provider.Prober]: it is Fetch without decryption. Only of
// a secret that is read through Parameter Store is the value decrypted too,
// which AWS insists on. Expires is zero: only DescribeParameters tells it.
func (s *Store) Probe(ctx context.Context, refs ...provider.Ref) []provider.ProbeResult {
	results := make([]provider.ProbeResult, len(refs))
	s.read(ctx, refs, false, func(i int, p *parameter, err error) {
		if err != nil {
			results[i].Err = err
		} else {
			results[i] = provider.ProbeResult{Version: p.version, LastChanged: p.version.Created}
		}
	})
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

// read reads the refs and gives the outcome of each: first all batches and
// what is alone, then what the batches left over.
func (s *Store) read(ctx context.Context, refs []provider.Ref, decrypt bool, give func(i int, p *parameter, err error)) {
	keys, of := awsread.Gather("ssm", refs, func(ref provider.Ref) key {
		return key{
			region:   s.clients.Region(ref.Region),
			name:     ref.Name,
			selector: ref.Version + ref.Label, // at most one of them is set
			decrypt:  decrypt || strings.HasPrefix(ref.Name, secretReference),
		}
	}, func(i int, err error) { give(i, nil, err) })
	items := make([]*item, len(keys))
	for i, k := range keys {
		items[i] = &item{key: k}
	}

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

	for i, ref := range refs {
		if of[i] < 0 {
			continue
		}
		it := items[of[i]]
		if !it.done { // ctx ended before its turn came
			it.fail("", ctx.Err())
		}
		if it.err != nil {
			give(i, nil, s.explain(ref, it.op, it.err))
			continue
		}
		p := it.parameter
		if ref.Label != "" && p.version.Labels() == nil {
			p.version = provider.NewVersion(p.version.ID, p.version.Created, ref.Label)
		}
		give(i, &p, nil)
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
			it.settle(op, out.Parameter)
		}
	}
	return jobs
}
