package tlssecret

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/c0629bfc/secrets"
)

// ServerConfig returns the configuration of a server that verifies its clients
// by the roots that the handle has at each handshake, instead of base's ClientCAs.
// All else is as in base, which is not changed.
//
// Where base has no ClientAuth, clients must have a certificate
// ([tls.RequireAndVerifyClientCert]); one that verifies nothing is an error. So is
// a base that has GetConfigForClient, which is what ServerConfig sets. Of what is
// returned every field but ClientAuth, ClientCAs and GetConfigForClient may be
// changed until the first handshake, as [net/http] does to add HTTP/2; a clone
// that is changed is not followed, so set NextProtos in base where a server
// clones (httptest does).
func ServerConfig(base *tls.Config, clientCAs *secrets.Handle[*x509.CertPool]) (*tls.Config, error) {
	config := clone(base)
	switch config.ClientAuth {
	case tls.NoClientCert:
		config.ClientAuth = tls.RequireAndVerifyClientCert
	case tls.RequestClientCert, tls.RequireAnyClientCert:
		return nil, errors.New("tlssecret: " + config.ClientAuth.String() + " verifies no client: want VerifyClientCertIfGiven or RequireAndVerifyClientCert")
	}
	if config.GetConfigForClient != nil {
		return nil, errors.New("tlssecret: the configuration has a GetConfigForClient already, which would decide how clients are verified")
	}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		// A clone for each handshake also has the session ticket keys as they are now.
		now := config.Clone()
		now.GetConfigForClient = nil
		now.ClientCAs = clientCAs.Load()
		return now, nil
	}
	return config, nil
}

// ClientConfig returns a function that returns the configuration for a client's
// next connection: base with the roots that the handle has by then. Base is not
// changed; nil is one that sets nothing. Base must not have InsecureSkipVerify,
// with which roots mean nothing.
//
//	conn, err := (&tls.Dialer{Config: config()}).DialContext(ctx, "tcp", "db.internal:5432")
//
// For HTTP there is [NewTransport].
func ClientConfig(base *tls.Config, roots *secrets.Handle[*x509.CertPool]) (func() *tls.Config, error) {
	config := clone(base)
	if config.InsecureSkipVerify {
		return nil, errInsecure
	}
	return func() *tls.Config {
		now := config.Clone()
		now.RootCAs = roots.Load()
		return now
	}, nil
}

var errInsecure = errors.New("tlssecret: the configuration has InsecureSkipVerify, with which roots verify nothing: leave it out")

func clone(config *tls.Config) *tls.Config {
	if config == nil {
		return new(tls.Config)
	}
	return config.Clone()
}
