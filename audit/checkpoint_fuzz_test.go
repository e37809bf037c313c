package audit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/audit"
)

// A checkpoint has one spelling.
func FuzzCheckpoint(f *testing.F) {
	f.Add("0")
	f.Add("12:" + strings.Repeat("0a", 32))
	f.Add("+1:" + strings.Repeat("0a", 32))
	f.Fuzz(func(t *testing.T, s string) {
		c, err := audit.ParseCheckpoint(s)
		if err != nil {
			require.Zero(t, c)
			return
		}
		require.Equal(t, s, c.String())
	})
}
