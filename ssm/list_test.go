package ssm_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

func TestListByPath(t *testing.T) {
	b := newBench(t)
	b.fill(t, 25)
	b.SetParameter("/app", "the path itself")
	b.SetParameter("/app2/x", "no")
	b.SetParameter("/app/deep/er", "deep")
	for _, p := range []string{"ssm:///app/", "ssm:///app"} {
		b.ResetCalls()
		texts, failed := readtest.List(t, b.store, readtest.Prefix(t, p))
		require.Empty(t, failed)
		require.Len(t, texts, 26)
		require.Equal(t, "deep", texts["ssm:///app/deep/er"])
		require.Equal(t, "/app/007", texts["ssm:///app/007"])
		require.Equal(t, map[string]int{"GetParametersByPath": 3}, b.CallsByOperation())
	}
}

func TestListAll(t *testing.T) {
	b := newBench(t)
	b.fill(t, 3)
	b.SetParameter("/other", "o")
	texts, failed := readtest.List(t, b.store, readtest.Prefix(t, "ssm:///"))
	require.Empty(t, failed)
	require.Equal(t, map[string]string{"ssm:///app/000": "/app/000", "ssm:///app/001": "/app/001", "ssm:///app/002": "/app/002", "ssm:///other": "o"}, texts)
}

func TestListKeepsTheRegionOfThePrefix(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/app/1", "no")
	b.elsewhere(t, "eu-west-1", "", "/app/1", "eu")
	texts, failed := readtest.List(t, b.store, readtest.Prefix(t, "ssm:///app/?region=eu-west-1"))
	require.Empty(t, failed)
	require.Equal(t, map[string]string{"ssm:///app/1?region=eu-west-1": "eu"}, texts)
}

func TestListIsDenied(t *testing.T) {
	b := newBench(t)
	b.fill(t, 3)
	b.Inject(secretstest.Fault{Operation: "GetParametersByPath", Err: secretstest.AccessDenied()})
	p := readtest.Prefix(t, "ssm:///app/")
	yields := 0
	for v, err := range b.store.List(t.Context(), p) {
		require.Zero(t, v)
		require.ErrorIs(t, err, provider.ErrAccessDenied)
		require.ErrorContains(t, err, "allow ssm:GetParametersByPath on it")
		require.Equal(t, p, err.(*provider.Error).Ref)
		yields++
	}
	require.Equal(t, 1, yields)
}

// TestListGoesOnWhereKMSRefuses has one SecureString that cannot be decrypted,
// which fails its whole page.
func TestListGoesOnWhereKMSRefuses(t *testing.T) {
	b := newBench(t)
	b.fill(t, 25)
	b.SetParameter("/app/plain", "plain")
	refused := secretstest.Error{Code: "InvalidKeyId", Message: "The key is disabled."}
	b.Inject(secretstest.Fault{Name: "/app/013", Err: &refused})
	pages := 0
	b.tap.Answer(func(operation string) *http.Response {
		if operation != "GetParametersByPath" {
			return nil
		}
		if pages++; pages != 2 {
			return nil
		}
		return readtest.Answer(400, `{"__type":"InvalidKeyId","message":"The key is disabled."}`)
	})
	texts, failed := readtest.List(t, b.store, readtest.Prefix(t, "ssm:///app/"))
	require.Equal(t, map[string]error{"ssm:///app/013": provider.ErrDecryption}, failed)
	require.Len(t, texts, 25)
	require.Equal(t, "plain", texts["ssm:///app/plain"])
	for i := range 25 {
		if i != 13 {
			require.Equal(t, fmt.Sprintf("/app/%03d", i), texts[fmt.Sprintf("ssm:///app/%03d", i)])
		}
	}
}

func TestListPagesThatNeverEnd(t *testing.T) {
	b := newBench(t)
	b.tap.Answer(func(string) *http.Response { return readtest.Answer(200, `{"Parameters":[],"NextToken":"same"}`) })
	_, failed := readtest.List(t, b.store, readtest.Prefix(t, "ssm:///app/"))
	require.Equal(t, map[string]error{"ssm:///app/": provider.ErrUnavailable}, failed)
}

func TestListStops(t *testing.T) {
	readtest.ListStops(t, open, "ssm:///app/", 10, filled(t, 30))
}
