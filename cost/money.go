package cost

import (
	"fmt"
	"math"
	"math/bits"
)

// Money is an amount in billionths of a dollar. The most it holds is some nine
// billion dollars, and what is more counts as that.
type Money int64

// Amounts of money to write prices with.
const (
	Dollar Money = 1_000_000_000
	Cent   Money = Dollar / 100
)

// String returns dollars and cents, rounded half up; an amount that would be
// rounded to nothing is "<$0.01".
func (m Money) String() string {
	switch {
	case m < 0:
		return "-" + (-max(m, -math.MaxInt64)).String()
	case m > 0 && m < Cent/2:
		return "<$0.01"
	}
	cents := m / Cent
	if m%Cent >= Cent/2 {
		cents++
	}
	return fmt.Sprintf("$%d.%02d", cents/100, cents%100)
}

// times returns n times m.
func (m Money) times(n int64) Money { return m.per(n, 1) }

// per returns the price of n where so many units cost m, rounded half up.
func (m Money) per(n, units int64) Money {
	high, low := bits.Mul64(uint64(n), uint64(m))
	low, carry := bits.Add64(low, uint64(units)/2, 0)
	if high += carry; high >= uint64(units) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(units))
	return Money(min(quotient, math.MaxInt64))
}

func (m Money) plus(n Money) Money {
	if m > math.MaxInt64-n {
		return math.MaxInt64
	}
	return m + n
}

// count makes a whole number of things out of a rate and how often that is.
func count(factors ...float64) int64 {
	product := 1.0
	for _, f := range factors {
		product *= f
	}
	if product >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(math.Round(product))
}

// product is count for whole numbers, exact.
func product(factors ...int64) int64 {
	p := int64(1)
	for _, f := range factors {
		high, low := bits.Mul64(uint64(p), uint64(f))
		if high != 0 || low > math.MaxInt64 {
			return math.MaxInt64
		}
		p = int64(low)
	}
	return p
}

func sum(terms ...int64) int64 {
	s := int64(0)
	for _, t := range terms {
		if s > math.MaxInt64-t {
			return math.MaxInt64
		}
		s += t
	}
	return s
}

// over returns n, which is positive, divided by size and rounded up.
func over(n, size int64) int64 { return (n-1)/size + 1 }
