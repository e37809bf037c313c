package rotation_test

import (
	"bytes"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/secretstest"
)

func schedule(t testing.TB, store rotation.Store, job rotation.Job, opts ...rotation.Option) {
	t.Helper()
	s, err := rotation.NewScheduler(store, []rotation.Job{job}, append([]rotation.Option{rotation.WithLogger(silent)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
}

// pass lets time pass, and what is due then be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestTheSchedulerRotatesOnTime(t *testing.T) {
	for name, stores := range bothStores {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, store, ref, db := stores(t, secretstest.InProcess())
				schedule(t, store, rotation.Job{Ref: ref, Target: db, Schedule: "cron(0 6 ? * MON *)"}) // now it is Sat 2000-01-01 00:00
				pass(54*time.Hour - time.Second)
				require.Equal(t, "hunter2-0", db.now())
				pass(2 * time.Second)
				require.Equal(t, "hunter2-1", db.now())
				require.Equal(t, "hunter2-1", read(t, store, ref))
				pass(7 * 24 * time.Hour)
				require.Equal(t, "hunter2-2", read(t, store, ref))
			})
		})
	}
}

func TestARateGoesOnFromTheLastRotationAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, store, db := parameter(t, secretstest.InProcess())
		job := rotation.Job{Ref: "ssm:///prod/db", Target: db, Schedule: "rate(10 days)"}
		for _, d := range []time.Duration{6, 3} { // days: nothing is due in either process
			s, err := rotation.NewScheduler(store, []rotation.Job{job}, rotation.WithLogger(silent))
			require.NoError(t, err)
			pass(d * 24 * time.Hour)
			require.NoError(t, s.Close())
			require.Equal(t, "hunter2-0", db.now())
		}
		pass(5 * 24 * time.Hour) // while no process runs
		schedule(t, store, job)
		pass(time.Second)
		require.Equal(t, "hunter2-1", db.now(), "what was missed is done at the start")
		pass(10*24*time.Hour - time.Minute)
		require.Equal(t, "hunter2-1", db.now())
		pass(2 * time.Minute)
		require.Equal(t, "hunter2-2", db.now())
	})
}

func TestAMissedWindowIsNotMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, store, db := secret(t, secretstest.InProcess())
		time.Sleep(30 * time.Hour) // Sunday, 06:00: the window of 00:00 to 04:00 has been
		schedule(t, store, rotation.Job{Ref: "sm://db", Target: db, Schedule: "cron(0 0 * * ? *)", Window: 4 * time.Hour})
		pass(18 * time.Hour)
		require.Equal(t, "hunter2-0", db.now())
		pass(4*time.Hour + time.Second)
		require.Equal(t, "hunter2-1", db.now())
	})
}

func TestManySchedulersRotateOnce(t *testing.T) {
	for name, stores := range bothStores {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, store, ref, db := stores(t, secretstest.InProcess())
				for range 5 {
					schedule(t, store, rotation.Job{Ref: ref, Target: db, Schedule: "rate(1 day)", Window: time.Hour})
				}
				for day := range 4 {
					pass(24*time.Hour + 30*time.Minute*time.Duration(1-day%2))
				}
				require.Equal(t, db.made, len(db.log)/3, "each rotation has one of each step")
				require.LessOrEqual(t, db.made, 4)
				require.GreaterOrEqual(t, db.made, 3)
			})
		})
	}
}

func TestAValueWrittenByHandCountsAsRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, db := secret(t, secretstest.InProcess())
		schedule(t, store, rotation.Job{Ref: "sm://db", Target: db, Schedule: "rate(10 days)"})
		pass(9 * 24 * time.Hour)
		srv.SetSecret("db", "by hand")
		pass(9 * 24 * time.Hour)
		require.Zero(t, db.made, "it is looked at when it would be due")
	})
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAFailureIsLoggedAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, store, db := secret(t, secretstest.InProcess())
		fails := 3
		db.effect = func(step string, after bool) error {
			if step == "test" && fails > 0 {
				fails--
				return errors.New("the database is away")
			}
			return nil
		}
		var log lockedBuffer
		schedule(t, store, rotation.Job{Ref: "sm://db", Target: db, Schedule: "rate(1 day)"}, rotation.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
		pass(24*time.Hour + time.Second)
		require.Equal(t, "hunter2-0", read(t, store, "sm://db"))
		require.Contains(t, log.String(), `"msg":"rotation failed","ref":"sm://db","failures":1`)
		pass(7 * time.Minute) // 1 + 2 + 4 minutes at most
		require.Equal(t, "hunter2-1", read(t, store, "sm://db"))
		require.Equal(t, 1, db.made, "the value is the same in each try")
		require.NotContains(t, log.String(), "hunter2")
	})
}

func TestAWindowThatClosesEndsTheTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, db := parameter(t, secretstest.InProcess())
		db.effect = func(step string, _ bool) error {
			if step == "set" {
				return errors.New("the database is away")
			}
			return nil
		}
		schedule(t, store, rotation.Job{Ref: "ssm:///prod/db", Target: db, Schedule: "cron(0 2 * * ? *)", Window: time.Hour})
		pass(4 * time.Hour)
		srv.ResetCalls()
		pass(20 * time.Hour)
		require.Zero(t, srv.Calls("PutParameter", "GetParameterHistory"), "between windows nothing is tried")
		db.mu.Lock()
		db.effect = nil
		db.mu.Unlock()
		pass(4 * time.Hour)
		require.Equal(t, db.now(), read(t, store, "ssm:///prod/db"))
		require.Equal(t, "hunter2-1", db.now())
	})
}

func TestASchedulerRefusesWhatItCannotDo(t *testing.T) {
	_, store, db := secret(t)
	for why, job := range map[string]rotation.Job{
		"invalid ref":         {Target: db, Schedule: "rate(1 day)"},
		"want rate":           {Ref: "sm://db", Target: db},
		"no target":           {Ref: "sm://db", Schedule: "rate(1 day)"},
		"window is negative":  {Ref: "sm://db", Target: db, Schedule: "rate(1 day)", Window: -1},
		"store is of scheme":  {Ref: "ssm:///db", Target: db, Schedule: "rate(1 day)"},
		"name the whole":      {Ref: "sm://db#password", Target: db, Schedule: "rate(1 day)"},
		"without field, vers": {Ref: "sm://db?version=00000000-0000-0000-0000-000000000000", Target: db, Schedule: "rate(1 day)"},
		"stage or label":      {Ref: "sm://db?stage=AWSPREVIOUS", Target: db, Schedule: "rate(1 day)"},
		"31 2 ? *) has no":    {Ref: "sm://db", Target: db, Schedule: "cron(0 8 31 2 ? *)"},
		"1999) has no next":   {Ref: "sm://db", Target: db, Schedule: "cron(0 8 1 1 ? 1999)"},
	} {
		_, err := rotation.NewScheduler(store, []rotation.Job{job})
		require.ErrorContains(t, err, why)
		require.ErrorContains(t, err, job.Ref)
	}
	_, err := rotation.NewScheduler(nil, []rotation.Job{{Ref: "sm://db", Target: db, Schedule: "rate(1 day)"}})
	require.ErrorContains(t, err, "no store")
	twice := rotation.Job{Ref: "sm://db", Target: db, Schedule: "rate(1 day)"}
	_, err = rotation.NewScheduler(store, []rotation.Job{twice, twice})
	require.ErrorContains(t, err, "sm://db: two jobs")
	require.ErrorContains(t, rotation.Rotate(t.Context(), store, "sm://db", nil), "sm://db: there is no target")
	require.ErrorContains(t, rotation.Lambda(store, nil)(t.Context(), rotation.Event{SecretID: "db", Step: rotation.StepCreate}), "there is no target")
	s, err := rotation.NewScheduler(store, nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "it may be closed twice")
}

func TestScheduledSucceedsWhereAnotherIsRotating(t *testing.T) {
	_, store, db := parameter(t)
	ref, _ := provider.ParseRef("ssm:///prod/db")
	r, err := store.BeginRotation(t.Context(), ref, provider.RotationOptions{})
	require.NoError(t, err)
	f := rotation.Scheduled(store, "ssm:///prod/db", db, rotation.WithLogger(silent))
	require.NoError(t, f(t.Context()))
	require.Zero(t, db.made)
	r.Close()
	require.NoError(t, f(t.Context()))
	require.Equal(t, "hunter2-1", read(t, store, "ssm:///prod/db"))
}
