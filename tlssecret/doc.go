// Package tlssecret has crypto/tls follow certificates, keys and roots that are
// kept as secrets: what the store holds is used from the next handshake on, and
// no connection is dropped for it.
//
//	h, err := secrets.Bind(ctx, client, "sm://prod/tls", secrets.KeyPair)
//	…
//	cert, err := tlssecret.Follow(h)
//	…
//	server := &http.Server{TLSConfig: &tls.Config{GetCertificate: cert.GetCertificate}}
//
// [Certificate] is a server's or a client's own certificate, from one secret
// ([Follow]) or two ([BindPair]). [ServerConfig] verifies clients, [ClientConfig]
// and [NewTransport] verify servers by a pool of roots that follows its secret;
// the verification itself is that of crypto/tls, whole.
//
// A handshake reads memory and nothing else: it never waits for a store. On AWS
// Lambda, where nothing runs between invocations, call [secrets.Handle.Get] of
// the handles at the beginning of one.
//
// # Which certificate is served
//
// The newest, as a rule. When a certificate arrives that is not valid yet, the
// one before it is served until it is; when one arrives that has expired, the one
// before it is served for as long as that is valid. Both show in
// [Certificate.Err] and are logged. When neither is valid the newest is served:
// the peer decides, and says why it refuses. Whether a certificate is valid now
// is decided anew at each handshake, by its NotBefore and NotAfter and the
// machine's clock.
//
// # Replacing a root
//
// Connections whose root is removed are refused from the next handshake on, those
// that resume a session too; connections that are open stay open. So to replace
// a certificate authority, first add the new root to the pool, after the TTL of
// all who verify replace the certificates, and then remove the old root.
package tlssecret
