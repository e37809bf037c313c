// Package redistarget rotates the password of a Redis or Valkey ACL user.
//
//	target := redistarget.New(redistarget.Options, redistarget.WithSuperuser(redistarget.Master(client)))
//
// An ACL user may have several passwords (Redis documentation, ACL SETUSER). Set
// gives it the pending one beside the current one, in one command, and takes all
// others: so both work until the next rotation, and no reader meets a gap. That
// is what AWS's function for ElastiCache users does. ElastiCache and MemoryDB do
// not let clients run ACL SETUSER; there a target of one's own calls ModifyUser
// or UpdateUser.
//
// The values are JSON as of [secrets.DBSecret], with host, username, password and
// ssl; the port is 6379 unless it says otherwise, the user "default" is one as any
// other. Of a cluster every node is told, since ACLs are not replicated; replicas
// outside a cluster and nodes that join must be told otherwise, as by an ACL file.
// Where the server has an ACL file it is saved (ACL SAVE).
package redistarget

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
)

// Superuser returns the secret of a user that may run ACL SETUSER, of the server
// that current is of. One without a host is taken to be of the same; any other
// must be.
type Superuser func(ctx context.Context, current secrets.DBSecret) (provider.Value, error)

// Master returns the [Superuser] whose secret masterarn of the current one names.
// It is read from the store each time.
func Master(client *secrets.Client) Superuser { return dbuser.Master(client) }

// Options returns what connects to the server that a secret names: with TLS if its
// ssl is true.
func Options(s secrets.DBSecret) (*redis.UniversalOptions, error) {
	port := s.Port
	if port == 0 {
		port = 6379
	}
	o := &redis.UniversalOptions{Addrs: []string{net.JoinHostPort(s.Host, strconv.Itoa(port))}, Username: s.Username, Password: s.Password()}
	if s.SSL != nil && *s.SSL {
		o.TLSConfig = &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// New returns a target. Connect turns a secret into what [redis.NewUniversalClient]
// takes, see [Options]; the secret's SSL is never nil there. Where the secret does
// not say, connect is asked for TLS first and without it if that fails, but for a
// wrong password.
func New(connect func(secrets.DBSecret) (*redis.UniversalOptions, error), opts ...Option) rotation.Target {
	t := &target{connect: connect, generate: rotation.Password{ExcludeCharacters: `/@"'\`}.Generate}
	for _, opt := range opts {
		opt(t)
	}
	return t
}

// Option configures [New].
type Option func(*target)

// WithPassword sets what makes passwords; the default is 32 characters, one of each
// type, none of /@"'\ as in AWS's function for ElastiCache users.
func WithPassword(g rotation.Generator) Option { return func(t *target) { t.generate = g } }

// WithSuperuser has another user set the password; the default is the user itself,
// who must then be allowed to run ACL SETUSER, and so may give itself any right.
// The current or the previous password must still work.
func WithSuperuser(s Superuser) Option { return func(t *target) { t.superuser = s } }

type target struct {
	connect   func(secrets.DBSecret) (*redis.UniversalOptions, error)
	generate  rotation.Generator
	superuser Superuser
}

// Next implements [rotation.Target].
func (t *target) Next(ctx context.Context, current provider.Value) (string, error) {
	s, err := secrets.JSON[secrets.DBSecret](current)
	if err != nil {
		return "", err
	}
	password, err := t.generate(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: %w", current.Ref(), err)
	}
	return s.With(s.Username, password).JSON()
}

// Set implements [rotation.Target].
func (t *target) Set(ctx context.Context, current, pending, previous provider.Value) error {
	c, err := secrets.JSON[secrets.DBSecret](current)
	if err != nil {
		return err
	}
	p, err := secrets.JSON[secrets.DBSecret](pending)
	if err != nil {
		return err
	}
	if err := t.set(ctx, c, p, previous); err != nil {
		return fmt.Errorf("%s: %w", pending.Ref(), err)
	}
	return nil
}

// Test implements [rotation.Target].
func (t *target) Test(ctx context.Context, pending provider.Value) error {
	p, err := secrets.JSON[secrets.DBSecret](pending)
	if err != nil {
		return err
	}
	client, err := t.login(ctx, p)
	if err != nil {
		return fmt.Errorf("%s: log in as %q with the pending password: %w", pending.Ref(), p.Username, err)
	}
	return client.Close()
}

func (t *target) set(ctx context.Context, current, pending secrets.DBSecret, previous provider.Value) error {
	if err := dbuser.Match(pending, current); err != nil {
		return err
	}
	client, err := t.login(ctx, pending)
	switch {
	case err == nil:
		defer client.Close()
	case !refused(err):
		return err
	default:
		if client, err = t.login(ctx, current); err != nil {
			o, derr := secrets.JSON[secrets.DBSecret](previous)
			if !refused(err) || derr != nil || dbuser.Match(o, current) != nil {
				return fmt.Errorf("log in as %q with the current password: %w", current.Username, err)
			}
			if client, err = t.login(ctx, o); err != nil {
				return fmt.Errorf("log in as %q: the server refuses the pending, the current and the previous password: %w", current.Username, err)
			}
		}
		defer client.Close()
	}
	if t.superuser != nil {
		v, err := t.superuser(ctx, current)
		if err != nil {
			return fmt.Errorf("the superuser's secret: %w", err)
		}
		super, err := dbuser.SuperuserOf(v, current)
		if err != nil {
			return err
		}
		admin, err := t.login(ctx, super)
		if err != nil {
			return fmt.Errorf("log in as the superuser %q: %w", super.Username, err)
		}
		defer admin.Close()
		client = admin
	}
	return each(ctx, client, func(ctx context.Context, node redis.UniversalClient) error {
		// Hashes, so that no password is in MONITOR, the slow log or an error. What
		// is set already costs no more than to see that it is.
		if err := node.Do(ctx, "ACL", "SETUSER", current.Username, "resetpass", "#"+hash(current), "#"+hash(pending)).Err(); err != nil {
			return err
		}
		err := node.Do(ctx, "ACL", "SAVE").Err()
		if err != nil && strings.Contains(err.Error(), "not configured to use an ACL file") {
			return nil
		}
		return err
	})
}

func hash(s secrets.DBSecret) string {
	sum := sha256.Sum256([]byte(s.Password()))
	return hex.EncodeToString(sum[:])
}

// each calls do for every node of a cluster, or for the one there is.
func each(ctx context.Context, client redis.UniversalClient, do func(context.Context, redis.UniversalClient) error) error {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.ForEachShard(ctx, func(ctx context.Context, node *redis.Client) error { return do(ctx, node) })
	}
	return do(ctx, client)
}

// login returns a client that has logged in.
func (t *target) login(ctx context.Context, s secrets.DBSecret) (redis.UniversalClient, error) {
	if s.Host == "" {
		return nil, errors.New(`the secret has no host: add the member "host"`)
	}
	attempts := []bool{true, false}
	if s.SSL != nil {
		attempts = []bool{*s.SSL}
	}
	var errs []error
	for _, ssl := range attempts {
		s.SSL = &ssl
		o, err := t.connect(s)
		if err != nil {
			return nil, err
		}
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true // a server without TLS does not answer to it
		client := redis.NewUniversalClient(o)
		err = each(ctx, client, func(ctx context.Context, node redis.UniversalClient) error {
			// A user without the right to PING has logged in none the less.
			if err := node.Ping(ctx).Err(); err != nil && !strings.HasPrefix(err.Error(), "NOPERM") {
				return err
			}
			return nil
		})
		if err == nil {
			return client, nil
		}
		errs = append(errs, err, client.Close())
		if refused(err) {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// refused tells that the server refused a login: WRONGPASS, also for a user that
// does not exist or is off.
func refused(err error) bool {
	var e redis.Error
	return errors.As(err, &e) && strings.HasPrefix(e.Error(), "WRONGPASS")
}
