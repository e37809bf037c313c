package ssm

import "github.com/c0629bfc/secrets/provider"

var _ provider.Limited = (*Store)(nil)

// RateLimit implements [provider.Limited]: 20 requests a second, and 40 at once.
// An account has 40 a second in a Region, of GetParameter, GetParameters and
// GetParametersByPath together, unless it pays for a higher throughput (guide:
// Parameter Store throughput).
func (s *Store) RateLimit() (perSecond float64, burst int) { return 20, 40 }

// cost is the part of RateLimit's quota that a request takes: what reads has
// that quota. PutParameter has 3 a second, and 10 where the account pays for a
// higher throughput: AWS does not document it, its support says so (issue 2944
// of github-aws-runners/terraform-aws-github-runner). Of what else changes
// parameters, and of DescribeParameters, nothing is known but that it is low; of
// what reads tags and settings, nothing.
func cost(operation string) float64 {
	switch operation {
	case putOp, deleteOp, deleteManyOp, labelOp, unlabelOp, tagOp, untagOp, describeOp, updateSettingOp:
		return readQuota / 3
	}
	return 1
}

// readQuota is the default quota of reads, a second.
const readQuota = 40.0
