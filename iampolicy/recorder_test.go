package iampolicy_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/iampolicy"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
)

func TestARecorderMakesThePolicyOfARunningClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil)
		ctx := t.Context()
		_, err := p.GetAll(ctx, reads...)
		require.NoError(t, err)
		_, err = p.Get(ctx, "sm://prod/none#x")
		require.ErrorIs(t, err, provider.ErrNotFound)
		h, err := secrets.Bind(ctx, p.Client, "ssm:///prod/c", secrets.Text)
		require.NoError(t, err)
		defer h.Close()
		for range 100 {
			_, err = p.Get(ctx, "sm://prod/a#x")
			require.NoError(t, err)
		}
		require.Equal(t, []string{"sm://prod/a", "sm://prod/b", "sm://prod/none", "ssm:///prod/a", "ssm:///prod/b", "ssm:///prod/c", "ssm://plain"}, p.recorder.Refs())
		require.Equal(t, []string{"BatchGetSecretValue", "GetParameter", "GetParameters", "GetSecretValue"}, p.recorder.Operations())
		use := home(iampolicy.Use{})
		require.NoError(t, p.recorder.Add(&use))
		got, err := use.Policies()
		require.NoError(t, err)
		requireCovered(t, got.All(), p.used())
		want := policies(t, iampolicy.Use{Read: append(slices.Clone(reads), "sm://prod/none", "ssm:///prod/c")})
		require.Equal(t, want.All().String(), got.All().String())

		require.Error(t, p.recorder.Add(&iampolicy.Use{}), "without an account there are no ARNs")
	})
}

// recorded returns the policy of what the program did so far.
func (p *program) recorded(t *testing.T, use iampolicy.Use) iampolicy.Policies {
	t.Helper()
	use = home(use)
	require.NoError(t, p.recorder.Add(&use))
	got, err := use.Policies()
	require.NoError(t, err)
	return got
}

func TestARecorderKnowsWhatWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil)
		ctx := t.Context()
		put, del := []string{"sm://prod/a", "sm://prod/new", "ssm:///prod/a"}, []string{"sm://prod/b", "ssm:///prod/b"}
		for _, ref := range put {
			version, err := p.Put(ctx, ref, "2")
			require.NoError(t, err)
			_, err = p.Put(ctx, ref, "3", secrets.IfVersion(version))
			require.NoError(t, err)
			_, err = p.Get(ctx, ref)
			require.NoError(t, err)
		}
		for _, ref := range del {
			require.NoError(t, p.Delete(ctx, ref))
		}
		want := policies(t, iampolicy.Use{Read: put, Put: put, Delete: del})
		require.Equal(t, want.All().String(), p.recorded(t, iampolicy.Use{}).All().String())
		requireCovered(t, want.All(), p.used())

		// What was refused by the store is needed, and what never reached it is not.
		p.srv.Inject(secretstest.Fault{Err: secretstest.AccessDenied()})
		require.ErrorIs(t, p.Delete(ctx, "sm://prod/c"), provider.ErrAccessDenied)
		require.Error(t, p.Delete(ctx, "no ref"))
		require.Error(t, p.Delete(ctx, "mem://x"))
		_, err := p.Put(ctx, "sm://prod/c#field", "x")
		require.Error(t, err)
		_, err = p.Put(ctx, "sm://prod/c?version=v", "x")
		require.Error(t, err)
		require.NoError(t, p.Close())
		_, err = p.Put(ctx, "ssm:///prod/c", "x")
		require.ErrorIs(t, err, secrets.ErrClosed)
		want = policies(t, iampolicy.Use{Read: put, Put: put, Delete: append(del, "sm://prod/c")})
		require.Equal(t, want.All().String(), p.recorded(t, iampolicy.Use{}).All().String())
	})
}

// A policy that lacks a prefix would have the listing denied: it is known also
// where nothing came of the listing, and where all of it was asked for by name.
func TestARecorderKnowsWhatWasListed(t *testing.T) {
	for _, prefix := range []string{"sm://prod/", "sm://prod", "ssm:///prod/", "ssm:///prod", "ssm:///", "sm://"} {
		for _, fault := range []secretstest.Fault{{Operation: "none"}, {Operation: "BatchGetSecretValue", Err: secretstest.AccessDenied()}, {Err: secretstest.AccessDenied()}} {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram(t, nil, nil)
				ctx := t.Context()
				_, err := p.GetAll(ctx, "sm://prod/a", "sm://prod/b", "ssm:///prod/a", "ssm:///prod/b") // so that all actions are there
				require.NoError(t, err)
				p.srv.Inject(fault)
				for range 2 {
					for range p.List(ctx, prefix) {
						continue
					}
				}
				for range p.List(ctx, "no prefix") {
					continue
				}
				p.srv.ClearFaults()
				time.Sleep(secrets.DefaultTTL)
				_, err = p.GetAll(ctx, "sm://prod/c", "ssm:///prod/c") // and refreshes of what was listed
				require.NoError(t, err)
				use := home(iampolicy.Use{})
				require.NoError(t, p.recorder.Add(&use))
				require.Equal(t, []string{prefix}, use.List)
				got, err := use.Policies()
				require.NoError(t, err)
				requireCovered(t, got.All(), p.used())
			})
		}
	}
}

// A client may have other stores, which no policy of AWS is about.
func TestARecorderPassesOverOtherStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram(t, nil, nil, secrets.WithProvider(memory{}))
		_, err := p.GetAll(t.Context(), "mem://x", "sm://prod/a")
		require.NoError(t, err)
		require.Equal(t, []string{"GetSecretValue", "ReadMemory"}, p.recorder.Operations())
		require.Equal(t, policies(t, iampolicy.Use{Read: []string{"sm://prod/a"}}).All().String(), p.recorded(t, iampolicy.Use{}).All().String())
	})
}

// memory is a store that is not of AWS.
type memory struct{}

func (memory) Scheme() string { return "mem" }

func (memory) Fetch(ctx context.Context, refs ...provider.Ref) []provider.Result {
	provider.ReportCall(ctx, provider.Call{Operation: "ReadMemory"})
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		results[i].Value = provider.NewValue(r, provider.NewVersion("1", time.Time{}), provider.String, "x")
	}
	return results
}
