// Package mysqlsecret opens MySQL and MariaDB connections by go-sql-driver/mysql
// whose credentials follow the rotation of a secret:
//
//	connector, err := sqlsecret.New(ctx, client, "sm://prod/db", mysqlsecret.Connect(nil))
//	…
//	db := sql.OpenDB(connector)
//
// Package sqlsecret says what happens in a rotation, and when nothing works.
package mysqlsecret

import (
	"crypto/tls"
	"database/sql/driver"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/c0629bfc/secrets"
)

// Connect returns what [sqlsecret.New] wants, for go-sql-driver/mysql. Of the
// secret it takes user and password and, where they are there, host, port,
// database and ssl; of base, all else. A nil base is [mysql.NewConfig].
//
// A host of the secret replaces that of base, in its TLS configuration too; one
// that begins with a slash is a Unix socket. The secret's ssl true demands an
// encrypted connection where base does not; where base has no TLS configuration
// at all it is one that verifies the server by the system's roots. False weakens
// nothing that base demands.
func Connect(base *mysql.Config) func(secrets.DBSecret) (driver.Connector, error) {
	return func(s secrets.DBSecret) (driver.Connector, error) {
		return mysql.NewConnector(configure(base, s))
	}
}

func configure(base *mysql.Config, s secrets.DBSecret) *mysql.Config {
	if base == nil {
		base = mysql.NewConfig()
	}
	cfg := base.Clone()
	cfg.User, cfg.Passwd = s.Username, s.Password()
	if s.DBName != "" {
		cfg.DBName = s.DBName
	}
	if s.Host != "" {
		move(cfg, s)
	}
	if s.SSL != nil && *s.SSL && cfg.Net != "unix" {
		encrypt(cfg)
	}
	return cfg
}

// move makes cfg connect to the secret's host.
func move(cfg *mysql.Config, s secrets.DBSecret) {
	if strings.HasPrefix(s.Host, "/") {
		cfg.Net, cfg.Addr = "unix", s.Host
		return
	}
	if cfg.Net == "" || cfg.Net == "unix" { // else TCP or a dialer of the program's
		cfg.Net, cfg.Addr = "tcp", ""
	}
	old, port, err := net.SplitHostPort(cfg.Addr)
	switch {
	case s.Port != 0:
		cfg.Addr = s.Addr()
	case err == nil:
		cfg.Addr = net.JoinHostPort(s.Host, port)
	default:
		cfg.Addr = net.JoinHostPort(s.Host, "3306")
	}
	if cfg.TLS != nil && old != "" && cfg.TLS.ServerName == old {
		cfg.TLS.ServerName = s.Host // of a clone
	}
}

// encrypt makes cfg refuse what is not encrypted.
func encrypt(cfg *mysql.Config) {
	cfg.AllowFallbackToPlaintext = false
	switch {
	case cfg.TLS != nil:
	case cfg.TLSConfig == "" || cfg.TLSConfig == "false":
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12} // the driver adds the name of the host
	case cfg.TLSConfig == "preferred":
		cfg.TLSConfig = "skip-verify" // as it is, but for the fallback
	}
}
