// Package httpsecret puts a secret on HTTP requests: a bearer token, an API key,
// a username and password. What is sent follows the secret through rotation, and
// a request that the server refuses for it is sent once more with the value to
// try next.
//
//	transport, err := httpsecret.New(client, "sm://prod/api#token", httpsecret.Bearer, "https://api.example.com")
//	…
//	api := &http.Client{Transport: transport}
//
// # Who gets the secret
//
// The servers that [New] names, by scheme, host and port, and nobody else:
// neither a host that such a server redirects to, nor a request that was
// redirected on its way by another host, even to a server that is named. All
// other requests go out as they are. The request's URL counts, not its Host
// field. A secret is never sent over http to a server that was named by https.
//
// # Refusals
//
// On 401 Unauthorized, or what [Transport.Refused] says, the value counts as
// refused ([secrets.Client.Reject]), which reads the store again at once, in one
// call for all requests that were refused, and knows the pending and previous
// versions of a rotation. If there is another value to try, the request is sent
// once more, provided that its body can be: it has none, or GetBody, which
// [http.NewRequest] sets for buffers and strings. What was found is used from
// then on, until the store has a newer one. Where every version was refused, or
// the store cannot be asked, the server's response is returned as it is. 403
// Forbidden is not about the credentials, and is returned too.
//
// # OAuth 2
//
// This package does not import golang.org/x/oauth2. Where an API wants a token
// source, and the secret holds a token, this is one:
//
//	type source struct{ client *secrets.Client }
//
//	func (s source) Token() (*oauth2.Token, error) {
//		token, err := s.client.Text(context.Background(), "sm://prod/api#token")
//		return &oauth2.Token{AccessToken: token}, err
//	}
//
// Do not wrap it in oauth2.ReuseTokenSource, which would keep the token for ever.
package httpsecret
