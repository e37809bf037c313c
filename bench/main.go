// Bench compares this module's client with other caches and with the bare SDK,
// at jobs that a service gives them, in one run:
//
//	go run .
//
// writes tables and plots of the medians into results, and
//
//	go run . -quick
//
// does each job for a moment, to see that all of them still work.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func main() {
	log.SetFlags(0)
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	brief := flags.Bool("quick", false, "do each job for a moment, and write into a temporary directory")
	out := flags.String("out", "results", "directory to write into")
	rounds := flags.Int("rounds", full.rounds, "rounds; each does all jobs with all peers")
	each := flags.Duration("each", full.each, "how long a measurement takes")
	check(flags.Parse(os.Args[1:]))

	size := full
	size.rounds, size.each = *rounds, *each
	if *brief {
		size = quick
	}
	inTest(size.each, func(t *testing.T) {
		if *brief {
			*out = t.TempDir()
		}
		files, err := render(measure(t, size), size)
		check(err)
		check(os.MkdirAll(*out, 0o755))
		for name, content := range files {
			check(os.WriteFile(filepath.Join(*out, name), content, 0o644))
		}
		os.Stdout.Write(files["README.md"])
		log.Printf("wrote %d files into %s", len(files), *out)
	})
}

// measure does everything.
func measure(t *testing.T, size sizes) samples {
	jobs := []job{
		hit(size.hot, size.each, hitSingle, hitParallel),
		hit(1, size.each, hitSingle1, hitParallel1),
		mixed(size.hot),
		churn,
		weigh(size.held),
		cold(size.cold, size.latency),
		stampede(size.stampede, size.latency),
	}
	s := interleave(size.rounds, peers, jobs, func(round int) { log.Printf("round %d of %d", round+1, size.rounds) })
	for _, n := range size.fresh {
		for _, p := range peers {
			for scheme, metric := range map[string]string{"sm": freshSecrets, "ssm": freshParameter} {
				if calls, _, ok := keepFresh(t, p, scheme, n); ok {
					s.add(freshOf(metric, n), p.name, float64(calls))
				}
			}
		}
		log.Printf("kept %d refs fresh for an hour of virtual time", n)
	}
	return s
}

func freshOf(metric string, n int) string { return metric + ", " + count(float64(n)) + " refs" }

// render makes the files of the results.
func render(s samples, size sizes) (map[string][]byte, error) {
	var page bytes.Buffer
	fmt.Fprintf(&page, `# Results

Written by `+"`go run .`"+` in bench: medians of %d rounds of %v each, the peers taking turns within a round. %s.
A ratio in brackets is to `+"`%s`"+`, the floor; %s is what a peer cannot do.

![hits](hits.svg)
![calls to keep secrets fresh](fresh.svg)

`, size.rounds, size.each, machine(), floor, none)
	for _, t := range tables(size) {
		t.write(&page, s, peers)
	}
	fmt.Fprintf(&page, "## How each is configured\n\n")
	for _, p := range peers {
		fmt.Fprintf(&page, "- %s: %s.\n", p.name, p.how)
	}

	files := map[string][]byte{"README.md": page.Bytes()}
	var fresh []string
	for _, n := range size.fresh {
		fresh = append(fresh, freshOf(freshSecrets, n))
	}
	for name, c := range map[string]chart{
		"hits.svg": chartOf("A hit", "time of one read of what is cached, logarithmic; "+machine(), s, peers, nanos, power(nanos),
			hitSingle1, hitSingle, hitParallel1, hitParallel),
		"fresh.svg": chartOf("Keeping secrets fresh", "API calls an hour at a TTL of five minutes, logarithmic; none changes, all are read", s, peers, count, count, fresh...),
	} {
		var svg bytes.Buffer
		if err := c.write(&svg); err != nil {
			return nil, err
		}
		files[name] = svg.Bytes()
	}
	return files, nil
}

// power shows a power of ten without digits after the point.
func power(show func(float64) string) func(float64) string {
	return func(v float64) string {
		text := show(v)
		var number float64
		var unit string
		if _, err := fmt.Sscan(text, &number, &unit); err != nil {
			return text
		}
		return strconv.FormatFloat(number, 'f', -1, 64) + " " + unit
	}
}

// tables are the tables of the results.
func tables(size sizes) []table {
	fresh := func(metric string) (columns []column) {
		for _, n := range size.fresh {
			columns = append(columns, column{head: count(float64(n)) + " refs", metric: freshOf(metric, n), show: count})
		}
		return columns
	}
	return []table{
		{"A hit", fmt.Sprintf("Reads of what is cached: one key, or %s keys in turn; by one goroutine, or by one on each core at once (what a read takes then: the same, if the cores do not hold each other up). The median of chunks of up to 4,096 reads.", count(float64(size.hot))), []column{
			{"1 key", hitSingle1, nanos, floor},
			{count(float64(size.hot)) + " keys", hitSingle, nanos, floor},
			{"1 key, all cores", hitParallel1, nanos, floor},
			{count(float64(size.hot)) + " keys, all cores", hitParallel, nanos, floor},
			{"allocations", hitAllocs, count, ""},
		}},
		{"Change", fmt.Sprintf("Mixed: of 100 operations 99 are hits and one replaces a value by what the store, here memory, now has; on all cores. "+
			"Churn: reads of %s keys with room for %s, by Zipf's law with s = 1.1, on all cores; a miss reads memory. "+
			"Bytes: what a cache of %s entries takes of the heap for each, besides key and value.", count(10*bound), count(bound), count(float64(size.held))), []column{
			{"mixed 99:1", mixedTime, nanos, floor},
			{"churn", churnTime, nanos, ""},
			{"hits in it", churnRatio, percent, ""},
			{"bytes an entry", entryBytes, count, ""},
		}},
		{"Cold start and stampede", fmt.Sprintf("Calls take %v, as Secrets Manager's do. Start: %d names, by the peer's call for many (one after the other where it has none, without batches where it has no loader of many), or by a goroutine a name. "+
			"Stampede: %s goroutines want one secret that is not cached. All that load are given a loader that batches.", size.latency, size.cold, count(float64(size.stampede))), []column{
			{"start, a list", coldListTime, nanos, ""},
			{"calls", coldListCalls, count, ""},
			{"start, a goroutine a name", coldEachTime, nanos, ""},
			{"calls", coldEachCalls, count, ""},
			{"stampede", stampedeTime, nanos, ""},
			{"calls", stampedeCalls, count, ""},
		}},
		{"Keeping secrets fresh: API calls an hour", fmt.Sprintf("Secrets Manager; each ref is read every %v of virtual time, none changes, and none may be older than %v. "+
			"The bare SDK makes %d calls a ref, one for each read. Counted by the server; otter and sturdyc refresh ahead, sturdyc in batches of twenty.", readEvery, freshTTL, int(3600/readEvery.Seconds())), fresh(freshSecrets)},
		{"Keeping parameters fresh: API calls an hour", "The same with Parameter Store; sturdyc in batches of twenty, which are two calls.", fresh(freshParameter)},
	}
}
