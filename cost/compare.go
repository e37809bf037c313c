package cost

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Store is where values can be.
type Store string

const (
	StandardParameter Store = "standard parameter"
	AdvancedParameter Store = "advanced parameter"
	SecretsManager    Store = "secret"
)

// Stores are all there are.
var Stores = []Store{StandardParameter, AdvancedParameter, SecretsManager}

// Reading is how a program comes by its values.
type Reading string

const (
	// EachUse asks the store for a value whenever it is used.
	EachUse Reading = "each use"
	// EachTTL has a cache that makes a call for each value and TTL.
	EachTTL Reading = "each TTL"
	// Cached is the client of package secrets: batches, and of SecureStrings
	// the versions before the values. It refreshes a little before a TTL ends,
	// so it makes up to three in a hundred calls more than is said here.
	Cached Reading = "this cache"
	// Listed is that with sm.WithListing: the versions of secrets, a hundred a
	// call, and the values of those that changed.
	Listed Reading = "this cache, listing"
	// Observed is what [Workload.Measured] says.
	Observed Reading = "as measured"
)

// Line is what a workload takes and costs a month in one store, read in one way.
type Line struct {
	Store   Store
	Reading Reading

	Calls        int64 // of the API, to read
	Interactions int64 // with parameters that have a price
	Writes       int64 // calls to write and rotate
	KMS          int64 // requests to KMS that have a price

	Storage Money // of secrets, replicas and parameters
	API     Money
	Keys    Money // of KMS: the key and the requests

	// Why is why the store cannot hold the values, or why the reading is above
	// a quota; empty if all is well.
	Why []string
}

// Total is the price of a month.
func (l Line) Total() Money { return l.Storage.plus(l.API).plus(l.Keys) }

// PerSecond is the mean of Calls.
func (l Line) PerSecond() float64 { return float64(l.Calls) / Month.Seconds() }

// Table has the lines of a comparison, by store and reading.
type Table struct {
	Prices   Prices
	Workload Workload
	Lines    []Line
}

// Compare says what a workload costs in each store and by each way of reading.
func Compare(p Prices, w Workload) (Table, error) {
	w, err := w.complete()
	if err != nil {
		return Table{}, err
	}
	t := Table{Prices: p, Workload: w}
	for _, s := range Stores {
		for _, r := range []Reading{EachUse, EachTTL, Cached, Listed, Observed} {
			if l, ok := p.line(w, s, r); ok {
				t.Lines = append(t.Lines, l)
			}
		}
	}
	return t, nil
}

// Line returns the line of a store and a reading; false if there is none.
func (t Table) Line(s Store, r Reading) (Line, bool) {
	for _, l := range t.Lines {
		if l.Store == s && l.Reading == r {
			return l, true
		}
	}
	return Line{}, false
}

// line computes a line. It reports whether there is such a reading.
func (p Prices) line(w Workload, s Store, r Reading) (Line, bool) {
	l := Line{Store: s, Reading: r, Why: w.unfit(s)}
	secret := s == SecretsManager
	values, processes := int64(w.Values), int64(w.Processes)
	reads := count(w.Reads, Month.Seconds())
	refreshes := product(over(int64(Month), int64(w.TTL)), processes)
	perTTL := min(reads, product(values, refreshes)) // what nobody reads is not refreshed
	written := count(float64(w.Values), w.Writes)
	rotated := count(float64(w.Values), w.Rotations)
	news := product(sum(written, rotated), processes) // each process reads what has changed

	var decrypted, interactions int64
	var quota float64
	switch {
	case r == EachUse:
		l.Calls, decrypted, quota = reads, reads, quotaGetSecret
	case r == EachTTL, r == Cached && secret && w.CrossAccount: // by ARN, each by itself
		l.Calls, decrypted, quota = perTTL, perTTL, quotaGetSecret
	case r == Cached && secret:
		l.Calls, decrypted, quota = min(reads, product(over(values, batchSecrets), refreshes)), perTTL, quotaBatch
		if values == 1 {
			quota = quotaGetSecret
		}
	case r == Cached:
		if w.Plain { // they come with their versions
			news = 0
		}
		l.Calls, decrypted = sum(min(reads, product(over(values, batchParams), refreshes)), news), news
		interactions = sum(perTTL, news)
	case r == Listed && secret && !w.CrossAccount:
		l.Calls, decrypted, quota = sum(min(reads, product(over(values, pageSecrets), refreshes)), news), news, quotaList
	case r == Observed && w.Measured != nil && secret && w.Measured.SecretCalls > 0:
		l.Calls, decrypted, quota = w.Measured.SecretCalls, w.Measured.Values, quotaGetSecret
	case r == Observed && w.Measured != nil && !secret && w.Measured.ParameterCalls > 0:
		l.Calls, decrypted, interactions = w.Measured.ParameterCalls, w.Measured.Values, w.Measured.Interactions
	default:
		return Line{}, false
	}
	if r == EachUse || r == EachTTL {
		interactions = l.Calls
	}
	if !secret {
		if quota = quotaParameters; w.HighThroughput {
			quota = quotaParametersMax
		}
		if w.Plain {
			decrypted = 0
		}
	}
	if perSecond := l.PerSecond(); perSecond > quota {
		why := fmt.Sprintf("%.0f calls a second are above the quota of %.0f", perSecond, quota)
		if quota == quotaParameters {
			why += ", without the higher throughput"
		}
		l.Why = append(l.Why, why)
	}
	l.Writes, l.KMS = written, sum(decrypted, written)
	switch s {
	case SecretsManager:
		l.Writes = sum(l.Writes, product(rotated, rotationCalls))
		l.KMS = sum(l.KMS, product(rotated, rotationReads+1))
		l.Storage = p.Secret.times(product(values, int64(w.Replicas)+1))
		l.API = p.SecretCalls.per(sum(l.Calls, l.Writes), unit)
		if !w.CustomerKey {
			l.KMS = 0 // aws/secretsmanager
		}
	default:
		if w.Plain {
			l.KMS = 0
		}
		if s == AdvancedParameter {
			l.Storage = p.AdvancedParameter.times(values)
		}
		if s == AdvancedParameter || w.HighThroughput {
			l.Interactions = sum(interactions, written)
			l.API = p.ParameterCalls.per(l.Interactions, unit)
		}
	}
	l.Keys = p.KMSRequests.per(l.KMS, unit)
	if w.CustomerKey && (secret || !w.Plain) {
		l.Keys = l.Keys.plus(p.KMSKey)
	}
	return l, true
}

// rate is a number of three digits, without an exponent.
func rate(perSecond float64) string {
	if perSecond < 100 {
		return fmt.Sprintf("%.3g", perSecond)
	}
	return fmt.Sprintf("%.0f", perSecond)
}

// String returns the lines as a table.
func (t Table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, a month of %d days\n", t.Prices.Regions, t.Prices.Date, int(Month/(24*time.Hour)))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STORE\tREAD\tCALLS\tA SECOND\tSTORAGE\tAPI\tKMS\tTOTAL\tBUT")
	for _, l := range t.Lines {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Store, l.Reading, l.Calls, rate(l.PerSecond()), l.Storage, l.API, l.Keys, l.Total(), strings.Join(l.Why, "; "))
	}
	_ = w.Flush()
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}
