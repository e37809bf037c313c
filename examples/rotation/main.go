// Rotation rotates the passwords of two services every two seconds, while both
// query PostgreSQL through their pools, and no query fails.
//
//	cd examples/rotation && go run .
//
// needs no AWS account and no database: an embedded server stands in for AWS,
// and PostgreSQL runs in a temporary directory if it is installed.
//
// The one service has its credentials in a secret of Secrets Manager, for a
// single user that changes its own password: from then on the old one is refused,
// while the secret still has it as the current one. The other has them in a
// parameter of Parameter Store, for two users that take turns. Connections live
// for a quarter of a second, so that new ones are opened all the time.
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/sqltarget"
	"github.com/c0629bfc/secrets/secretstest"
	"github.com/c0629bfc/secrets/sm"
	"github.com/c0629bfc/secrets/sqlsecret"
	"github.com/c0629bfc/secrets/sqlsecret/pgxsecret"
	"github.com/c0629bfc/secrets/ssm"
)

const (
	workers  = 10                     // of each service
	lifetime = 250 * time.Millisecond // of a connection
	period   = 2 * time.Second        // between rotations
	length   = 10 * time.Second
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
	if err := create(ctx, database, server); err != nil {
		return err
	}
	smStore, ssmStore := sm.New(server.Config()), ssm.New(server.Config())

	// The services. They know nothing of rotation.
	client, err := secrets.New(secrets.WithProvider(smStore), secrets.WithProvider(ssmStore))
	if err != nil {
		return err
	}
	defer client.Close()
	orders, err := start(ctx, client, "sm://prod/orders/db")
	if err != nil {
		return err
	}
	defer orders.stop()
	reports, err := start(ctx, client, "ssm:///prod/reports/db")
	if err != nil {
		return err
	}
	defer reports.stop()

	// What rotates, usually in a process or a Lambda function of its own. With
	// rotation.NewScheduler it follows a schedule in AWS's syntax.
	admin, err := secrets.New(secrets.WithProvider(smStore))
	if err != nil {
		return err
	}
	defer admin.Close()
	orders.rotate(ctx, smStore, sqltarget.SingleUser(pgxsecret.Connect(nil)))
	reports.rotate(ctx, ssmStore, sqltarget.AlternatingUsers(pgxsecret.Connect(nil), sqltarget.Master(admin)))

	return watch(client, orders, reports)
}

// service queries through a pool.
type service struct {
	ref                        string
	db                         *sql.DB
	queries, failed, rotations atomic.Int64
	user                       atomic.Value // whom the last query ran as
	done                       chan struct{}
	wg                         sync.WaitGroup
	err                        error // of a rotation
}

func start(ctx context.Context, client *secrets.Client, ref string) (*service, error) {
	connector, err := sqlsecret.New(ctx, client, ref, pgxsecret.Connect(nil))
	if err != nil {
		return nil, err
	}
	s := &service{ref: ref, db: sql.OpenDB(connector), done: make(chan struct{})}
	s.db.SetMaxOpenConns(workers)
	s.db.SetMaxIdleConns(workers)
	s.db.SetConnMaxLifetime(lifetime)
	for range workers {
		s.wg.Go(func() {
			for !s.over() {
				var user string
				if err := s.db.QueryRowContext(ctx, "SELECT current_user").Scan(&user); err != nil {
					s.failed.Add(1)
					log.Print(err)
				} else {
					s.user.Store(user)
				}
				s.queries.Add(1)
			}
		})
	}
	return s, nil
}

func (s *service) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// rotate rotates the service's password until the service stops.
func (s *service) rotate(ctx context.Context, store provider.Rotator, target rotation.Target) {
	quiet := rotation.WithLogger(slog.New(slog.DiscardHandler))
	s.wg.Go(func() {
		for {
			select {
			case <-s.done:
				return
			case <-time.After(period):
			}
			if s.err = rotation.Rotate(ctx, store, s.ref, target, quiet); s.err != nil {
				return
			}
			s.rotations.Add(1)
		}
	})
}

func (s *service) stop() {
	if !s.over() {
		close(s.done)
	}
	s.wg.Wait()
	_ = s.db.Close()
}

// watch prints the counts each second, and stops the services.
func watch(client *secrets.Client, services ...*service) error {
	fmt.Printf("%d workers each query through pools whose connections live %v; each password is rotated every %v.\n", workers, lifetime, period)
	w := tabwriter.NewWriter(os.Stdout, 9, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SECOND\tREF                   \tUSER       \tROTATIONS\tQUERIES\tFAILED")
	began := time.Now()
	for time.Since(began) < length {
		time.Sleep(time.Second)
		for _, s := range services {
			fmt.Fprintf(w, "%.0f\t%-22s\t%-11v\t%d\t%d\t%d\n", time.Since(began).Seconds(), s.ref, s.user.Load(), s.rotations.Load(), s.queries.Load(), s.failed.Load())
		}
		_ = w.Flush()
	}
	var errs []error
	for _, s := range services {
		s.stop()
		if s.err != nil {
			errs = append(errs, s.err)
		}
		if n := s.failed.Load(); n > 0 {
			errs = append(errs, fmt.Errorf("%s: %d queries failed", s.ref, n))
		}
		if s.rotations.Load() == 0 {
			errs = append(errs, fmt.Errorf("%s was not rotated", s.ref))
		}
	}
	fmt.Printf("%d refused passwords were replaced before a query noticed.\n", client.Stats().Rejected)
	return errors.Join(errs...)
}

// create makes the users, and what the stores have of them.
func create(ctx context.Context, database *postgres, server *secretstest.Server) error {
	secret := func(user string) (string, error) {
		password := rand.Text()
		options := map[string]string{"master": "SUPERUSER"}[user]
		if _, err := database.admin.Exec(ctx, "CREATE ROLE "+user+" LOGIN "+options+" PASSWORD '"+password+"'"); err != nil {
			return "", err
		}
		text, err := json.Marshal(map[string]any{"engine": "postgres", "host": "127.0.0.1", "port": database.port, "dbname": "postgres",
			"username": user, "password": password, "masterarn": "sm://prod/master"})
		return string(text), err
	}
	master, err1 := secret("master")
	orders, err2 := secret("orders")
	reports, err3 := secret("reports")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	server.SetSecret("prod/master", master)
	server.SetSecret("prod/orders/db", orders)
	server.SetSecureParameter("/prod/reports/db", reports)
	return nil
}
