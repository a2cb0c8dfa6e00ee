package blackbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// maxBody is how much of a response's body is read.
const maxBody = 8 << 20

// request is an HTTP request of a feature: "GET /health".
type request struct {
	line   string
	port   int
	tls    bool
	header [][2]string
	body   string
}

// response is what came back.
type response struct {
	request  string
	status   int
	header   http.Header
	body     []byte
	duration time.Duration
}

// methodAndTarget splits "GET /health?full=1".
func methodAndTarget(line string) (method, target string, err error) {
	method, target, ok := strings.Cut(line, " ")
	if !ok || method != strings.ToUpper(method) || !strings.HasPrefix(target, "/") {
		return "", "", fmt.Errorf("%q is no request: write a method and a path, such as \"GET /health\"", line)
	}
	return method, target, nil
}

// changes says whether a request is of a method that may change something (RFC 9110, section 9.2.1).
func changes(line string) bool {
	method, _, err := methodAndTarget(line)
	return err == nil && method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// send sends a request into the instance's own network. Redirects are answers, too, and not followed.
func (s *Scenario) send(ctx context.Context, i *instance, r request) (*response, error) {
	method, target, err := methodAndTarget(r.line)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if r.tls {
		scheme = "https"
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return i.Dial(ctx, "tcp", r.port) },
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // a test certificate is nobody's; steps look at it where it matters
		},
		DisableKeepAlives: true,
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("%s://localhost:%d%s", scheme, r.port, target), strings.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for _, h := range r.header {
		req.Header.Add(h[0], h[1])
		if strings.EqualFold(h[0], "Host") {
			req.Host = h[1]
		}
	}
	started := s.run.options.Now()
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s on port %d: expected an answer: %w", r.line, r.port, unwrapURL(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("%s on port %d: reading the body: %w", r.line, r.port, err)
	}
	return &response{
		request: r.line, status: res.StatusCode, header: res.Header, body: body, duration: s.run.options.Now().Sub(started),
	}, nil
}

// unwrapURL takes off what net/http puts in front of an error: the request is named already.
func unwrapURL(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// answer returns the response to the last request.
func (s *Scenario) answer() (*response, error) {
	if s.response == nil {
		return nil, errors.New(`no request was sent: write a step such as '"GET /health" is sent to port 8080' before`)
	}
	return s.response, nil
}
