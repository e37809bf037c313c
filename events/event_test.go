package events_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/events"
	"github.com/c0629bfc/secrets/provider"
)

const (
	account = "123456789012"
	region  = "us-east-1"
	arn     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"
)

var home = events.Home{Account: account, Region: region}

// sample returns an event by its documented fields, of the given account.
func sample(source, detailType, detail string, in ...string) string {
	if in == nil {
		in = []string{account, region}
	}
	return `{"version":"0","id":"6a7e4feb-b491-4cf7-a9f1-bf3703497718","detail-type":"` + detailType + `","source":"` + source +
		`","account":"` + in[0] + `","time":"2026-05-22T16:43:48Z","region":"` + in[1] + `","resources":[],"detail":` + detail + `}`
}

func change(operation, name string, in ...string) string {
	return sample("aws.ssm", "Parameter Store Change", `{"operation":"`+operation+`","name":"`+name+`","type":"SecureString","description":""}`, in...)
}

func call(detail string, in ...string) string {
	return sample("aws.secretsmanager", "AWS API Call via CloudTrail", `{"eventVersion":"1.08","eventSource":"secretsmanager.amazonaws.com","readOnly":false,`+detail+`}`, in...)
}

func service(detail string) string {
	return sample("aws.secretsmanager", "AWS Service Event via CloudTrail",
		`{"eventVersion":"1.08","eventSource":"secretsmanager.amazonaws.com","eventType":"AwsServiceEvent","requestParameters":null,"responseElements":null,`+detail+`}`)
}

// wrapped returns what SNS sends to a queue whose subscription is not raw.
func wrapped(message, kind string) string {
	body, _ := json.Marshal(map[string]string{
		"Type": kind, "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": "arn:aws:sns:us-east-1:123456789012:changes",
		"Message": message, "Timestamp": "2026-05-22T16:43:48.000Z", "SignatureVersion": "1",
	})
	return string(body)
}

func TestRefs(t *testing.T) {
	secret := []string{arn, "sm://prod/db", "sm://prod/db?region=us-east-1",
		"ssm:///aws/reference/secretsmanager/prod/db", "ssm:///aws/reference/secretsmanager/prod/db?region=us-east-1"}
	byName := append([]string{strings.TrimSuffix(arn, "-AbCdEf")}, secret[1:]...)
	parameter := []string{"arn:aws:ssm:us-east-1:123456789012:parameter/app/url", "ssm:///app/url", "ssm:///app/url?region=us-east-1"}
	for name, test := range map[string]struct {
		message string
		want    []string
	}{
		"parameter created":   {change("Create", "/app/url"), parameter},
		"parameter updated":   {change("Update", "/app/url"), parameter},
		"parameter deleted":   {change("Delete", "/app/url"), parameter},
		"parameter labelled":  {change("LabelParameterVersion", "/app/url"), parameter},
		"plain parameter":     {change("Update", "plain"), []string{"arn:aws:ssm:us-east-1:123456789012:parameter/plain", "ssm://plain", "ssm://plain?region=us-east-1"}},
		"parameter expired":   {sample("aws.ssm", "Parameter Store Policy Action", `{"policy-type":"Expiration","parameter-name":"/app/url","parameter-type":"String","action-status":"Success"}`), parameter},
		"notice":              {sample("aws.ssm", "Parameter Store Policy Action", `{"policy-type":"ExpirationNotification","parameter-name":"/app/url"}`), nil},
		"no change":           {sample("aws.ssm", "Parameter Store Policy Action", `{"policy-type":"NoChangeNotification","parameter-name":"/app/url"}`), nil},
		"arn":                 {call(`"eventName":"PutSecretValue","requestParameters":{"secretId":"prod/db"},"responseElements":{"arn":"` + arn + `"}`), secret},
		"aRN":                 {call(`"eventName":"UpdateSecretVersionStage","responseElements":{"aRN":"` + arn + `","name":"prod/db"}`), secret},
		"no response":         {call(`"eventName":"PutSecretValue","requestParameters":{"secretId":"prod/db"},"responseElements":null`), byName},
		"requested by ARN":    {call(`"eventName":"UpdateSecret","requestParameters":{"secretId":"` + arn + `"},"responseElements":null`), append(append([]string(nil), secret...), "sm://prod/db-AbCdEf", "sm://prod/db-AbCdEf?region=us-east-1", "ssm:///aws/reference/secretsmanager/prod/db-AbCdEf", "ssm:///aws/reference/secretsmanager/prod/db-AbCdEf?region=us-east-1")},
		"created":             {call(`"eventName":"CreateSecret","requestParameters":{"name":"prod/db"}`), byName},
		"deleted":             {call(`"eventName":"DeleteSecret","responseElements":{"arn":"` + arn + `","name":"prod/db"}`), secret},
		"restored":            {call(`"eventName":"RestoreSecret","responseElements":{"arn":"` + arn + `"}`), secret},
		"rotation asked for":  {call(`"eventName":"RotateSecret","responseElements":{"aRN":"` + arn + `"}`), secret},
		"rotation cancelled":  {call(`"eventName":"CancelRotateSecret","responseElements":{"aRN":"` + arn + `"}`), secret},
		"resource policy":     {call(`"eventName":"PutResourcePolicy","responseElements":{"arn":"` + arn + `"}`), secret},
		"rotation started":    {service(`"eventName":"RotationStarted","additionalEventData":{"SecretId":"` + arn + `"}`), secret},
		"rotation succeeded":  {service(`"eventName":"RotationSucceeded","additionalEventData":{"SecretId":"` + arn + `"}`), secret},
		"rotation failed":     {service(`"eventName":"RotationFailed","additionalEventData":{"SecretId":"` + arn + `"}`), secret},
		"a call that failed":  {call(`"eventName":"PutSecretValue","errorCode":"AccessDenied","requestParameters":{"secretId":"prod/db"}`), nil},
		"tags":                {call(`"eventName":"TagResource","requestParameters":{"secretId":"prod/db"}`), nil},
		"no secret":           {call(`"eventName":"PutSecretValue","requestParameters":"none","responseElements":[]`), nil},
		"another thing's ARN": {call(`"eventName":"PutSecretValue","requestParameters":{"secretId":"arn:aws:sns:us-east-1:123456789012:x"}`), nil},
		"no parameter":        {change("Update", ""), nil},
		"another kind":        {sample("aws.ec2", "EC2 Instance State-change Notification", `{"state":"running"}`), nil},
		"another detail":      {sample("aws.ssm", "Parameter Store Change", `["x"]`), nil},

		"another account":        {change("Update", "/app/url", "210987654321", region), []string{"arn:aws:ssm:us-east-1:210987654321:parameter/app/url"}},
		"another Region":         {change("Update", "/app/url", account, "eu-west-1"), []string{"arn:aws:ssm:eu-west-1:123456789012:parameter/app/url", "ssm:///app/url?region=eu-west-1"}},
		"China":                  {change("Update", "/a", "210987654321", "cn-north-1"), []string{"arn:aws-cn:ssm:cn-north-1:210987654321:parameter/a"}},
		"GovCloud":               {change("Update", "/a", "210987654321", "us-gov-west-1"), []string{"arn:aws-us-gov:ssm:us-gov-west-1:210987654321:parameter/a"}},
		"another account's call": {call(`"eventName":"PutSecretValue","responseElements":{"arn":"arn:aws:secretsmanager:us-east-1:210987654321:secret:prod/db-AbCdEf"}`), []string{"arn:aws:secretsmanager:us-east-1:210987654321:secret:prod/db-AbCdEf"}},

		"isolated, by its ARN": {strings.Replace(change("Update", "/a", "210987654321", "us-iso-east-1"), `"resources":[]`, `"resources":["arn:aws-iso:ssm:us-iso-east-1:210987654321:parameter/a"]`, 1),
			[]string{"arn:aws-iso:ssm:us-iso-east-1:210987654321:parameter/a"}},
		"resources of another service": {strings.Replace(change("Update", "/a", "210987654321", region), `"resources":[]`, `"resources":["arn:aws-cn:kms:us-east-1:210987654321:key/k","x"]`, 1),
			[]string{"arn:aws:ssm:us-east-1:210987654321:parameter/a"}},
		"arn and aRN":      {call(`"eventName":"RotateSecret","responseElements":{"arn":null,"aRN":"` + arn + `"}`), secret},
		"ARN in a request": {call(`"eventName":"RotateSecret","requestParameters":{"aRN":"` + arn + `"}`), append(append([]string(nil), secret...), "sm://prod/db-AbCdEf", "sm://prod/db-AbCdEf?region=us-east-1", "ssm:///aws/reference/secretsmanager/prod/db-AbCdEf", "ssm:///aws/reference/secretsmanager/prod/db-AbCdEf?region=us-east-1")},

		"by SNS": {wrapped(change("Update", "/app/url"), "Notification"), parameter},
	} {
		t.Run(name, func(t *testing.T) {
			refs, err := events.Refs([]byte(test.message), home)
			require.NoError(t, err)
			require.Equal(t, test.want, refs)
			for _, ref := range refs {
				_, err := provider.ParseRef(ref)
				require.NoError(t, err)
			}
		})
	}
}

func TestRefsOfAnyHome(t *testing.T) {
	refs, err := events.Refs([]byte(change("Update", "/app/url", "210987654321", "eu-west-1")), events.Home{})
	require.NoError(t, err)
	require.Equal(t, []string{"arn:aws:ssm:eu-west-1:210987654321:parameter/app/url", "ssm:///app/url", "ssm:///app/url?region=eu-west-1"}, refs)
}

func TestRefsRefusesWhatIsNoEvent(t *testing.T) {
	const canary = "correct-horse"
	for name, message := range map[string]string{
		"empty":            "",
		"text":             canary,
		"JSON":             `{"` + canary + `":1}`,
		"array":            `["` + canary + `"]`,
		"broken":           `{"source":"` + canary,
		"types":            `{"source":{"x":"` + canary + `"}}`,
		"no detail":        `{"source":"aws.ssm","detail-type":"Parameter Store Change"}`,
		"SNS of text":      wrapped(canary, "Notification"),
		"SNS of SNS":       wrapped(wrapped(change("Update", "/a"), "Notification"), "Notification"),
		"SNS confirmation": wrapped(canary, "SubscriptionConfirmation"),
		"SNS of a kind":    wrapped(change("Update", "/a"), canary),
	} {
		t.Run(name, func(t *testing.T) {
			refs, err := events.Refs([]byte(message), home)
			require.ErrorIs(t, err, events.ErrNotEvent)
			require.NotContains(t, err.Error(), canary)
			require.Empty(t, refs)
		})
	}
}

// FuzzRefs wants refs that parse, or ErrNotEvent, of whatever a queue brings.
// Its corpus is in testdata.
func FuzzRefs(f *testing.F) {
	f.Add([]byte(change("Update", "/app/url")))
	f.Add([]byte(call(`"eventName":"PutSecretValue","responseElements":{"aRN":"` + arn + `"}`)))
	f.Add([]byte(wrapped(service(`"eventName":"RotationSucceeded","additionalEventData":{"SecretId":"`+arn+`"}`), "Notification")))
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, home := range []events.Home{home, {}} {
			refs, err := events.Refs(message, home)
			if err != nil {
				require.ErrorIs(t, err, events.ErrNotEvent)
				require.Empty(t, refs)
			}
			for _, ref := range refs {
				require.False(t, strings.ContainsAny(ref, "\n\r"), "a ref is one line")
			}
		}
	})
}

// The corpus is made of the documented events, so that they are what is mutated.
func TestCorpusIsUnderstood(t *testing.T) {
	files, err := filepath.Glob("testdata/fuzz/FuzzRefs/*")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 10)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		quoted := strings.TrimSpace(strings.TrimPrefix(string(raw), "go test fuzz v1\n[]byte("))
		message, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
		require.NoError(t, err, file)
		_, err = events.Refs([]byte(message), home)
		require.NoError(t, err, file)
	}
}
