package events_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/events"
)

// Another SQS: the queue of AWS_ENDPOINT_URL, such as moto's. Emulators emit no
// events of their own, so the test sends the one that AWS would.
func TestListenerEndpoint(t *testing.T) {
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		t.Skip("AWS_ENDPOINT_URL is not set")
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	api, queue := secretsmanager.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	name := fmt.Sprint("events-", time.Now().UnixNano())
	secret, err := api.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("old")})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = api.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
	})
	made, err := queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
	require.NoError(t, err)

	c := open(t, cfg)
	h, err := secrets.Bind(t.Context(), c, "sm://"+name, secrets.Text)
	require.NoError(t, err)
	l, err := events.Listen(queue, *made.QueueUrl, c)
	require.NoError(t, err)
	defer l.Close()

	changed := make(chan string, 1)
	defer h.OnChange(func(s string) { changed <- s })()
	_, err = api.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: aws.String("new")})
	require.NoError(t, err)
	for _, body := range []string{"no event", call(`"eventName":"PutSecretValue","responseElements":{"arn":"` + *secret.ARN + `"}`)} {
		_, err = queue.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: &body})
		require.NoError(t, err)
	}
	select {
	case s := <-changed:
		require.Equal(t, "new", s)
	case <-time.After(30 * time.Second):
		t.Fatal("no event arrived", l.Stats())
	}
	l.Close()
	stats := l.Stats()
	require.EqualValues(t, 1, stats.Events)
	require.EqualValues(t, 1, stats.Unreadable)
	require.Zero(t, stats.Undeleted)
	left, err := queue.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
	require.NoError(t, err)
	require.Equal(t, "1", left.Attributes["ApproximateNumberOfMessagesNotVisible"], "what is no event is left")
	require.Equal(t, "0", left.Attributes["ApproximateNumberOfMessages"])

	_, err = queue.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
	require.NoError(t, err)
	lost, err := events.Listen(queue, *made.QueueUrl, c)
	require.NoError(t, err)
	defer lost.Close()
	for deadline := time.Now().Add(30 * time.Second); lost.Stats().Err == nil && time.Now().Before(deadline); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	require.ErrorContains(t, lost.Stats().Err, "exist", "the queue is gone")
}
