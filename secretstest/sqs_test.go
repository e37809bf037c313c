package secretstest_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

// The real SQS client is tested against this server in package events, whose
// module has it.

// queue calls an operation of SQS and returns the status and the answer.
func queue(t testing.TB, srv *secretstest.Server, operation string, input map[string]any) (int, map[string]any) {
	t.Helper()
	return queueVia(t, srv.Config().HTTPClient, srv, operation, input)
}

func queueVia(t testing.TB, client aws.HTTPClient, srv *secretstest.Server, operation string, input map[string]any) (int, map[string]any) {
	t.Helper()
	body, err := json.Marshal(input)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL(), bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AmazonSQS."+operation)
	return send(t, client, req)
}

// receive returns what a queue has to receive.
func receive(t testing.TB, srv *secretstest.Server, input map[string]any) []map[string]any {
	t.Helper()
	status, answer := queue(t, srv, "ReceiveMessage", input)
	require.Equal(t, http.StatusOK, status, answer)
	var messages []map[string]any
	list, _ := answer["Messages"].([]any)
	for _, m := range list {
		messages = append(messages, m.(map[string]any))
	}
	return messages
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		url := srv.CreateQueue("events")
		require.Equal(t, srv.URL()+"/123456789012/events", url)
		_, answer := queue(t, srv, "CreateQueue", map[string]any{"QueueName": "events"})
		require.Equal(t, url, answer["QueueUrl"])
		_, answer = queue(t, srv, "GetQueueUrl", map[string]any{"QueueName": "events"})
		require.Equal(t, url, answer["QueueUrl"])

		_, answer = queue(t, srv, "SendMessage", map[string]any{"QueueUrl": url, "MessageBody": "hello"})
		sum := md5.Sum([]byte("hello"))
		require.Equal(t, hex.EncodeToString(sum[:]), answer["MD5OfMessageBody"])

		messages := receive(t, srv, map[string]any{"QueueUrl": url})
		require.Len(t, messages, 1)
		require.Equal(t, "hello", messages[0]["Body"])
		require.Empty(t, receive(t, srv, map[string]any{"QueueUrl": url}), "it is invisible")
		require.Equal(t, 1, srv.Messages("events"))

		time.Sleep(30 * time.Second)
		again := receive(t, srv, map[string]any{"QueueUrl": url, "VisibilityTimeout": 100})
		require.Equal(t, messages[0]["MessageId"], again[0]["MessageId"])
		require.NotEqual(t, messages[0]["ReceiptHandle"], again[0]["ReceiptHandle"])
		require.NotContains(t, again[0], "Attributes", "none was asked for")

		status, _ := queue(t, srv, "DeleteMessage", map[string]any{"QueueUrl": url, "ReceiptHandle": messages[0]["ReceiptHandle"]})
		require.Equal(t, http.StatusOK, status, "an old handle succeeds")
		require.Equal(t, 1, srv.Messages("events"), "and deletes nothing")
		visible := map[string]any{"QueueUrl": url, "ReceiptHandle": again[0]["ReceiptHandle"], "VisibilityTimeout": 0}
		status, _ = queue(t, srv, "ChangeMessageVisibility", visible)
		require.Equal(t, http.StatusOK, status)
		status, answer = queue(t, srv, "ChangeMessageVisibility", visible)
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "MessageNotInflight", answer["__type"])
		for _, asked := range []string{"AttributeNames", "MessageSystemAttributeNames"} {
			again = receive(t, srv, map[string]any{"QueueUrl": url, asked: []string{"ApproximateReceiveCount"}, "VisibilityTimeout": 0})
			require.Len(t, again[0]["Attributes"], 1)
		}
		require.Equal(t, "4", again[0]["Attributes"].(map[string]any)["ApproximateReceiveCount"])
		again = receive(t, srv, map[string]any{"QueueUrl": url, "AttributeNames": []string{"All"}})
		require.Len(t, again[0]["Attributes"], 2)
		_, answer = queue(t, srv, "DeleteMessageBatch", map[string]any{"QueueUrl": url, "Entries": []map[string]any{
			{"Id": "a", "ReceiptHandle": again[0]["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "nonsense"},
		}})
		require.Len(t, answer["Successful"], 1)
		require.Len(t, answer["Failed"], 1)
		require.Zero(t, srv.Messages("events"))

		status, _ = queue(t, srv, "DeleteMessage", map[string]any{"QueueUrl": url, "ReceiptHandle": again[0]["ReceiptHandle"]})
		require.Equal(t, http.StatusOK, status, "it is gone already")

		queue(t, srv, "DeleteQueue", map[string]any{"QueueUrl": url})
		status, answer = queue(t, srv, "ReceiveMessage", map[string]any{"QueueUrl": url})
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "QueueDoesNotExist", answer["__type"])
	})
}

// The code that the SDK shows is the one of the older protocol, from a header.
func TestQueueRefuses(t *testing.T) {
	srv := secretstest.NewServer(t)
	url := srv.CreateQueue("q")
	entry := map[string]any{"Id": "a", "ReceiptHandle": "x"}
	for name, tt := range map[string]struct {
		operation string
		input     map[string]any
		code      string
		header    string
	}{
		"name of a queue":   {"CreateQueue", map[string]any{"QueueName": "no spaces"}, "InvalidParameterValue", "InvalidParameterValue;Sender"},
		"name of none":      {"GetQueueUrl", map[string]any{"QueueName": "nowhere"}, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender"},
		"URL of none":       {"GetQueueAttributes", map[string]any{"QueueUrl": "nowhere"}, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender"},
		"no URL":            {"DeleteQueue", map[string]any{"QueueUrl": ""}, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender"},
		"no body":           {"SendMessage", map[string]any{"QueueUrl": url}, "MissingParameter", "MissingParameter;Sender"},
		"delay":             {"SendMessage", map[string]any{"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue", "InvalidParameterValue;Sender"},
		"wait":              {"ReceiveMessage", map[string]any{"QueueUrl": url, "WaitTimeSeconds": 21}, "InvalidParameterValue", "InvalidParameterValue;Sender"},
		"timeout":           {"ReceiveMessage", map[string]any{"QueueUrl": url, "VisibilityTimeout": 43_201}, "InvalidParameterValue", "InvalidParameterValue;Sender"},
		"no handle":         {"DeleteMessage", map[string]any{"QueueUrl": url}, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid;Sender"},
		"no entries":        {"DeleteMessageBatch", map[string]any{"QueueUrl": url}, "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest;Sender"},
		"eleven entries":    {"DeleteMessageBatch", map[string]any{"QueueUrl": url, "Entries": slices.Repeat([]any{entry}, 11)}, "TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest;Sender"},
		"an entry twice":    {"DeleteMessageBatch", map[string]any{"QueueUrl": url, "Entries": []any{entry, entry}}, "BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct;Sender"},
		"no visibility":     {"ChangeMessageVisibility", map[string]any{"QueueUrl": url}, "InvalidParameterValue", "InvalidParameterValue;Sender"},
		"unknown operation": {"SetQueueAttributes", map[string]any{"QueueUrl": url}, "UnknownOperationException", "UnknownOperationException;Sender"},
		"failure":           {"ListQueues", nil, "InternalServiceError", "InternalServiceError;Receiver"},
	} {
		t.Run(name, func(t *testing.T) {
			defer srv.Inject(secretstest.Fault{Operation: "ListQueues", Err: secretstest.Internal()})()
			cfg := srv.Config()
			tapped := &tap{HTTPClient: cfg.HTTPClient}
			_, answer := queueVia(t, tapped, srv, tt.operation, tt.input)
			require.Equal(t, tt.code, answer["__type"])
			require.Equal(t, tt.header, tapped.header.Get("X-Amzn-Query-Error"))
		})
	}
}

func TestQueueLongPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		url := srv.CreateQueue("q")
		poll := map[string]any{"QueueUrl": url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10, "VisibilityTimeout": 5}
		began := time.Now()
		require.Empty(t, receive(t, srv, poll))
		require.Equal(t, 20*time.Second, time.Since(began))

		began = time.Now()
		time.AfterFunc(3*time.Second, func() { queue(t, srv, "SendMessage", map[string]any{"QueueUrl": url, "MessageBody": "x"}) })
		require.Len(t, receive(t, srv, poll), 1)
		require.Equal(t, 3*time.Second, time.Since(began))
		require.Len(t, receive(t, srv, poll), 1, "it becomes visible again while somebody waits")
		require.Equal(t, 8*time.Second, time.Since(began))

		time.AfterFunc(time.Second, func() { srv.Advance(time.Hour) })
		require.Len(t, receive(t, srv, poll), 1, "the clock that is moved wakes who waits")
		require.Equal(t, 9*time.Second, time.Since(began))
	})
}

func TestQueueRedrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretstest.NewServer(t, secretstest.InProcess())
		srv.CreateQueue("dead")
		_, answer := queue(t, srv, "CreateQueue", map[string]any{"QueueName": "q", "Attributes": map[string]string{
			"VisibilityTimeout": "1", "RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":"2"}`,
		}})
		url := answer["QueueUrl"]
		queue(t, srv, "SendMessage", map[string]any{"QueueUrl": url, "MessageBody": "x"})
		for range 2 {
			require.Len(t, receive(t, srv, map[string]any{"QueueUrl": url}), 1)
			time.Sleep(time.Second)
		}
		require.Empty(t, receive(t, srv, map[string]any{"QueueUrl": url}))
		require.Equal(t, 1, srv.Messages("dead"))
		_, answer = queue(t, srv, "GetQueueAttributes", map[string]any{"QueueUrl": url, "AttributeNames": []string{"All"}})
		require.Equal(t, "0", answer["Attributes"].(map[string]any)["ApproximateNumberOfMessages"])
	})
}

func TestQueueFaults(t *testing.T) {
	srv := secretstest.NewServer(t)
	url := srv.CreateQueue("q")
	srv.CreateQueue("other")
	srv.Inject(secretstest.Fault{Operation: "ReceiveMessage", Name: "q", Err: secretstest.AccessDenied(), Times: 1})
	_, answer := queue(t, srv, "ReceiveMessage", map[string]any{"QueueUrl": srv.URL() + "/123456789012/other"})
	require.Empty(t, answer["__type"])
	_, answer = queue(t, srv, "ReceiveMessage", map[string]any{"QueueUrl": url})
	require.Equal(t, "AccessDeniedException", answer["__type"])
	require.Equal(t, 2, srv.Calls("ReceiveMessage"))
}

// Every write sends the events that AWS documents, and no value.
func TestEvents(t *testing.T) {
	srv := secretstest.NewServer(t, secretstest.WithEvents("a", "b"))
	const canary = "correct horse battery staple"
	sm, store := secretsmanager.NewFromConfig(srv.Config()), ssm.NewFromConfig(srv.Config())
	events := func(queueName string) (told []string) {
		for {
			messages := receive(t, srv, map[string]any{"QueueUrl": srv.CreateQueue(queueName), "MaxNumberOfMessages": 10})
			if len(messages) == 0 {
				return told
			}
			for _, m := range messages {
				require.NotContains(t, m["Body"], canary)
				var e struct {
					DetailType string `json:"detail-type"`
					Source     string
					Account    string
					Region     string
					Detail     struct {
						Operation, Name     string
						EventName           string
						ResponseElements    map[string]string
						AdditionalEventData map[string]string
					}
				}
				require.NoError(t, json.Unmarshal([]byte(m["Body"].(string)), &e))
				require.Equal(t, "us-east-1 123456789012", e.Region+" "+e.Account)
				told = append(told, fmt.Sprint(e.Source, " ", e.Detail.Operation, e.Detail.EventName, " ", e.Detail.Name, e.Detail.ResponseElements["name"]))
				if e.DetailType == "AWS Service Event via CloudTrail" {
					require.Contains(t, e.Detail.AdditionalEventData["SecretId"], ":secret:db-")
				}
			}
		}
	}
	srv.SetSecret("db", canary)
	srv.SetParameter("/p", canary)
	_, err := store.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/p"), Value: aws.String(canary), Overwrite: aws.Bool(true), Type: ssmtypes.ParameterTypeString})
	require.NoError(t, err)
	_, err = store.LabelParameterVersion(t.Context(), &ssm.LabelParameterVersionInput{Name: aws.String("/p"), Labels: []string{"blue"}})
	require.NoError(t, err)
	_, err = store.DeleteParameters(t.Context(), &ssm.DeleteParametersInput{Names: []string{"/p", "/nowhere"}})
	require.NoError(t, err)
	_, err = sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("db"), SecretString: aws.String(canary)})
	require.NoError(t, err)
	_, err = sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("none"), SecretString: aws.String(canary)})
	require.Error(t, err, "a call that failed is no event")
	_, err = sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("db")})
	require.NoError(t, err)
	told := events("a")
	require.Equal(t, []string{
		"aws.secretsmanager PutSecretValue db", "aws.ssm Create /p", "aws.ssm Update /p", "aws.ssm LabelParameterVersion /p", "aws.ssm Delete /p",
		"aws.secretsmanager PutSecretValue db",
	}, told)
	require.Equal(t, told, events("b"))

	srv.HandleRotation(rotator, func(context.Context, secretstest.RotationEvent) error { return nil })
	_, err = sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("db"), RotationLambdaARN: aws.String(rotator)})
	require.NoError(t, err)
	_ = srv.WaitRotations(t.Context())
	_, err = sm.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("db")})
	require.NoError(t, err)
	require.Equal(t, []string{
		"aws.secretsmanager RotationStarted ", "aws.secretsmanager RotateSecret db", "aws.secretsmanager RotationFailed ", "aws.secretsmanager DeleteSecret db",
	}, events("a"), "the function moved no label")

	_, err = secretstest.Start(secretstest.WithEvents("no spaces"))
	require.ErrorContains(t, err, "queue name")
}
