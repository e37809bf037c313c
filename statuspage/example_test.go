package statuspage_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/statuspage"
)

// Where an operator looks when a service complains about its password.
func Example() {
	ctx := context.Background()
	srv, err := secretstest.Start() // stands for AWS
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	srv.SetSecret("prod/db", "hunter2")

	recent := statuspage.NewRecent(50)
	client, err := secrets.New(
		secrets.WithProvider(sm.New(srv.Config())),
		secrets.WithObserver(audit.New(recent, audit.FirstRead(10_000))),
	)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	mux := http.NewServeMux() // of the port that only operators reach
	mux.Handle("/debug/secrets", statuspage.New(client, statuspage.WithTitle("checkout"), statuspage.WithRecent(recent)))

	if _, err := client.Text(ctx, "sm://prod/db"); err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/debug/secrets?q=prod/", nil))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "sm://prod/db"), strings.Contains(w.Body.String(), "hunter2"))
	// Output: 200 true false
}
