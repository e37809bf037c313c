package sm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/sm"
)

const (
	somePolicy   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
	publicPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
)

func (l *life) testPolicy(t *testing.T) {
	ref, _ := l.made(t, 1)
	require.NoError(t, l.store.PutPolicy(t.Context(), ref, somePolicy, sm.PolicyOptions{}))
	policy, err := l.store.Policy(t.Context(), ref)
	require.NoError(t, err)
	require.JSONEq(t, somePolicy, policy)
	require.NoError(t, l.store.DeletePolicy(t.Context(), ref))
	policy, err = l.store.Policy(t.Context(), ref)
	require.NoError(t, err)
	require.Empty(t, policy)
	require.NoError(t, l.store.DeletePolicy(t.Context(), ref))
}

func (l *life) testPolicyChecks(t *testing.T) {
	ref, _ := l.made(t, 1)
	requireKind(t, l.store.PutPolicy(t.Context(), ref, publicPolicy, sm.PolicyOptions{}), sm.ErrInvalid, "AllowPublic")
	policy, err := l.store.Policy(t.Context(), ref)
	require.NoError(t, err)
	require.Empty(t, policy, "public access is blocked")
	require.NoError(t, l.store.PutPolicy(t.Context(), ref, publicPolicy, sm.PolicyOptions{AllowPublic: true}))
	requireKind(t, l.store.PutPolicy(t.Context(), ref, `{"Statement":1}`, sm.PolicyOptions{}), sm.ErrInvalid, "ValidatePolicy")
	for policy, passes := range map[string]bool{somePolicy: true, publicPolicy: false, `{"Statement":1}`: false, "not JSON": false} {
		findings, err := l.store.ValidatePolicy(t.Context(), ref, policy)
		require.NoError(t, err)
		require.Equal(t, passes, len(findings) == 0, "%s: %v", policy, findings)
	}
}
