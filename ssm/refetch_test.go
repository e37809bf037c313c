package ssm_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

// read reads the refs and forgets that it did.
func (b *bench) read(t *testing.T, refs ...provider.Ref) []provider.Known {
	known := readtest.Known(t, refs, b.store.Fetch(t.Context(), refs...))
	b.ResetCalls()
	return known
}

// refetch returns the outcome of each ref and what it cost.
func (b *bench) refetch(t *testing.T, known ...provider.Known) ([]string, map[string]int) {
	b.ResetCalls()
	results := b.store.Refetch(t.Context(), known...)
	return readtest.Outcomes(results), b.CallsByOperation()
}

func unchanged(n int) []string { return slices.Repeat([]string{"="}, n) }

func TestAThousandParametersAreRefreshed(t *testing.T) {
	b := newBench(t)
	known := b.read(t, b.fill(t, 1000)...)
	outcomes, calls := b.refetch(t, known...)
	require.Equal(t, unchanged(1000), outcomes)
	require.Equal(t, map[string]int{"GetParameters": 100}, calls)
	require.Zero(t, b.Decrypts(), "KMS is not asked")

	changed := []int{3, 4, 500, 999}
	for _, i := range changed {
		b.SetSecureParameter(known[i].Ref.Name, "new")
	}
	outcomes, calls = b.refetch(t, known...)
	for i, outcome := range outcomes {
		if slices.Contains(changed, i) {
			require.Equal(t, "new", outcome)
		} else {
			require.Equal(t, "=", outcome)
		}
	}
	require.Equal(t, map[string]int{"GetParameters": 101}, calls)
	require.Equal(t, len(changed), b.Decrypts(), "KMS is asked for what changed")
}

// TestAStringComesWithItsVersion changes what is not encrypted.
func TestAStringComesWithItsVersion(t *testing.T) {
	b := newBench(t)
	b.SetParameter("/a", "1")
	b.SetParameter("/b", "1")
	b.SetSecureParameter("/c", "1")
	known := b.read(t, readtest.Refs(t, "ssm:///a", "ssm:///b", "ssm:///c")...)
	b.SetParameter("/a", "2")
	outcomes, calls := b.refetch(t, known...)
	require.Equal(t, []string{"2", "=", "="}, outcomes)
	require.Equal(t, map[string]int{"GetParameters": 1}, calls)

	b.SetParameter("/c", "2") // and is a plain one from now on
	outcomes, calls = b.refetch(t, known[2])
	require.Equal(t, []string{"2"}, outcomes)
	require.Equal(t, map[string]int{"GetParameter": 1}, calls)
	require.Zero(t, b.Decrypts())
}

// TestRecreatedUnderTheSameVersion has a parameter that counts from 1 anew.
func TestRecreatedUnderTheSameVersion(t *testing.T) {
	b := newBench(t)
	refs := b.fill(t, 2)
	known := b.read(t, refs...)
	remove(t, b.client, refs[1].Name)
	b.Advance(time.Second)
	require.EqualValues(t, 1, b.SetSecureParameter(refs[1].Name, "new"))
	outcomes, _ := b.refetch(t, known...)
	require.Equal(t, []string{"=", "new"}, outcomes)

	remove(t, b.client, refs[1].Name)
	outcomes, _ = b.refetch(t, known...)
	require.Equal(t, []string{"=", "not found"}, outcomes)
}

func TestSelectorsAreCompared(t *testing.T) {
	b := newBench(t)
	b.SetSecureParameter("/db", "1")
	b.SetSecureParameter("/db", "2")
	b.label(t, "/db", 1, "blue")
	known := b.read(t, readtest.Refs(t, "ssm:///db", "ssm:///db?version=1", "ssm:///db?label=blue")...)
	outcomes, _ := b.refetch(t, known...)
	require.Equal(t, unchanged(3), outcomes)
	require.Zero(t, b.Decrypts())

	b.label(t, "/db", 2, "blue")
	results := b.store.Refetch(t.Context(), known...)
	require.Equal(t, []string{"=", "=", "2"}, readtest.Outcomes(results))
	require.Equal(t, []string{"blue"}, results[2].Value.Version().Labels())
	require.Equal(t, 1, b.Decrypts())
}

// TestSecretReferencesAreDecrypted: AWS hands them out in no other way.
func TestSecretReferencesAreDecrypted(t *testing.T) {
	b := newBench(t)
	b.SetSecret("db", "1")
	b.SetSecureParameter("/a", "a")
	known := b.read(t, readtest.Refs(t, "ssm:///aws/reference/secretsmanager/db", "ssm:///a")...)
	outcomes, _ := b.refetch(t, known...)
	require.Equal(t, unchanged(2), outcomes)
	b.SetSecret("db", "2")
	outcomes, calls := b.refetch(t, known...)
	require.Equal(t, []string{"2", "="}, outcomes)
	require.Equal(t, map[string]int{"GetParameter": 2}, calls)
}

// TestWhatIsToBeReadIsDecryptedAtOnce has some that the caller does not know.
func TestWhatIsToBeReadIsDecryptedAtOnce(t *testing.T) {
	b := newBench(t)
	refs := b.fill(t, 20)
	known := b.read(t, refs...)
	for i := range 10 {
		known[i].Version = provider.Version{}
	}
	outcomes, calls := b.refetch(t, known...)
	require.Equal(t, "/app/009", outcomes[9])
	require.Equal(t, unchanged(10), outcomes[10:])
	require.Equal(t, map[string]int{"GetParameters": 2}, calls)
	require.Equal(t, 10, b.Decrypts())
}

func TestEachItemOfARefreshFailsAlone(t *testing.T) {
	b := newBench(t)
	known := b.read(t, b.fill(t, 10)...)
	b.SetSecureParameter(known[2].Ref.Name, "new")
	b.Inject(secretstest.Fault{Name: known[5].Ref.Name, Err: secretstest.AccessDenied()})
	outcomes, calls := b.refetch(t, known...)
	require.Equal(t, []string{"=", "=", "new", "=", "=", "access denied", "=", "=", "=", "="}, outcomes)
	require.Equal(t, map[string]int{"GetParameters": 1, "GetParameter": 11}, calls)
}

// TestKMSIsNotMissed has a key that is out of order: what did not change is
// served on.
func TestKMSIsNotMissed(t *testing.T) {
	b := newBench(t)
	known := b.read(t, b.fill(t, 10)...)
	b.SetSecureParameter(known[2].Ref.Name, "new")
	// KMS is asked in what is read with decryption alone: the second call.
	calls := 0
	b.tap.Alter(func(operation string, body []byte) []byte {
		if calls++; calls == 1 {
			b.Inject(secretstest.Fault{Err: &secretstest.Error{Code: "KMSDisabledException"}})
		}
		return body
	})
	outcomes, _ := b.refetch(t, known...)
	require.Equal(t, []string{"=", "=", "decryption failed", "=", "=", "=", "=", "=", "=", "="}, outcomes)
}

func TestAnOutageOfARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secretstest.InProcess())
		known := b.read(t, b.fill(t, 10)...)
		b.Inject(secretstest.Fault{Err: secretstest.Throttled()})
		outcomes, calls := b.refetch(t, known...)
		require.Equal(t, strings.Repeat("throttled ", 10), strings.Join(outcomes, " ")+" ")
		require.Equal(t, map[string]int{"GetParameters": 3}, calls, "the SDK's three tries")
	})
}
