package secretstest

import (
	"bytes"
	"io"
	"net/http"
)

// wholeBody hands the transport a request body that it has read first. The SDK
// closes its body as soon as the answer's header is there; its WriteTo then
// returns io.EOF to a transport that is still looking for the body's end,
// which takes that for a failed write and closes the connection under the
// answer. On an unbuffered net.Pipe this is the rule, on a socket a rarity.
type wholeBody struct{ *http.Transport }

func (t wholeBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return t.Transport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	whole := *r // a RoundTripper does not change its request
	whole.Body = io.NopCloser(bytes.NewReader(body))
	whole.GetBody = nil // a reset is the SDK's to retry, and each try counts
	return t.Transport.RoundTrip(&whole)
}
