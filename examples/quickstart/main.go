// Quickstart reads a database secret and a parameter hierarchy through the
// cached client, reads them again, and follows a change.
//
//	go run ./examples/quickstart
//
// needs no AWS account: an embedded server stands in for AWS and is filled with
// a few names. On an account of your own it reads the refs that you name, and
// writes nothing:
//
//	go run ./examples/quickstart -aws sm://prod/db#username ssm:///prod/app/
//
// A ref that ends in a slash is listed. With AWS_ENDPOINT_URL set, -aws is
// implied.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func main() {
	log.SetFlags(0)
	live := flag.Bool("aws", os.Getenv("AWS_ENDPOINT_URL") != "", "read the refs given as arguments from your own AWS account")
	ttl := flag.Duration("ttl", time.Second, "how long a value is served from the cache")
	flag.Parse()

	ctx := context.Background()
	if *live {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if err := run(ctx, os.Stdout, cfg, *ttl, flag.Args(), nil); err != nil {
			log.Fatal(err)
		}
		return
	}

	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetSecret("prod/db", `{"engine":"postgres","host":"db.internal","username":"app","password":"first"}`)
	server.SetParameter("/prod/app/url", "https://app.example.com")
	server.SetParameter("/prod/app/pool/size", "25")
	server.SetSecureParameter("/prod/app/api-key", "k-123")
	refs := []string{"sm://prod/db#username", "sm://prod/db#password", "ssm:///prod/app/"}
	rotate := func() {
		server.SetSecret("prod/db", `{"engine":"postgres","host":"db.internal","username":"app","password":"second"}`)
	}
	if err := run(ctx, os.Stdout, server.Config(), *ttl, refs, rotate); err != nil {
		log.Fatal(err)
	}
}

// run reads the refs through a client of cfg; rotate, if not nil, changes the
// password among them.
func run(ctx context.Context, out io.Writer, cfg aws.Config, ttl time.Duration, refs []string, rotate func()) error {
	if len(refs) == 0 {
		return errors.New("name what to read, such as sm://prod/db#username or ssm:///prod/app/")
	}
	client, err := secrets.New(
		secrets.WithProvider(sm.New(cfg)),
		secrets.WithProvider(ssm.New(cfg)),
		secrets.WithTTL(ttl),
	)
	if err != nil {
		return err
	}
	defer client.Close()

	values, err := readAll(ctx, client, refs)
	if err != nil {
		return err
	}
	report(out, "Read from the stores:", values, client.Stats())

	// From now on these are hits, which take no lock and no allocation.
	const times = 100_000
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = v.Ref().String()
	}
	began := time.Now()
	for range times {
		if err := readAgain(ctx, client, names, values); err != nil {
			return err
		}
	}
	each := time.Since(began) / time.Duration(times*len(values))
	report(out, fmt.Sprintf("Each read %d times more, from the cache, in %v a read:", times, each), values, client.Stats())

	if rotate == nil {
		return nil
	}
	const password = 1 // of values
	before := values[password].Version()
	rotate()
	changed := time.Now()
	for values[password].Version() == before {
		time.Sleep(time.Millisecond)
		if err := readAgain(ctx, client, names, values); err != nil {
			return err
		}
	}
	arrived := time.Since(changed)
	if err := readAgain(ctx, client, names, values); err != nil { // what was read before the password too
		return err
	}
	report(out, fmt.Sprintf("The password was changed in the store. Reads had the new version %v later (the TTL is %v):",
		arrived.Round(time.Millisecond), ttl), values, client.Stats())
	return nil
}

// readAgain reads the values that were read before by their names.
func readAgain(ctx context.Context, client *secrets.Client, names []string, values []secrets.Value) (err error) {
	for i, name := range names {
		if values[i], err = client.Get(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads the refs that name values together, and lists the others.
func readAll(ctx context.Context, client *secrets.Client, refs []string) ([]secrets.Value, error) {
	var names, prefixes []string
	for _, r := range refs {
		if strings.HasSuffix(r, "/") {
			prefixes = append(prefixes, r)
		} else {
			names = append(names, r)
		}
	}
	found, err := client.GetAll(ctx, names...)
	if err != nil {
		return nil, err
	}
	var values []secrets.Value
	for _, r := range names {
		values = append(values, found[r])
	}
	for _, prefix := range prefixes {
		before := len(values)
		for v, err := range client.List(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		if len(values) == before {
			return nil, fmt.Errorf("%s: there is nothing below it in this account and Region", prefix)
		}
	}
	return values, nil
}

func report(out io.Writer, title string, values []secrets.Value, s secrets.Stats) {
	fmt.Fprintln(out, title)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  REF\tTYPE\tVERSION\tVALUE")
	for _, v := range values {
		fmt.Fprintf(w, "  %s\t%s\t%.8s\t%s\n", v.Ref(), v.Type(), v.Version(), v)
	}
	_ = w.Flush()
	fmt.Fprintf(out, "  so far: %d hits, %d misses, %d API calls", s.Hits, s.Misses, s.APICalls)
	between := ": "
	for _, op := range slices.Sorted(maps.Keys(s.Calls)) {
		fmt.Fprintf(out, "%s%d %s", between, s.Calls[op], op)
		between = ", "
	}
	fmt.Fprint(out, "\n\n")
}
