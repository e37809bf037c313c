package httpsecret

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// origin is whom a secret may be sent to.
type origin struct{ scheme, host, port string }

func parseOrigin(s string) (origin, error) {
	u, err := url.Parse(s)
	if err == nil {
		bare := url.URL{Scheme: u.Scheme, Host: u.Host}
		if s == bare.String() || s == bare.String()+"/" {
			if o := originOf(u); (o.scheme == "https" || o.scheme == "http") && o.host != "" && !strings.Contains(o.host, "*") {
				return o, nil
			}
		}
	}
	if strings.Contains(s, "@") {
		return origin{}, errors.New("httpsecret: an origin has no username or password in it: want one such as https://api.example.com")
	}
	return origin{}, fmt.Errorf("httpsecret: %q is not an origin: want http or https, a host and perhaps a port, such as https://api.example.com", s)
}

func originOf(u *url.URL) origin {
	o := origin{u.Scheme, lower(u.Hostname()), u.Port()}
	if o.port == "" {
		switch o.scheme {
		case "https":
			o.port = "443"
		case "http":
			o.port = "80"
		}
	}
	return o
}

// lower is of ASCII letters alone: whatever else maps to one of them when a
// name is looked up is not what was named.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// trusts reports whether a request may carry the secret: it and all that
// redirected to it are of origins that were named.
func (t *Transport) trusts(req *http.Request) bool {
	for {
		if req.URL == nil || !t.named(originOf(req.URL)) {
			return false
		}
		if req.Response == nil {
			return true
		}
		if req = req.Response.Request; req == nil {
			return false
		}
	}
}

func (t *Transport) named(o origin) bool {
	for _, named := range t.origins {
		if o == named {
			return true
		}
	}
	return false
}
