package audit_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/audit"
)

// slow is a sink that takes a second for each event.
type slow struct{ trail }

func (s *slow) Write(e audit.Event) error {
	time.Sleep(time.Second)
	return s.trail.Write(e)
}

func numbered(n int) audit.Event { return audit.Event{Ref: fmt.Sprint(n), Outcome: "ok"} }

func TestABlockingQueueLosesNothingAndKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(slow)
		q := audit.NewQueue(sink, 2, audit.Block)
		began := time.Now()
		for i := range 10 {
			require.NoError(t, q.Write(numbered(i)))
		}
		require.Greater(t, time.Since(began), 5*time.Second, "writers waited")
		require.NoError(t, q.Close())
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, of(sink.take(), func(e audit.Event) string { return e.Ref }))
		require.ErrorIs(t, q.Write(numbered(1)), audit.ErrClosed)
		require.NoError(t, q.Close(), "closing again does nothing")
	})
}

func TestADroppingQueueNeverWaitsAndSaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(slow)
		q := audit.NewQueue(sink, 2, audit.Drop)
		began := time.Now()
		require.NoError(t, q.Write(numbered(0)))
		synctest.Wait() // it is being written
		for i := range 5 {
			require.NoError(t, q.Write(numbered(i+1)))
		}
		require.Zero(t, time.Since(began))
		require.EqualValues(t, 3, q.Dropped())
		require.NoError(t, q.Flush(t.Context()))
		require.NoError(t, q.Write(numbered(6)))
		require.NoError(t, q.Close())
		events := sink.take()
		require.Equal(t, []string{"0", "1", "2", "", "6"}, of(events, func(e audit.Event) string { return e.Ref }))
		require.Equal(t, audit.ActionDropped, events[3].Action)
		require.EqualValues(t, 3, events[3].Dropped)
	})
}

func TestWhatWasDroppedLastIsToldAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(slow)
		q := audit.NewQueue(sink, 1, audit.Drop)
		require.NoError(t, q.Write(numbered(0)))
		synctest.Wait() // it is being written
		for i := range 9 {
			require.NoError(t, q.Write(numbered(i+1)))
		}
		require.NoError(t, q.Close())
		events := sink.take()
		require.Len(t, events, 3)
		require.Equal(t, audit.ActionDropped, events[2].Action)
		require.EqualValues(t, 8, events[2].Dropped)
		require.EqualValues(t, 8, q.Dropped())
	})
}

func TestFlushWaitsForWhatWasAcceptedAndForNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(slow)
		q := audit.NewQueue(sink, 100, audit.Block)
		for i := range 10 {
			require.NoError(t, q.Write(numbered(i)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, q.Flush(ctx), context.DeadlineExceeded)
		require.Equal(t, 1500*time.Millisecond, time.Since(began))
		require.NoError(t, q.Flush(t.Context()))
		require.Len(t, sink.take(), 10)
		require.NoError(t, q.Close())
	})
}

func TestTheSinksErrorIsReturnedOnce(t *testing.T) {
	sink := &trail{err: errSink}
	q := audit.NewQueue(sink, 100, audit.Block)
	require.NoError(t, q.Write(numbered(0)))
	require.ErrorIs(t, q.Flush(t.Context()), errSink)
	require.NoError(t, q.Flush(t.Context()))
	require.NoError(t, q.Write(numbered(1)))
	require.ErrorIs(t, q.Close(), errSink)
	require.EqualValues(t, 2, q.Failed())
	require.Zero(t, q.Dropped())
}

func TestClosingWhileOthersWriteLosesNothingThatWasAccepted(t *testing.T) {
	for _, overflow := range []audit.Overflow{audit.Block, audit.Drop} {
		sink := new(trail)
		q := audit.NewQueue(sink, 3, overflow)
		var writers sync.WaitGroup
		var mu sync.Mutex
		accepted := 0
		for range 8 {
			writers.Go(func() {
				for i := range 1000 {
					if q.Write(numbered(i)) != nil {
						return
					}
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			})
		}
		require.NoError(t, q.Close())
		writers.Wait()
		written := 0
		var dropped uint64
		for _, e := range sink.take() {
			if e.Action == audit.ActionDropped {
				dropped += e.Dropped
			} else {
				written++
			}
		}
		require.Equal(t, accepted, written+int(dropped))
		require.Equal(t, q.Dropped(), dropped)
	}
}
