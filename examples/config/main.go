// Config fills the configuration of a service from both stores at its start, in
// two API calls, prints it without its secrets, and follows a change of what is
// to be followed.
//
//	go run ./examples/config
//
// needs no AWS account: an embedded server stands in for AWS. It takes about
// two seconds and exits with status 1 if what it shows is not so.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

// Config is what the service needs. A plain field is read once, at the start; a
// handle follows its value. What must not be printed is a secrets.Value or a
// secrets.DBSecret, which redact themselves, also inside of others.
type Config struct {
	URL     *url.URL      `secret:"ssm:///${env}/orders/url"`
	Timeout time.Duration `secret:"ssm:///${env}/orders/timeout,default=5s"`
	Origins []string      `secret:"ssm:///${env}/orders/origins"`
	Stripe  secrets.Value `secret:"sm://${env}/orders/stripe#key"`
	Sentry  secrets.Value `secret:"sm://${env}/orders/sentry,optional"` // none in this environment

	DB     Database
	Limits *secrets.Handle[Limits] `secret:"ssm:///${env}/orders/limits,json"`
}

// Database is a part of it.
type Database struct {
	Secret  *secrets.Handle[secrets.DBSecret] `secret:"sm://${env}/orders/db"`
	MaxOpen int                               `secret:"ssm:///${env}/orders/db/max-open,default=20"`
}

// Limits are changed while the service runs.
type Limits struct {
	PerSecond int  `json:"per_second"`
	Burst     int  `json:"burst"`
	Enforced  bool `json:"enforced"`
}

func main() {
	log.SetFlags(0)
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetParameter("/prod/orders/url", "https://orders.example.com")
	server.SetParameter("/prod/orders/origins", "https://shop.example.com,https://admin.example.com")
	server.SetParameter("/prod/orders/limits", `{"per_second":100,"burst":200}`)
	server.SetParameter("/prod/orders/db/max-open", "50")
	server.SetSecret("prod/orders/stripe", `{"key":"sk_live_hunter2","webhook":"whsec_hunter2"}`)
	server.SetSecret("prod/orders/db", `{"engine":"postgres","host":"db.internal","username":"orders","password":"hunter2","dbname":"orders"}`)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	change := func() {
		server.SetParameter("/prod/orders/limits", `{"per_second":500,"burst":1000,"enforced":true}`)
	}
	if err := run(ctx, server.Config(), change); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("API calls: %v\n", server.CallsByOperation())
}

// run loads the configuration, prints it and waits for a change.
func run(ctx context.Context, cfg aws.Config, change func()) error {
	client, err := secrets.New(
		secrets.WithProvider(sm.New(cfg)),
		secrets.WithProvider(ssm.New(cfg)),
		secrets.WithVar("env", "prod"),
		secrets.WithTTL(2*time.Second), // so that there is something to see; five minutes by default
	)
	if err != nil {
		return err
	}
	defer client.Close()

	var config Config
	if err := client.Load(ctx, &config); err != nil {
		return err // of all fields that are wrong, each with its ref
	}
	text := config.String()
	fmt.Print(text)
	if calls := client.Stats().APICalls; calls != 2 {
		return fmt.Errorf("loading took %d calls", calls)
	}
	if strings.Contains(text, "hunter2") || config.Stripe.Text() != "sk_live_hunter2" || config.DB.Secret.Load().Password() != "hunter2" {
		return errors.New("a secret was printed, or cannot be had")
	}

	began := time.Now()
	changes := config.Limits.Changes(ctx)
	change()
	for limits := range changes {
		fmt.Printf("\nAfter %v the limits are %+v\n", time.Since(began).Round(time.Millisecond), limits)
		if (limits != Limits{500, 1000, true}) || config.Limits.Load() != limits {
			return errors.New("these are not the new limits")
		}
		return nil
	}
	return fmt.Errorf("the new limits did not arrive: %w", errors.Join(ctx.Err(), config.Limits.Err()))
}

// String returns the configuration as it may be logged.
func (c Config) String() string {
	var b strings.Builder
	for _, field := range []struct {
		name  string
		value any
	}{
		{"URL", c.URL}, {"Timeout", c.Timeout}, {"Origins", c.Origins}, {"Stripe", c.Stripe}, {"Sentry", c.Sentry},
		{"DB.Secret", c.DB.Secret.Load()}, {"DB.Secret.Addr()", c.DB.Secret.Load().Addr()}, {"DB.MaxOpen", c.DB.MaxOpen}, {"Limits", c.Limits.Load()},
	} {
		if field.value == any(secrets.Value{}) {
			field.value = "not set"
		}
		fmt.Fprintf(&b, "%-18s%+v\n", field.name, field.value)
	}
	whole, _ := json.Marshal(map[string]any{"stripe": c.Stripe, "db": c.DB.Secret.Load()})
	fmt.Fprintf(&b, "%-18s%s\n", "as JSON", whole)
	return b.String()
}
