// Lambda is a function that uses a database secret and a parameter, and keeps
// them fresh although nothing of it runs between invocations.
//
//	go run .
//
// needs no AWS account: outside of Lambda it starts itself as the function, with an
// embedded server in AWS's place, invokes it, stops its process for longer than
// the TTL as Lambda does, rotates the secret meanwhile, and fails if the next
// invocation does not see the new version. It needs a Unix for that. The
// directory is a module of its own, for aws-lambda-go.
//
// # What Lambda does to a program
//
// Between invocations Lambda freezes the execution environment: no goroutine
// runs, no timer fires, and a connection may be dead when it thaws (Lambda
// developer guide, "Lambda execution environment lifecycle"). So what a program
// keeps fresh in the background is as old as the last invocation when the next
// one begins. The client knows by AWS_LAMBDA_RUNTIME_API that it is on Lambda,
// and then reads the clock at each [secrets.Client.Get] instead of relying on a
// timer of its own. Age is wall time there as everywhere.
//
// The rules are three:
//
//   - The client is made once, outside of the handler, which makes no call.
//   - The handler reads by Client.Get or Text, or by Handle.Get, at each
//     invocation: within the TTL these are hits, and after it they wait for the
//     store.
//   - Handle.Load and callbacks are for servers: on Lambda they show what was
//     current when the environment was frozen.
//
// With the AWS Parameters and Secrets Lambda Extension, or the AWS Secrets
// Manager Agent as a layer, agent.Secrets() takes the place of sm.New(cfg), and
// nothing else changes.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

func main() {
	log.SetFlags(0)
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		if err := simulate(context.Background()); err != nil {
			log.Fatal(err)
		}
		return
	}
	ttl := secrets.DefaultTTL
	simulated := os.Getenv(simulatedVariable) != ""
	if simulated {
		ttl = simulatedTTL
	}
	f, err := newFunction(context.Background(), ttl)
	if err != nil {
		log.Fatal(err)
	}
	if simulated {
		if err := serve(lambda.NewHandler(f.handle)); err != nil {
			log.Fatal(err)
		}
		return
	}
	lambda.Start(f.handle)
}

// newFunction makes what outlives an invocation. It makes no call of AWS.
func newFunction(ctx context.Context, ttl time.Duration) (*function, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	client, err := secrets.New(
		secrets.WithProvider(sm.New(cfg)),
		secrets.WithProvider(ssm.New(cfg)),
		secrets.WithTTL(ttl),
	)
	return &function{client: client}, err
}

type function struct {
	client *secrets.Client
	db     *secrets.Handle[secrets.DBSecret]
}

// Response tells which versions an invocation worked with. It has no secret.
type Response struct {
	Greeting string
	User     string
	Version  string // of the database secret
}

// handle is the handler. The first invocation binds the database secret, since
// with the extension nothing can be read before; Lambda runs one invocation of an
// environment at a time.
func (f *function) handle(ctx context.Context, event struct{ Name string }) (Response, error) {
	greeting, err := f.client.Text(ctx, "ssm:///demo/greeting")
	if err != nil {
		return Response{}, err
	}
	if f.db == nil {
		if f.db, err = secrets.Bind(ctx, f.client, "sm://demo/db", secrets.JSON[secrets.DBSecret]); err != nil {
			return Response{}, err
		}
	}
	db, err := f.db.Get(ctx) // not Load
	if err != nil {
		return Response{}, err
	}
	// Here the program would connect to db.Host with db.Username and db.Password.
	return Response{Greeting: fmt.Sprintf(greeting, event.Name), User: db.Username, Version: f.db.Version().ID}, nil
}
