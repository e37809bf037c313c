package rotation_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/rotation"
)

func TestTenRotationsInARowOfASecret(t *testing.T) {
	srv, store, db := secret(t)
	for i := range 10 {
		require.NoError(t, rotation.Rotate(t.Context(), store, "sm://db", db, rotation.WithLogger(silent)))
		require.Equal(t, fmt.Sprintf("hunter2-%d", i+1), db.now())
		require.Equal(t, db.now(), read(t, store, "sm://db"))
		require.Equal(t, fmt.Sprintf("hunter2-%d", i), read(t, store, "sm://db?stage=AWSPREVIOUS"))
		require.Equal(t, "version not found", read(t, store, "sm://db?stage=AWSPENDING"))
	}
	m, err := store.Describe(t.Context(), "sm://db")
	require.NoError(t, err)
	require.Len(t, m.Versions, 2, "no version is left with a label of the rotation")
	t.Log(srv.CallsByOperation())
}

func TestTenRotationsInARowOfAParameter(t *testing.T) {
	srv, store, db := parameter(t)
	for i := range 10 {
		require.NoError(t, rotation.Rotate(t.Context(), store, "ssm:///prod/db", db, rotation.WithLogger(silent)))
		require.Equal(t, fmt.Sprintf("hunter2-%d", i+1), db.now())
		require.Equal(t, db.now(), read(t, store, "ssm:///prod/db"))
		require.Equal(t, fmt.Sprintf("hunter2-%d", i), read(t, store, "ssm:///prod/db?label=previous"))
		require.Equal(t, "not found", read(t, store, "ssm:///.rotation/prod/db"))
	}
	t.Log(srv.CallsByOperation())
}
