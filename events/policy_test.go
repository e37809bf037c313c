package events_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/events"
	"github.com/c0629bfc/secrets/secretstest"
)

// matches is as much of EventBridge's matching as Pattern uses: lists of exact
// values, objects and $or (user guide, "Comparison operators").
func matches(pattern, event any) bool {
	p, ok := pattern.(map[string]any)
	if !ok {
		return slices.Contains(pattern.([]any), event)
	}
	e, ok := event.(map[string]any)
	if !ok {
		return false
	}
	for key, sub := range p {
		if key == "$or" {
			if !slices.ContainsFunc(sub.([]any), func(one any) bool { return matches(one, event) }) {
				return false
			}
		} else if !matches(sub, e[key]) {
			return false
		}
	}
	return true
}

func parsed(t *testing.T, text string) (v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}

// The rule lets through what Refs makes something of, and nothing else.
func TestPattern(t *testing.T) {
	pattern := parsed(t, events.Pattern())
	for message, want := range map[string]bool{
		change("Create", "/a"):                true,
		change("LabelParameterVersion", "/a"): true,
		sample("aws.ssm", "Parameter Store Policy Action", `{"policy-type":"Expiration","parameter-name":"/a"}`):             true,
		sample("aws.ssm", "Parameter Store Policy Action", `{"policy-type":"ExpirationNotification","parameter-name":"/a"}`): false,
		sample("aws.ssm", "EC2 Command Status-change Notification", `{}`):                                                    false,
		call(`"eventName":"PutSecretValue","requestParameters":{"secretId":"a"}`):                                            true,
		call(`"eventName":"TagResource","requestParameters":{"secretId":"a"}`):                                               false,
		call(`"eventName":"GetSecretValue","requestParameters":{"secretId":"a"}`):                                            false,
		service(`"eventName":"RotationSucceeded","additionalEventData":{"SecretId":"` + arn + `"}`):                          true,
		service(`"eventName":"EndSecretVersionDelete","additionalEventData":{"SecretId":"` + arn + `"}`):                     false,
	} {
		require.Equal(t, want, matches(pattern, parsed(t, message)), message)
		refs, err := events.Refs([]byte(message), home)
		require.NoError(t, err)
		require.Equal(t, want, len(refs) > 0, message)
	}
}

func TestPatternMatchesWhatTheServerEmits(t *testing.T) {
	server := secretstest.NewServer(t, secretstest.WithEvents("q"))
	server.SetParameter("/p", "x")
	server.SetSecret("s", "x")
	api := secretsmanager.NewFromConfig(server.Config())
	_, err := api.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("s")})
	require.NoError(t, err)
	_, err = api.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: aws.String("s")})
	require.NoError(t, err)
	url := server.CreateQueue("q")
	out, err := sqs.NewFromConfig(server.Config()).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
	require.NoError(t, err)
	require.Len(t, out.Messages, 4)
	for _, m := range out.Messages {
		require.True(t, matches(parsed(t, events.Pattern()), parsed(t, *m.Body)), *m.Body)
	}
}

func TestPolicy(t *testing.T) {
	const (
		queue = "arn:aws:sqs:us-east-1:123456789012:q"
		topic = "arn:aws:sns:us-east-1:123456789012:t"
		rule  = "arn:aws:events:us-east-1:123456789012:rule/r"
	)
	for _, test := range []struct{ to, from, action, principal string }{
		{queue, rule, "sqs:SendMessage", "events.amazonaws.com"},
		{topic, rule, "sns:Publish", "events.amazonaws.com"},
		{queue, topic, "sqs:SendMessage", "sns.amazonaws.com"},
	} {
		policy, err := events.Policy(test.to, test.from)
		require.NoError(t, err)
		statement := parsed(t, policy).(map[string]any)["Statement"].([]any)[0].(map[string]any)
		require.Equal(t, test.action, statement["Action"])
		require.Equal(t, test.to, statement["Resource"])
		require.Equal(t, map[string]any{"Service": test.principal}, statement["Principal"])
		require.Equal(t, map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": test.from}}, statement["Condition"], "nobody else may send")
	}
	for _, bad := range [][2]string{{rule, queue}, {queue, queue}, {topic, topic}, {"", ""}, {"q", rule}, {queue, "arn:aws:events:us-east-1:123456789012:event-bus/default"},
		{queue, "arn:aws:events:us-east-1:123456789012:rule/*"}, {"arn:aws:sqs:us-east-1:123456789012:?", rule}, {queue, "arn:aws:sns:us-east-1:${aws:PrincipalAccount}:t"}} {
		_, err := events.Policy(bad[0], bad[1])
		require.Error(t, err, bad)
	}
}

// What the page shows is what the functions print.
func TestTheDocsHaveThePattern(t *testing.T) {
	page, err := os.ReadFile("../docs/events.md")
	require.NoError(t, err)
	require.Contains(t, string(page), events.Pattern())
	policy, err := events.Policy("arn:aws:sqs:us-east-1:123456789012:changes", "arn:aws:events:us-east-1:123456789012:rule/secrets-changed")
	require.NoError(t, err)
	require.Contains(t, string(page), policy)
	var names []string
	for _, line := range strings.Split(events.Pattern(), "\n") {
		if name := strings.Trim(line, ` ",`); strings.HasPrefix(name, "Rotation") || strings.HasSuffix(name, "Secret") {
			names = append(names, name)
		}
	}
	require.NotEmpty(t, names)
	terraform := string(page)[strings.Index(string(page), "```hcl"):]
	for _, name := range names {
		require.GreaterOrEqual(t, strings.Count(terraform, name), 2, "%s in Terraform and in CloudFormation", name)
	}
}
