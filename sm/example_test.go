package sm_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

func Example() {
	// In a program: cfg, err := config.LoadDefaultConfig(ctx)
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetSecret("prod/db", `{"user":"app","password":"hunter2"}`)
	cfg := server.Config()

	store := sm.New(cfg)
	db, err := provider.ParseRef("sm://prod/db")
	if err != nil {
		log.Fatal(err)
	}
	mail, err := provider.ParseRef("sm://prod/mail")
	if err != nil {
		log.Fatal(err)
	}
	results := store.Fetch(context.Background(), db, mail)

	user, err := results[0].Value.Field("user")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Text())
	fmt.Println(results[0].Value)
	fmt.Println(errors.Is(results[1].Err, provider.ErrNotFound))
	// Output:
	// app
	// [redacted]
	// true
}
