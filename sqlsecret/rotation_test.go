package sqlsecret_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sqlsecret"
)

func TestNewConnectionsUseTheCurrentVersion(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c := w.connector()
		require.Equal(w, "app/1", w.once(c))
		require.Equal(w, fakeDriver{}, c.Driver())
		w.set("app_clone", "2")
		require.Equal(w, "app/1", w.once(c), "the old user still works")
		w.refresh()
		require.Equal(w, "app_clone/2", w.once(c))
		require.Zero(w, w.db.refusals())
		require.Zero(w, w.client.Stats().Rejected)
	})
}

// What expired is read again before the login, since nothing may have done so in
// the background; but a store that does not answer holds up no login for long.
func TestLoginReadsWhatExpired(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c := w.connector()
		w.set("app", "2")
		w.client.Invalidate(ref)
		require.Equal(w, "app/2", w.once(c))
		require.Zero(w, w.db.refusals())

		defer w.server.Inject(secretstest.Fault{Delay: time.Hour})()
		w.client.Invalidate(ref)
		began := time.Now()
		require.Equal(w, "app/2", w.once(c))
		require.LessOrEqual(w, time.Since(began), time.Second)
	})
}

// Between setSecret and finishSecret the database has the pending password: the
// connection is opened all the same, and the next begin with what worked.
func TestConnectInTheGapOfARotation(t *testing.T) {
	in(t, func(w *world) {
		v1 := w.set("app", "1")
		c := w.connector()
		require.Equal(w, "app/1", w.once(c))
		v2 := w.pend("app", "2")
		w.db.alter("app", "2")
		w.db.counts()

		require.Equal(w, "app/2", w.once(c))
		require.Equal(w, 1, w.db.refusals())
		for range 50 {
			require.Equal(w, "app/2", w.once(c))
		}
		require.Zero(w, w.db.refusals(), "the one that worked is remembered")

		time.Sleep(sqlsecret.DefaultCoolDown)
		for range 50 {
			require.Equal(w, "app/2", w.once(c))
		}
		require.Equal(w, 1, w.db.refusals(), "the current one is looked at again, once")

		w.finish(v1, v2)
		w.refresh()
		require.Equal(w, "app/2", w.once(c))
		require.Zero(w, w.db.refusals())

		time.Sleep(secrets.DefaultRejectInterval)

		// The next rotation finds nothing left of the first.
		w.pend("app", "3")
		w.db.alter("app", "3")
		require.Equal(w, "app/3", w.once(c))
		require.Equal(w, 1, w.db.refusals())
	})
}

// A rotation that fails after AWSPENDING was put leaves that behind, and a
// database that was restored has the password from before.
func TestConnectTriesThePreviousVersionAfterThePending(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "0")
		w.server.SetSecret("db", secretOf("app", "1"))
		w.pend("app", "2")
		c := w.connector()
		require.Equal(w, "app/0", w.once(c))
		require.Equal(w, 2, w.db.refusals())
		require.Equal(w, "app/0", w.once(c))
		require.Zero(w, w.db.refusals())
	})
}

// What stood in for the current version is refused in turn: the rotation was
// undone, or the replica caught up.
func TestTheCurrentVersionIsTriedAgain(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c := w.connector()
		w.pend("app", "2")
		w.db.alter("app", "2")
		require.Equal(w, "app/2", w.once(c))
		w.db.alter("app", "1")
		require.Equal(w, "app/1", w.once(c))
		w.db.counts()
		require.Equal(w, "app/1", w.once(c))
		require.Zero(w, w.db.refusals())
	})
}

// A replica has the new password later than the secret: until then the version
// before serves, its connections live, and end when the new one works.
func TestLaggingReplica(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		db := w.pool()
		db.SetMaxIdleConns(10)
		w.server.SetSecret("db", secretOf("app", "2"))
		w.refresh()
		a, login := w.open(db)
		require.Equal(w, "app/1", login)
		require.NoError(w, a.Close())
		require.Equal(w, 1, w.db.opened(), "it is what new connections use")
		a, login = w.open(db)
		require.Equal(w, "app/1", login)

		w.db.alter("app", "2")
		b, login := w.open(db) // before the current version has cooled down
		require.Equal(w, "app/2", login)
		require.NoError(w, a.Close())
		require.NoError(w, b.Close())
		require.Equal(w, 1, w.db.opened())
		w.db.counts()
		_, login = w.open(db)
		require.Equal(w, "app/2", login)
		require.Zero(w, w.db.refusals())
	})
}

// However many grow a pool in the gap, one looks for what works.
func TestManyAreRefusedAtOnce(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c := w.connector()
		w.db.set(func() { w.db.delay = 10 * time.Millisecond })
		w.pend("app", "2")
		w.db.alter("app", "2")
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { require.Equal(w, "app/2", w.once(c)) })
		}
		wg.Go(func() { // comes while the first looks
			time.Sleep(15 * time.Millisecond)
			require.Equal(w, "app/2", w.once(c))
		})
		wg.Wait()
		logins, refused := w.db.counts()
		require.Equal(w, 50, refused, "each that had begun with the old one, and no other")
		require.Equal(w, 50+51, logins)
		require.EqualValues(w, 1, w.client.Stats().Rejected)
	})
}

// A version that arrives while a login looks for what works is used at once.
func TestNewVersionWhileALoginLooks(t *testing.T) {
	in(t, func(w *world) {
		w.server.SetSecret("db", secretOf("app", "0"))
		w.server.SetSecret("db", secretOf("app", "1"))
		c := w.connector()
		w.db.set(func() { w.db.delay = time.Second })
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { require.Equal(w, "app/2", w.once(c)) }) // after both others
		time.Sleep(1500 * time.Millisecond)
		w.set("app", "2")
		w.refresh()
		require.Equal(w, "app/2", w.once(c))
		require.Equal(w, 2500*time.Millisecond, time.Since(began))
		wg.Wait()
		require.Equal(w, 3*time.Second, time.Since(began))
	})
}

func TestWrongCredentialsCoolDown(t *testing.T) {
	in(t, func(w *world) {
		w.db.alter("app", "right")
		w.server.SetSecret("db", secretOf("app", "hunter1"))
		w.server.SetSecret("db", secretOf("app", "hunter2"))
		w.db.set(func() { w.db.delay = 10 * time.Millisecond })
		c := w.connector()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for range 10 * 60 {
					_, err := c.Connect(w.Context())
					require.ErrorIs(w, err, secrets.ErrRejected)
					require.ErrorAs(w, err, new(*refusedError))
					require.ErrorContains(w, err, ref)
					require.NotContains(w, err.Error(), "hunter")
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		logins, _ := w.db.counts()
		require.LessOrEqual(w, logins, 50+1+2*(5+19), "all at once, then one at 1, 2, 4, 8, 16, 30, 30 ... seconds, of two versions")
		require.GreaterOrEqual(w, logins, 50+1+5+18)

		// A new version ends it at once.
		w.server.SetSecret("db", secretOf("app", "right"))
		w.refresh()
		require.Equal(w, "app/right", w.once(c))
		require.Zero(w, w.db.refusals())
	})
}

// Where the database changes its mind, the connector finds out by itself.
func TestCoolDownEndsByItself(t *testing.T) {
	in(t, func(w *world) {
		w.server.SetSecret("db", secretOf("app", "1"))
		c := w.connector(sqlsecret.WithCoolDown(10*time.Second, 15*time.Second))
		for _, wait := range []string{"10s", "15s", "15s"} {
			_, err := c.Connect(w.Context())
			require.ErrorIs(w, err, secrets.ErrRejected)
			require.ErrorContains(w, err, "in "+wait)
			time.Sleep(15 * time.Second)
		}
		_, err := c.Connect(w.Context())
		require.ErrorIs(w, err, secrets.ErrRejected)
		w.db.alter("app", "1")
		w.db.counts()
		time.Sleep(14 * time.Second)
		_, err = c.Connect(w.Context())
		require.ErrorIs(w, err, secrets.ErrRejected)
		require.ErrorContains(w, err, "1s")
		logins, _ := w.db.counts()
		require.Zero(w, logins)
		time.Sleep(time.Second)
		require.Equal(w, "app/1", w.once(c))
		require.Equal(w, "app/1", w.once(c))
	})
}

func TestOtherErrorsRejectNothing(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c := w.connector()
		for _, fail := range []error{context.DeadlineExceeded, sql.ErrConnDone} {
			w.db.set(func() { w.db.fail = fail })
			_, err := c.Connect(w.Context())
			require.ErrorIs(w, err, fail)
			require.ErrorContains(w, err, ref)
		}
		w.db.set(func() { w.db.fail = nil })
		require.Equal(w, "app/1", w.once(c))
		require.Zero(w, w.client.Stats().Rejected)
		logins, _ := w.db.counts()
		require.Equal(w, 3, logins)
	})
}

// A database that is down when a version has cooled down costs no cool-down.
func TestAnOutageIsNoRefusal(t *testing.T) {
	in(t, func(w *world) {
		w.server.SetSecret("db", secretOf("app", "1"))
		c := w.connector()
		_, err := c.Connect(w.Context())
		require.ErrorIs(w, err, secrets.ErrRejected)
		time.Sleep(time.Second)
		w.db.set(func() { w.db.fail = sql.ErrConnDone })
		_, err = c.Connect(w.Context())
		require.ErrorIs(w, err, sql.ErrConnDone)
		require.NotErrorIs(w, err, secrets.ErrRejected)
		w.db.set(func() { w.db.fail = nil })
		w.db.alter("app", "1")
		require.Equal(w, "app/1", w.once(c))
	})
}

// Nor does one that goes down while a login looks for another version.
func TestAnOutageWhileALoginLooks(t *testing.T) {
	in(t, func(w *world) {
		w.server.SetSecret("db", secretOf("app", "0"))
		w.server.SetSecret("db", secretOf("app", "1"))
		c := w.connector()
		_, err := c.Connect(w.Context())
		require.ErrorIs(w, err, secrets.ErrRejected)
		time.Sleep(2 * time.Minute) // both versions get another chance
		w.db.set(func() { w.db.delay = 100 * time.Millisecond })
		time.AfterFunc(150*time.Millisecond, func() { w.db.set(func() { w.db.fail = sql.ErrConnDone }) })
		_, err = c.Connect(w.Context())
		require.ErrorIs(w, err, sql.ErrConnDone)
		w.db.set(func() { w.db.fail = nil })
		w.db.alter("app", "1")
		require.Equal(w, "app/1", w.once(c))
	})
}

// Whoever looks for what works may give up, and the next takes over.
func TestACallersContextIsItsOwn(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c := w.connector()
		w.pend("app", "2")
		w.db.alter("app", "2")
		w.db.set(func() { w.db.delay = time.Second })
		var wg sync.WaitGroup
		ctx, cancel := context.WithTimeout(w.Context(), 1500*time.Millisecond)
		defer cancel()
		began := time.Now()
		wg.Go(func() {
			_, err := c.Connect(ctx)
			require.Equal(w, context.DeadlineExceeded, err)
		})
		wg.Go(func() {
			time.Sleep(10 * time.Millisecond) // is refused while the first looks, and waits
			require.Equal(w, "app/2", w.once(c))
		})
		wg.Go(func() {
			time.Sleep(10 * time.Millisecond)
			short, cancel := context.WithTimeout(w.Context(), 1200*time.Millisecond)
			defer cancel()
			_, err := c.Connect(short)
			require.Equal(w, context.DeadlineExceeded, err)
			require.Equal(w, 1210*time.Millisecond, time.Since(began))
		})
		wg.Wait()
		require.Equal(w, 2500*time.Millisecond, time.Since(began))
	})
}

// While the store is down the error tells of both, and the database gets no
// storm of refused logins.
func TestRefusedWhileTheStoreIsDown(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c := w.connector()
		w.db.alter("app", "2")
		remove := w.server.Inject(secretstest.Fault{Err: secretstest.Internal()})
		for range 100 {
			_, err := c.Connect(w.Context())
			require.ErrorAs(w, err, new(*refusedError))
			require.ErrorContains(w, err, "unavailable")
		}
		logins, _ := w.db.counts()
		require.LessOrEqual(w, logins, 8)
		remove()
		w.server.SetSecret("db", secretOf("app", "2"))
		time.Sleep(time.Minute)
		require.Equal(w, "app/2", w.once(c))
	})
}

// In the gap, what worked serves on when the store is down.
func TestTheGapWhileTheStoreIsDown(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		c := w.connector()
		w.pend("app", "2")
		w.db.alter("app", "2")
		require.Equal(w, "app/2", w.once(c))
		defer w.server.Inject(secretstest.Fault{Err: secretstest.Internal()})()
		for range 100 {
			require.Equal(w, "app/2", w.once(c))
			time.Sleep(time.Second)
		}
		require.LessOrEqual(w, w.db.refusals(), 8)
	})
}

// A pool that is full and busy through rotations of both kinds: nobody notices.
func TestNoQueryFails(t *testing.T) {
	for name, user := range map[string]func(i int) string{
		"single user":       func(int) string { return "app" },
		"alternating users": func(i int) string { return []string{"app", "app_clone"}[i%2] },
	} {
		for warmth, idle := range map[string]int{"cold": -1, "warm": 20} {
			t.Run(name+", "+warmth, func(t *testing.T) {
				in(t, func(w *world) {
					current := w.set(user(0), "0")
					db := w.pool()
					db.SetMaxOpenConns(20)
					db.SetMaxIdleConns(idle)
					w.db.set(func() { w.db.delay = 3 * time.Millisecond })
					var done atomic.Bool
					var queries atomic.Int64
					var wg sync.WaitGroup
					for i := range 50 {
						wg.Go(func() {
							for !done.Load() {
								c, err := db.Conn(w.Context())
								require.NoError(w, err)
								time.Sleep(time.Duration(i%7+1) * time.Millisecond)
								_, err = c.ExecContext(w.Context(), "work")
								require.NoError(w, err)
								require.NoError(w, c.Close())
								queries.Add(1)
							}
						})
					}
					for i := range 3 {
						time.Sleep(2 * time.Second)
						next := w.pend(user(i+1), password(i+1))
						w.db.alter(user(i+1), password(i+1))
						time.Sleep(500 * time.Millisecond)
						w.finish(current, next)
						current = next
						time.Sleep(500 * time.Millisecond)
						w.refresh()
					}
					time.Sleep(2 * time.Second)
					done.Store(true)
					wg.Wait()
					require.Greater(w, queries.Load(), int64(10_000))
					_, login := w.open(db)
					require.Equal(w, user(3)+"/"+password(3), login)
					w.db.set(func() { require.Equal(w, 20, w.db.most) })
				})
			})
		}
	}
}

func password(i int) string { return string(rune('0' + i)) }

func TestReplacedConnectionsAreRetired(t *testing.T) {
	in(t, func(w *world) {
		v1 := w.set("app", "1")
		db := w.pool()
		db.SetMaxIdleConns(10)
		var conns []*sql.Conn
		for range 3 {
			c, login := w.open(db)
			require.Equal(w, "app/1", login)
			conns = append(conns, c)
		}
		v2 := w.pend("app", "2")
		w.db.alter("app", "2")
		pending, login := w.open(db)
		require.Equal(w, "app/2", login)
		conns = append(conns, pending)

		require.NoError(w, conns[0].Close())
		require.Equal(w, 4, w.db.opened(), "in the gap, connections of the current version live")
		w.finish(v1, v2)
		w.refresh()
		require.Equal(w, 4, w.db.opened(), "nothing is taken from who uses it")
		require.Equal(w, "app/1", w.login(conns[1]))
		require.NoError(w, conns[1].Close())
		require.Equal(w, 3, w.db.opened(), "closed as it returns")
		time.Sleep(time.Second)
		c, login := w.open(db)
		require.Equal(w, "app/2", login)
		require.Equal(w, 3, w.db.opened(), "the one that was idle is closed instead of handed out")
		require.NoError(w, c.Close())
		require.NoError(w, pending.Close())
		require.Equal(w, 3, w.db.opened(), "the pending version is the current one now")

		// A version that says the same is no reason.
		w.server.SetSecret("db", secretOf("app", "2"))
		w.refresh()
		c, _ = w.open(db)
		require.NoError(w, c.Close())
		require.Equal(w, 3, w.db.opened())
	})
}

// A pool hands a connection that returns to who waits for one. That it was
// replaced in between must not count as a bad connection: database/sql tries
// three times, and all may get one of these.
func TestConnectionsOnTheirWayAreNotBad(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		conn, err := w.connector().Connect(w.Context())
		require.NoError(w, err)
		defer conn.Close()
		pooled := conn.(interface {
			driver.Validator
			driver.SessionResetter
		})
		require.True(w, pooled.IsValid())
		w.set("app", "2")
		w.refresh()
		require.NoError(w, pooled.ResetSession(w.Context()))
		time.Sleep(time.Second)
		require.Equal(w, driver.ErrBadConn, pooled.ResetSession(w.Context()), "it was idle")
		require.False(w, pooled.IsValid())
	})
}

func TestKeptConnectionsLive(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		db := w.pool(sqlsecret.WithKeepConnections())
		c, _ := w.open(db)
		require.NoError(w, c.Raw(func(c any) error {
			require.IsType(w, (*connection)(nil), c, "nothing wraps it")
			return nil
		}))
		w.set("app", "2")
		w.refresh()
		require.NoError(w, c.Close())
		c, login := w.open(db)
		require.Equal(w, "app/1", login)
		_, login = w.open(db)
		require.Equal(w, "app/2", login)
		require.NoError(w, c.Close())
	})
}

// A query that fails is not the connector's business.
func TestQueriesAreNotRepeated(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		db := w.pool()
		_, err := db.ExecContext(w.Context(), "refuse")
		require.ErrorAs(w, err, new(*refusedError))
		require.Zero(w, w.client.Stats().Rejected)
		require.Equal(w, 1, w.db.opened())
	})
}

func TestCloseEndsTheHandle(t *testing.T) {
	in(t, func(w *world) {
		w.set("app", "1")
		db := sql.OpenDB(w.connector())
		c, _ := w.open(db)
		require.NoError(w, c.Close())
		require.NoError(w, db.Close())
		w.server.ResetCalls()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.LessOrEqual(w, w.server.Calls(), 1)
		require.Zero(w, w.client.Stats().Entries)
	})
}
