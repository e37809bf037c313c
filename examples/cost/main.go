// Cost prints what a workload costs a month in Secrets Manager and in each tier
// of Parameter Store, by how it is read, and where its values belong:
//
//	go run ./examples/cost
//	go run ./examples/cost -values 200 -processes 50 -reads 5000 -size 6000 -ttl 15m
//	go run ./examples/cost -rotations 1 -cross-account
//
// It asks nobody and needs no AWS account. Without flags it prints some examples,
// and then a client that it runs against an embedded server for a second, as it
// was measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/cost"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func main() {
	log.SetFlags(0)
	var w cost.Workload
	flag.IntVar(&w.Values, "values", 1, "how many values there are")
	flag.IntVar(&w.Size, "size", 0, "bytes of the largest")
	flag.BoolVar(&w.Plain, "plain", false, "they need no encryption")
	flag.BoolVar(&w.Binary, "binary", false, "they are bytes and not text")
	flag.BoolVar(&w.CustomerKey, "key", false, "they are encrypted with a customer managed KMS key")
	flag.IntVar(&w.Processes, "processes", 1, "how many processes read them")
	flag.Float64Var(&w.Reads, "reads", 100, "reads a second, of all values and processes")
	flag.Float64Var(&w.Writes, "writes", 0, "writes a month, of each value")
	flag.DurationVar(&w.TTL, "ttl", secrets.DefaultTTL, "how long a cache keeps a value")
	flag.BoolVar(&w.HighThroughput, "high-throughput", false, "Parameter Store has its higher throughput")
	flag.Float64Var(&w.Rotations, "rotations", 0, "rotations a month, of each value, by Secrets Manager")
	flag.IntVar(&w.Replicas, "replicas", 0, "other Regions that have the values too")
	flag.BoolVar(&w.CrossAccount, "cross-account", false, "other accounts read them")
	flag.BoolVar(&w.Expiry, "expiry", false, "they expire by themselves")
	flag.Parse()

	if flag.NFlag() > 0 {
		if err := show("Your workload", w); err != nil {
			log.Fatal(err)
		}
		return
	}
	for _, example := range []struct {
		title string
		w     cost.Workload
	}{
		{"Twenty settings of one service, in ten processes", cost.Workload{Values: 20, Plain: true, Processes: 10, Reads: 2000}},
		{"A database password that is rotated each week, in fifty processes", cost.Workload{Rotations: 4, Processes: 50, Reads: 5000}},
		{"A thousand tenants' keys under a customer managed KMS key, in twenty processes", cost.Workload{Values: 1000, CustomerKey: true, Processes: 20, Reads: 1000}},
		{"A certificate of 6 KB that other accounts read", cost.Workload{Size: 6000, CrossAccount: true, Processes: 5, Reads: 10}},
	} {
		if err := show(example.title, example.w); err != nil {
			log.Fatal(err)
		}
	}
	if err := measure(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func show(title string, w cost.Workload) error {
	table, err := cost.Compare(cost.US, w)
	if err != nil {
		return err
	}
	advice, err := cost.Advise(cost.US, w)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n\n%s\nBelongs as: %s\n\n", title, table, advice)
	return nil
}

// measure runs a client with a TTL that is short enough to see something of it.
func measure(ctx context.Context) error {
	const ttl, over = 100 * time.Millisecond, time.Second
	server, err := secretstest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	var refs []string
	for i := range 40 {
		name := fmt.Sprintf("app/%02d", i)
		server.SetSecret(name, "a value")
		refs = append(refs, "sm://"+name)
	}
	client, err := secrets.New(secrets.WithProvider(sm.New(server.Config())), secrets.WithTTL(ttl))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.GetAll(ctx, refs...); err != nil {
		return err
	}
	before, began := client.Stats(), time.Now()
	for tick := time.NewTicker(10 * time.Millisecond); time.Since(began) < over; <-tick.C {
		if _, err := client.GetAll(ctx, refs...); err != nil {
			return err
		}
	}
	w, err := cost.Observe(before, client.Stats(), time.Since(began))
	if err != nil {
		return err
	}
	w.TTL = ttl
	return show(fmt.Sprintf("A client of forty secrets, observed for %v, with a TTL of %v", over, ttl), w)
}
