package awsread

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// DefaultConcurrency is how many calls a store has in flight where it is not
// told otherwise.
const DefaultConcurrency = 4

// Limit bounds the calls in flight: those that read, and besides them those
// that are made [Aside].
type Limit struct{ reads, aside slots }

// NewLimit returns one of so many calls of either kind, at least one.
func NewLimit(calls int) Limit {
	return Limit{make(slots, max(calls, 1)), make(slots, max(calls, 1))}
}

type asideKey struct{}

// Aside returns the context of calls that are no part of reading values: they
// may wait long for their turn under a rate limit, for which no read is to wait.
func Aside(ctx context.Context) context.Context { return context.WithValue(ctx, asideKey{}, true) }

// of returns the slots for the calls of a context.
func (l Limit) of(ctx context.Context) slots {
	if ctx.Value(asideKey{}) != nil {
		return l.aside
	}
	return l.reads
}

// Run runs the jobs in parallel, in their order, each in its turn under the
// limit. It starts none after ctx has ended and returns when all that it did
// start have returned. A job must not call Run or Do.
func (l Limit) Run(ctx context.Context, jobs []func()) {
	var started sync.WaitGroup
	defer started.Wait()
	slots := l.of(ctx)
	for i, job := range jobs {
		if !slots.enter(ctx) {
			return
		}
		if i == len(jobs)-1 { // the last, and often the only one, needs no goroutine
			defer slots.leave()
			job()
			return
		}
		started.Go(func() {
			defer slots.leave()
			job()
		})
	}
}

// Do runs one job under the limit, or returns ctx's error.
func (l Limit) Do(ctx context.Context, job func() error) error {
	slots := l.of(ctx)
	if !slots.enter(ctx) {
		return ctx.Err()
	}
	defer slots.leave()
	return job()
}

// slots are as many as calls may be in flight.
type slots chan struct{}

func (s slots) enter(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case s <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s slots) leave() { <-s }

// maxEmptyPages is how many empty pages in a row are taken for an answer that
// never ends. Some are normal: both services say that a page may be empty and
// yet be followed by another.
const maxEmptyPages = 1000

// Pages follows the NextToken of a paged answer, and gives up on one that
// repeats itself or goes on for ever without a result.
type Pages struct {
	Token *string // to send with the next call; nil for the first

	seen  map[string]struct{}
	empty int
}

// Next takes the token of an answer with n results and reports whether there
// is another page to ask for.
func (p *Pages) Next(token *string, n int) (bool, error) {
	if aws.ToString(token) == "" {
		return false, nil
	}
	if p.seen == nil {
		p.seen = make(map[string]struct{})
	}
	if _, again := p.seen[*token]; again {
		return false, errors.New("the store's pages never end: a NextToken came twice")
	}
	p.seen[*token] = struct{}{}
	p.empty++
	if n > 0 {
		p.empty = 0
	}
	if p.empty > maxEmptyPages {
		return false, errors.New("the store's pages never end: there was nothing in the last thousand")
	}
	p.Token = token
	return true, nil
}

// Clients makes one client for each Region on first use, and keeps it. It is
// safe for concurrent use.
type Clients[C any] struct {
	Own string                 // the Region that "" stands for
	New func(region string) *C // makes a client

	mu     sync.Mutex
	byName map[string]*C
}

// Region returns the Region that a ref's Region means.
func (c *Clients[C]) Region(region string) string {
	if region == "" {
		return c.Own
	}
	return region
}

// In returns the client of a Region.
func (c *Clients[C]) In(region string) *C {
	c.mu.Lock()
	defer c.mu.Unlock()
	client, ok := c.byName[region]
	if !ok {
		if c.byName == nil {
			c.byName = make(map[string]*C)
		}
		client = c.New(region)
		c.byName[region] = client
	}
	return client
}
