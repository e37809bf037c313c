package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

// account is an AWS account for the examples: an embedded server.
func account() *secretstest.Server {
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	server.SetSecret("prod/db", `{"engine":"postgres","host":"db.internal","username":"app","password":"first"}`)
	server.SetParameter("/prod/app/url", "https://app.example.com")
	server.SetParameter("/prod/app/workers", "8")
	return server
}

func newClient(server *secretstest.Server, opts ...secrets.Option) *secrets.Client {
	cfg := server.Config() // of an AWS account: config.LoadDefaultConfig(ctx)
	client, err := secrets.New(append(opts,
		secrets.WithProvider(sm.New(cfg)),
		secrets.WithProvider(ssm.New(cfg)),
	)...)
	if err != nil {
		log.Fatal(err)
	}
	return client
}

func Example() {
	server := account()
	defer server.Close()
	client := newClient(server)
	defer client.Close()
	ctx := context.Background()

	url, err := client.Text(ctx, "ssm:///prod/app/url")
	if err != nil {
		log.Fatal(err)
	}
	password, err := client.Get(ctx, "sm://prod/db#password")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(url, password)
	// Output: https://app.example.com [redacted]
}

func ExampleBind() {
	server := account()
	defer server.Close()
	client := newClient(server)
	defer client.Close()
	ctx := context.Background()

	workers, err := secrets.Bind(ctx, client, "ssm:///prod/app/workers", secrets.Int)
	if err != nil {
		log.Fatal(err)
	}
	changes := workers.Changes(ctx)
	fmt.Println(workers.Load())

	server.SetParameter("/prod/app/workers", "16")
	_ = client.Refresh(ctx, "ssm:///prod/app/workers") // or wait for the TTL
	for n := range changes {
		fmt.Println(n)
		break
	}
	// Output:
	// 8
	// 16
}

func ExampleClient_Load() {
	server := account()
	defer server.Close()
	client := newClient(server, secrets.WithVar("env", "prod"))
	defer client.Close()

	var config struct {
		URL     string                            `secret:"ssm:///${env}/app/url"`
		Workers int                               `secret:"ssm:///${env}/app/workers,default=4"`
		Region  string                            `secret:"ssm:///${env}/app/region,default=eu-west-1"`
		DB      *secrets.Handle[secrets.DBSecret] `secret:"sm://${env}/db"`
	}
	if err := client.Load(context.Background(), &config); err != nil {
		log.Fatal(err)
	}
	fmt.Println(config.URL, config.Workers, config.Region, config.DB.Load().Addr())
	// Output: https://app.example.com 8 eu-west-1 db.internal:5432
}

func ExampleClient_Reject() {
	server := account()
	defer server.Close()
	client := newClient(server)
	defer client.Close()
	ctx := context.Background()

	logIn := func(v secrets.Value) bool { return v.Text() == "second" } // what the database thinks
	password, err := client.Get(ctx, "sm://prod/db#password")
	server.SetSecret("prod/db", `{"password":"second"}`) // a rotation
	for err == nil && !logIn(password) {
		fmt.Println("refused")
		password, err = client.Reject(ctx, password)
	}
	if err != nil {
		log.Fatal(err) // secrets.ErrRejected where nothing is left to try
	}
	fmt.Println("accepted")
	// Output:
	// refused
	// accepted
}

func ExampleClient_List() {
	server := account()
	defer server.Close()
	client := newClient(server)
	defer client.Close()

	for v, err := range client.List(context.Background(), "ssm:///prod/app/") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(v.Ref(), v.Type(), v.Version())
	}
	// Output:
	// ssm:///prod/app/url String 1
	// ssm:///prod/app/workers String 1
}

func ExampleClient_Put() {
	server := account()
	defer server.Close()
	client := newClient(server)
	defer client.Close()
	ctx := context.Background()

	read, err := client.Get(ctx, "ssm:///prod/app/workers")
	if err != nil {
		log.Fatal(err)
	}
	// Of two who change what they have read, one wins.
	for range 2 {
		_, err = client.Put(ctx, "ssm:///prod/app/workers", "12", secrets.IfVersion(read.Version()))
		fmt.Println(errors.Is(err, provider.ErrConflict))
	}
	workers, err := client.Text(ctx, "ssm:///prod/app/workers")
	fmt.Println(workers, err)
	// Output:
	// false
	// true
	// 12 <nil>
}
