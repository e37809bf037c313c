package pgxsecret

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/c0629bfc/secrets"
)

// configure returns base with what the secret says.
func configure(base *pgx.ConnConfig, s secrets.DBSecret) (*pgx.ConnConfig, error) {
	if base == nil {
		var err error
		if base, err = pgx.ParseConfig(""); err != nil {
			return nil, err
		}
	}
	cfg := base.Copy()
	cfg.User, cfg.Password = s.Username, s.Password()
	if s.DBName != "" {
		cfg.Database = s.DBName
	}
	if s.Host != "" {
		if err := move(cfg, s.Host, uint16(s.Port)); err != nil {
			return nil, err
		}
	}
	if s.SSL != nil && *s.SSL && !local(cfg.Host) {
		encrypt(cfg)
	}
	return cfg, nil
}

// local reports whether a host is the directory of a Unix socket.
func local(host string) bool { return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") }

// move makes cfg connect to a host. A port of 0 leaves the port.
func move(cfg *pgx.ConnConfig, host string, port uint16) error {
	if port == 0 {
		port = cfg.Port
	}
	old, oldPort := cfg.Host, cfg.Port
	if local(old) && !local(host) && cfg.TLSConfig == nil && len(cfg.Fallbacks) == 0 {
		// pgx makes no TLS configuration for a socket, whatever sslmode says.
		target, err := pgx.ParseConfig(withHost(cfg.ConnString(), host, port))
		if err != nil {
			return fmt.Errorf("pgxsecret: the connection string with the secret's host: %w", err)
		}
		cfg.TLSConfig, cfg.Fallbacks = target.TLSConfig, target.Fallbacks
		old, oldPort = target.Host, target.Port
	}
	cfg.Host, cfg.Port, cfg.TLSConfig = host, port, named(cfg.TLSConfig, old, host)
	var fallbacks []*pgconn.FallbackConfig
	for _, f := range cfg.Fallbacks { // those for the same host differ by TLS
		if f.Host == old && f.Port == oldPort {
			fallbacks = append(fallbacks, &pgconn.FallbackConfig{Host: host, Port: port, TLSConfig: named(f.TLSConfig, old, host)})
		}
	}
	cfg.Fallbacks = fallbacks
	return nil
}

// withHost adds a host to a connection string of either form.
func withHost(s, host string, port uint16) string {
	p := strconv.Itoa(int(port))
	if u, err := url.Parse(s); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		u.Host = net.JoinHostPort(host, p)
		q := u.Query()
		q.Del("host")
		q.Del("port")
		u.RawQuery = q.Encode()
		return u.String()
	}
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(host)
	return s + " host='" + quoted + "' port=" + p
}

// named returns a TLS configuration for another server.
func named(c *tls.Config, old, host string) *tls.Config {
	if c == nil || c.ServerName != old && (c.ServerName != "" || c.InsecureSkipVerify) {
		return c
	}
	c = c.Clone()
	c.ServerName = host
	return c
}

// encrypt leaves only what is encrypted of the ways to connect.
func encrypt(cfg *pgx.ConnConfig) {
	cfg.Fallbacks = slices.DeleteFunc(slices.Clone(cfg.Fallbacks), func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil })
	switch {
	case cfg.TLSConfig != nil:
	case len(cfg.Fallbacks) > 0:
		f := cfg.Fallbacks[0]
		cfg.Host, cfg.Port, cfg.TLSConfig, cfg.Fallbacks = f.Host, f.Port, f.TLSConfig, cfg.Fallbacks[1:]
	default:
		cfg.TLSConfig = &tls.Config{ServerName: cfg.Host, MinVersion: tls.VersionTLS12}
	}
}
