package audit_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/audit"
	"github.com/c0629bfc/secrets/provider"
)

// memory is a provider with no network in it.
type memory struct{}

func (memory) Scheme() string { return "mem" }

func (memory) Fetch(_ context.Context, refs ...provider.Ref) []provider.Result {
	results := make([]provider.Result, len(refs))
	for i, r := range refs {
		results[i].Value = provider.NewValue(r, provider.NewVersion("12d6a1c4-9be7-4c4f-9d4c-2f6c4c1b7a90", time.Unix(1, 0)), provider.SecretString, "x")
		results[i].RequestID = "3c8f0b52-8f2e-4d8a-9a51-8f3c1c0e9d11"
	}
	return results
}

type discard struct{}

func (discard) Write(audit.Event) error { return nil }

// BenchmarkHit is the price of a hit under each mode and sink; docs/audit.md has
// the ratios to the first, which tells nobody.
func BenchmarkHit(b *testing.B) {
	chain, err := audit.NewChain(io.Discard, nil, audit.Checkpoint{})
	require.NoError(b, err)
	keyed, err := audit.NewChain(io.Discard, chainKey, audit.Checkpoint{})
	require.NoError(b, err)
	queue := audit.NewQueue(discard{}, 100_000, audit.Block)
	defer queue.Close()
	chained := audit.NewQueue(chain, 100_000, audit.Block)
	defer chained.Close()
	dropping := audit.NewQueue(chain, 1000, audit.Drop)
	defer dropping.Close()
	for _, bench := range []struct {
		name     string
		observer secrets.Observer
	}{
		{"bare", secrets.Observer{}},
		{"observer", secrets.Observer{Read: func(context.Context, secrets.Read) {}}},
		{"FirstRead", audit.New(chain, audit.FirstRead(10_000))},
		{"Sample-1000", audit.New(chain, audit.Sample(1000))},
		{"Sample-100", audit.New(chain, audit.Sample(100))},
		{"EveryNth-100", audit.New(chain, audit.EveryNth(100))},
		{"all-discard", audit.New(discard{})},
		{"all-queue-discard", audit.New(queue)},
		{"all-queue-drop-chain", audit.New(dropping)},
		{"all-queue-block-chain", audit.New(chained)},
		{"all-json", audit.New(audit.NewJSON(io.Discard))},
		{"all-chain", audit.New(chain)},
		{"all-chain-hmac", audit.New(keyed)},
		{"all-slog-json", audit.New(audit.NewSlog(slog.New(slog.NewJSONHandler(io.Discard, nil))))},
	} {
		c, err := secrets.New(secrets.WithProvider(memory{}), secrets.WithTTL(time.Hour), secrets.WithObserver(bench.observer))
		require.NoError(b, err)
		ctx := audit.WithPurpose(audit.WithPrincipal(context.Background(), "user-4711"), "report")
		hit := func() {
			if _, err := c.Get(ctx, "mem://prod/db"); err != nil {
				b.Error(err)
			}
		}
		hit()
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				hit()
			}
		})
		b.Run(bench.name+"-parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					hit()
				}
			})
		})
		require.NoError(b, c.Close())
	}
}

func TestModesThatKeepAHitCheapAllocateNothing(t *testing.T) {
	for _, mode := range []audit.Option{audit.FirstRead(0), audit.EveryNth(1 << 30)} {
		c, err := secrets.New(secrets.WithProvider(memory{}), secrets.WithTTL(time.Hour), secrets.WithObserver(audit.New(discard{}, mode)))
		require.NoError(t, err)
		ctx := audit.WithPrincipal(context.Background(), "user-4711")
		require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = c.Get(ctx, "mem://prod/db") }))
		require.NoError(t, c.Close())
	}
}
