package transfer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/transfer"
)

const many = 500

// TestKilledHalfWayAndRunAgainEndsEqual: the process is gone with its plan and
// its stores, and another begins from nothing.
func TestKilledHalfWayAndRunAgainEndsEqual(t *testing.T) {
	for _, to := range []string{"ssm:///prod/app/", "sm://prod/app/"} {
		t.Run(to, func(t *testing.T) {
			bubble(t, func(w world) {
				w.seed("/dev/app/", many)
				write := "PutParameter"
				if to == "sm://prod/app/" {
					write = "CreateSecret"
				}
				ctx, kill := context.WithCancel(w.Context())
				err := w.plan("ssm:///dev/app/", to).Run(ctx, func(p transfer.Progress) {
					require.NoError(t, p.Err)
					require.Equal(t, transfer.Create, p.Item.Action)
					if p.Done == many/2 {
						kill()
					}
				})
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorContains(t, err, "250 of 500 items are left")
				require.Equal(t, many/2, w.Calls(write))

				w.params, w.secrets = stores(w.Config())
				plan := w.plan("ssm:///dev/app/", to)
				require.Equal(t, many/2, plan.Count(transfer.Unchanged))
				require.Equal(t, many/2, plan.Count(transfer.Create))
				require.NoError(t, plan.Run(w.Context(), nil))

				require.Equal(t, many, w.Calls(write), "no value is written twice")
				require.Zero(t, w.Calls("PutSecretValue"))
				c := w.compare("ssm:///dev/app/", to)
				require.Len(t, c.Values, many)
				require.True(t, c.Equal())
				for _, d := range c.Values {
					if d.There.Scheme == "ssm" {
						require.Equal(t, "1", d.ThereVersion.ID)
					}
				}
				require.NoError(t, w.plan("ssm:///dev/app/", to).Run(w.Context(), nil))
				require.Equal(t, many, w.Calls(write))
			})
		})
	}
}

func TestTheSamePlanGoesOnWhereItBrokeOff(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/dev/", 20)
		plan := w.plan("ssm:///dev/", "ssm:///prod/")
		ctx, kill := context.WithCancel(w.Context())
		require.Error(t, plan.Run(ctx, func(p transfer.Progress) {
			if p.Done == 7 {
				kill()
			}
		}))
		require.NoError(t, plan.Run(w.Context(), nil))
		require.Equal(t, 20, w.Calls("PutParameter"))
		require.True(t, w.compare("ssm:///dev/", "ssm:///prod/").Equal())
	})
}

// TestKilledAtAnyCallAnUpdateIsWrittenOnce breaks the update of a secret off at
// each of its calls in turn, once before the service has acted and once after.
func TestKilledAtAnyCallAnUpdateIsWrittenOnce(t *testing.T) {
	for _, to := range []string{"sm://prod/db", "ssm:///prod/db"} {
		for _, lost := range []bool{false, true} { // the answer, or the request
			for n := 1; ; n++ {
				reached := false
				ok := t.Run(fmt.Sprintf("%s, %d, answer lost: %v", to, n, lost), func(t *testing.T) {
					bubble(t, func(w world) {
						w.SetSecret("dev/db", "new")
						w.SetSecret("prod/db", "old")
						w.SetSecureParameter("/prod/db", "old")
						ctx, kill := context.WithCancel(w.Context())
						plan := w.plan("sm://dev/db", to)
						calls := 0
						dying := provider.WithPace(ctx, func(context.Context, float64) error {
							if calls++; calls == n {
								if reached = true; !lost {
									kill()
									return context.Canceled
								}
								w.Inject(secretstest.Fault{Truncate: true})
								time.AfterFunc(50*time.Millisecond, kill)
							}
							return nil
						})
						err := plan.Run(dying, nil)
						w.ClearFaults()
						if err == nil { // what broke off was to tidy up
							require.Equal(t, "new", w.text(to))
						}

						w.params, w.secrets = stores(w.Config())
						require.NoError(t, w.plan("sm://dev/db", to).Run(w.Context(), nil))
						v, err := w.get(to)
						require.NoError(t, err)
						require.Equal(t, "new", v.Text())
						if to == "ssm:///prod/db" {
							require.Equal(t, "2", v.Version().ID)
						} else {
							require.Equal(t, 2, w.versions(to))
							require.Equal(t, []string{"AWSCURRENT"}, v.Version().Labels(), "nothing is left of the write")
						}
					})
				})
				if !ok || !reached {
					break
				}
			}
		}
	}
}

// TestWhatWasRolledBackIsWrittenAgain: the version of the first copy is there
// still, under the token that a second copy of the same version would have.
func TestWhatWasRolledBackIsWrittenAgain(t *testing.T) {
	bubble(t, func(w world) {
		w.SetSecret("dev/db", "new")
		w.SetSecret("prod/db", "old")
		for n := range 3 {
			plan := w.plan("sm://dev/db", "sm://prod/db")
			require.Equal(t, transfer.Update, plan.Items[0].Action)
			require.NoError(t, plan.Run(w.Context(), nil))
			require.Equal(t, "new", w.text("sm://prod/db"))
			require.Equal(t, n+2, w.versions("sm://prod/db"))
			_, err := w.secrets.Rollback(w.Context(), "sm://prod/db")
			require.NoError(t, err)
			require.Equal(t, "old", w.text("sm://prod/db"))
		}
	})
}

func TestWritesStayBelowTheQuotaOfPutParameter(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/dev/", 100)
		require.NoError(t, w.plan("ssm:///dev/", "ssm:///prod/").Run(w.Context(), nil))
		var puts []time.Time
		for _, r := range w.Requests() {
			if r.Operation == "PutParameter" {
				puts = append(puts, r.Time)
			}
		}
		require.Len(t, puts, 100)
		// AWS counts by the second and lets a little more go at once.
		for i := 6; i < len(puts); i++ {
			require.GreaterOrEqual(t, puts[i].Sub(puts[i-3]), time.Second, i)
		}
		require.Less(t, puts[99].Sub(puts[0]), 2*time.Minute, "nor is it slower than it has to be")
	})
}

func TestThrottlingSlowsTheRunDown(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/dev/", 30)
		plan := w.plan("ssm:///dev/", "ssm:///prod/")
		w.Inject(secretstest.Fault{Operation: "PutParameter", Err: secretstest.Throttled(), Times: 2})
		began := time.Now()
		require.NoError(t, plan.Run(w.Context(), nil))
		require.Greater(t, time.Since(began), 25*time.Second)
		require.True(t, w.compare("ssm:///dev/", "ssm:///prod/").Equal())
	})
}

func TestARateOfOnesOwn(t *testing.T) {
	bubble(t, func(w world) {
		w.seed("/dev/", 30)
		began := time.Now()
		require.NoError(t, w.plan("ssm:///dev/", "ssm:///prod/", transfer.WithRateLimit("ssm", 200, 200)).Run(w.Context(), nil))
		require.Less(t, time.Since(began), 5*time.Second)
	})
}
