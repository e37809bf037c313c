package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// Reads are recorded for whom they are, whether or not AWS is asked.
func Example() {
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetSecret("prod/db", `{"password":"hunter2"}`)

	// The attributes that differ from run to run are left out here.
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "version" || a.Key == "request_id" {
			return slog.Attr{}
		}
		return a
	}})
	queue := audit.NewQueue(audit.NewSlog(slog.New(handler)), 1000, audit.Block)
	client, err := secrets.New(secrets.WithProvider(sm.New(server.Config())), secrets.WithObserver(audit.New(queue)))
	if err != nil {
		log.Fatal(err)
	}

	ctx := audit.WithPurpose(context.Background(), "login")
	for _, user := range []string{"ann", "bob"} {
		if _, err := client.Text(audit.WithPrincipal(ctx, user), "sm://prod/db#password"); err != nil {
			log.Fatal(err)
		}
	}
	_, _ = client.Text(audit.WithPrincipal(ctx, "eve"), "sm://prod/admin")

	// First the client, then the queue: nothing is lost.
	if err := errors.Join(client.Close(), queue.Close()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=INFO msg="secret access" action=read ref=sm://prod/db#password source=store outcome=ok principal=ann purpose=login
	// level=INFO msg="secret access" action=read ref=sm://prod/db#password source=cache outcome=ok principal=bob purpose=login
	// level=WARN msg="secret access" action=read ref=sm://prod/admin source=store outcome="not found" principal=eve purpose=login
}

// A chain goes on in a new file, and shows what was done to the old one.
func ExampleVerify() {
	key := []byte(strings.Repeat("k", audit.MinKey)) // in a program from crypto/rand, kept as a secret
	var monday, tuesday bytes.Buffer
	chain, err := audit.NewChain(&monday, key, audit.Checkpoint{})
	if err != nil {
		log.Fatal(err)
	}
	for _, who := range []string{"ann", "bob", "eve"} {
		if err := chain.Write(audit.Event{Action: audit.ActionRead, Ref: "sm://prod/db", Principal: who}); err != nil {
			log.Fatal(err)
		}
	}
	evening := chain.Checkpoint() // kept where this process cannot write again

	chain, err = audit.NewChain(&tuesday, key, evening)
	if err != nil {
		log.Fatal(err)
	}
	if err := chain.Write(audit.Event{Action: audit.ActionRead, Ref: "sm://prod/db", Principal: "ann"}); err != nil {
		log.Fatal(err)
	}

	verified, err := audit.Verify(&tuesday, audit.Expected{Key: key, After: evening})
	fmt.Println(verified.Lines, err)

	lines := bytes.SplitAfter(monday.Bytes(), []byte("\n"))
	_, err = audit.Verify(bytes.NewReader(bytes.ReplaceAll(monday.Bytes(), []byte("eve"), []byte("bob"))), audit.Expected{Key: key})
	fmt.Println(err)
	_, err = audit.Verify(bytes.NewReader(append(lines[0], lines[2]...)), audit.Expected{Key: key})
	fmt.Println(err)
	_, err = audit.Verify(bytes.NewReader(lines[0]), audit.Expected{Key: key, Last: evening})
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// audit: line 3 (number 3 of the chain): altered: its hash is not that of what it says
	// audit: line 2 (number 2 of the chain): missing: it is number 3: lines missing before it: 1
	// audit: line 2 (number 2 of the chain): truncated: the chain ends here, and is known to have gone on to number 3
}
