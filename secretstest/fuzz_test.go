package secretstest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/secretstest"
)

// FuzzRequest sends arbitrary targets, headers and bodies. A panic of the
// handler closes the connection, which fails the request.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"secretsmanager.GetSecretValue", `{"SecretId":"a","VersionStage":"AWSCURRENT"}`, ""},
		{"secretsmanager.GetSecretValue", `{"SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:a-000000"}`, "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/secretsmanager/aws4_request, x"},
		{"secretsmanager.BatchGetSecretValue", `{"SecretIdList":["a","arn:::::"],"NextToken":""}`, ""},
		{"secretsmanager.BatchGetSecretValue", `{"Filters":[{"Key":"all","Values":["!"]}]}`, "Credential=//"},
		{"secretsmanager.ListSecrets", `{"NextToken":"TGlzdFNlY3JldHMKOTk5"}`, ""},
		{"secretsmanager.PutSecretValue", `{"SecretId":"a","ClientRequestToken":"00000000000000000000000000000000","SecretBinary":"AA==","VersionStages":["","x"]}`, ""},
		{"secretsmanager.UpdateSecretVersionStage", `{"SecretId":"a","VersionStage":"AWSCURRENT","MoveToVersionId":"x"}`, ""},
		{"secretsmanager.DeleteSecret", `{"SecretId":"b","RecoveryWindowInDays":-1}`, ""},
		{"secretsmanager.GetRandomPassword", `{"PasswordLength":4,"ExcludeCharacters":"a"}`, ""},
		{"secretsmanager.RotateSecret", `{"SecretId":"a","RotationRules":{"AutomaticallyAfterDays":1}}`, ""},
		{"secretsmanager.RotateSecret", `{"SecretId":"a","ClientRequestToken":"00000000000000000000000000000000","RotationLambdaARN":"` + rotator + `","RotationRules":{"ScheduleExpression":"cron(0 4/12 ? * MON#2,L *)","Duration":"2h"}}`, ""},
		{"secretsmanager.RotateSecret", `{"SecretId":"a","ClientRequestToken":"00000000000000000000000000000001","RotateImmediately":false,"RotationRules":{"ScheduleExpression":"rate(10 days)"}}`, ""},
		{"secretsmanager.CancelRotateSecret", `{"SecretId":"a"}`, ""},
		{"secretsmanager.PutResourcePolicy", `{"SecretId":"a","BlockPublicPolicy":true,"ResourcePolicy":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"*\"]},\"Action\":\"*\",\"Resource\":\"*\"}}"}`, ""},
		{"secretsmanager.ReplicateSecretToRegions", `{"SecretId":"a","AddReplicaRegions":[{"Region":"eu-west-1"}],"ForceOverwriteReplicaSecret":true}`, ""},
		{"secretsmanager.StopReplicationToReplica", `{"SecretId":"a"}`, "Credential=x/20260101/eu-west-1/secretsmanager/aws4_request"},
		{"AmazonSSM.UpdateServiceSetting", `{"SettingId":"/ssm/parameter-store/default-parameter-tier","SettingValue":"Advanced"}`, ""},
		{"AmazonSSM.PutResourcePolicy", `{"ResourceArn":"arn:aws:ssm:us-east-1:123456789012:parameter/p","Policy":"{}"}`, ""},
		{"AmazonSSM.PutParameter", `{"Name":"/q","Type":"String","Value":"v","Tier":"Advanced","Policies":"[{\"Type\":\"Expiration\",\"Version\":\"1.0\",\"Attributes\":{\"Timestamp\":\"2099-01-01T00:00Z\"}}]"}`, ""},
		{"AmazonSSM.GetParameter", `{"Name":"/p:1","WithDecryption":true}`, ""},
		{"AmazonSSM.GetParameter", `{"Name":"arn:aws:ssm:us-east-1:123456789012:parameter/p:x"}`, ""},
		{"AmazonSSM.GetParameter", `{"Name":"/aws/reference/secretsmanager/a:AWSCURRENT","WithDecryption":true}`, ""},
		{"AmazonSSM.GetParameters", `{"Names":["/p",":","/aws/service/"]}`, ""},
		{"AmazonSSM.GetParametersByPath", `{"Path":"/","Recursive":true,"ParameterFilters":[{"Key":"Label","Values":["x"]}]}`, ""},
		{"AmazonSSM.DescribeParameters", `{"ParameterFilters":[{"Key":"tag:","Option":"Contains"}]}`, ""},
		{"AmazonSSM.PutParameter", `{"Name":"/q","Type":"String","Value":"v","AllowedPattern":"(","Policies":"[1]","Tier":"Advanced"}`, ""},
		{"AmazonSSM.LabelParameterVersion", `{"Name":"/p","Labels":["a","aws"],"ParameterVersion":1}`, ""},
		{"AmazonSSM.AddTagsToResource", `{"ResourceType":"Parameter","ResourceId":"/p","Tags":[{}]}`, ""},
		{"AmazonSSM.", `null`, "Credential"},
		{"..", `[{}]`, ""},
	} {
		f.Add(seed[0], []byte(seed[1]), seed[2])
	}
	srv := secretstest.NewServer(f)
	srv.SetSecret("a", "v")
	srv.SetSecureParameter("/p", "v")
	srv.Inject(secretstest.Fault{Name: "*", Err: secretstest.AccessDenied(), Rate: 0.1})
	srv.HandleRotation(rotator, func(context.Context, secretstest.RotationEvent) error { return nil })
	client := srv.Config().HTTPClient
	f.Fuzz(func(t *testing.T, target string, body []byte, authorization string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL(), bytes.NewReader(body))
		require.NoError(t, err)
		req.Header = http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}, "Authorization": {authorization}}
		resp, err := client.Do(req)
		if err != nil {
			// The HTTP client refuses header values that are not valid.
			require.ErrorContains(t, err, "invalid header field value")
			return
		}
		_, err = io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	})
}
