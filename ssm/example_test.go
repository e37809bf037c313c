package ssm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

func Example() {
	// In a program: cfg, err := config.LoadDefaultConfig(ctx)
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetParameter("/prod/app/url", "https://example.com")
	server.SetSecureParameter("/prod/app/token", "hunter2")
	cfg := server.Config()

	store := ssm.New(cfg)
	app, err := provider.ParsePrefix("ssm:///prod/app/")
	if err != nil {
		log.Fatal(err)
	}
	for value, err := range store.List(context.Background(), app) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(value.Ref(), value.Type(), value.Version())
	}

	url, err := provider.ParseRef("ssm:///prod/app/url")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.Fetch(context.Background(), url)[0].Value.Text())
	// Output:
	// ssm:///prod/app/token SecureString 1
	// ssm:///prod/app/url String 1
	// https://example.com
}
