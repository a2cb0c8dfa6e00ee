package scan

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Polite has all requests to a host wait when it answers one of them with 429, as long as its Retry-After says, or a
// second: the transport below a registry.Client sends only the refused request again later, while the others go on. It
// waits a minute at most for each answer.
func Polite(inner http.RoundTripper) http.RoundTripper {
	return &polite{inner: inner, until: map[string]time.Time{}}
}

type polite struct {
	inner http.RoundTripper
	mu    sync.Mutex
	until map[string]time.Time // by host
}

const longestPause = time.Minute

func (p *polite) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := p.wait(req.Context(), req.URL.Host); err != nil {
		return nil, err
	}
	resp, err := p.inner.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		pause := time.Second
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			pause = min(time.Duration(min(s, 1<<20))*time.Second, longestPause)
		}
		p.mu.Lock()
		if until := time.Now().Add(pause); until.After(p.until[req.URL.Host]) { //nolint:forbidigo // it waits
			p.until[req.URL.Host] = until
		}
		p.mu.Unlock()
	}
	return resp, err
}

func (p *polite) wait(ctx context.Context, host string) error {
	p.mu.Lock()
	pause := time.Until(p.until[host])
	p.mu.Unlock()
	if pause <= 0 {
		return nil
	}
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
