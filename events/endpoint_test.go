package events_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
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
	require.Eventually(t, func() bool {
		left, err := queue.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
		return err == nil && left.Attributes["ApproximateNumberOfMessages"] == "0" && left.Attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
	}, 20*time.Second, 20*time.Millisecond, "the event is deleted, and what is no event is left")
	l.Close()
	stats := l.Stats()
	require.EqualValues(t, 1, stats.Events)
	require.EqualValues(t, 1, stats.Unreadable)
	require.Zero(t, stats.Undeleted)

	_, err = queue.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
	require.NoError(t, err)
	lost, err := events.Listen(queue, *made.QueueUrl, c)
	require.NoError(t, err)
	defer lost.Close()
	require.Eventually(t, func() bool { return lost.Stats().Err != nil }, 30*time.Second, 20*time.Millisecond)
	require.ErrorContains(t, lost.Stats().Err, "exist", "the queue is gone")
}

// A fleet behind an SNS topic: each process makes its queue and subscribes it,
// one with raw delivery and one without.
func TestFanOutEndpoint(t *testing.T) {
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		t.Skip("AWS_ENDPOINT_URL is not set")
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	store, queue, topics := ssm.NewFromConfig(cfg), sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg)
	name := fmt.Sprint("events-", time.Now().UnixNano())
	put := func(value string) {
		_, err := store.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/" + name), Value: &value, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true)})
		require.NoError(t, err)
	}
	put("old")
	topic, err := topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &name})
	require.NoError(t, err)

	changed := make(chan string, 2)
	for _, raw := range []string{"true", "false"} {
		made, err := queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name + "-" + raw)})
		require.NoError(t, err)
		attributes, err := queue.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn}})
		require.NoError(t, err)
		queueARN := attributes.Attributes["QueueArn"]
		policy, err := events.Policy(queueARN, *topic.TopicArn)
		require.NoError(t, err)
		_, err = queue.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: made.QueueUrl, Attributes: map[string]string{"Policy": policy}})
		require.NoError(t, err)
		_, err = topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &queueARN, Attributes: map[string]string{"RawMessageDelivery": raw}})
		require.NoError(t, err)

		c := open(t, cfg)
		h, err := secrets.Bind(t.Context(), c, "ssm:///"+name, secrets.Text)
		require.NoError(t, err)
		defer h.OnChange(func(s string) { changed <- s })()
		l, err := events.Listen(queue, *made.QueueUrl, c)
		require.NoError(t, err)
		defer l.Close()
	}
	put("new")
	_, err = topics.Publish(t.Context(), &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String(change("Update", "/"+name))})
	require.NoError(t, err)
	for range 2 {
		select {
		case s := <-changed:
			require.Equal(t, "new", s)
		case <-time.After(30 * time.Second):
			t.Fatal("no event arrived")
		}
	}
}
