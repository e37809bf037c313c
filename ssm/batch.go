package ssm

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const batchOp = "GetParameters"

// errMalformed is an answer without what AWS documents to be in it.
var errMalformed = errors.New("the answer is malformed")

// batch is the items of one GetParameters. No two are of one parameter: what
// AWS does with names that differ in nothing but the selector, or are the name
// and the ARN of one parameter, is not documented.
type batch struct {
	items []*item
	bases map[string]bool
}

// plan divides the items into batches, each of one Region, and those that are
// left alone.
func plan(items []*item) (batches [][]*item, singles []*item) {
	type group struct {
		region  string
		decrypt bool
	}
	open := make(map[group][]*batch) // those with room
	var all []*batch
	for _, it := range items {
		g, base := group{it.region, it.decrypt}, it.base()
		at := slices.IndexFunc(open[g], func(b *batch) bool { return !b.bases[base] })
		if at < 0 {
			b := &batch{bases: make(map[string]bool, batchSize)}
			all = append(all, b)
			open[g] = append(open[g], b)
			at = len(open[g]) - 1
		}
		b := open[g][at]
		b.items = append(b.items, it)
		b.bases[base] = true
		if len(b.items) == batchSize {
			open[g] = slices.Delete(open[g], at, at+1)
		}
	}
	for _, b := range all {
		if len(b.items) == 1 {
			singles = append(singles, b.items[0])
		} else {
			batches = append(batches, b.items)
		}
	}
	return batches, singles
}

// base is the parameter's name without what may differ in how it is named: the
// ARN of "plain" and that of "/plain" are the same.
func (k key) base() string {
	name := k.name
	if _, after, ok := strings.Cut(name, ":parameter/"); ok {
		name = after
	}
	return strings.TrimPrefix(name, "/")
}

// readBatch reads the items in one call. It returns those that have to be read
// by themselves.
func (s *Store) readBatch(ctx context.Context, items []*item) (left []*item) {
	names := make([]string, len(items))
	for i, it := range items {
		names[i] = it.wire()
	}
	out, err := s.clients.In(items[0].region).GetParameters(ctx, &ssm.GetParametersInput{Names: names, WithDecryption: &items[0].decrypt})
	if err != nil {
		if awsread.Concerns(err) {
			return items
		}
		// An outage or a throttled call is not answered with ten more.
		for _, it := range items {
			it.fail(batchOp, err)
		}
		return nil
	}
	for _, p := range out.Parameters {
		for _, it := range items {
			if it.answeredBy(p) {
				it.request = awsread.RequestID(out.ResultMetadata)
				it.settle(batchOp, &p)
			}
		}
	}
	for _, it := range items {
		switch {
		case it.done:
		case it.selector == "" && !strings.HasPrefix(it.name, "arn:") && slices.Contains(out.InvalidParameters, it.name):
			it.fail(batchOp, notFound(it.name))
		default:
			// Not answered, or invalid: of a selector it is open whether the
			// version or the parameter is missing, and of an ARN what is wrong.
			left = append(left, it)
		}
	}
	return left
}

// answeredBy reports whether p is what the item asked for. Within a batch the
// name would do; the selector, or the version where there is none, is compared
// for the case that AWS answers with another version than was asked for.
func (it *item) answeredBy(p types.Parameter) bool {
	if it.name != aws.ToString(p.Name) && it.name != aws.ToString(p.ARN) {
		return false
	}
	selector := strings.TrimPrefix(aws.ToString(p.Selector), ":")
	if selector == "" && it.selector != "" {
		_, err := strconv.Atoi(it.selector)
		return err != nil || it.selector == strconv.FormatInt(p.Version, 10)
	}
	return selector == it.selector
}

// settle takes a parameter as the item's answer.
func (it *item) settle(op string, p *types.Parameter) {
	if p == nil || p.Value == nil {
		it.fail(op, errMalformed)
		return
	}
	var ok bool
	if it.version, ok = versionOf(p); !ok {
		it.fail(op, errMalformed)
		return
	}
	it.typ, it.content, it.done = provider.Type(p.Type), *p.Value, true
}

// versionOf returns the version of a parameter. One that stands for a secret
// has the version 0; its real version is in SourceResult, Secrets Manager's
// answer with the secret in it, of which nothing else is to be looked at.
func versionOf(p *types.Parameter) (provider.Version, bool) {
	modified := aws.ToTime(p.LastModifiedDate)
	if p.Version > 0 {
		return provider.NewVersion(strconv.FormatInt(p.Version, 10), modified), true
	}
	var source struct {
		VersionID     string   `json:"VersionId"`
		VersionStages []string `json:"VersionStages"`
	}
	// The error may quote the secret.
	if json.Unmarshal([]byte(aws.ToString(p.SourceResult)), &source) != nil || source.VersionID == "" {
		return provider.Version{}, false
	}
	return provider.NewVersion(source.VersionID, modified, source.VersionStages...), true
}

func notFound(name string) error {
	return &smithy.OperationError{ServiceID: ssm.ServiceID, OperationName: batchOp,
		Err: &types.ParameterNotFound{Message: aws.String("Parameter " + name + " not found.")}}
}
