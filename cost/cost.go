// Package cost says what values cost a month in Secrets Manager and in each tier
// of Parameter Store, by how they are read, and where a value belongs.
//
//	table, err := cost.Compare(cost.US, cost.Workload{Values: 50, Processes: 20, Reads: 1000})
//	…
//	fmt.Print(table)
//
//	advice, err := cost.Advise(cost.US, cost.Workload{Size: 6000, CrossAccount: true})
//
// Prices are data with a date ([Prices]): bring your own where they have changed
// or your Region has others. Money is counted in whole billionths of a dollar and
// rounded for printing alone. Free tiers, discounts, data transfer and what a
// rotation's Lambda function costs are left out, and so are the first readings
// of processes that start.
package cost

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/c0629bfc/secrets"
)

// Month is what a month is taken for: thirty days.
const Month = 30 * 24 * time.Hour

// Workload describes values of one kind: how many there are, what they need and
// how they are used.
type Workload struct {
	Values int // how many; zero is one
	Size   int // of the largest, in bytes

	Plain  bool // they need no encryption: a String, not a SecureString
	Binary bool // they are bytes and not text
	// CustomerKey has them encrypted with a customer managed KMS key, one for
	// all. Other accounts cannot use AWS's own keys, so CrossAccount implies it.
	CustomerKey bool

	Processes int           // that read them, each with its own cache; zero is one
	Reads     float64       // a second, of all values by all processes; a handle reads once a TTL
	Writes    float64       // a month, of each value, without rotations
	TTL       time.Duration // zero is [secrets.DefaultTTL]
	// HighThroughput is the setting of that name of Parameter Store
	// (ssm.Store.SetHighThroughput).
	HighThroughput bool

	// What a value needs of its store.
	Rotations    float64 // a month, of each value, by Secrets Manager; zero is none
	Replicas     int     // other Regions that have it too
	CrossAccount bool    // all its readers are of other accounts
	Expiry       bool    // it expires by itself, or AWS is to say that it was not changed

	// Measured is what a client was seen to do, from [Observe].
	Measured *Measured
}

// ErrInvalid: a workload that cannot be.
var ErrInvalid = errors.New("invalid workload")

// complete fills in what is zero and checks the rest.
func (w Workload) complete() (Workload, error) {
	if w.Values == 0 {
		w.Values = 1
	}
	if w.Processes == 0 {
		w.Processes = 1
	}
	if w.TTL == 0 {
		w.TTL = secrets.DefaultTTL
	}
	w.CustomerKey = w.CustomerKey || w.CrossAccount
	for what, n := range map[string]float64{
		"Values": float64(w.Values), "Size": float64(w.Size), "Processes": float64(w.Processes), "Replicas": float64(w.Replicas),
		"TTL": float64(w.TTL), "Reads": w.Reads, "Writes": w.Writes, "Rotations": w.Rotations,
	} {
		if !(n >= 0) || math.IsInf(n, 0) {
			return w, fmt.Errorf("%w: %s is %v", ErrInvalid, what, n)
		}
	}
	switch {
	case w.Plain && w.CustomerKey && !w.CrossAccount:
		return w, fmt.Errorf("%w: Plain values are not encrypted with a CustomerKey", ErrInvalid)
	case w.TTL > secrets.MaxTTL:
		return w, fmt.Errorf("%w: the TTL is longer than %v", ErrInvalid, secrets.MaxTTL)
	}
	return w, nil
}
