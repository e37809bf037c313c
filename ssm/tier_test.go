package ssm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/ssm"
)

func TestPutTakesTheTierOfItsOption(t *testing.T) {
	server := secretstest.NewServer(t)
	large := strings.Repeat("x", 4097)
	ref, err := provider.ParseRef("ssm:///large")
	require.NoError(t, err)
	v := provider.NewValue(ref, provider.Version{}, provider.String, large)
	_, err = ssm.New(server.Config()).Put(t.Context(), v, provider.Condition{})
	require.ErrorIs(t, err, provider.ErrInvalid)
	require.NotContains(t, err.Error(), large)
	store := ssm.New(server.Config(), ssm.WithTier(ssm.IntelligentTiering))
	_, err = store.Put(t.Context(), v, provider.Condition{})
	require.NoError(t, err)
	m, err := store.Describe(t.Context(), "ssm:///large")
	require.NoError(t, err)
	require.Equal(t, ssm.Advanced, m.Tier)
}
