package rotation_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

// shop is an API that knows one key.
type shop struct{ key string }

func (*shop) Next(context.Context, provider.Value) (string, error) { return "key-2", nil }

func (s *shop) Set(_ context.Context, current, pending, previous provider.Value) error {
	if s.key != pending.Text() && s.key != current.Text() && s.key != previous.Text() {
		return fmt.Errorf("the shop accepts none of the keys")
	}
	s.key = pending.Text()
	return nil
}

func (s *shop) Test(_ context.Context, pending provider.Value) error {
	if s.key != pending.Text() {
		return fmt.Errorf("the shop refuses the key")
	}
	return nil
}

func server() (cfg aws.Config, srv *secretstest.Server) {
	srv, err := secretstest.Start()
	if err != nil {
		panic(err)
	}
	srv.SetSecret("prod/shop", "key-1")
	srv.SetSecureParameter("/prod/shop", "key-1")
	return srv.Config(), srv
}

var discard = rotation.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))

func ExampleRotate() {
	cfg, srv := server()
	defer srv.Close()
	ctx := context.Background()

	target := &shop{key: "key-1"}
	store := ssm.New(cfg)
	if err := rotation.Rotate(ctx, store, "ssm:///prod/shop", target, discard); err != nil {
		fmt.Println(err)
	}
	current, _ := provider.ParseRef("ssm:///prod/shop")
	previous, _ := provider.ParseRef("ssm:///prod/shop?label=previous")
	for _, r := range store.Fetch(ctx, current, previous) {
		fmt.Println(r.Value.Version(), r.Value.Text())
	}
	// Output:
	// 2 key-2
	// 1 key-1
}

// In a Lambda function the handler goes to lambda.Start. Here it is called by a
// server that stands in for Secrets Manager.
func ExampleLambda() {
	cfg, srv := server()
	defer srv.Close()
	ctx := context.Background()

	store := sm.New(cfg)
	handler := rotation.Lambda(store, &shop{key: "key-1"}, discard)

	const function = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
	srv.HandleRotation(function, func(ctx context.Context, e secretstest.RotationEvent) error {
		fmt.Println(e.Step)
		return handler(ctx, rotation.Event{Step: e.Step, SecretID: e.SecretId, ClientRequestToken: e.ClientRequestToken, RotationToken: e.RotationToken})
	})
	if _, err := store.Rotate(ctx, "sm://prod/shop", sm.RotateOptions{Lambda: function, Schedule: sm.Schedule{AfterDays: 30}}); err != nil {
		fmt.Println(err)
	}
	if err := srv.WaitRotations(ctx); err != nil {
		fmt.Println(err)
	}
	ref, _ := provider.ParseRef("sm://prod/shop")
	fmt.Println(store.Fetch(ctx, ref)[0].Value.Text())
	// Output:
	// createSecret
	// setSecret
	// testSecret
	// finishSecret
	// key-2
}

func ExampleNewScheduler() {
	cfg, srv := server()
	defer srv.Close()

	s, err := rotation.NewScheduler(ssm.New(cfg), []rotation.Job{
		{Ref: "ssm:///prod/shop", Target: &shop{key: "key-1"}, Schedule: "rate(30 days)"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = s.Close() }()
	// Output:
}

func ExampleParseSchedule() {
	s, err := rotation.ParseSchedule("cron(0 4 ? * SUN *)")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = s // s.Next tells when
	_, err = rotation.ParseSchedule("cron(0 4 * * SUN *)")
	fmt.Println(err)
	// Output:
	// schedule "cron(0 4 * * SUN *)": one of day of the month and day of the week is ?, and the other is not
}
