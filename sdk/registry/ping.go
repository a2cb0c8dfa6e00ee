package registry

import (
	"errors"
	"net/http"
	"sync"
)

// pingCache answers "GET /v2/" from memory. go-containerregistry asks it once for each repository, to learn the scheme
// and the kind of authentication; both belong to the registry.
type pingCache struct {
	inner http.RoundTripper
	known sync.Map // scheme://host -> ping
}

// ping is what is kept of an answer: its status with the challenge, or that the other side does not speak TLS.
type ping struct {
	status int
	header http.Header
	err    error
}

func (c *pingCache) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || req.URL.Path != "/v2/" {
		return c.inner.RoundTrip(req)
	}
	key := req.URL.Scheme + "://" + req.URL.Host
	if p, ok := c.known.Load(key); ok {
		return p.(ping).response(req)
	}
	resp, err := c.inner.RoundTrip(req)
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		c.known.Store(key, ping{err: err})
	case err == nil && (resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusUnauthorized):
		c.known.Store(key, ping{status: resp.StatusCode, header: resp.Header.Clone()})
	}
	return resp, err
}

// forget has every registry asked again.
func (c *pingCache) forget() { c.known.Clear() }

func (p ping) response(req *http.Request) (*http.Response, error) {
	if p.err != nil {
		return nil, p.err
	}
	return &http.Response{
		StatusCode: p.status,
		Status:     http.StatusText(p.status),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  p.header.Clone(),
		Body:    http.NoBody,
		Request: req,
	}, nil
}
