package sm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/internal/awsread/readtest"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
)

// line is what a store's calls go through. It breaks at one of them.
type line struct {
	next   aws.HTTPClient
	before func(call int) error // may fail a call before it is made
	after  func(call int) error // and lose its answer

	mu    sync.Mutex
	calls int
}

func (l *line) Do(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.calls++
	call := l.calls
	l.mu.Unlock()
	if l.before != nil {
		if err := l.before(call); err != nil {
			return nil, err
		}
	}
	out, err := l.next.Do(r)
	if err == nil && l.after != nil {
		if lost := l.after(call); lost != nil {
			_ = out.Body.Close()
			return nil, lost
		}
	}
	return out, err
}

var errLine = errors.New("the line is dead")

// storeOn returns a store whose calls go through the line; of each, one try.
func storeOn(cfg aws.Config, l *line, opts ...sm.Option) *sm.Store {
	l.next = cfg.HTTPClient
	cfg.HTTPClient = l
	cfg.RetryMaxAttempts = 1
	return sm.New(cfg, append([]sm.Option{sm.WithLogger(silent)}, opts...)...)
}

// deadFrom is a line that dies at the call with that number, before or after it
// is made: a process that crashes there.
func deadFrom(call int, made bool) *line {
	die := func(last int) func(int) error {
		return func(n int) error {
			if n >= last {
				return errLine
			}
			return nil
		}
	}
	if made {
		return &line{before: die(call + 1), after: die(call)}
	}
	return &line{before: die(call)}
}

// loses is a line that loses the answer of one call, which the SDK tries again.
func loses(cfg aws.Config, call int) *line {
	return &line{next: cfg.HTTPClient, after: func(n int) error {
		if n == max(call, 1) {
			return errors.New("connection reset by peer")
		}
		return nil
	}}
}

// value returns one for the ref.
func value(t testing.TB, ref string, i int) provider.Value {
	return text(i).WithRef(readtest.Ref(t, ref))
}

// requireSettled checks that no version has a label of Put's own.
func (l *life) requireSettled(t testing.TB, ref string) {
	t.Helper()
	for stage := range l.stages(t, ref) {
		require.NotContains(t, stage, "put-")
	}
}

var (
	token      = strings.Repeat("t", 36)
	conditions = map[string]func(current string) provider.Condition{
		"Version": func(current string) provider.Condition { return provider.Condition{Version: current, Token: token} },
		"Absent":  func(string) provider.Condition { return provider.Condition{Absent: true, Token: token} },
		"None":    func(string) provider.Condition { return provider.Condition{Token: token} },
	}
)

// TestCrash has a process die at every call of a Put, and another repeat it.
func TestCrash(t *testing.T) {
	for name, condition := range conditions {
		for call := 1; call <= 5; call++ {
			for _, made := range []bool{false, true} {
				t.Run(fmt.Sprint(name, call, made), func(t *testing.T) {
					srv := secretstest.NewServer(t)
					l := newLife(srv.Config())
					ref, current := l.ref(t), ""
					if name == "Version" {
						var ids []string
						ref, ids = l.made(t, 1)
						current = ids[0]
					}
					_, err := storeOn(srv.Config(), deadFrom(call, made)).Put(t.Context(), value(t, ref, 1), condition(current))
					if err != nil {
						requireKind(t, err, provider.ErrUnavailable, "")
					}
					for range 2 {
						v, err := l.store.Put(t.Context(), value(t, ref, 1), condition(current))
						require.NoError(t, err)
						require.Equal(t, token, v.ID)
					}
					require.Equal(t, "hunter2-1", l.read(t, ref, "AWSCURRENT"))
					l.requireSettled(t, ref)
					want := 1
					if current != "" {
						want = 2
						require.Equal(t, current, l.stages(t, ref)["AWSPREVIOUS"])
					}
					require.Len(t, collect(t, l.store.Versions(t.Context(), ref)), want, "nothing is written twice")
				})
			}
		}
	}
}

// TestCrashAndAnother has another write before the Put is repeated.
func TestCrashAndAnother(t *testing.T) {
	for call := 1; call <= 5; call++ {
		for _, made := range []bool{false, true} {
			for others := 1; others <= 2; others++ {
				t.Run(fmt.Sprint(call, made, others), func(t *testing.T) {
					srv := secretstest.NewServer(t)
					l := newLife(srv.Config())
					ref, ids := l.made(t, 1)
					cond := provider.Condition{Version: ids[0], Token: token}
					_, _ = storeOn(srv.Config(), deadFrom(call, made)).Put(t.Context(), value(t, ref, 1), cond)
					won := l.stages(t, ref)["AWSCURRENT"] == token
					for i := range others {
						_, err := l.store.PutVersion(t.Context(), ref, text(2+i), sm.PutOptions{})
						require.NoError(t, err)
					}
					v, err := l.store.Put(t.Context(), value(t, ref, 1), cond)
					if won && others == 1 {
						require.NoError(t, err, "it was made current")
						require.Equal(t, token, v.ID)
					} else {
						requireKind(t, err, provider.ErrConflict, "")
					}
					require.Equal(t, fmt.Sprint("hunter2-", 1+others), l.read(t, ref, "AWSCURRENT"), "what came after stays")
					l.requireSettled(t, ref)
				})
			}
		}
	}
}

// TestLostAnswers has the SDK try again what was done already.
func TestLostAnswers(t *testing.T) {
	for name, condition := range conditions {
		for call := 1; call <= 5; call++ {
			t.Run(fmt.Sprint(name, call), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // the SDK waits between its tries
					srv := secretstest.NewServer(t, secretstest.InProcess())
					l := newLife(srv.Config())
					ref, current := l.ref(t), ""
					if name == "Version" {
						var ids []string
						ref, ids = l.made(t, 1)
						current = ids[0]
					}
					cfg := srv.Config()
					cfg.HTTPClient = loses(cfg, call)
					v, err := sm.New(cfg).Put(t.Context(), value(t, ref, 1), condition(current))
					require.NoError(t, err)
					require.Equal(t, token, v.ID)
					require.Equal(t, token, l.stages(t, ref)["AWSCURRENT"])
					l.requireSettled(t, ref)
				})
			})
		}
	}
}

// TestLostAnswersOfStages is TestLostAnswers for moves.
func TestLostAnswersOfStages(t *testing.T) {
	for name, move := range map[string]func(*testing.T, *sm.Store, string, []string) error{
		"Promote": func(t *testing.T, s *sm.Store, ref string, ids []string) error {
			return s.Promote(t.Context(), ref, ids[0])
		},
		"Rollback": func(t *testing.T, s *sm.Store, ref string, _ []string) error {
			return second(s.Rollback(t.Context(), ref))
		},
		"MoveStage": func(t *testing.T, s *sm.Store, ref string, ids []string) error {
			return s.MoveStage(t.Context(), ref, "AWSCURRENT", ids[1], ids[0])
		},
		"RemoveStage": func(t *testing.T, s *sm.Store, ref string, ids []string) error {
			return s.RemoveStage(t.Context(), ref, "blue", ids[0])
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretstest.NewServer(t, secretstest.InProcess())
				l := newLife(srv.Config())
				ref, ids := l.made(t, 2)
				require.NoError(t, l.store.MoveStage(t.Context(), ref, "blue", "", ids[0]))
				cfg := srv.Config()
				cfg.HTTPClient = loses(cfg, map[string]int{"Promote": 2, "Rollback": 2}[name])
				require.NoError(t, move(t, sm.New(cfg), ref, ids))
				require.Equal(t, 2, srv.Calls("UpdateSecretVersionStage")-1)
				if name == "RemoveStage" {
					require.NotContains(t, l.stages(t, ref), "blue")
					return
				}
				require.Equal(t, ids[0], l.stages(t, ref)["AWSCURRENT"])
				require.Equal(t, ids[1], l.stages(t, ref)["AWSPREVIOUS"])
			})
		})
	}
}

// TestOvertaken has another make its version current in the middle.
func TestOvertaken(t *testing.T) {
	for name, write := range map[string]struct {
		at int // the call before which it happens
		by func(ctx context.Context, t *testing.T, s *sm.Store, ref string, ids []string) error
	}{
		"PutBeforePut": {2, func(ctx context.Context, t *testing.T, s *sm.Store, ref string, ids []string) error {
			return second(s.Put(ctx, value(t, ref, 3), provider.Condition{Version: ids[1]}))
		}},
		"PutBeforeMove": {3, func(ctx context.Context, t *testing.T, s *sm.Store, ref string, ids []string) error {
			return second(s.Put(ctx, value(t, ref, 3), provider.Condition{Version: ids[1]}))
		}},
		"PutWithItToken": {3, func(ctx context.Context, t *testing.T, s *sm.Store, ref string, ids []string) error {
			return second(s.Put(ctx, value(t, ref, 3), provider.Condition{Version: ids[1], Token: token}))
		}},
		"Promote": {2, func(ctx context.Context, _ *testing.T, s *sm.Store, ref string, ids []string) error {
			return s.Promote(ctx, ref, ids[0])
		}},
		"Rollback": {2, func(ctx context.Context, _ *testing.T, s *sm.Store, ref string, _ []string) error {
			return second(s.Rollback(ctx, ref))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := secretstest.NewServer(t)
			l := newLife(srv.Config())
			ref, ids := l.made(t, 2)
			var other string
			through := &line{before: func(n int) error {
				if n == write.at {
					v, err := l.store.PutVersion(t.Context(), ref, text(2), sm.PutOptions{})
					other = v.ID
					return err
				}
				return nil
			}}
			err := write.by(t.Context(), t, storeOn(srv.Config(), through), ref, ids)
			requireKind(t, err, provider.ErrConflict, other)
			if write.at == 3 || name == "Promote" || name == "Rollback" {
				require.True(t, readtest.Is[smithy.APIError](err), "what AWS said stays reachable")
			}
			require.Equal(t, map[string]string{"AWSCURRENT": other, "AWSPREVIOUS": ids[1]}, l.stages(t, ref), "nothing was moved, and no label is left")

			if strings.HasPrefix(name, "Put") { // a token that has lost stays lost
				versions := len(collect(t, l.store.Versions(t.Context(), ref)))
				err = write.by(t.Context(), t, l.store, ref, ids)
				requireKind(t, err, provider.ErrConflict, other)
				require.Len(t, collect(t, l.store.Versions(t.Context(), ref)), versions)
			}
		})
	}
}

// TestOvertakenAfterALostAnswer has the version be made current, and another one
// too before the SDK tries again.
func TestOvertakenAfterALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the SDK waits between its tries
		srv := secretstest.NewServer(t, secretstest.InProcess())
		l := newLife(srv.Config())
		ref, ids := l.made(t, 1)
		cfg := srv.Config()
		through := loses(cfg, 3)
		through.before = func(n int) error {
			if n == 4 {
				return second(l.store.PutVersion(t.Context(), ref, text(2), sm.PutOptions{}))
			}
			return nil
		}
		cfg.HTTPClient = through
		v, err := sm.New(cfg).Put(t.Context(), value(t, ref, 1), provider.Condition{Version: ids[0]})
		require.NoError(t, err)
		require.Equal(t, []string{"AWSPREVIOUS"}, v.Labels())
		require.Equal(t, v.ID, l.stages(t, ref)["AWSPREVIOUS"])
		require.Equal(t, "hunter2-2", l.read(t, ref, "AWSCURRENT"))
		l.requireSettled(t, ref)
	})
}

// TestALostTokenStaysLost has the expected version come back.
func TestALostTokenStaysLost(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref, ids := l.made(t, 2)
	cond := provider.Condition{Version: ids[1], Token: token}
	through := &line{before: func(n int) error {
		if n == 3 {
			return second(l.store.PutVersion(t.Context(), ref, text(2), sm.PutOptions{}))
		}
		return nil
	}}
	_, err := storeOn(srv.Config(), through).Put(t.Context(), value(t, ref, 3), cond)
	requireKind(t, err, provider.ErrConflict, "")
	_, err = l.store.Rollback(t.Context(), ref)
	require.NoError(t, err)
	_, err = l.store.Put(t.Context(), value(t, ref, 3), cond)
	requireKind(t, err, provider.ErrConflict, "settled before")
	require.Equal(t, "hunter2-1", l.read(t, ref, "AWSCURRENT"))
}

// TestAConflictThatIsPlainWritesNothing: a secret keeps a hundred versions.
func TestAConflictThatIsPlainWritesNothing(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref, ids := l.made(t, 2)
	srv.ResetCalls()
	_, err := l.store.Put(t.Context(), value(t, ref, 2), provider.Condition{Version: ids[0]})
	requireKind(t, err, provider.ErrConflict, "version "+ids[1]+" is the current one, not "+ids[0])
	require.Equal(t, map[string]int{"DescribeSecret": 1}, srv.CallsByOperation())
}

func TestCallsOfAPut(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref := l.ref(t)
	v := provider.Version{}
	put := func(value provider.Value, cond provider.Condition) map[string]int {
		srv.ResetCalls()
		var err error
		v, err = l.store.Put(t.Context(), value, cond)
		require.NoError(t, err)
		return srv.CallsByOperation()
	}
	require.Equal(t, map[string]int{"PutSecretValue": 1, "CreateSecret": 1}, put(value(t, ref, 0), provider.Condition{}))
	require.Equal(t, map[string]int{"PutSecretValue": 1}, put(value(t, ref, 1), provider.Condition{}))
	require.Equal(t, map[string]int{"DescribeSecret": 1, "PutSecretValue": 1, "UpdateSecretVersionStage": 2}, put(value(t, ref, 2), provider.Condition{Version: v.ID}))
	untyped := provider.NewValue(readtest.Ref(t, ref), provider.Version{}, "", "hunter2-3")
	require.Equal(t, map[string]int{"GetSecretValue": 1, "PutSecretValue": 1}, put(untyped, provider.Condition{}))
	absent := l.ref(t)
	untyped = untyped.WithRef(readtest.Ref(t, absent))
	require.Equal(t, map[string]int{"CreateSecret": 1}, put(untyped, provider.Condition{Absent: true}))
}

// TestALabelThatStays is said, and does not fail what was written.
func TestALabelThatStays(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref, ids := l.made(t, 1)
	var log bytes.Buffer
	store := storeOn(srv.Config(), deadFrom(4, false), sm.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	v, err := store.Put(t.Context(), value(t, ref, 1), provider.Condition{Version: ids[0]})
	require.NoError(t, err)
	require.Equal(t, v.ID, l.stages(t, ref)["AWSCURRENT"])
	require.Equal(t, 1, strings.Count(log.String(), "\n"))
	require.Contains(t, log.String(), "label=put-"+v.ID)
	require.NotContains(t, log.String(), "hunter2")
}

// TestAPutThatFailsCleansUp, unless it can be repeated.
func TestAPutThatFailsCleansUp(t *testing.T) {
	for _, tok := range []string{"", token} {
		srv := secretstest.NewServer(t)
		l := newLife(srv.Config())
		ref, ids := l.made(t, 1)
		srv.Inject(secretstest.Fault{Operation: "UpdateSecretVersionStage", Err: secretstest.AccessDenied(), Times: 1})
		_, err := l.store.Put(t.Context(), value(t, ref, 1), provider.Condition{Version: ids[0], Token: tok})
		requireKind(t, err, provider.ErrAccessDenied, "allow secretsmanager:UpdateSecretVersionStage on it")
		require.Equal(t, ids[0], l.stages(t, ref)["AWSCURRENT"])
		if tok == "" {
			l.requireSettled(t, ref)
			continue
		}
		require.Equal(t, token, l.stages(t, ref)["put-"+token])
		_, err = l.store.Put(t.Context(), value(t, ref, 1), provider.Condition{Version: ids[0], Token: tok})
		require.NoError(t, err)
		require.Equal(t, map[string]string{"AWSCURRENT": token, "AWSPREVIOUS": ids[0]}, l.stages(t, ref))
	}
}

// TestLosersLeaveNoLabel has many write on condition of one version.
func TestLosersLeaveNoLabel(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref, ids := l.made(t, 1)
	var writers sync.WaitGroup
	for i := range 12 {
		writers.Go(func() {
			_, err := l.store.Put(t.Context(), value(t, ref, i), provider.Condition{Version: ids[0]})
			if err != nil && !errors.Is(err, provider.ErrConflict) {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	stages := l.stages(t, ref)
	require.Len(t, stages, 2, "%v", stages)
	require.Equal(t, ids[0], stages["AWSPREVIOUS"])
}

// TestCreatedMeanwhile has a secret be created between the two calls of a Put.
func TestCreatedMeanwhile(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref := l.ref(t)
	through := &line{before: func(n int) error {
		if n == 2 {
			return second(l.store.Create(t.Context(), ref, text(0), sm.CreateOptions{}))
		}
		return nil
	}}
	v, err := storeOn(srv.Config(), through).Put(t.Context(), value(t, ref, 1), provider.Condition{})
	require.NoError(t, err)
	require.Equal(t, v.ID, l.stages(t, ref)["AWSCURRENT"])
	require.Equal(t, "hunter2-1", l.read(t, ref, "AWSCURRENT"))
}

// TestUntypedWithoutReading has a writer that may not read.
func TestUntypedWithoutReading(t *testing.T) {
	srv := secretstest.NewServer(t)
	l := newLife(srv.Config())
	ref, _ := l.made(t, 1)
	srv.Inject(secretstest.Fault{Operation: "GetSecretValue", Err: secretstest.AccessDenied()})
	_, err := l.store.Put(t.Context(), provider.NewValue(readtest.Ref(t, ref), provider.Version{}, "", "hunter2"), provider.Condition{})
	requireKind(t, err, provider.ErrAccessDenied, "give it the type SecretString or SecretBinary, or allow secretsmanager:GetSecretValue on it")
	_, err = l.store.Put(t.Context(), value(t, ref, 1), provider.Condition{})
	require.NoError(t, err)
}
