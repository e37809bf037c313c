package cost_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/cost"
)

const (
	often = 1e9 // reads a second that no refresh is spared for
	cent  = cost.Cent
	mille = cost.Cent / 1000 // a thousandth of a cent
)

// TestPricesByHand: each number is calculated beside it. A month of 30 days has
// 8,640 TTLs of five minutes and 2,592,000 seconds.
func TestPricesByHand(t *testing.T) {
	thousand := cost.Workload{Values: 1000, Reads: often}
	keyed := thousand
	keyed.CustomerKey = true
	changing := keyed
	changing.Writes, changing.Rotations, changing.Processes, changing.Replicas = 2, 1, 3, 1
	for name, test := range map[string]struct {
		w       cost.Workload
		store   cost.Store
		reading cost.Reading

		calls, interactions, writes, kms int64
		storage, api, keys               cost.Money
		total                            string
	}{
		"secrets, cached": { // 1000/20 × 8640 calls; × $0.05/10,000; 1000 × $0.40
			thousand, cost.SecretsManager, cost.Cached, 432_000, 0, 0, 0, 40_000 * cent, 216 * cent, 0, "$402.16"},
		"secrets, listing": { // 1000/100 × 8640
			thousand, cost.SecretsManager, cost.Listed, 86_400, 0, 0, 0, 40_000 * cent, 43_200 * mille, 0, "$400.43"},
		"secrets, a call each TTL": { // 1000 × 8640
			thousand, cost.SecretsManager, cost.EachTTL, 8_640_000, 0, 0, 0, 40_000 * cent, 4320 * cent, 0, "$443.20"},
		"secrets, cached, customer key": { // 1000 × 8640 decryptions × $0.03/10,000 + $1
			keyed, cost.SecretsManager, cost.Cached, 432_000, 0, 0, 8_640_000, 40_000 * cent, 216 * cent, 2692 * cent, "$429.08"},
		"secrets, listing, customer key": { // nothing changes, nothing is decrypted
			keyed, cost.SecretsManager, cost.Listed, 86_400, 0, 0, 0, 40_000 * cent, 43_200 * mille, 100 * cent, "$401.43"},
		"secrets that change": {
			// 50 × 8640 × 3 calls; 1000 × 2 writes + 1000 × 14 of rotations;
			// 1000 × 8640 × 3 + 2000 + 1000 × 5 requests to KMS; 2000 × $0.40
			changing, cost.SecretsManager, cost.Cached, 1_296_000, 0, 16_000, 25_927_000, 80_000 * cent, 656 * cent, 7878_100 * mille, "$885.34"},
		"secrets that change, listing": {
			// 10 × 8640 × 3 + 3000 changes × 3 processes; 9000 + 7000 requests
			changing, cost.SecretsManager, cost.Listed, 268_200, 0, 16_000, 16_000, 80_000 * cent, 142_100 * mille, 104_800 * mille, "$802.47"},
		"standard, cached": {
			thousand, cost.StandardParameter, cost.Cached, 864_000, 0, 0, 0, 0, 0, 0, "$0.00"},
		"standard, a call each TTL": { // each decrypts: 8,640,000 × $0.03/10,000
			thousand, cost.StandardParameter, cost.EachTTL, 8_640_000, 0, 0, 8_640_000, 0, 0, 2592 * cent, "$25.92"},
		"advanced, cached": { // 1000 × 8640 interactions × $0.05/10,000; 1000 × $0.05
			thousand, cost.AdvancedParameter, cost.Cached, 864_000, 8_640_000, 0, 0, 5000 * cent, 4320 * cent, 0, "$93.20"},
		"standard, higher throughput": {
			cost.Workload{Values: 1000, Reads: often, HighThroughput: true}, cost.StandardParameter, cost.Cached, 864_000, 8_640_000, 0, 0, 0, 4320 * cent, 0, "$43.20"},
		"advanced that change": {
			// 1 × 8640 calls and 5 × 4 to read what changed; 5 × 8640 + 20
			// interactions and 20 writes; 20 + 20 requests
			cost.Workload{Values: 5, Reads: often, Writes: 4}, cost.AdvancedParameter, cost.Cached, 8660, 43_240, 20, 40, 25 * cent, 21_620 * mille, 12 * mille, "$0.47"},
		"plain": { // the values come with their versions
			cost.Workload{Values: 5, Reads: often, Writes: 4, Plain: true}, cost.AdvancedParameter, cost.Cached, 8640, 43_220, 20, 0, 25 * cent, 21_610 * mille, 0, "$0.47"},
		"one secret on each use": { // 100 × 2,592,000 × $0.05/10,000
			cost.Workload{Reads: 100}, cost.SecretsManager, cost.EachUse, 259_200_000, 0, 0, 0, 40 * cent, 129_600 * cent, 0, "$1296.40"},
		"secrets of another account": { // no batches: 40 × 8640 calls and decryptions, and $1
			cost.Workload{Values: 40, Reads: often, CrossAccount: true}, cost.SecretsManager, cost.Cached, 345_600, 0, 0, 345_600, 1600 * cent, 172_800 * mille, 203_680 * mille, "$19.76"},
		"seldom read": { // a read in 1000 s is 2592; not 100 × 8640
			cost.Workload{Values: 100, Reads: 0.001}, cost.SecretsManager, cost.EachTTL, 2592, 0, 0, 0, 4000 * cent, 1296 * mille, 0, "$40.01"},
		"a TTL of an hour": { // 3 batches × 720 × 10 processes
			cost.Workload{Values: 41, Reads: often, Processes: 10, TTL: time.Hour}, cost.SecretsManager, cost.Cached, 21_600, 0, 0, 0, 1640 * cent, 10_800 * mille, 0, "$16.51"},
		"a TTL that does not divide the month": { // 2,592,000/7000 is 370.3: 371
			cost.Workload{Reads: often, TTL: 7000 * time.Second}, cost.SecretsManager, cost.Cached, 371, 0, 0, 0, 40 * cent, 1_855_000, 0, "$0.40"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := cost.Compare(cost.US, test.w)
			require.NoError(t, err)
			l, ok := table.Line(test.store, test.reading)
			require.True(t, ok)
			require.Equal(t, test.calls, l.Calls)
			require.Equal(t, test.interactions, l.Interactions)
			require.Equal(t, test.writes, l.Writes)
			require.Equal(t, test.kms, l.KMS)
			require.Equal(t, test.storage, l.Storage)
			require.Equal(t, test.api, l.API)
			require.Equal(t, test.keys, l.Keys)
			require.Equal(t, test.total, l.Total().String())
		})
	}
}

func TestPricesAreTheCallers(t *testing.T) {
	p := cost.US
	p.Regions, p.Date, p.Secret = "elsewhere", "2030", 50*cent
	table, err := cost.Compare(p, cost.Workload{Values: 2})
	require.NoError(t, err)
	l, _ := table.Line(cost.SecretsManager, cost.Cached)
	require.Equal(t, cost.Dollar, l.Total())
	require.Contains(t, table.String(), "elsewhere, 2030, a month of 30 days")
}

func TestATableSaysWhatAQuotaForbids(t *testing.T) {
	table, err := cost.Compare(cost.US, cost.Workload{Values: 10, Reads: 100})
	require.NoError(t, err)
	require.Equal(t, ""+
		"US Regions, 2026, a month of 30 days\n"+
		"STORE               READ                 CALLS      A SECOND  STORAGE  API       KMS      TOTAL     BUT\n"+
		"standard parameter  each use             259200000  100       $0.00    $0.00     $777.60  $777.60   100 calls a second are above the quota of 40, without the higher throughput\n"+
		"standard parameter  each TTL             86400      0.0333    $0.00    $0.00     $0.26    $0.26\n"+
		"standard parameter  this cache           8640       0.00333   $0.00    $0.00     $0.00    $0.00\n"+
		"advanced parameter  each use             259200000  100       $0.50    $1296.00  $777.60  $2074.10  100 calls a second are above the quota of 40, without the higher throughput\n"+
		"advanced parameter  each TTL             86400      0.0333    $0.50    $0.43     $0.26    $1.19\n"+
		"advanced parameter  this cache           8640       0.00333   $0.50    $0.43     $0.00    $0.93\n"+
		"secret              each use             259200000  100       $4.00    $1296.00  $0.00    $1300.00\n"+
		"secret              each TTL             86400      0.0333    $4.00    $0.43     $0.00    $4.43\n"+
		"secret              this cache           8640       0.00333   $4.00    $0.04     $0.00    $4.04\n"+
		"secret              this cache, listing  8640       0.00333   $4.00    $0.04     $0.00    $4.04\n", table.String())
}

func TestWorkloadsThatCannotBe(t *testing.T) {
	for _, w := range []cost.Workload{
		{Values: -1}, {Size: -1}, {Processes: -1}, {Replicas: -1}, {TTL: -1}, {Reads: -1}, {Writes: -1}, {Rotations: -1},
		{Reads: math.NaN()}, {Reads: math.Inf(1)}, {TTL: math.MaxInt64}, {Plain: true, CustomerKey: true},
	} {
		_, err := cost.Compare(cost.US, w)
		require.ErrorIs(t, err, cost.ErrInvalid, w)
		_, err = cost.Advise(cost.US, w)
		require.ErrorIs(t, err, cost.ErrInvalid, w)
	}
}

func TestQuotas(t *testing.T) {
	for name, test := range map[string]struct {
		w       cost.Workload
		store   cost.Store
		reading cost.Reading
		quota   string
	}{
		"40 a second":                     {cost.Workload{Reads: 40}, cost.StandardParameter, cost.EachUse, ""},
		"41 a second":                     {cost.Workload{Reads: 41}, cost.StandardParameter, cost.EachUse, "quota of 40"},
		"10,000 with more throughput":     {cost.Workload{Reads: 10_000, HighThroughput: true}, cost.StandardParameter, cost.EachUse, ""},
		"10,001 with more throughput":     {cost.Workload{Reads: 10_001, HighThroughput: true}, cost.StandardParameter, cost.EachUse, "quota of 10000"},
		"10,001 secrets a second":         {cost.Workload{Reads: 10_001}, cost.SecretsManager, cost.EachUse, "quota of 10000"},
		"30,000 batches in 300 s":         {cost.Workload{Values: 2, Reads: often, Processes: 30_000}, cost.SecretsManager, cost.Cached, ""},
		"30,300 batches in 300 s":         {cost.Workload{Values: 2, Reads: often, Processes: 30_300}, cost.SecretsManager, cost.Cached, "quota of 100"},
		"one secret is read by itself":    {cost.Workload{Values: 1, Reads: often, Processes: 30_300}, cost.SecretsManager, cost.Cached, ""},
		"30,300 pages of a listing":       {cost.Workload{Values: 2, Reads: often, Processes: 30_300}, cost.SecretsManager, cost.Listed, "quota of 100"},
		"30,300 x 20 by another account":  {cost.Workload{Values: 20, Reads: often, Processes: 30_300, CrossAccount: true}, cost.SecretsManager, cost.Cached, ""},
		"303,000 x 10 by another account": {cost.Workload{Values: 10, Reads: often, Processes: 303_000, CrossAccount: true}, cost.SecretsManager, cost.Cached, "quota of 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := cost.Compare(cost.US, test.w)
			require.NoError(t, err)
			l, _ := table.Line(test.store, test.reading)
			if test.quota == "" {
				require.Empty(t, l.Why)
				return
			}
			require.Len(t, l.Why, 1)
			require.Contains(t, l.Why[0], test.quota)
		})
	}
}

func TestWhatIsPlainNeedsNoKey(t *testing.T) {
	table, err := cost.Compare(cost.US, cost.Workload{Plain: true, CrossAccount: true, Reads: often})
	require.NoError(t, err)
	l, _ := table.Line(cost.AdvancedParameter, cost.EachUse)
	require.Zero(t, l.Keys)
	l, _ = table.Line(cost.SecretsManager, cost.Cached)
	require.Equal(t, 100*cent+2592*mille, l.Keys, "a secret is always encrypted: $1 and 8,640 requests")
}

// TestABillIsExact: a price of a billionth of a dollar for 10,000 calls.
func TestABillIsExact(t *testing.T) {
	for calls, want := range map[int]cost.Money{0: 0, 4999: 0, 5000: 1, 14_999: 1, 15_000: 2} {
		table, err := cost.Compare(cost.Prices{SecretCalls: 1}, cost.Workload{Reads: float64(calls) / cost.Month.Seconds()})
		require.NoError(t, err)
		l, _ := table.Line(cost.SecretsManager, cost.EachUse)
		require.EqualValues(t, calls, l.Calls)
		require.Equal(t, want, l.Total())
	}
}

func TestSecretsOfAnotherAccountAreNotListed(t *testing.T) {
	table, err := cost.Compare(cost.US, cost.Workload{CrossAccount: true})
	require.NoError(t, err)
	_, ok := table.Line(cost.SecretsManager, cost.Listed)
	require.False(t, ok)
}

func TestNothingOverflows(t *testing.T) {
	table, err := cost.Compare(cost.US, cost.Workload{Values: math.MaxInt, Processes: math.MaxInt, Reads: math.MaxFloat64, Writes: math.MaxFloat64,
		Rotations: 1, TTL: 1, CustomerKey: true, HighThroughput: true})
	require.NoError(t, err)
	for _, l := range table.Lines {
		require.Positive(t, l.Calls)
		require.Positive(t, l.Total())
	}
	l, _ := table.Line(cost.SecretsManager, cost.EachUse)
	require.Equal(t, cost.Money(math.MaxInt64), l.Total())
}

func TestMoneyIsRoundedWhereItIsPrinted(t *testing.T) {
	for m, want := range map[cost.Money]string{
		0: "$0.00", 1: "<$0.01", cent/2 - 1: "<$0.01", cent / 2: "$0.01", cent: "$0.01", cent + cent/2 - 1: "$0.01", cent + cent/2: "$0.02",
		99*cent + cent/2: "$1.00", 123456 * cent: "$1234.56", -cent: "-$0.01", math.MaxInt64: "$9223372036.85", math.MinInt64: "-$9223372036.85",
	} {
		require.Equal(t, want, m.String())
	}
}
