package cost

import (
	"fmt"
	"strings"
	"time"

	"github.com/c0629bfc/secrets"
)

// Measured is what a client did, scaled to a month.
type Measured struct {
	SecretCalls    int64 // requests to Secrets Manager
	ParameterCalls int64 // requests to Parameter Store
	// Interactions are those with single parameters, at most: a request of
	// several is taken for one of ten.
	Interactions int64
	// Values is how many values the stores sent, and decrypted unless they were
	// plain.
	Values int64
}

// Observe makes a workload of what a client did between two of its
// [secrets.Client.Stats], some time apart: the values that are in its cache, the
// reads and the calls, at that pace for a month. What Stats do not tell (sizes,
// keys, the TTL, what is needed) is the caller's to add, and Processes too, for
// which Reads and Measured have to be multiplied.
//
// The values of a client of both stores are counted together, as if all of them
// were in one.
func Observe(before, after secrets.Stats, over time.Duration) (Workload, error) {
	if over <= 0 {
		return Workload{}, fmt.Errorf("%w: nothing was observed in %v", ErrInvalid, over)
	}
	if after.Hits < before.Hits || after.Misses < before.Misses || after.APICalls < before.APICalls {
		return Workload{}, fmt.Errorf("%w: the later Stats are not the same client's", ErrInvalid)
	}
	month := func(n uint64) int64 { return count(float64(n), float64(Month)/float64(over)) }
	var secretCalls, parameterCalls, interactions uint64
	for op, n := range after.Calls {
		switch n -= before.Calls[op]; {
		case strings.Contains(op, "Secret"):
			secretCalls += n
		case op == "GetParameters" || op == "GetParametersByPath":
			parameterCalls, interactions = parameterCalls+n, interactions+batchParams*n
		case strings.Contains(op, "Parameter"):
			parameterCalls, interactions = parameterCalls+n, interactions+n
		}
	}
	fetched := after.Fetched - before.Fetched
	return Workload{
		Values: after.Entries,
		Reads:  float64(after.Hits-before.Hits+after.Misses-before.Misses) / over.Seconds(),
		Measured: &Measured{
			SecretCalls:    month(secretCalls),
			ParameterCalls: month(parameterCalls),
			Interactions:   month(interactions),
			Values:         month(fetched - min(fetched, after.Probed-before.Probed)),
		},
	}, nil
}
