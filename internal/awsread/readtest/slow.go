package readtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// SlowWriter is an HTTP client for one call at a time. The goroutine that writes
// the request stops between its body and the search for the body's end until the
// answer's body is read, as one does that was descheduled there.
type SlowWriter struct {
	answered chan struct{} // when the answer's body is read
	searched chan struct{} // when the end of the request's body was looked for
	failed   bool          // and taken for a failure: the connection is closed
	closed   chan struct{}
}

// Do implements [aws.HTTPClient].
func (w *SlowWriter) Do(r *http.Request) (*http.Response, error) {
	*w = SlowWriter{answered: make(chan struct{}), searched: make(chan struct{}), closed: make(chan struct{})}
	transport := &http.Transport{DisableKeepAlives: true}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &closing{Conn: conn, closed: w.closed}, err
	}
	r = r.Clone(r.Context())
	body := &sent{ReadCloser: r.Body, w: w, left: r.ContentLength}
	r.Body = body
	if _, ok := body.ReadCloser.(io.WriterTo); ok {
		r.Body = sentTo{body}
	}
	out, err := transport.RoundTrip(r)
	if err == nil {
		out.Body = &answer{ReadCloser: out.Body, w: w}
	}
	return out, err
}

// sent is the request's body.
type sent struct {
	io.ReadCloser
	w    *SlowWriter
	left int64
}

func (b *sent) Read(p []byte) (int, error) {
	if b.left == 0 {
		<-b.w.answered
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

func (b *sent) Close() error {
	close(b.w.searched)
	return b.ReadCloser.Close()
}

type sentTo struct{ *sent }

func (b sentTo) WriteTo(to io.Writer) (int64, error) {
	<-b.w.answered
	n, err := b.ReadCloser.(io.WriterTo).WriteTo(to)
	b.w.failed = err != nil
	return n, err
}

// answer is the answer's body.
type answer struct {
	io.ReadCloser
	w    *SlowWriter
	once sync.Once
}

func (b *answer) Read(p []byte) (int, error) {
	b.once.Do(func() {
		close(b.w.answered)
		<-b.w.searched
		if b.w.failed {
			<-b.w.closed
		}
	})
	return b.ReadCloser.Read(p)
}

// closing is a connection that tells when it is closed. Of an answer it has no
// more ready than was asked for, so that the body is yet to come when the header
// is there.
type closing struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

func (c *closing) Read(p []byte) (int, error) { return c.Conn.Read(p[:min(len(p), 1)]) }

func (c *closing) Close() error {
	defer c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
