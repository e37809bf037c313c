// Package sqlsecret opens database connections whose credentials follow the
// rotation of a secret, for database/sql over any driver:
//
//	connector, err := sqlsecret.New(ctx, client, "sm://prod/db",
//		func(s secrets.DBSecret) (driver.Connector, error) {
//			cfg := mysql.NewConfig()
//			cfg.Net, cfg.Addr, cfg.DBName = "tcp", s.Addr(), s.DBName
//			cfg.User, cfg.Passwd = s.Username, s.Password()
//			return mysql.NewConnector(cfg)
//		})
//	…
//	db := sql.OpenDB(connector) // db.Close closes the connector
//
// The modules sqlsecret/pgxsecret and sqlsecret/mysqlsecret have the function
// ready for pgx and for go-sql-driver/mysql, and the first has the same for
// pgxpool, without database/sql.
//
// # What happens in a rotation
//
// New connections use the current version of the secret. A rotation changes the
// password in the database before the new version is current (Secrets Manager
// user guide, "Rotation by Lambda function": setSecret comes before
// finishSecret), and from then on a login with the current one is refused. It
// then tries AWSPENDING and AWSPREVIOUS, in the same call ([Credentials.Login]),
// so that whoever wanted a connection gets one. While the current version is
// refused, new connections begin with the one that worked, and one login now and
// then looks at the current one again.
//
// Connections that are open live through all that: a database asks for a
// password at login only. Once a new version is in use, each that was opened
// with another is closed when it is not in use.
//
// A failed query on an open connection is not repeated, whatever its error.
//
// # When nothing works
//
// A credential that is simply wrong cools down: logins fail at once, with an
// error that names the ref and wraps [secrets.ErrRejected] and the database's,
// and one of them tries again after a second, then two, four, up to 30
// ([WithCoolDown]). A new version of the secret ends that at once.
package sqlsecret
