package mysqlsecret

import (
	"crypto/tls"
	"testing"

	"github.com/go-sql-driver/mysql"
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
	base := func(dsn string) *mysql.Config {
		cfg, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		return cfg
	}
	const creds = `"username":"u","password":"p"`
	for _, c := range []struct {
		base           *mysql.Config
		secret         string
		net, addr, db  string
		verify         string // the name that is verified
		tls, plaintext bool
	}{
		{base("a:b@tcp(old:1)/d?tls=true"), ``, "tcp", "old:1", "d", "old", true, false},
		{base("a:b@tcp(old:1)/d?tls=true"), `,"host":"new","port":2,"dbname":"e"`, "tcp", "new:2", "e", "new", true, false},
		{base("a:b@tcp(old:1)/d"), `,"host":"new"`, "tcp", "new:1", "d", "", false, false},
		{base("a:b@tcp(old:1)/d"), `,"host":"::1","ssl":true`, "tcp", "[::1]:1", "d", "::1", true, false},
		{base("a:b@tcp(old:1)/d?tls=preferred"), `,"ssl":true`, "tcp", "old:1", "d", "", true, false},
		{base("a:b@tcp(old:1)/d?tls=preferred"), `,"ssl":false`, "tcp", "old:1", "d", "", true, true},
		{&mysql.Config{TLSConfig: "preferred"}, `,"host":"new","ssl":true`, "tcp", "new:3306", "", "", true, false},
		{base("a:b@unix(/sock)/d"), `,"ssl":true`, "unix", "/sock", "d", "", false, false},
		{base("a:b@unix(/sock)/d"), `,"host":"new","ssl":true`, "tcp", "new:3306", "d", "new", true, false},
		{nil, `,"host":"/sock"`, "unix", "/sock", "", "", false, false},
		{nil, `,"engine":"mysql","host":"new"`, "tcp", "new:3306", "", "", false, false},
	} {
		var before *tls.Config
		if c.base != nil {
			before = c.base.TLS.Clone()
		}
		cfg := configure(c.base, secret(t, "{"+creds+c.secret+"}"))
		connector, err := mysql.NewConnector(cfg)
		require.NoError(t, err)
		require.NotNil(t, connector)
		require.Equal(t, []string{"u", "p", c.net, c.addr, c.db}, []string{cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName}, c.secret)
		require.Equal(t, c.plaintext, cfg.AllowFallbackToPlaintext, c.secret)
		require.Equal(t, c.tls, cfg.TLS != nil || cfg.TLSConfig == "skip-verify", c.secret)
		if c.verify != "" && cfg.TLS.ServerName != "" {
			require.Equal(t, c.verify, cfg.TLS.ServerName)
		}
		if c.base != nil && before != nil {
			require.Equal(t, before.ServerName, c.base.TLS.ServerName, "base is not changed")
		}
	}
}
