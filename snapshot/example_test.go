package snapshot_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/snapshot"
)

// A process that starts while AWS cannot be reached begins with what the one
// before it has read.
func Example() {
	srv, err := secretstest.Start() // stands for AWS
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	srv.SetSecret("prod/db", "hunter2")
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path, key := filepath.Join(dir, "app.snapshot"), make([]byte, snapshot.KeySize)
	_, _ = rand.Read(key) // where the program has its key from

	ctx := context.Background()
	run := func() {
		kept, err := snapshot.Open(ctx, path, "123456789012/us-east-1/app", snapshot.Secret(key))
		if err != nil {
			panic(err)
		}
		defer kept.Close()
		cfg := srv.Config()
		cfg.RetryMaxAttempts = 1
		client, err := secrets.New(
			secrets.WithProvider(sm.New(cfg)),
			secrets.WithFallback(kept),
			secrets.WithLogger(slog.New(slog.DiscardHandler)),
		)
		if err != nil {
			panic(err)
		}
		defer client.Close()
		password, err := secrets.Bind(ctx, client, "sm://prod/db", secrets.Text)
		if err != nil {
			panic(err)
		}
		defer password.Close()
		fmt.Println(len(password.Load()), "characters; unavailable:", errors.Is(password.Err(), provider.ErrUnavailable))
	}
	run()
	srv.Inject(secretstest.Fault{Reset: true})
	run()
	// Output:
	// 7 characters; unavailable: false
	// 7 characters; unavailable: true
}
