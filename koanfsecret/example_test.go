package koanfsecret_test

import (
	"fmt"
	"log"

	"github.com/knadh/koanf/v2"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/koanfsecret"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

func ExampleProvider() {
	server, err := secretstest.Start() // stands in for AWS
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetParameter("/prod/app/db/host", "db.internal")
	server.SetParameter("/prod/app/workers", "4")

	client, err := secrets.New(secrets.WithProvider(ssm.New(server.Config())))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	k := koanf.New(".")
	if err := k.Load(koanfsecret.Provider(client, "ssm:///prod/app/"), nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(k.String("db.host"), k.Int("workers"))
	// Output: db.internal 4
}
