package main

import "slices"

// samples are what was measured, by metric and by peer.
type samples map[string]map[string][]float64

func (s samples) add(metric, peer string, v float64) {
	if s[metric] == nil {
		s[metric] = make(map[string][]float64)
	}
	s[metric][peer] = append(s[metric][peer], v)
}

// median returns the middle one of a peer's measurements, the mean of the two
// in the middle if their number is even; ok is false if there is none.
func (s samples) median(metric, peer string) (v float64, ok bool) {
	sorted := slices.Sorted(slices.Values(s[metric][peer]))
	n := len(sorted)
	if n == 0 {
		return 0, false
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2, true
}

// ratio returns how a peer's median compares with another's.
func (s samples) ratio(metric, peer, to string) (v float64, ok bool) {
	a, okA := s.median(metric, peer)
	b, okB := s.median(metric, to)
	return a / b, okA && okB && b != 0
}

// interleave has every peer do the jobs, one round after the other: what
// disturbs the machine for a while disturbs all of them. Each round begins with
// another peer.
func interleave(rounds int, peers []peer, jobs []job, progress func(round int)) samples {
	s := make(samples)
	for round := range rounds {
		progress(round)
		for _, j := range jobs {
			for i := range peers {
				p := peers[(i+round)%len(peers)]
				j(p, func(metric string, v float64) { s.add(metric, p.name, v) })
			}
		}
	}
	return s
}
