package transfer_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
	"github.com/c0629bfc/secrets/transfer"
)

// world is a server with a store of each kind. Its own methods speak to the
// server by stores that nothing else uses.
type world struct {
	*testing.T
	*secretstest.Server
	params  *ssm.Store
	secrets *sm.Store
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(w world)) {
	synctest.Test(t, func(t *testing.T) {
		server := secretstest.NewServer(t, secretstest.InProcess())
		params, secrets := stores(server.Config())
		test(world{t, server, params, secrets})
	})
}

func stores(cfg aws.Config) (*ssm.Store, *sm.Store) {
	return ssm.New(cfg), sm.New(cfg, sm.WithLogger(slog.New(slog.DiscardHandler)))
}

func (w world) at(ref string) transfer.Place {
	r, err := provider.ParsePrefix(ref)
	if err != nil {
		r, err = provider.ParseRef(ref)
	}
	require.NoError(w, err)
	if r.Scheme == "sm" {
		return transfer.Place{Store: w.secrets, Ref: ref}
	}
	return transfer.Place{Store: w.params, Ref: ref}
}

func (w world) plan(from, to string, opts ...transfer.Option) *transfer.Plan {
	p, err := transfer.PlanCopy(w.Context(), w.at(from), w.at(to), opts...)
	require.NoError(w, err)
	return p
}

func (w world) move(from, to string, opts ...transfer.Option) *transfer.Plan {
	p, err := transfer.PlanMove(w.Context(), w.at(from), w.at(to), opts...)
	require.NoError(w, err)
	return p
}

func (w world) compare(here, there string) *transfer.Comparison {
	c, err := transfer.Compare(w.Context(), w.at(here), w.at(there))
	require.NoError(w, err)
	return c
}

// get reads a value past everything.
func (w world) get(ref string) (provider.Value, error) {
	r, err := provider.ParseRef(ref)
	require.NoError(w, err)
	var p provider.Provider = w.params
	if r.Scheme == "sm" {
		p = w.secrets
	}
	got := p.Fetch(context.Background(), r.Base())[0]
	if r.Field == "" || got.Err != nil {
		return got.Value, got.Err
	}
	return got.Value.Field(r.Field)
}

func (w world) text(ref string) string {
	v, err := w.get(ref)
	require.NoError(w, err)
	return v.Text()
}

// versions counts the versions of a secret.
func (w world) versions(ref string) int {
	n := 0
	for _, err := range w.secrets.Versions(context.Background(), ref) {
		require.NoError(w, err)
		n++
	}
	return n
}

// seed makes n SecureStrings below a path.
func (w world) seed(path string, n int) {
	for i := range n {
		w.SetSecureParameter(fmt.Sprintf("%s%04d", path, i), fmt.Sprintf("hush-%d", i))
	}
}
