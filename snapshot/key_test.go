package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/snapshot"
)

func TestTheKeyIsChanged(t *testing.T) {
	path, _ := sample(t)
	next := snapshot.Secret(bytes.Repeat([]byte("next"), 8))
	s, err := snapshot.Open(t.Context(), path, binding, next, snapshot.WithOldKey(snapshot.Secret(key)))
	require.NoError(t, err)
	require.NoError(t, s.Status().Refused)
	require.Equal(t, "hunter2", text(t, s, "sm://prod/db"))
	s.Keep(value(t, "sm://other", "x"))
	require.NoError(t, s.Close())

	s, err = snapshot.Open(t.Context(), path, binding, next, (&log{}).option())
	require.NoError(t, err)
	require.Equal(t, "hunter2", text(t, s, "sm://prod/db"))
	require.NoError(t, s.Close())
	require.ErrorIs(t, open(t, path).Status().Refused, snapshot.ErrWrongKey)
}

// kms stands for a service that makes data keys.
type kms struct {
	mu           sync.Mutex
	made, opened int
	err          error
}

func (k *kms) is(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

func (k *kms) calls(t *testing.T, made, opened int) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	require.Equal(t, []int{made, opened}, []int{k.made, k.opened})
}

func (k *kms) key() snapshot.Key {
	return snapshot.Envelope(
		func(context.Context) ([]byte, []byte, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.made++
			data := bytes.Repeat([]byte{byte(k.made)}, 32)
			return data, append([]byte("sealed:"), data[0]^0xAA), k.err
		},
		func(_ context.Context, sealed []byte) ([]byte, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.opened++
			if k.err != nil {
				return nil, k.err
			}
			return bytes.Repeat([]byte{sealed[len(sealed)-1] ^ 0xAA}, 32), nil
		},
	)
}

func TestEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := inTemp(t)
		var service kms
		openWith := func() *snapshot.Snapshot {
			s, err := snapshot.Open(t.Context(), path, binding, service.key(), (&log{}).option())
			require.NoError(t, err)
			return s
		}
		s := openWith()
		service.calls(t, 0, 0) // no key before something is written
		for i := range 5 {
			s.Keep(value(t, "sm://a", fmt.Sprint(i)))
			time.Sleep(10 * time.Second)
		}
		require.NoError(t, s.Close())
		service.calls(t, 1, 0) // one data key for a process
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(b), "sealed:")
		require.NotContains(t, string(b), strings.Repeat("\x01", 32))

		s = openWith()
		require.Equal(t, "4", text(t, s, "sm://a"))
		require.NoError(t, s.Close())
		service.calls(t, 1, 1)

		// While the service is down there is nothing, and what follows is kept
		// once it is back.
		down := errors.New("unreachable")
		service.is(down)
		s = openWith()
		require.ErrorIs(t, s.Status().Refused, snapshot.ErrKeyService)
		require.ErrorIs(t, s.Status().Refused, down)
		s.Keep(value(t, "sm://a", "new"))
		time.Sleep(time.Minute)
		require.ErrorIs(t, s.Status().Err, snapshot.ErrKeyService)
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, b, now)
		service.is(nil)
		time.Sleep(2 * time.Minute)
		require.NoError(t, s.Close())
		s = openWith()
		require.Equal(t, "new", text(t, s, "sm://a"))
		require.NoError(t, s.Close())
	})
}

// An old key that is wrong does not make an outage of the key service a mistake.
func TestAKeyServiceThatIsDownIsNoWrongKey(t *testing.T) {
	path := inTemp(t)
	var service kms
	s, err := snapshot.Open(t.Context(), path, binding, service.key())
	require.NoError(t, err)
	s.Keep(value(t, "sm://a", "x"))
	require.NoError(t, s.Close())
	service.is(errors.New("unreachable"))
	s, err = snapshot.Open(t.Context(), path, binding, service.key(), snapshot.WithOldKey(snapshot.Secret(key)), (&log{}).option())
	require.NoError(t, err)
	require.ErrorIs(t, s.Status().Refused, snapshot.ErrKeyService)
	require.NoError(t, s.Close())
}
