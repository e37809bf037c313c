package main

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"github.com/c0629bfc/secrets/secretstest"
)

const (
	freshTTL = 5 * time.Minute
	// readEvery is how often each ref is read, in virtual time.
	readEvery = 10 * time.Second
	// settling is how long the start goes on before calls are counted.
	settling = 15 * time.Minute
)

// keepFresh counts the API calls of an hour of virtual time in which n refs
// that never change are read all the time, and none may be older than five
// minutes; as the server counts them. It runs in a bubble of its own.
func keepFresh(t *testing.T, p peer, scheme string, n int) (made, decrypts int, ok bool) {
	if !p.kind.loads() || p.name == "bare SDK" || p.kind == calls && scheme != "sm" {
		return 0, 0, false
	}
	synctest.Test(t, func(t *testing.T) {
		server, err := secretstest.Start(secretstest.InProcess())
		check(err)
		defer server.Close()
		keys := keysOf(scheme, n)
		c := p.open(serving(server, keys), config{capacity: 2*n + 200, ttl: freshTTL, ahead: true})
		defer c.close()
		ctx := t.Context()
		if c.all != nil {
			check(c.all(ctx, keys...))
		}
		reading := func(total time.Duration) {
			for began := time.Now(); time.Since(began) < total; time.Sleep(readEvery) {
				for _, key := range keys {
					check(c.load(ctx, key))
				}
			}
		}
		reading(settling)
		server.ResetCalls()
		reading(time.Hour)
		made, decrypts = server.Calls(), server.Decrypts()
		time.Sleep(2 * time.Second) // what is on its way arrives
	})
	return made, decrypts, true
}

// inTest runs f as the one test of a program and exits: the benchmarks of
// package testing need its flags, and the bubbles of virtual time a test.
func inTest(each time.Duration, f func(t *testing.T)) {
	testing.Init()
	check(flag.CommandLine.Parse(nil))
	check(flag.Set("test.benchtime", each.String()))
	testing.Main(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "bench", F: f}}, nil, nil)
}
