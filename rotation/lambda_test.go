package rotation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

const function = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

// lambda returns a secret whose rotation function is rotation.Lambda, and the
// events that it was called with. Before is asked before each.
func lambda(t testing.TB, before func(rotation.Event) error, opts ...secretstest.Option) (*secretstest.Server, *sm.Store, *database, *[]rotation.Event) {
	srv, store, db := secret(t, opts...)
	events := new([]rotation.Event)
	handler := rotation.Lambda(store, db, rotation.WithLogger(silent))
	srv.HandleRotation(function, func(ctx context.Context, e secretstest.RotationEvent) error {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		var event rotation.Event
		if err := json.Unmarshal(text, &event); err != nil {
			return err
		}
		*events = append(*events, event)
		if before != nil {
			if err := before(event); err != nil {
				return err
			}
		}
		return handler(ctx, event)
	})
	return srv, store, db, events
}

func begin(t testing.TB, srv *secretstest.Server, store *sm.Store) {
	t.Helper()
	_, err := store.Rotate(t.Context(), "sm://db", sm.RotateOptions{Lambda: function, Schedule: sm.Schedule{AfterDays: 10}})
	require.NoError(t, err)
	require.NoError(t, srv.WaitRotations(t.Context()))
}

func TestLambdaRotatesWhenRotateSecretAsks(t *testing.T) {
	srv, store, db, events := lambda(t, nil)
	begin(t, srv, store)
	require.Equal(t, "hunter2-1", db.now())
	require.Equal(t, "hunter2-1", read(t, store, "sm://db"))
	require.Equal(t, "hunter2-0", read(t, store, "sm://db?stage=AWSPREVIOUS"))
	require.Equal(t, "version not found", read(t, store, "sm://db?stage=AWSPENDING"))
	require.Len(t, *events, 4)
	m, err := store.Describe(t.Context(), "sm://db")
	require.NoError(t, err)
	require.False(t, m.LastRotated.IsZero())
	require.Len(t, m.Versions, 2)
}

func TestLambdaRotatesOnSchedule(t *testing.T) {
	srv, store, db, _ := lambda(t, nil)
	begin(t, srv, store)
	for i := range 9 {
		srv.Advance(10 * 24 * time.Hour)
		require.NoError(t, srv.WaitRotations(t.Context()))
		require.Equal(t, i+2, db.made)
		require.Equal(t, db.now(), read(t, store, "sm://db"))
	}
}

func TestAStepThatFailsIsTriedAgainWithTheSameValue(t *testing.T) {
	for _, step := range []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest, rotation.StepFinish} {
		t.Run(step, func(t *testing.T) {
			fails := 2
			srv, store, db, events := lambda(t, func(e rotation.Event) error {
				if e.Step == step && fails > 0 {
					fails--
					return errors.New("timed out")
				}
				return nil
			})
			_, err := store.Rotate(t.Context(), "sm://db", sm.RotateOptions{Lambda: function})
			require.NoError(t, err)
			for range 3 {
				_ = srv.WaitRotations(t.Context()) // its errors are the failures
				require.Contains(t, []string{read(t, store, "sm://db"), read(t, store, "sm://db?stage=AWSPENDING")}, db.now())
				srv.Advance(10 * time.Minute)
			}
			require.NoError(t, srv.WaitRotations(t.Context()))
			require.Equal(t, "hunter2-1", read(t, store, "sm://db"))
			require.Equal(t, "hunter2-1", db.now())
			require.Equal(t, 1, db.made)
			require.Equal(t, (*events)[0].ClientRequestToken, (*events)[len(*events)-1].ClientRequestToken)
		})
	}
}

// hold returns a secret with a rotation that RotateSecret began and of which no
// step has been taken, its handler, and an event of it.
func hold(t testing.TB) (*sm.Store, *database, func(context.Context, rotation.Event) error, rotation.Event) {
	srv, store, db, events := lambda(t, func(rotation.Event) error { return errors.New("not now") })
	_, err := store.Rotate(t.Context(), "sm://db", sm.RotateOptions{Lambda: function})
	require.NoError(t, err)
	require.Error(t, srv.WaitRotations(t.Context()))
	return store, db, rotation.Lambda(store, db, rotation.WithLogger(silent)), (*events)[0]
}

func TestEventsMayComeTwiceAndOutOfOrder(t *testing.T) {
	store, db, handler, event := hold(t)
	send := func(step string) error {
		event.Step = step
		return handler(t.Context(), event)
	}
	current := func() string { return read(t, store, "sm://db") }

	for _, step := range []string{rotation.StepFinish, rotation.StepTest, rotation.StepSet} {
		require.ErrorContains(t, send(step), "createSecret comes first", step)
	}
	require.NoError(t, send(rotation.StepCreate))
	require.NoError(t, send(rotation.StepCreate))
	require.Equal(t, 1, db.made)
	require.Error(t, send(rotation.StepTest))
	require.Error(t, send(rotation.StepFinish), "what the database refuses does not become current")
	require.Equal(t, "hunter2-0", current())
	require.NoError(t, send(rotation.StepSet))
	require.NoError(t, send(rotation.StepCreate))
	require.NoError(t, send(rotation.StepSet))
	require.Equal(t, "hunter2-0", current())
	require.NoError(t, send(rotation.StepTest))
	require.NoError(t, send(rotation.StepTest))
	require.NoError(t, send(rotation.StepFinish))
	require.Equal(t, "hunter2-1", current())
	db.log = nil
	for _, step := range []string{rotation.StepFinish, rotation.StepCreate, rotation.StepTest, rotation.StepSet} {
		require.NoError(t, send(step), "the version is current already")
	}
	require.Empty(t, db.log, "and nothing is done")
	require.Equal(t, "hunter2-1", current())
	require.Equal(t, "hunter2-0", read(t, store, "sm://db?stage=AWSPREVIOUS"))
}

func TestEventsThatAreRefused(t *testing.T) {
	store, db, handler, event := hold(t)
	refuse := func(e rotation.Event, why string) {
		t.Helper()
		for _, step := range []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest, rotation.StepFinish} {
			if e.Step != "destroySecret" {
				e.Step = step
			}
			err := handler(t.Context(), e)
			require.ErrorContains(t, err, why)
			require.NotContains(t, err.Error(), "hunter2")
		}
		require.Empty(t, db.log)
		require.Equal(t, "hunter2-0", read(t, store, "sm://db"))
	}
	stale := event
	stale.ClientRequestToken = "00000000-0000-4000-8000-000000000000"
	refuse(stale, "no version")
	none := event
	none.ClientRequestToken = ""
	refuse(none, "no ClientRequestToken")
	unknown := event
	unknown.Step = "destroySecret"
	refuse(unknown, "no step")
	gone := event
	gone.SecretID = "arn:aws:secretsmanager:us-east-1:123456789012:secret:other-AbCdEf"
	refuse(gone, "not found")

	// A version that lost AWSPENDING and is kept by another label.
	require.NoError(t, store.MoveStage(t.Context(), "sm://db", "kept", "", event.ClientRequestToken))
	require.NoError(t, store.RemoveStage(t.Context(), "sm://db", "AWSPENDING", event.ClientRequestToken))
	refuse(event, "no AWSPENDING")
	_, err := store.CancelRotation(t.Context(), "sm://db")
	require.NoError(t, err)
	refuse(event, "not turned on")
}

// TestATokenOfTheRotationBefore replays the events of a rotation that has been
// followed by another.
func TestATokenOfTheRotationBefore(t *testing.T) {
	srv, store, db, events := lambda(t, nil)
	begin(t, srv, store)
	old := *events
	begin(t, srv, store)
	db.log = nil
	handler := rotation.Lambda(store, db, rotation.WithLogger(silent))
	for _, event := range old {
		require.ErrorContains(t, handler(t.Context(), event), "no AWSPENDING")
	}
	require.Empty(t, db.log)
	require.Equal(t, "hunter2-2", read(t, store, "sm://db"))
}

// TestRotateTakesPartInWhatRotateSecretBegan: the process and the function make
// one version.
func TestRotateTakesPartInWhatRotateSecretBegan(t *testing.T) {
	store, db, handler, event := hold(t)
	require.NoError(t, rotation.Rotate(t.Context(), store, "sm://db", db, rotation.WithLogger(silent)))
	require.Equal(t, "hunter2-1", read(t, store, "sm://db"))
	for _, step := range []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest, rotation.StepFinish} {
		event.Step = step
		require.NoError(t, handler(t.Context(), event))
	}
	require.Equal(t, 1, db.made)
}

func TestTwoProcessesAtOnceDoNotBothWin(t *testing.T) {
	for name, stores := range bothStores {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, _, ref, db := stores(t, secretstest.InProcess())
				for range 20 {
					before := read(t, open[name](srv.Config()), ref)
					results := make(chan error, 3)
					for range cap(results) {
						go func() {
							results <- rotation.Rotate(t.Context(), open[name](srv.Config()), ref, db, rotation.WithLogger(silent))
						}()
					}
					for range cap(results) {
						if err := <-results; err != nil {
							require.ErrorIs(t, err, provider.ErrConflict)
						}
					}
					now := read(t, open[name](srv.Config()), ref)
					require.Equal(t, db.now(), now)
					require.NotEqual(t, before, now, "one of them wins")
				}
			})
		})
	}
}

func TestTheLogTellsEachStepAndNoValue(t *testing.T) {
	for name, stores := range bothStores {
		t.Run(name, func(t *testing.T) {
			_, store, ref, db := stores(t)
			var log bytes.Buffer
			require.NoError(t, rotation.Rotate(t.Context(), store, ref, db, rotation.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))))
			for _, step := range []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest, rotation.StepFinish} {
				require.Contains(t, log.String(), `"ref":"`+ref+`","step":"`+step+`","token":"`)
			}
			require.NotContains(t, log.String(), "hunter2")
		})
	}
}

func TestAbandonDropsWhatTheTargetWillNeverTake(t *testing.T) {
	for name, stores := range bothStores {
		t.Run(name, func(t *testing.T) {
			_, store, ref, db := stores(t)
			quiet := rotation.WithLogger(silent)
			require.NoError(t, rotation.Abandon(t.Context(), store, ref, db, quiet), "there is nothing to drop")
			db.effect = func(step string, _ bool) error {
				if step == "set" {
					return errors.New("the password breaks a rule")
				}
				return nil
			}
			require.ErrorContains(t, rotation.Rotate(t.Context(), store, ref, db, quiet), "setSecret")
			require.NoError(t, rotation.Abandon(t.Context(), store, ref, db, quiet))
			require.Contains(t, []string{"not found", "version not found"}, read(t, store, names[name].pending))
			db.effect = nil
			require.NoError(t, rotation.Rotate(t.Context(), store, ref, db, quiet))
			require.Equal(t, "hunter2-2", read(t, store, ref))

			db.effect = func(step string, after bool) error {
				if step == "set" && after {
					return errors.New("timed out")
				}
				return nil
			}
			require.Error(t, rotation.Rotate(t.Context(), store, ref, db, quiet))
			require.ErrorContains(t, rotation.Abandon(t.Context(), store, ref, db, quiet), "accepts the pending value")
			db.password = "changed by hand"
			require.ErrorContains(t, rotation.Abandon(t.Context(), store, ref, db, quiet), "does not accept the current value")
		})
	}
}

// Of an event that is printed the RotationToken does not show; it travels as JSON.
func TestAnEventDoesNotPrintItsRotationToken(t *testing.T) {
	event := rotation.Event{Step: rotation.StepSet, SecretID: "arn", ClientRequestToken: "version", RotationToken: "hunter2"}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("called", "event", event, "at", &event)
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", event, event, event, event, event, event), fmt.Sprint(&event), log.String()} {
		require.NotContains(t, shown, "hunter2")
		require.Contains(t, shown, "setSecret of arn, token version")
	}
	text, err := json.Marshal(event)
	require.NoError(t, err)
	var back rotation.Event
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, event, back)
}
