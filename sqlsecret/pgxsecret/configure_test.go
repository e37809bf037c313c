package pgxsecret

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/provider"
)

func secret(t *testing.T, text string) secrets.DBSecret {
	s, err := secrets.JSON[secrets.DBSecret](provider.NewValue(provider.Ref{}, provider.Version{}, provider.SecretString, text))
	require.NoError(t, err)
	return s
}

func TestConfigure(t *testing.T) {
	// how tells the ways to connect: where to, and the name that is verified, or
	// "-" where none is and "plain" where nothing is encrypted.
	how := func(cfg *pgx.ConnConfig) (ways []string) {
		add := func(host, name string) { ways = append(ways, host+" "+name) }
		if cfg.TLSConfig == nil {
			add(cfg.Host, "plain")
		} else if cfg.TLSConfig.InsecureSkipVerify {
			add(cfg.Host, "-")
		} else {
			add(cfg.Host, cfg.TLSConfig.ServerName)
		}
		for _, f := range cfg.Fallbacks {
			switch {
			case f.TLSConfig == nil:
				add(f.Host, "plain")
			case f.TLSConfig.InsecureSkipVerify:
				add(f.Host, "-")
			default:
				add(f.Host, f.TLSConfig.ServerName)
			}
		}
		return ways
	}
	for _, c := range []struct {
		base, secret string
		port         uint16
		db           string
		ways         []string
	}{
		{"host=old port=1 dbname=d sslmode=verify-full", ``, 1, "d", []string{"old old"}},
		{"host=old port=1 dbname=d sslmode=verify-full", `,"host":"new","port":2,"dbname":"e"`, 2, "e", []string{"new new"}},
		{"host=old port=1 dbname=d sslmode=verify-full", `,"host":"new","ssl":false`, 1, "d", []string{"new new"}},
		{"host=old port=1 dbname=d sslmode=prefer", `,"host":"new"`, 1, "d", []string{"new -", "new plain"}},
		{"host=old port=1 dbname=d sslmode=prefer", `,"host":"new","ssl":true`, 1, "d", []string{"new -"}},
		{"host=old port=1 dbname=d sslmode=allow", `,"ssl":true`, 1, "d", []string{"old -"}},
		{"host=old port=1 dbname=d sslmode=disable", `,"host":"new","ssl":true`, 1, "d", []string{"new new"}},
		{"host=old,other port=1,1 dbname=d sslmode=disable", ``, 1, "d", []string{"old plain", "other plain"}},
		{"host=old,other port=1,1 dbname=d sslmode=disable", `,"host":"new"`, 1, "d", []string{"new plain"}},
		// pgx makes no TLS configuration for a socket.
		{"host=/run port=1 dbname=d sslmode=verify-full", `,"host":"new"`, 1, "d", []string{"new new"}},
		{"host=/run port=1 dbname=d sslmode=verify-full", `,"ssl":true`, 1, "d", []string{"/run plain"}},
		{"postgres:///d?host=/run&port=1&sslmode=verify-full", `,"host":"new","port":2`, 2, "d", []string{"new new"}},
		{"postgres:///d?host=/run&port=1&sslmode=prefer", `,"host":"new"`, 1, "d", []string{"new -", "new plain"}},
	} {
		base, err := pgx.ParseConfig(c.base)
		require.NoError(t, err)
		before := how(base)
		cfg, err := configure(base, secret(t, `{"username":"u","password":"p"`+c.secret+"}"))
		require.NoError(t, err)
		require.Equal(t, []string{"u", "p", c.db}, []string{cfg.User, cfg.Password, cfg.Database})
		require.Equal(t, c.port, cfg.Port, "%s %s", c.base, c.secret)
		require.Equal(t, c.ways, how(cfg), "%s %s", c.base, c.secret)
		require.Equal(t, before, how(base), "base is not changed")
	}
	cfg, err := configure(nil, secret(t, `{"username":"u","password":"p","engine":"postgres","host":"new"}`))
	require.NoError(t, err)
	require.Equal(t, "new", cfg.Host)
	require.EqualValues(t, 5432, cfg.Port)
}
