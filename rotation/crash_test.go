package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/ssm"
)

var errCrash = errors.New("crashed")

// process is one that dies at a request to AWS or at a call of the database, the
// at-th of all, before it has an effect or after. What it asks from then on has
// none.
type process struct {
	mu    sync.Mutex
	at    int
	after bool
	n     int
	died  string // at what
	http  aws.HTTPClient
	ended context.CancelFunc
	each  func()
}

// hit counts an effect, and reports whether the process is dead or dies there.
func (p *process) hit(what string) (dead, dies bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.died != "" {
		return true, false
	}
	if p.n++; p.n == p.at {
		p.died = what
		p.ended()
		return false, true
	}
	return false, false
}

func (p *process) Do(r *http.Request) (*http.Response, error) {
	dead, dies := p.hit(r.Header.Get("X-Amz-Target"))
	if dead || dies && !p.after {
		return nil, errCrash
	}
	answer, err := p.http.Do(r.WithContext(context.WithoutCancel(r.Context())))
	p.each()
	if dies {
		if err == nil {
			_ = answer.Body.Close()
		}
		return nil, errCrash
	}
	return answer, err
}

// database returns what the process does at the database's effects.
func (p *process) database() func(step string, after bool) error {
	return func(step string, after bool) error {
		if after {
			p.each()
		}
		if after != p.after {
			return nil
		}
		if dead, dies := p.hit(step); dead || dies {
			return errCrash
		}
		return nil
	}
}

// open makes the store of a process.
var open = map[string]func(aws.Config) rotation.Store{
	"sm":  func(cfg aws.Config) rotation.Store { return sm.New(cfg, sm.WithLogger(silent)) },
	"ssm": func(cfg aws.Config) rotation.Store { return ssm.New(cfg, ssm.WithLogger(silent)) },
}

var names = map[string]struct{ pending, previous string }{
	"sm":  {"sm://db?stage=AWSPENDING", "sm://db?stage=AWSPREVIOUS"},
	"ssm": {"ssm:///.rotation/prod/db", "ssm:///prod/db?label=previous"},
}

// TestACrashAtEachPointIsRecoveredFrom kills the process of a second rotation at
// each request to AWS and each call of the database, before and after its
// effect. At every instant some credential that a reader can find opens the
// database, and the next run leaves all in order.
func TestACrashAtEachPointIsRecoveredFrom(t *testing.T) {
	for name, stores := range bothStores {
		for _, after := range []bool{false, true} {
			for at, more := 1, true; more; at++ {
				t.Run(fmt.Sprintf("%s/%d after=%v", name, at, after), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						srv, store, ref, db := stores(t, secretstest.InProcess())
						require.NoError(t, rotation.Rotate(t.Context(), store, ref, db, rotation.WithLogger(silent)))
						find := func() []string {
							var found []string
							for _, r := range []string{ref, names[name].pending, names[name].previous} {
								found = append(found, read(t, store, r))
							}
							return found
						}
						tested := map[string]bool{"hunter2-1": true}

						ctx, cancel := context.WithCancel(t.Context())
						p := &process{at: at, after: after, ended: cancel}
						p.each = func() {
							found := find()
							require.Contains(t, found, db.password)
							require.True(t, tested[found[0]], "what readers see was not tested")
						}
						db.effect = func(step string, after bool) error {
							if err := p.database()(step, after); err != nil {
								return err
							}
							if step == "test" {
								tested["hunter2-2"] = db.password == "hunter2-2"
							}
							return nil
						}
						cfg := srv.Config()
						cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
						p.http, cfg.HTTPClient = cfg.HTTPClient, p
						err := rotation.Rotate(ctx, open[name](cfg), ref, db, rotation.WithLogger(silent))
						cancel()
						if more = p.died != ""; !more {
							require.NoError(t, err)
							return
						}
						require.Error(t, err, p.died)

						db.effect = nil
						left := read(t, store, ref)
						time.Sleep(16 * time.Minute) // a lease
						other := open[name](srv.Config())
						require.NoError(t, rotation.Rotate(t.Context(), other, ref, db, rotation.WithLogger(silent)), p.died)
						found := find()
						require.Equal(t, db.password, found[0], p.died)
						require.Contains(t, []string{"not found", "version not found"}, found[1], p.died)
						if left == found[0] {
							left = "hunter2-1"
						}
						require.Equal(t, left, found[2], p.died)
						if name == "sm" {
							m, err := sm.New(srv.Config()).Describe(t.Context(), ref)
							require.NoError(t, err)
							require.Len(t, m.Versions, 2, "no version keeps a label of the rotation")
						}
					})
				})
			}
		}
	}
}

// TestALostAnswerIsNoHarm loses the answer to each write, or the write.
func TestALostAnswerIsNoHarm(t *testing.T) {
	for name, stores := range bothStores {
		for _, op := range []string{"PutSecretValue", "UpdateSecretVersionStage", "PutParameter", "LabelParameterVersion", "DeleteParameter"} {
			for nth := range 3 {
				for _, fault := range []secretstest.Fault{{Truncate: true}, {Reset: true}} {
					t.Run(fmt.Sprintf("%s/%s/%d/%+v", name, op, nth, fault.Reset), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							srv, store, ref, db := stores(t, secretstest.InProcess())
							require.NoError(t, rotation.Rotate(t.Context(), store, ref, db, rotation.WithLogger(silent)))
							fault.Operation, fault.Times = op, 1
							ctx := provider.WithCalls(t.Context(), func() func(provider.Call) {
								seen := 0
								return func(c provider.Call) {
									if c.Operation == op {
										seen++
									}
									if seen == nth {
										seen++
										srv.Inject(fault)
									}
								}
							}())
							err := rotation.Rotate(ctx, store, ref, db, rotation.WithLogger(silent))
							left := "hunter2-1"
							for err != nil {
								left = read(t, store, ref)
								require.ErrorIs(t, err, provider.ErrUnavailable)
								require.NotContains(t, err.Error(), "hunter2")
								srv.ClearFaults()
								err = rotation.Rotate(t.Context(), store, ref, db, rotation.WithLogger(silent))
							}
							require.Equal(t, db.password, read(t, store, ref))
							if left == db.password {
								left = "hunter2-1"
							}
							require.Equal(t, left, read(t, store, names[name].previous))
						})
					})
				}
			}
		}
	}
}
