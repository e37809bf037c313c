package sm

import "github.com/c0629bfc/secrets/provider"

var _ provider.Limited = (*Store)(nil)

// RateLimit implements [provider.Limited]: 50 requests of BatchGetSecretValue or
// ListSecrets a second, and 100 at once. An account has 100 a second of each in
// a Region (guide: Secrets Manager quotas).
func (s *Store) RateLimit() (perSecond float64, burst int) { return 50, 100 }

// cost is the part of RateLimit's quota that a request takes. GetSecretValue and
// DescribeSecret have a quota of 10,000 a second; what writes and manages has 50,
// some operations of it together (guide: Secrets Manager quotas).
func cost(operation string) float64 {
	switch operation {
	case "GetSecretValue", describeOp:
		return 0.01
	case batchOp, listOp:
		return 1
	}
	return 2
}
