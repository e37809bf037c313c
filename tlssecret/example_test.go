package tlssecret_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/c0629bfc/secrets"
	"github.com/c0629bfc/secrets/tlssecret"
)

// A server whose certificate follows a secret, and which verifies its clients by
// roots that follow a parameter.
func Example() {
	serve := func(ctx context.Context, client *secrets.Client) error {
		var config struct {
			Cert  *secrets.Handle[tls.Certificate] `secret:"sm://prod/tls"`
			Roots *secrets.Handle[*x509.CertPool]  `secret:"ssm:///prod/client-roots"`
		}
		if err := client.Load(ctx, &config); err != nil {
			return err
		}
		cert, err := tlssecret.Follow(config.Cert)
		if err != nil {
			return err
		}
		verified, err := tlssecret.ServerConfig(&tls.Config{GetCertificate: cert.GetCertificate}, config.Roots)
		if err != nil {
			return err
		}
		return (&http.Server{Addr: ":8443", TLSConfig: verified}).ListenAndServeTLS("", "")
	}
	_ = serve
}

// An HTTP client that shows a certificate, and verifies servers by roots, that
// both follow their secrets.
func ExampleNewTransport() {
	connect := func(ctx context.Context, client *secrets.Client) (*http.Client, error) {
		cert, err := tlssecret.BindPair(ctx, client, "ssm:///prod/client.crt", "sm://prod/client.key")
		if err != nil {
			return nil, err
		}
		roots, err := secrets.Bind(ctx, client, "ssm:///prod/roots", secrets.CertPool)
		if err != nil {
			return nil, err
		}
		base := http.DefaultTransport.(*http.Transport).Clone()
		base.TLSClientConfig = &tls.Config{GetClientCertificate: cert.GetClientCertificate}
		transport, err := tlssecret.NewTransport(base, roots)
		if err != nil {
			return nil, err
		}
		return &http.Client{Transport: transport}, nil
	}
	_ = connect
}
