package secretstest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/c0629bfc/secrets/secretstest"
)

const rotator = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

// finish moves AWSCURRENT to the new version, as AWS's rotation functions do.
func finish(ctx context.Context, sm *secretsmanager.Client, event secretstest.RotationEvent) error {
	d, err := sm.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &event.SecretId})
	if err != nil {
		return err
	}
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &event.SecretId, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &event.ClientRequestToken}
	for id, stages := range d.VersionIdsToStages {
		if slices.Contains(stages, "AWSCURRENT") {
			in.RemoveFromVersionId = &id
		}
	}
	_, err = sm.UpdateSecretVersionStage(ctx, in)
	return err
}

// A function is a rotation function that keeps its events and fails where it
// is told to.
type function struct {
	sm     *secretsmanager.Client
	mu     sync.Mutex
	events []secretstest.RotationEvent
	fails  map[string]int // step: how often
}

var errStep = errors.New("the database is away")

func (f *function) call(ctx context.Context, event secretstest.RotationEvent) error {
	f.mu.Lock()
	f.events = append(f.events, event)
	n := len(f.events)
	fail := f.fails[event.Step] > 0
	if fail {
		f.fails[event.Step]--
	}
	f.mu.Unlock()
	if fail {
		return errStep
	}
	switch event.Step {
	case "createSecret":
		_, err := f.sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &event.SecretId, VersionId: &event.ClientRequestToken, VersionStage: aws.String("AWSPENDING")})
		var missing *types.ResourceNotFoundException
		if !errors.As(err, &missing) {
			return err
		}
		_, err = f.sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &event.SecretId, ClientRequestToken: &event.ClientRequestToken, RotationToken: &event.RotationToken, SecretString: aws.String(fmt.Sprint("rotated ", n)), VersionStages: []string{"AWSPENDING"}})
		return err
	case "testSecret":
		_, err := f.sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &event.SecretId, VersionId: &event.ClientRequestToken, VersionStage: aws.String("AWSPENDING")})
		return err
	case "finishSecret":
		return finish(ctx, f.sm, event)
	}
	return nil
}

func (f *function) steps() (steps []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		steps = append(steps, strings.TrimSuffix(e.Step, "Secret"))
	}
	f.events = nil
	return steps
}

// rotating returns a server with the secret "a" and a registered function.
func rotating(t testing.TB, opts ...secretstest.Option) (*secretstest.Server, *secretsmanager.Client, *function) {
	srv, sm, _ := start(t, opts...)
	srv.SetSecret("a", "first")
	f := &function{sm: sm, fails: map[string]int{}}
	srv.HandleRotation(rotator, f.call)
	return srv, sm, f
}

func rotate(t testing.TB, sm *secretsmanager.Client, change ...func(*secretsmanager.RotateSecretInput)) (*secretsmanager.RotateSecretOutput, error) {
	in := &secretsmanager.RotateSecretInput{SecretId: aws.String("a"), RotationLambdaARN: aws.String(rotator)}
	for _, c := range change {
		c(in)
	}
	return sm.RotateSecret(t.Context(), in)
}

func scheduled(expression, duration string) func(*secretsmanager.RotateSecretInput) {
	return func(in *secretsmanager.RotateSecretInput) {
		in.RotationRules = &types.RotationRulesType{}
		if expression != "" {
			in.RotationRules.ScheduleExpression = &expression
		}
		if duration != "" {
			in.RotationRules.Duration = &duration
		}
	}
}

func everyDays(days int64) func(*secretsmanager.RotateSecretInput) {
	return func(in *secretsmanager.RotateSecretInput) {
		in.RotationRules = &types.RotationRulesType{AutomaticallyAfterDays: &days}
	}
}

func later(in *secretsmanager.RotateSecretInput) { in.RotateImmediately = aws.Bool(false) }

var allSteps = []string{"create", "set", "test", "finish"}
