package ssm

import "github.com/c0629bfc/secrets/provider"

var _ provider.Limited = (*Store)(nil)

// RateLimit implements [provider.Limited]: 20 requests a second, and 40 at once.
// An account has 40 a second in a Region, of GetParameter, GetParameters and
// GetParametersByPath together, unless it pays for a higher throughput (guide:
// Parameter Store throughput).
func (s *Store) RateLimit() (perSecond float64, burst int) { return 20, 40 }

// cost is the part of RateLimit's quota that a request takes: all have the same.
func cost(string) float64 { return 1 }
