package secretstest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/c0629bfc/secrets/secretstest"
)

// A program that needs no AWS account. A test calls NewServer(t) instead, which
// closes the server with the test.
func Example() {
	srv, err := secretstest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.SetSecret("prod/db", `{"user":"app"}`)
	srv.SetParameter("/prod/url", "https://example.com")

	ctx := context.Background()
	secrets := secretsmanager.NewFromConfig(srv.Config())
	secret, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(aws.ToString(secret.SecretString))

	parameters := ssm.NewFromConfig(srv.Config())
	parameter, err := parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/prod/url")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(aws.ToString(parameter.Parameter.Value))
	fmt.Println(srv.Calls(), "calls")
	// Output:
	// {"user":"app"}
	// https://example.com
	// 2 calls
}

// The SDK retries throttling by itself: the first two tries fail, the third
// succeeds.
func ExampleServer_Inject() {
	srv, err := secretstest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.SetSecret("prod/db", "pw")
	srv.Inject(secretstest.Fault{Operation: "GetSecretValue", Err: secretstest.Throttled(), Times: 2})

	client := secretsmanager.NewFromConfig(srv.Config())
	in := &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")}
	_, err = client.GetSecretValue(context.Background(), in)
	fmt.Println(err, srv.Calls("GetSecretValue"))

	srv.Inject(secretstest.Fault{Name: "prod/*", Err: secretstest.DecryptionFailure()})
	_, err = client.GetSecretValue(context.Background(), in)
	var failure *types.DecryptionFailure
	fmt.Println(errors.As(err, &failure))
	// Output:
	// <nil> 3
	// true
}

// A rotation function is a Go function under the ARN of a Lambda.
func ExampleServer_HandleRotation() {
	srv, err := secretstest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	old := srv.SetSecret("prod/db", "first")
	ctx := context.Background()
	client := secretsmanager.NewFromConfig(srv.Config())

	const lambda = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
	srv.HandleRotation(lambda, func(ctx context.Context, e secretstest.RotationEvent) (err error) {
		switch e.Step {
		case "createSecret":
			_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
				SecretId: &e.SecretId, ClientRequestToken: &e.ClientRequestToken,
				SecretString: aws.String("second"), VersionStages: []string{"AWSPENDING"},
			})
		case "finishSecret":
			_, err = client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: &e.SecretId, VersionStage: aws.String("AWSCURRENT"),
				RemoveFromVersionId: &old, MoveToVersionId: &e.ClientRequestToken,
			})
		}
		return err
	})
	_, err = client.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: aws.String("prod/db"), RotationLambdaARN: aws.String(lambda)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := srv.WaitRotations(ctx); err != nil {
		fmt.Println(err)
		return
	}
	secret, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/db")})
	fmt.Println(aws.ToString(secret.SecretString), err)
	// Output:
	// second <nil>
}
