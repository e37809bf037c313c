// Package loadtest rotates the password of a real database while a pool is
// busy, for the tests of the modules that know a driver.
package loadtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/sqlsecret"
)

// Workers query at once, in a warm pool on at most Connections.
const (
	Workers     = 50
	Connections = 30
	rotations   = 3
)

// Database is one that is there for tests, where its administrator may log in.
type Database struct {
	Engine, Host string
	Port         int
	DBName       string
	SetPassword  func(ctx context.Context, user, password string) error // creates the user if there is none
	Drop         func(ctx context.Context, user string) error
	Login        func(ctx context.Context, user, password string) error // and out again
}

// World is a database with a user, and a client with the secret of that.
type World struct {
	*testing.T
	Server *secretstest.Server
	Client *secrets.Client
	Ref    string

	db   Database
	name string
}

// NewWorld makes one that ends with the test.
func NewWorld(t *testing.T, db Database) *World {
	server := secretstest.NewServer(t)
	client, err := secrets.New(secrets.WithProvider(sm.New(server.Config())), secrets.WithTTL(time.Second))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return &World{T: t, Server: server, Client: client, Ref: "sm://db", db: db, name: "t" + strings.ToLower(rand.Text()[:10])}
}

// User returns the name of a user of this test's.
func (w *World) User(i int) string { return fmt.Sprintf("%s_%d", w.name, i) }

// SetPassword sets the password of a user, who is dropped after the test.
func (w *World) SetPassword(user, password string) {
	w.Helper()
	require.NoError(w, w.db.SetPassword(w.Context(), user, password))
	w.Cleanup(func() { require.NoError(w, w.db.Drop(context.Background(), user)) })
}

// Secret returns the secret of a user.
func (w *World) Secret(user, password string) string {
	text, err := json.Marshal(map[string]any{"engine": w.db.Engine, "host": w.db.Host, "port": w.db.Port, "dbname": w.db.DBName,
		"username": user, "password": password})
	require.NoError(w, err)
	return string(text)
}

// Pend puts an AWSPENDING version, as createSecret does.
func (w *World) Pend(user, password string) (id string) {
	out, err := secretsmanager.NewFromConfig(w.Server.Config()).PutSecretValue(w.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("db"), SecretString: aws.String(w.Secret(user, password)), VersionStages: []string{"AWSPENDING"}})
	require.NoError(w, err)
	return *out.VersionId
}

// Finish makes a version AWSCURRENT, as finishSecret does.
func (w *World) Finish(from, to string) {
	_, err := secretsmanager.NewFromConfig(w.Server.Config()).UpdateSecretVersionStage(w.Context(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String("db"), VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: &from, MoveToVersionId: &to})
	require.NoError(w, err)
}

// Rotate has workers query through rotations of a single user and of two that
// alternate, with a pool that keeps its connections, and with one that opens
// one for each query. No query may fail. Open opens a pool of [Connections] and
// returns a query that tells the user it ran as.
func Rotate(t *testing.T, db Database, open func(w *World, warm bool) func(context.Context) (user string, err error)) {
	for _, users := range []int{1, 2} {
		for _, warm := range []bool{true, false} {
			t.Run(fmt.Sprintf("users=%d,warm=%v", users, warm), func(t *testing.T) {
				w := NewWorld(t, db)
				password := func(i int) string { return fmt.Sprintf("%s %d'\"$:/@%%", w.name, i) }
				w.SetPassword(w.User(0), password(0))
				current := w.Server.SetSecret("db", w.Secret(w.User(0), password(0)))
				query := open(w, warm)
				load := start(t, query)
				defer load.stop()
				load.everyone()
				for i := range rotations {
					rejected := w.Client.Stats().Rejected
					user, old := w.User((i+1)%users), w.User(i%users)
					next := w.Pend(user, password(i+1))
					w.SetPassword(user, password(i+1))
					require.NoError(t, db.Login(t.Context(), user, password(i+1)))
					if err := db.Login(t.Context(), old, password(i)); users == 1 {
						require.True(t, sqlsecret.AuthFailed(err), "the old password stops working at once: %v", err)
					} else {
						require.NoError(t, err)
					}
					load.everyone()
					if users == 1 && !warm {
						require.Greater(t, w.Client.Stats().Rejected, rejected, "the gap was met")
					}
					w.Finish(current, next)
					current = next
					// Two rotations are farther apart than the client is behind, and than
					// a refused login is from the last look at the store.
					rest := time.After(secrets.DefaultRejectInterval)
					require.Eventually(t, func() bool {
						v, err := w.Client.Get(t.Context(), w.Ref)
						return err == nil && v.Version().ID == current
					}, time.Minute, 10*time.Millisecond)
					<-rest
				}
				load.everyone()
				load.stop()
				t.Logf("%d queries, %d failed, %d rejections", load.queries.Load(), load.failed.Load(), w.Client.Stats().Rejected)
				require.Zero(t, load.failed.Load())

				// A pool of database/sql may hand out once more what was in use just now.
				want := w.User(rotations % users)
				user, err := query(t.Context())
				for range Connections {
					if err != nil || user == want {
						break
					}
					user, err = query(t.Context())
				}
				require.NoError(t, err)
				require.Equal(t, want, user)
			})
		}
	}
}

// load is workers that query without pause.
type load struct {
	queries, failed atomic.Int64
	first           sync.Once
	round           atomic.Pointer[sync.WaitGroup]
	done            atomic.Bool
	workers         sync.WaitGroup
}

func start(t *testing.T, query func(context.Context) (string, error)) *load {
	l := new(load)
	for range Workers {
		l.workers.Go(func() {
			var seen *sync.WaitGroup
			for !l.done.Load() {
				round := l.round.Load()
				l.queries.Add(1)
				if _, err := query(t.Context()); err != nil {
					l.failed.Add(1)
					l.first.Do(func() { t.Errorf("the first query that failed: %v", err) })
				}
				if round != seen {
					seen = round
					round.Done()
				}
			}
		})
	}
	return l
}

// everyone waits until each worker has made a query that it began after now.
func (l *load) everyone() {
	round := new(sync.WaitGroup)
	round.Add(Workers)
	l.round.Store(round)
	round.Wait()
}

func (l *load) stop() {
	l.done.Store(true)
	l.workers.Wait()
}
