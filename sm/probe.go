package sm

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets/provider"
)

const describeOp = "DescribeSecret"

// Probe implements [provider.Prober]: one DescribeSecret for each secret,
// however many of its versions are asked about.
//
// The version's Created is zero, which DescribeSecret does not tell. It does
// not list versions without a staging label either: a pinned one that is not
// listed is looked for by GetSecretValue.
func (s *Store) Probe(ctx context.Context, refs ...provider.Ref) []provider.ProbeResult {
	results := make([]provider.ProbeResult, len(refs))
	items, of := s.gather(refs, func(i int, err error) { results[i].Err = err })
	secrets := s.describe(ctx, items)

	var unlisted []*item
	for _, it := range items {
		if d := secrets[it.whole()]; d.err == nil && d.DeletedDate == nil && it.pinned != "" && d.VersionIdsToStages[it.pinned] == nil {
			unlisted = append(unlisted, it)
		}
	}
	s.limit.Run(ctx, s.singly(ctx, unlisted))
	for _, it := range unlisted {
		if !it.done {
			it.fail("", ctx.Err())
		}
	}

	for i, ref := range refs {
		if of[i] >= 0 {
			it := items[of[i]]
			results[i] = s.probed(ref, it, secrets[it.whole()])
		}
	}
	return results
}

// whole is the key of the secret that the item is a version of.
func (it *item) whole() key { return key{region: it.region, id: it.id} }

type description struct {
	*secretsmanager.DescribeSecretOutput
	err error
}

func (d *description) described() bool { return d.err == nil && d.DescribeSecretOutput != nil }

// describe describes the secrets that the items are versions of.
func (s *Store) describe(ctx context.Context, items []*item) map[key]*description {
	secrets := make(map[key]*description, len(items))
	var jobs []func()
	for _, it := range items {
		k := it.whole()
		if secrets[k] != nil {
			continue
		}
		d := &description{}
		secrets[k] = d
		jobs = append(jobs, func() { s.describeOne(ctx, k, d) })
	}
	s.limit.Run(ctx, jobs)
	for _, d := range secrets {
		if d.err == nil && !d.described() { // ctx ended before its turn came
			d.err = ctx.Err()
		}
	}
	return secrets
}

func (s *Store) describeOne(ctx context.Context, k key, d *description) {
	d.DescribeSecretOutput, d.err = s.clients.In(k.region).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &k.id})
	if d.err == nil && accountOf(k.id) == "" {
		s.learn(aws.ToString(d.ARN))
	}
}

// probed reads from the description of a secret what is asked about one of its
// versions.
func (s *Store) probed(ref provider.Ref, it *item, d *description) provider.ProbeResult {
	switch {
	case d.err != nil:
		return provider.ProbeResult{Err: s.explain(ref, describeOp, d.err)}
	case d.DeletedDate != nil:
		return provider.ProbeResult{Err: s.explain(ref, describeOp, errDeleted)}
	case it.err != nil: // an unlisted version
		return provider.ProbeResult{Err: s.explain(ref, it.op, it.err)}
	}
	r := provider.ProbeResult{
		Version:      it.version,
		LastChanged:  aws.ToTime(d.LastChangedDate),
		NextRotation: aws.ToTime(d.NextRotationDate),
	}
	if it.done {
		return r
	}
	for id, stages := range d.VersionIdsToStages {
		if it.pinned == id || it.pinned == "" && slices.Contains(stages, it.wantedStage()) {
			r.Version = provider.NewVersion(id, time.Time{}, stages...)
			return r
		}
	}
	return provider.ProbeResult{Err: s.explain(ref, describeOp, errNoVersion)}
}

func (it *item) wantedStage() string {
	if it.stage == "" {
		return "AWSCURRENT"
	}
	return it.stage
}
