package sm

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/c0629bfc/secrets/internal/awsread"
	"github.com/c0629bfc/secrets/provider"
)

const batchOp = "BatchGetSecretValue"

// readBatch reads the items, all of one Region, in one call and its pages. It
// returns those that have to be read by themselves.
func (s *Store) readBatch(ctx context.Context, items []*item) (left []*item) {
	if !s.mayBatch() {
		return items
	}
	byID := make(map[string]*item, len(items))
	ids := make([]string, len(items))
	for i, it := range items {
		byID[it.id], ids[i] = it, it.id
	}
	var entries []entry
	client := s.clients.In(items[0].region)
	for pages := (awsread.Pages{}); ; {
		out, err := client.BatchGetSecretValue(ctx, &secretsmanager.BatchGetSecretValueInput{SecretIdList: ids, NextToken: pages.Token})
		more := false
		if err == nil {
			for _, e := range out.SecretValues {
				entries = append(entries, entry{e, awsread.RequestID(out.ResultMetadata)})
			}
			for _, e := range out.Errors {
				// An error carries the id as it was sent.
				if it := byID[aws.ToString(e.SecretId)]; it != nil {
					it.fail(batchOp, itemError(e))
				}
			}
			more, err = pages.Next(out.NextToken, len(out.SecretValues)+len(out.Errors))
		}
		if err != nil {
			s.match(entries, byID)
			return s.batchFailed(items, err)
		}
		if !more {
			break
		}
	}
	s.match(entries, byID)
	for _, it := range items {
		if !it.done || it.err != nil && !s.own(it.id) && awsread.Concerns(it.err) {
			// Not answered at all, or the ARN of what may be another account,
			// of which the documentation does not say that a batch reads it.
			it.done, it.err = false, nil
			left = append(left, it)
		}
	}
	return left
}

// entry is a secret of a batch, and the request that brought it.
type entry struct {
	types.SecretValueEntry
	request string
}

// match hands each secret that was read to the items that asked for it: by its
// name, by its ARN, or by its ARN without the suffix. A name and an ARN of one
// secret both get it, though it may be in the answer only once. What is exact
// goes first, because "…:secret:db-AbCdEf" may be the complete ARN of secret
// "db" or a partial one of secret "db-AbCdEf"; where only the partial sense is
// left of an ARN that looks complete, the item stays open and is read by itself.
func (s *Store) match(entries []entry, byID map[string]*item) {
	give := func(id string, e entry) {
		if it := byID[id]; it != nil && !it.done {
			it.request = e.request
			it.settle(batchOp, e.VersionId, e.CreatedDate, e.VersionStages, e.SecretString, e.SecretBinary)
		}
	}
	for _, e := range entries {
		if byID[aws.ToString(e.Name)] != nil {
			s.learn(aws.ToString(e.ARN))
		}
		give(aws.ToString(e.Name), e)
		give(aws.ToString(e.ARN), e)
	}
	for _, e := range entries {
		if partial := withoutSuffix(aws.ToString(e.ARN)); !hasSuffix(partial) {
			give(partial, e)
		}
	}
}

// batchFailed settles what is open after a call that failed as a whole, or
// returns it to be read by itself where that may help. An outage or a throttled
// call is not answered with twenty more.
func (s *Store) batchFailed(items []*item, err error) (left []*item) {
	for _, it := range items {
		if !it.done {
			left = append(left, it)
		}
	}
	if s.batchRefused(err) || awsread.Concerns(err) {
		return left
	}
	for _, it := range left {
		it.fail(batchOp, err)
	}
	return nil
}

func (s *Store) mayBatch() bool { return !s.noBatch.On(struct{}{}) }

// batchRefused reports whether err means that this caller or this endpoint has
// no BatchGetSecretValue, and remembers it.
func (s *Store) batchRefused(err error) bool {
	if !awsread.UnknownOperation(err) {
		// IAM names the action. A refusal of another one, such as GetSecretValue
		// on one of the secrets, says nothing about batches.
		said := awsread.Message(err)
		other := strings.Contains(said, "perform: ") && !strings.Contains(said, "secretsmanager:"+batchOp)
		if _, kind := awsread.Reason(err); kind != provider.ErrAccessDenied || !awsread.Denied(err) || other {
			return false
		}
	}
	if s.noBatch.Begin(struct{}{}) {
		s.log().Warn("secrets are read one by one: allow secretsmanager:BatchGetSecretValue on * to read twenty in one call",
			"error", awsread.Clean(err), "next_try", awsread.Pause)
	}
	return true
}
