package registry

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// schemeTransport refuses plain http to hosts that are not allowed it, whoever asks: a registry, a token server that it
// names, or a redirect.
type schemeTransport struct {
	inner   http.RoundTripper
	allowed func(host string) bool
}

// plainHTTPError says that a request was not sent because it would have been readable on the way.
type plainHTTPError struct{ host string }

func (e *plainHTTPError) Error() string {
	return fmt.Sprintf("plain http to %s is not allowed", e.host)
}

func (t *schemeTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !t.allowed(req.URL.Host) {
		return nil, &plainHTTPError{host: req.URL.Host}
	}
	return t.inner.RoundTrip(req)
}

// plainHTTP says whether plain http may be used with a host, which may have a port.
func (c *Client) plainHTTP(host string) bool {
	return loopback(host) || c.opts.Insecure != nil && c.opts.Insecure(host)
}

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
