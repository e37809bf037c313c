// Copy copies or moves secrets and parameters between stores, prefixes and
// Regions, or compares them:
//
//	go run ./examples/copy
//
// needs no AWS account: it fills an embedded server with forty parameters,
// copies them to secrets, is interrupted half-way and takes up its work. On an
// account of your own it prints what would be done, names and versions but no
// values, and what stays behind, such as tags; it does it with -run:
//
//	go run ./examples/copy -aws ssm:///dev/app/ ssm:///prod/app/
//	go run ./examples/copy -aws -run ssm:///dev/app/ ssm:///prod/app/
//	go run ./examples/copy -aws -compare ssm:///dev/app/ ssm:///prod/app/
//
// Interrupted by Ctrl-C or killed, it is run again with the same arguments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/transfer"
)

func main() {
	log.SetFlags(0)
	live := flag.Bool("aws", false, "work on your own AWS account")
	run := flag.Bool("run", false, "do what is printed")
	move := flag.Bool("move", false, "delete each source once its copy is seen to be equal")
	compare := flag.Bool("compare", false, "only say what differs")
	values := flag.Bool("values", false, "do not ask what the sources have besides values, which takes most of the time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := dispatch(ctx, *live, *run, *move, *compare, *values); err != nil {
		log.Fatal(err)
	}
}

func dispatch(ctx context.Context, live, run, move, compare, values bool) error {
	if !live {
		return demonstrate(ctx)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	if flag.NArg() != 2 {
		return errors.New("name a source and a target, such as ssm:///dev/app/ and sm://prod/app/")
	}
	from, to, err := places(cfg, flag.Arg(0), flag.Arg(1))
	if err != nil {
		return err
	}
	if compare {
		c, err := transfer.Compare(ctx, from, to)
		if err == nil {
			fmt.Print(c)
		}
		return err
	}
	plan := transfer.PlanCopy
	if move {
		plan = transfer.PlanMove
	}
	var opts []transfer.Option
	if values {
		opts = append(opts, transfer.WithValuesOnly())
	}
	p, err := plan(ctx, from, to, opts...)
	if err != nil {
		return err
	}
	fmt.Print(p)
	if !run {
		fmt.Println("Nothing was written: -run does it.")
		return nil
	}
	return p.Run(ctx, report)
}

func report(p transfer.Progress) {
	outcome := string(p.Item.Action)
	if p.Err != nil {
		outcome = "failed"
	}
	if len(p.Item.Left) > 0 {
		outcome += ", without its " + strings.Join(p.Item.Left, ", ") + ","
	}
	fmt.Printf("%d of %d: %s %s\n", p.Done, p.Total, outcome, p.Item.Target)
}

// places gives both sides the store that their refs need, the same one where
// they need the same.
func places(cfg aws.Config, from, to string) (a, b transfer.Place, err error) {
	stores := map[string]provider.Provider{"sm": sm.New(cfg), "ssm": ssm.New(cfg)}
	place := func(ref string) (transfer.Place, error) {
		scheme, _, _ := strings.Cut(ref, "://")
		store, ok := stores[scheme]
		if !ok {
			return transfer.Place{}, fmt.Errorf("%s: want a ref that begins with sm:// or ssm://", ref)
		}
		return transfer.Place{Store: store, Ref: ref}, nil
	}
	if a, err = place(from); err == nil {
		b, err = place(to)
	}
	return a, b, err
}

const count = 40

// demonstrate copies parameters to secrets, is interrupted and begins again.
func demonstrate(ctx context.Context) error {
	server, err := secretstest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	for i := range count {
		server.SetSecureParameter(fmt.Sprintf("/dev/app/key-%02d", i), fmt.Sprint("value ", i))
	}
	server.SetSecret("prod/app/key-03", "an old value")
	server.SetSecret("prod/app/key-04", "value 4")
	from, to, err := places(server.Config(), "ssm:///dev/app/", "sm://prod/app/")
	if err != nil {
		return err
	}
	// These have nothing besides their values.
	quick := transfer.WithValuesOnly()
	plan, err := transfer.PlanCopy(ctx, from, to, quick)
	if err != nil {
		return err
	}
	fmt.Println(head(plan.String(), 7))

	dying, kill := context.WithCancel(ctx)
	defer kill()
	err = plan.Run(dying, func(p transfer.Progress) {
		if p.Done == count/2 {
			kill()
		}
	})
	fmt.Printf("Interrupted: %v\n\n", err)

	if plan, err = transfer.PlanCopy(ctx, from, to, quick); err != nil {
		return err
	}
	fmt.Printf("Planned anew: %d to create, %d unchanged\n", plan.Count(transfer.Create), plan.Count(transfer.Unchanged))
	if err := plan.Run(ctx, nil); err != nil {
		return err
	}
	c, err := transfer.Compare(ctx, from, to)
	if err != nil {
		return err
	}
	written := server.Calls("CreateSecret", "PutSecretValue")
	fmt.Printf("Compared: %d of %d are equal, after %d writes\n", c.Count(transfer.Equal), count, written)
	if !c.Equal() || written != count-1 {
		return errors.New("a value is missing or was written twice")
	}
	return nil
}

// head shortens a table to its first lines and its last.
func head(table string, n int) string {
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) > n {
		lines = append(append(lines[:n:n], "…"), lines[len(lines)-1])
	}
	return strings.Join(lines, "\n") + "\n"
}
