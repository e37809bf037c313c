package transfer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/transfer"
)

// Parameters become secrets: first the plan, which shows no value and says what
// stays behind, then the run.
func ExamplePlanCopy() {
	server, err := secretstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetSecureParameter("/dev/app/api-key", "k-123")
	server.SetParameter("/dev/app/url", "https://app.example.com")
	cfg, ctx := server.Config(), context.Background()
	if err := ssm.New(cfg).Tag(ctx, "ssm:///dev/app/api-key", map[string]string{"team": "billing"}); err != nil {
		log.Fatal(err)
	}

	plan, err := transfer.PlanCopy(ctx,
		transfer.Place{Store: ssm.New(cfg), Ref: "ssm:///dev/app/"},
		transfer.Place{Store: sm.New(cfg), Ref: "sm://prod/app/"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plan)
	err = plan.Run(ctx, func(p transfer.Progress) {
		fmt.Println(p.Done, "of", p.Total, p.Item.Action, p.Item.Target, p.Err)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// ACTION  SOURCE                  TYPE          BYTES  VERSION  TARGET                 TYPE          TIER  VERSION
	// create  ssm:///dev/app/api-key  SecureString  5      1        sm://prod/app/api-key  SecretString  -     -        leaves tag team
	// create  ssm:///dev/app/url      String        23     1        sm://prod/app/url      SecretString  -     -
	// 2 to create, 0 to update, 0 unchanged, 0 refused; 1 leave something behind
	// 1 of 2 create sm://prod/app/api-key <nil>
	// 2 of 2 create sm://prod/app/url <nil>
}
