// Fleet simulates, in virtual time, many processes that read their secrets or
// parameters through this module's client under the quotas of one account, and
// writes what it found into docs:
//
//	go run ./fleet
//
// The scheduling is the client's own, package internal/schedule; how the client,
// the SDK and AWS act around it is modelled in process.go, lane.go and store.go. With
// -quick it is some seconds' work, and prints to standard output only.
package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	refs = 50              // values a process
	ttl  = 5 * time.Minute // the client's default
	lag  = 5 * time.Minute // ListSecrets may miss the changes of that time (API ListSecrets)
	// use is how often a program without a cache reads each value.
	use = 1.0 // a second
)

var sizes = []int{10, 100, 1_000, 10_000, 100_000}

func main() {
	log.SetFlags(0)
	flags := flag.NewFlagSet("fleet", flag.ExitOnError)
	most := flags.Int("max", 100_000, "processes at most")
	quick := flags.Bool("quick", false, "small fleets for two hours, and write nothing")
	budget := flags.Int("budget", 8_000_000, "requests at most in a case, which then ends early; in some more or less")
	out := flags.String("out", "../docs", "directory of fleet.md and its plots")
	check(flags.Parse(os.Args[1:]))

	day := 24 * time.Hour
	if *quick {
		*most, day, *budget = min(*most, 100), 2*time.Hour, 1_000_000
	}
	began := time.Now()
	r := run(plan(*most, day, *budget))
	var tables bytes.Buffer
	r.write(&tables)
	os.Stdout.Write(tables.Bytes())
	plots, err := r.plots()
	check(err)
	if !*quick {
		check(fill(filepath.Join(*out, "fleet.md"), tables.Bytes()))
		for name, svg := range plots {
			check(os.WriteFile(filepath.Join(*out, name), svg, 0o644))
		}
	}
	log.Printf("took %v", time.Since(began).Round(time.Second))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// part is a chapter of the results.
type part string

const (
	deploys part = "deploy"  // all processes start within a minute
	rolling part = "rolling" // or within ten
	longer  part = "ttl"     // the same with a TTL of an hour
	apps    part = "app"     // what an application does that cannot start
	nearly  part = "nearly"  // how near to the quota a fleet may come
)

// plan returns the cases of each part.
func plan(most int, day time.Duration, budget int) map[part][]setting {
	p := make(map[part][]setting)
	for _, n := range sizes {
		if n > most {
			break
		}
		for _, s := range stores {
			c := setting{store: s, procs: n, refs: refs, ttl: ttl, deploy: time.Minute, lasts: day, budget: budget}
			if s.list > 0 {
				c.lag = lag
			}
			// What comes of the largest fleets that need more than their quota is plain
			// soon, and so is how one starts that needs little.
			over, huge := c.need() > 1, n >= 100_000
			if over && huge {
				c.budget /= 10
			}
			if n == 10_000 && s.name == "ssm-default" {
				c.budget *= 6 // it takes that long until all are warm
			}
			p[deploys] = append(p[deploys], c)
			if n >= 1000 {
				roll := c
				roll.deploy, roll.lasts = 10*time.Minute, day/8
				if !over {
					roll.budget = budget / 4
				}
				p[rolling] = append(p[rolling], roll)
			}
			if n >= 10_000 {
				hour := c
				switch hour.ttl = time.Hour; {
				case huge && (s.name == "sm-batch" || s.name == "sm-listing"):
					hour.budget = 4 * budget
				case !huge:
					hour.budget = budget / 2
				}
				p[longer] = append(p[longer], hour)
			}
			if (s.name == "ssm-default" || s.name == "sm-batch") && (n == 1000 || n == 10_000) {
				for _, a := range []app{patient, eager, crashing} {
					c.app, c.lasts, c.budget = a, day/8, 3*budget
					p[apps] = append(p[apps], c)
				}
			}
		}
	}
	for _, n := range []int{1200, 1400, 1600, 1800, 2000, 2200} { // of 2,300
		if n <= most {
			p[nearly] = append(p[nearly], setting{store: stores[0], procs: n, refs: refs, ttl: ttl, deploy: time.Minute, lasts: day / 8, budget: budget})
		}
	}
	return p
}

// results are the outcomes of each part.
type results map[part][]outcome

// run simulates all cases, one a core, the longest first.
func run(plan map[part][]setting) results {
	type job struct {
		part part
		i    int
	}
	r := make(results)
	var jobs []job
	for p, cases := range plan {
		r[p] = make([]outcome, len(cases))
		for i := range cases {
			jobs = append(jobs, job{p, i})
		}
	}
	todo := make(chan job)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range todo {
				c, began := plan[j.part][j.i], time.Now()
				r[j.part][j.i] = simulate(c)
				if took := time.Since(began); took > time.Second {
					log.Printf("%s, %s, %d processes: %v", j.part, c.store.name, c.procs, took.Round(time.Second))
				}
			}
		})
	}
	slices.SortStableFunc(jobs, func(a, b job) int {
		return cmp.Compare(plan[b.part][b.i].procs, plan[a.part][a.i].procs)
	})
	for _, j := range jobs {
		todo <- j
	}
	close(todo)
	workers.Wait()
	return r
}

// The tables stand in the page between these lines.
const (
	from  = "<!-- written by bench/fleet from here -->\n"
	until = "<!-- to here -->\n"
)

// fill replaces the tables in the page.
func fill(path string, tables []byte) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := bytes.Cut(page, []byte(from))
	_, tail, also := bytes.Cut(rest, []byte(until))
	if !ok || !also {
		return fmt.Errorf("%s: the lines are missing between which the tables go", path)
	}
	page = bytes.Join([][]byte{head, []byte(from), []byte("\n"), tables, []byte(until), tail}, nil)
	return os.WriteFile(path, page, 0o644)
}
