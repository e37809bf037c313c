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

				var queries, failed atomic.Int64
				var first sync.Once
				var wg sync.WaitGroup
				var done atomic.Bool
				for range Workers {
					wg.Go(func() {
						for !done.Load() {
							queries.Add(1)
							if _, err := query(t.Context()); err != nil {
								failed.Add(1)
								first.Do(func() { t.Errorf("the first query that failed: %v", err) })
							}
						}
					})
				}
				for i := range rotations {
					wait(t, 1200*time.Millisecond)
					user, old := w.User((i+1)%users), w.User(i%users)
					next := w.Pend(user, password(i+1))
					w.SetPassword(user, password(i+1))
					require.NoError(t, db.Login(t.Context(), user, password(i+1)))
					if err := db.Login(t.Context(), old, password(i)); users == 1 {
						require.True(t, sqlsecret.AuthFailed(err), "the old password stops working at once: %v", err)
					} else {
						require.NoError(t, err)
					}
					wait(t, 700*time.Millisecond)
					w.Finish(current, next)
					current = next
				}
				wait(t, 1500*time.Millisecond)
				done.Store(true)
				wg.Wait()
				t.Logf("%d queries, %d failed, %d rejections", queries.Load(), failed.Load(), w.Client.Stats().Rejected)
				require.Zero(t, failed.Load())
				require.Greater(t, queries.Load(), int64(Workers))
				if users == 1 && !warm {
					require.Positive(t, w.Client.Stats().Rejected, "the gap was met")
				}
				user, err := query(t.Context())
				require.NoError(t, err)
				require.Equal(t, w.User(rotations%users), user)
			})
		}
	}
}

// wait lets the pool work for a while.
func wait(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
