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

// A secret is created, gets a second version, is rolled back to the first, and
// is deleted.
func ExampleStore_Create() {
	// In a program: cfg, err := config.LoadDefaultConfig(ctx)
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	store, ctx := sm.New(server.Config()), context.Background()

	const db = "sm://prod/db"
	first, err := store.Create(ctx, db, sm.Text(`{"user":"app","password":"hunter2"}`), sm.CreateOptions{
		Description: "the orders database",
		Tags:        map[string]string{"team": "orders"},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.PutVersion(ctx, db, sm.Text(`{"user":"app","password":"hunter3"}`), sm.PutOptions{}); err != nil {
		log.Fatal(err)
	}

	current, err := store.Rollback(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the first is current:", current == first.ID)

	meta, err := store.Describe(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(meta.Description, meta.Tags, len(meta.Versions), "versions")

	if _, err := store.DeleteAfter(ctx, db, 3); err != nil {
		fmt.Println(err)
	}
	if _, err := store.DeleteAfter(ctx, db, 7); err != nil {
		log.Fatal(err)
	}
	_, err = store.PutVersion(ctx, db, sm.Text("hunter4"), sm.PutOptions{})
	fmt.Println("it waits to be deleted:", errors.Is(err, provider.ErrDeleted))
	// Output:
	// the first is current: true
	// the orders database map[team:orders] 2 versions
	// sm://prod/db: invalid request (the recovery window is 7 to 30 days, not 3: DeleteNow has none)
	// it waits to be deleted: true
}

// A value is read, changed and written back only if nobody else has written it
// meanwhile.
func ExampleStore_Put() {
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetSecret("prod/counter", "41")
	store, ctx := sm.New(server.Config()), context.Background()

	ref, err := provider.ParseRef("sm://prod/counter")
	if err != nil {
		log.Fatal(err)
	}
	read := store.Fetch(ctx, ref)[0]
	if read.Err != nil {
		log.Fatal(read.Err)
	}
	unchanged := provider.Condition{Version: read.Value.Version().ID}
	if _, err := store.Put(ctx, sm.Text("42").WithRef(ref), unchanged); err != nil {
		log.Fatal(err)
	}
	_, err = store.Put(ctx, sm.Text("43").WithRef(ref), unchanged)
	fmt.Println(errors.Is(err, provider.ErrConflict))
	fmt.Println(store.Fetch(ctx, ref)[0].Value.Text())
	// Output:
	// true
	// 42
}
