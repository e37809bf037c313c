package events_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/events"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// A password is changed, and the program has it a moment later, long before the
// TTL ends.
func ExampleListen() {
	ctx := context.Background()
	server, err := secretstest.Start(secretstest.WithEvents("changes")) // in place of AWS
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.SetSecret("prod/db", `{"password":"old"}`)
	cfg, queueURL := server.Config(), server.CreateQueue("changes")

	client, err := secrets.New(secrets.WithProvider(sm.New(cfg)))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	listener, err := events.Listen(sqs.NewFromConfig(cfg), queueURL, client)
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()

	password, err := secrets.Bind(ctx, client, "sm://prod/db#password", secrets.Text)
	if err != nil {
		log.Fatal(err)
	}
	changed := make(chan string)
	defer password.OnChange(func(s string) { changed <- s })()

	server.SetSecret("prod/db", `{"password":"new"}`)
	fmt.Println(<-changed)
	// Output: new
}

// An event that came by another way than a queue, such as to a Lambda function.
func ExampleRefs() {
	refs, err := events.Refs([]byte(`{
		"source": "aws.ssm", "detail-type": "Parameter Store Change", "account": "123456789012", "region": "eu-west-1",
		"detail": {"operation": "Update", "name": "/prod/app/url", "type": "String"}
	}`), events.Home{Account: "123456789012", Region: "eu-west-1"})
	if err != nil {
		log.Fatal(err)
	}
	for _, ref := range refs {
		fmt.Println(ref)
	}
	// Output:
	// arn:aws:ssm:eu-west-1:123456789012:parameter/prod/app/url
	// ssm:///prod/app/url
	// ssm:///prod/app/url?region=eu-west-1
}
