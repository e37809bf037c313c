// Package mongotarget rotates the password of a user of MongoDB or Amazon
// DocumentDB.
//
//	target := mongotarget.SingleUser(mongotarget.Options)
//	target := mongotarget.AlternatingUsers(mongotarget.Options, mongotarget.Master(client))
//
// The values are database secrets as AWS documents them ([secrets.DBSecret]), with
// engine mongo (or docdb), host, username and password. Users are those of the
// database that dbname names, admin if it names none, as in AWS's rotation
// functions (user guide, "AWS Secrets Manager rotation function templates").
//
// Strategies, refusals and encryption are as package sqltarget says, but that a
// secret without ssl is tried encrypted first, as AWS's functions do, and not as
// the guide has it for DocumentDB. A single user needs the action
// changeOwnPassword, a superuser viewUser, createUser, changePassword and
// grantRole. The clone gets the user's roles as it is made; later ones must be
// granted to both.
package mongotarget

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
	"github.com/c0629bfc/secrets/rotation"
	"github.com/c0629bfc/secrets/rotation/internal/dbuser"
)

// Connect turns a database secret into options of the driver, see [Options]. The
// secret's SSL is never nil, and to be heeded; its database is the one with the
// user.
type Connect func(secrets.DBSecret) (*options.ClientOptions, error)

// Options connects to the one host that a secret names, at port 27017 unless it
// says otherwise, and logs in to the database it names; with TLS, that verifies
// the server by the system's roots, if its ssl is true. For DocumentDB give it the
// roots of RDS:
//
//	func(s secrets.DBSecret) (*options.ClientOptions, error) {
//		o, err := mongotarget.Options(s)
//		if o.TLSConfig != nil {
//			o.TLSConfig.RootCAs = roots
//		}
//		return o, err
//	}
func Options(s secrets.DBSecret) (*options.ClientOptions, error) {
	if s.Port == 0 { // its engine is written as AWS does not
		s.Port = 27017
	}
	o := options.Client().SetHosts([]string{s.Addr()}).SetDirect(true).SetMaxPoolSize(1).SetServerSelectionTimeout(5 * time.Second).
		SetAuth(options.Credential{AuthSource: s.DBName, Username: s.Username, Password: s.Password()})
	if s.SSL != nil && *s.SSL {
		o.SetTLSConfig(&tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12})
	}
	return o, nil
}

// Superuser returns the secret of a user that may create users and set passwords,
// of the server that current is of. One without a host is taken to be of the same;
// any other must be. It is a user of admin, unless its secret names a database.
type Superuser func(ctx context.Context, current secrets.DBSecret) (provider.Value, error)

// Master returns the [Superuser] whose secret masterarn of the current one names.
// It is read from the store each time.
func Master(client *secrets.Client) Superuser { return dbuser.Master(client) }

// SingleUser returns a target for a user that changes its own password.
func SingleUser(connect Connect, opts ...Option) rotation.Target {
	return newTarget(connect, opts)
}

// AlternatingUsers returns a target for two users that take turns.
func AlternatingUsers(connect Connect, superuser Superuser, opts ...Option) rotation.Target {
	t := newTarget(connect, opts)
	t.Alternating, t.Superuser = true, dbuser.Superuser(superuser)
	return t
}

// Option configures a target.
type Option func(*dbuser.Target)

// WithPassword sets what makes passwords; the default is 32 characters, one of each
// type, none of /@"'\: as in AWS's functions.
func WithPassword(g rotation.Generator) Option {
	return func(t *dbuser.Target) { t.Generate = g }
}

// WithSuperuser has a superuser set the password of a single user, who need not be
// allowed to. The old password must still work.
func WithSuperuser(s Superuser) Option {
	return func(t *dbuser.Target) { t.Superuser = dbuser.Superuser(s) }
}

func newTarget(connect Connect, opts []Option) *dbuser.Target {
	t := &dbuser.Target{System: system{connect}}
	for _, opt := range opts {
		opt(t)
	}
	return t
}

// system is a [dbuser.System].
type system struct{ connect Connect }

func (system) Rules(s secrets.DBSecret) (dbuser.Rules, error) {
	switch strings.ToLower(s.Engine) {
	case "mongo", "mongodb", "docdb", "documentdb":
	default:
		return dbuser.Rules{}, errors.New(`the secret is not of MongoDB: its member "engine" has to be "mongo"`)
	}
	valid := func(user string) error {
		if strings.ContainsRune(user, 0) {
			return errors.New("the user name has a NUL in it")
		}
		return nil
	}
	return dbuser.Rules{
		Database:  "admin",
		Scoped:    true,
		Password:  rotation.Password{ExcludeCharacters: `/@"'\:`},
		Alternate: dbuser.Alternate("_clone", valid),
		Valid: func(user, password string) error {
			if strings.ContainsRune(password, 0) {
				return errors.New("the password has a NUL in it")
			}
			return valid(user)
		},
	}, nil
}

func (y system) Login(ctx context.Context, s secrets.DBSecret) (dbuser.Session, error) {
	o, err := y.connect(s)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, err
	}
	x := &session{client: client, db: client.Database(s.DBName)}
	if err := x.Check(ctx); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// Refused goes by codes: AuthenticationFailed, and UserNotFound.
func (system) Refused(err error) bool {
	var e mongo.CommandError
	return errors.As(err, &e) && (e.Code == 18 || e.Code == 11)
}

func (y system) Final(err error) bool { return y.Refused(err) }

// session is a [dbuser.Session].
type session struct {
	client *mongo.Client
	db     *mongo.Database // of the users
}

func (x *session) Change(ctx context.Context, _, pending secrets.DBSecret) error {
	return x.Set(ctx, pending)
}

func (x *session) Set(ctx context.Context, pending secrets.DBSecret) error {
	return x.users(pending).RunCommand(ctx, bson.D{{Key: "updateUser", Value: pending.Username}, {Key: "pwd", Value: pending.Password()}}).Err()
}

// Clone makes the user with its roles by one command.
func (x *session) Clone(ctx context.Context, current, pending secrets.DBSecret, _ string) error {
	_, found, err := x.roles(ctx, pending)
	if err != nil {
		return err
	}
	if found {
		return x.Set(ctx, pending)
	}
	roles, _, err := x.roles(ctx, current)
	if err != nil {
		return err
	}
	return x.users(pending).RunCommand(ctx, bson.D{{Key: "createUser", Value: pending.Username}, {Key: "pwd", Value: pending.Password()}, {Key: "roles", Value: roles}}).Err()
}

// Check asks what every user may.
func (x *session) Check(ctx context.Context) error {
	return x.db.RunCommand(ctx, bson.D{{Key: "connectionStatus", Value: 1}}).Err()
}

func (x *session) Close() error { return x.client.Disconnect(context.Background()) }

// users returns the database with a secret's user.
func (x *session) users(s secrets.DBSecret) *mongo.Database {
	if s.DBName == "" {
		return x.client.Database("admin")
	}
	return x.client.Database(s.DBName)
}

func (x *session) roles(ctx context.Context, s secrets.DBSecret) (roles bson.A, found bool, err error) {
	var info struct {
		Users []struct{ Roles bson.A }
	}
	if err := x.users(s).RunCommand(ctx, bson.D{{Key: "usersInfo", Value: s.Username}}).Decode(&info); err != nil {
		return nil, false, err
	}
	if len(info.Users) == 0 {
		return nil, false, nil
	}
	if info.Users[0].Roles == nil {
		return bson.A{}, true, nil
	}
	return info.Users[0].Roles, true, nil
}
