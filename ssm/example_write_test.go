package ssm_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

// A parameter is made, gets a second version and a label, and goes.
func Example_life() {
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx, store := context.Background(), ssm.New(server.Config())

	const token = "ssm:///prod/app/token"
	made, err := store.Create(ctx, token, ssm.SecureString("hunter2"), ssm.Attributes{
		Description: "for the partners' API",
		KMSKey:      "alias/app",
		Tags:        map[string]string{"team": "app"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("made version", made.Version, "in the tier", made.Tier)

	next, err := store.PutVersion(ctx, token, ssm.SecureString("hunter3"), ssm.Attributes{KMSKey: "alias/app"})
	if err != nil {
		log.Fatal(err)
	}
	// Programs that read ssm:///prod/app/token?label=live have hunter2 until the
	// label moves.
	if err := store.Label(ctx, token+"?version="+made.Version.ID, "live"); err != nil {
		log.Fatal(err)
	}
	if err := store.Label(ctx, token+"?version="+next.Version.ID, "live"); err != nil {
		log.Fatal(err)
	}
	for revision, err := range store.History(ctx, token) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(revision.Value.Ref(), revision.Value, revision.Version.Labels())
	}

	for _, err := range store.DeleteMany(ctx, token, "ssm:///prod/app/gone") {
		fmt.Println(err != nil)
	}
	// Output:
	// made version 1 in the tier Standard
	// ssm:///prod/app/token?version=1 [redacted] []
	// ssm:///prod/app/token?version=2 [redacted] [live]
	// false
	// true
}

// An API key that AWS deletes by itself, and of which it tells a week before.
func ExamplePolicies() {
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	ctx, store := context.Background(), ssm.New(server.Config())

	_, err = store.Create(ctx, "ssm:///prod/app/trial", ssm.SecureString("hunter2"), ssm.Attributes{
		Tier: ssm.Advanced,
		Policies: ssm.Policies{
			ssm.Expiration{At: server.Now().AddDate(0, 1, 0)},
			ssm.ExpirationNotification{Before: 7 * 24 * time.Hour},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	trial, err := store.Describe(ctx, "ssm:///prod/app/trial")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range trial.Policies {
		fmt.Printf("%T %s\n", p.Policy, p.Status)
	}
	// Output:
	// ssm.Expiration Pending
	// ssm.ExpirationNotification Pending
}
