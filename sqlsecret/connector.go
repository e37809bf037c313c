package sqlsecret

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/c0629bfc/secrets"
)

// Connector opens connections with the credentials that a database accepts now.
// It is a [driver.Connector] for [database/sql.OpenDB], and safe for concurrent
// use. [Credentials.Login] says what happens when the database refuses them.
//
// Connections that it opened are closed when the credentials have been replaced
// ([WithKeepConnections] lets them live): as they return to the pool, or when it
// is about to hand out one that was idle for a second or more. To take note of
// that it wraps the driver's connections, with all the optional interfaces that
// they have and database/sql looks for. What a program wants of the driver's own
// type is behind [DriverConn].
type Connector struct {
	credentials *Credentials
	connect     func(secrets.DBSecret) (driver.Connector, error)
	driver      driver.Driver
}

// New reads the database secret that ref names and returns a connector that
// follows it. Connect turns the secret into the connector of a driver; it is
// called for each connection that is opened, and now, to find out early if it
// cannot. No connection is opened yet.
//
// Close of the [database/sql.DB] closes the connector too.
func New(ctx context.Context, client *secrets.Client, ref string, connect func(secrets.DBSecret) (driver.Connector, error), opts ...Option) (*Connector, error) {
	if connect == nil {
		return nil, fmt.Errorf("%s: connect is nil: want a function that makes a driver's connector, as pgxsecret.Connect does", ref)
	}
	credentials, err := Bind(ctx, client, ref, opts...)
	if err != nil {
		return nil, err
	}
	s := credentials.handle.Load()
	first, err := connect(s)
	if err == nil && first == nil {
		err = errors.New("connect returned no connector")
	}
	if err != nil {
		credentials.Close()
		return nil, fmt.Errorf("%s: %w", ref, withoutPassword(err, s))
	}
	return &Connector{credentials, connect, first.Driver()}, nil
}

// Connect implements [driver.Connector].
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	var conn driver.Conn
	lease, err := c.credentials.Login(ctx, func(ctx context.Context, s secrets.DBSecret) error {
		connector, err := c.connect(s)
		if err != nil {
			return err
		}
		conn, err = connector.Connect(ctx)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case c.credentials.keep:
		return conn, nil
	}
	return wrap(conn, lease), nil
}

// Driver implements [driver.Connector]: it returns that of the connector that
// connect made.
func (c *Connector) Driver() driver.Driver { return c.driver }

// Close ends what New began. Connections live on.
func (c *Connector) Close() error {
	c.credentials.Close()
	return nil
}
