package sm_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

func TestListByPrefix(t *testing.T) {
	b := newBench(t)
	b.fill(t, 45)
	b.SetSecret("apple", "no")
	b.SetSecret("App/1", "no")
	texts, failed := readtest.List(t, b.store, readtest.Prefix(t, "sm://app/"))
	require.Empty(t, failed)
	require.Len(t, texts, 45)
	for i := range 45 {
		require.Equal(t, fmt.Sprintf("app/%03d", i), texts[fmt.Sprintf("sm://app/%03d", i)])
	}
	require.Equal(t, map[string]int{"BatchGetSecretValue": 3}, b.CallsByOperation())
}

func TestListAll(t *testing.T) {
	b := newBench(t)
	b.fill(t, 101)
	texts, failed := readtest.List(t, b.store, readtest.Prefix(t, "sm://"))
	require.Empty(t, failed)
	require.Len(t, texts, 101)
	require.Equal(t, map[string]int{"ListSecrets": 2, "BatchGetSecretValue": 5, "GetSecretValue": 1}, b.CallsByOperation())
}

// TestListOfAnExclamationMark has a prefix that the filter takes for "not".
func TestListOfAnExclamationMark(t *testing.T) {
	b := newBench(t)
	b.SetSecret("!odd/1", "odd")
	b.SetSecret("even", "no")
	texts, failed := readtest.List(t, b.store, readtest.Prefix(t, "sm://!odd"))
	require.Empty(t, failed)
	require.Equal(t, map[string]string{"sm://!odd/1": "odd"}, texts)
}

func TestListKeepsTheRegionOfThePrefix(t *testing.T) {
	b := newBench(t)
	b.SetSecret("app/1", "no")
	b.elsewhere(t, "eu-west-1", "", "app/1", "eu")
	for _, p := range []string{"sm://app/?region=eu-west-1", "sm://?region=eu-west-1"} {
		texts, failed := readtest.List(t, b.store, readtest.Prefix(t, p))
		require.Empty(t, failed)
		require.Equal(t, map[string]string{"sm://app/1?region=eu-west-1": "eu"}, texts)
	}
}

func TestListGoesOnAfterAnError(t *testing.T) {
	for _, p := range []string{"sm://app/", "sm://"} {
		b := newBench(t)
		b.fill(t, 5)
		b.Inject(secretstest.Fault{Operation: "GetSecretValue", Name: "app/001", Err: secretstest.AccessDenied()})
		_, err := b.client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("app/empty")})
		require.NoError(t, err)
		_, err = b.client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String("app/004")})
		require.NoError(t, err)
		texts, failed := readtest.List(t, b.store, readtest.Prefix(t, p))
		require.Equal(t, map[string]string{"sm://app/000": "app/000", "sm://app/002": "app/002", "sm://app/003": "app/003"}, texts)
		require.Equal(t, map[string]error{"sm://app/001": provider.ErrAccessDenied, "sm://app/empty": provider.ErrVersionNotFound}, failed)
	}
}

// TestListItemErrorByARN has an error that names its secret by the ARN.
func TestListItemErrorByARN(t *testing.T) {
	b := newBench(t)
	b.tap.Answer(func(string) *http.Response {
		return readtest.Answer(200, `{"Errors":[
			{"SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db-AbCdEf","ErrorCode":"DecryptionFailure","Message":"no"},
			{"SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:other-AbCdEf","ErrorCode":"DecryptionFailure","Message":"no"}]}`)
	})
	texts, failed := readtest.List(t, b.store, readtest.Prefix(t, "sm://app/"))
	require.Empty(t, texts)
	require.Equal(t, map[string]error{"sm://app/db": provider.ErrDecryption}, failed)
}

func TestListWithoutBatchPermission(t *testing.T) {
	b := newBench(t)
	b.fill(t, 3)
	b.Inject(secretstest.Fault{Operation: "BatchGetSecretValue", Err: secretstest.AccessDenied()})
	for range 2 {
		texts, failed := readtest.List(t, b.store, readtest.Prefix(t, "sm://app/"))
		require.Empty(t, failed)
		require.Len(t, texts, 3)
	}
	require.Equal(t, map[string]int{"BatchGetSecretValue": 1, "ListSecrets": 2, "GetSecretValue": 6}, b.CallsByOperation())

	b.Inject(secretstest.Fault{Operation: "ListSecrets", Err: secretstest.AccessDenied()})
	p := readtest.Prefix(t, "sm://app/")
	yields := 0
	for v, err := range b.store.List(t.Context(), p) {
		require.Zero(t, v)
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		require.ErrorContains(t, err, "allow secretsmanager:ListSecrets on *")
		require.Equal(t, p, err.(*provider.Error).Ref)
		yields++
	}
	require.Equal(t, 1, yields)
}

func TestListStops(t *testing.T) {
	readtest.ListStops(t, open, "sm://app/", 20, filled(t, 60))
}
