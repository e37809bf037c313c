// Database rotates the password of a PostgreSQL user three times while many
// goroutines query through one pool, and no query fails.
//
//	cd examples/database && go run .
//
// needs no AWS account and no database: an embedded server stands in for AWS,
// and PostgreSQL runs in a temporary directory if it is installed. The rotation
// is the hard one, of a single user: once the password is changed in the
// database the old one is refused, and the secret still has the old one as
// AWSCURRENT. Connections live for a quarter of a second here, so that new ones
// are opened all the time.
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/sqlsecret"
	"github.com/c0629bfc/secrets/sqlsecret/pgxsecret"
)

const (
	workers   = 50
	lifetime  = 250 * time.Millisecond // of a connection
	rotations = 3
	phase     = 1500 * time.Millisecond // longer than a Reject is limited to
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background()); errors.Is(err, errNotInstalled) {
		fmt.Println(err)
	} else if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	database, err := startPostgres(ctx)
	if err != nil {
		return err
	}
	defer database.stop()
	server, err := secretstest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	rotation := &rotation{database: database, api: secretsmanager.NewFromConfig(server.Config())}
	if err := rotation.create(ctx); err != nil {
		return err
	}

	// This is all that a service does.
	client, err := secrets.New(secrets.WithProvider(sm.New(server.Config())))
	if err != nil {
		return err
	}
	defer client.Close()
	connector, err := sqlsecret.New(ctx, client, "sm://prod/db", pgxsecret.Connect(nil))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()

	db.SetMaxOpenConns(workers)
	db.SetMaxIdleConns(workers)
	db.SetConnMaxLifetime(lifetime)
	return load(ctx, db, client, rotation)
}

// load queries through the rotations and prints what happened in each phase.
func load(ctx context.Context, db *sql.DB, client *secrets.Client, r *rotation) error {
	var queries, failed atomic.Int64
	var wg sync.WaitGroup
	var done atomic.Bool
	defer wg.Wait()
	defer done.Store(true)
	for range workers {
		wg.Go(func() {
			for !done.Load() {
				var n int
				if err := db.QueryRowContext(ctx, "SELECT 1").Scan(&n); err != nil {
					failed.Add(1)
					log.Print(err)
				}
				queries.Add(1)
			}
		})
	}

	fmt.Printf("%d workers query through a pool whose connections live %v each.\n", workers, lifetime)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PHASE\tTHE DATABASE HAS\tAWSCURRENT\tCONNECTIONS OPENED\tREJECTED\tQUERIES\tFAILED")
	report := func(name string) {
		queriesBefore, failedBefore := queries.Load(), failed.Load()
		openedBefore, refusedBefore := opened(db), client.Stats().Rejected
		time.Sleep(phase)
		fmt.Fprintf(w, "%s\tpassword %d\tpassword %d\t%d\t%d\t%d\t%d\n", name, r.inDatabase, r.current,
			opened(db)-openedBefore, client.Stats().Rejected-refusedBefore, queries.Load()-queriesBefore, failed.Load()-failedBefore)
	}
	report("before")
	for i := range rotations {
		if err := r.set(ctx); err != nil {
			return err
		}
		report(fmt.Sprintf("rotation %d: set", i+1))
		if err := r.finish(ctx); err != nil {
			return err
		}
		report(fmt.Sprintf("rotation %d: finished", i+1))
	}
	_ = w.Flush()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d queries failed", n)
	}
	return nil
}

// opened returns about how many connections the pool has opened: those that it
// has, and those that it closed for their age.
func opened(db *sql.DB) int64 {
	s := db.Stats()
	return int64(s.OpenConnections) + s.MaxLifetimeClosed
}

// rotation is what a rotation function does, as package rotation has it ready:
// here with the steps apart, to see what happens between them.
type rotation struct {
	database            *postgres
	api                 *secretsmanager.Client
	inDatabase, current int // which password
	version, pending    *string
}

// create makes the user and the secret.
func (r *rotation) create(ctx context.Context) error {
	password := rand.Text()
	if _, err := r.database.admin.Exec(ctx, "CREATE USER app PASSWORD '"+password+"'"); err != nil {
		return err
	}
	out, err := r.api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("prod/db"), SecretString: r.secret(password)})
	if err != nil {
		return err
	}
	r.version, r.inDatabase, r.current = out.VersionId, 1, 1
	return nil
}

// set is createSecret and setSecret: from here on the old password is refused.
func (r *rotation) set(ctx context.Context) error {
	password := rand.Text()
	out, err := r.api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("prod/db"), SecretString: r.secret(password), VersionStages: []string{"AWSPENDING"}})
	if err != nil {
		return err
	}
	if _, err := r.database.admin.Exec(ctx, "ALTER USER app PASSWORD '"+password+"'"); err != nil {
		return err
	}
	r.pending, r.inDatabase = out.VersionId, r.inDatabase+1
	return nil
}

// finish is finishSecret.
func (r *rotation) finish(ctx context.Context) error {
	_, err := r.api.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String("prod/db"), VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: r.version, MoveToVersionId: r.pending})
	r.version, r.current = r.pending, r.inDatabase
	return err
}

// secret returns the secret as RDS has it.
func (r *rotation) secret(password string) *string {
	text, _ := json.Marshal(map[string]any{"engine": "postgres", "host": "127.0.0.1", "port": r.database.port, "dbname": "postgres",
		"username": "app", "password": password}) // strings and numbers always encode
	return aws.String(string(text))
}
