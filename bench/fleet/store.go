package main

import "math"

// store is a way to read from AWS: what it takes to read a process's values,
// and what the account may do in a Region.
type store struct {
	name string
	size int // values a call

	// quotas are the requests a second of the calls that read and, if not 0, of
	// those that list. All of an account's processes share them.
	read, list float64
	// single is the quota of what reads one value, if that is another.
	single float64

	// perSecond and burst are the client's own bucket (Store.RateLimit of
	// packages sm and ssm), and cost is what a call takes of it.
	perSecond float64
	burst     int
	cost      float64

	price price
}

// price is what a service takes.
type price struct {
	dollars  float64 // for 10,000
	perValue bool    // of the values that were read, not of the calls
}

// Prices of the US Regions, as published for years; of 2025-11. Storage, KMS and
// CloudTrail are not in them. "An API interaction is defined as an interaction
// between an API request and an individual parameter" (Systems Manager pricing),
// so a GetParameters of ten is ten; that of Secrets Manager is by the call.
var (
	free       = price{}
	perCall    = price{dollars: 0.05}
	perReading = price{dollars: 0.05, perValue: true}
)

// The default quotas of an account in a Region (guides: Secrets Manager quotas,
// Parameter Store throughput), and the raised throughput of Parameter Store.
var stores = []store{
	{name: "ssm-default", size: 10, read: 40, perSecond: 20, burst: 40, cost: 1, price: free},
	{name: "ssm-raised", size: 10, read: 10_000, perSecond: 20, burst: 40, cost: 1, price: perReading},
	{name: "sm-batch", size: 20, read: 100, single: 10_000, perSecond: 50, burst: 100, cost: 1, price: perCall},
	{name: "sm-listing", size: 20, read: 100, list: 100, single: 10_000, perSecond: 50, burst: 100, cost: 1, price: perCall},
	// What sm does where BatchGetSecretValue is not allowed.
	{name: "sm-single", size: 1, read: 10_000, perSecond: 50, burst: 100, cost: 0.01, price: perCall},
}

// calls returns how many calls it takes to read so many values, and to refresh
// them.
func (s store) calls(values int) (read, refresh int) {
	read = (values + s.size - 1) / s.size
	if s.list > 0 {
		return read, 1 // a page of ListSecrets has up to a hundred names
	}
	return read, read
}

// quota returns how many of the calls that refresh an account may make a second.
func (s store) quota() float64 {
	if s.list > 0 {
		return s.list
	}
	return s.read
}

// month returns the dollars a month of so many calls a day for so many values.
func (p price) month(calls, values float64) float64 {
	if p.perValue {
		calls = values
	}
	return calls * 365 / 12 / 10_000 * p.dollars
}

// service is one quota at the far end: a token bucket that holds a second's
// worth, which AWS does not document. A throttled call takes nothing from it.
type service struct {
	rate, tokens float64
	at           int64
}

func newService(rate float64) service { return service{rate: rate, tokens: rate} }

// take reports whether a call at a time is let through.
func (s *service) take(now int64) bool {
	s.tokens = math.Min(s.rate, s.tokens+float64(now-s.at)/1e9*s.rate)
	s.at = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}
