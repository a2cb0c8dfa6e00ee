package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	maxBackoff    = 10 * time.Second
	maxRetryAfter = time.Minute
)

// retryTransport sends requests again after faults that may pass. Small answers are read whole, so that a connection
// cut in the middle of one is such a fault too; layers are passed on as they come.
type retryTransport struct {
	inner   http.RoundTripper
	retries int
	backoff time.Duration
	limit   int64
	log     *slog.Logger
}

// statusError is an answer whose status says that the fault may pass.
type statusError struct {
	err   *transport.Error
	after time.Duration // what Retry-After asks for; 0 if nothing
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// attemptsError is the last fault of a request that was sent as often as it may be.
type attemptsError struct {
	n   int
	err error
}

func (e *attemptsError) Error() string { return e.err.Error() }
func (e *attemptsError) Unwrap() error { return e.err }

// RoundTrip sends requests that can be sent again until they succeed. The steps of an upload can't: whoever uploads
// starts over (see Client.Push).
func (t *retryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !replayable(req) {
		return t.try(req)
	}
	var resp *http.Response
	err := t.retry(req.Context(), req.Method+" "+req.URL.Host+req.URL.Path, func(attempt int) (err error) {
		out := req
		if attempt > 0 && req.GetBody != nil {
			out = req.Clone(req.Context())
			if out.Body, err = req.GetBody(); err != nil {
				return err
			}
		}
		resp, err = t.try(out) //nolint:bodyclose // the caller does
		return err
	})
	return resp, err
}

// retry calls f until it succeeds, fails for good, or was called retries+1 times.
func (t *retryTransport) retry(ctx context.Context, what string, f func(attempt int) error) error {
	for attempt := 0; ; attempt++ {
		err := f(attempt)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil || !temporary(err) {
			return err
		}
		wait := t.wait(attempt)
		if status, ok := errors.AsType[*statusError](err); ok {
			wait = max(wait, status.after)
		}
		if attempt == t.retries || wait > maxRetryAfter {
			return &attemptsError{n: attempt + 1, err: err}
		}
		t.log.WarnContext(ctx, "registry: trying again", "request", what, "attempt", attempt+1, "wait", wait, "reason", reason(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// wait is the time before the next attempt: doubled each time, and spread so that many clients do not come at once.
func (t *retryTransport) wait(attempt int) time.Duration {
	d := min(t.backoff<<min(attempt, 16), maxBackoff)
	return d/2 + rand.N(d/2+1) //nolint:gosec // not a secret
}

// try sends the request once.
func (t *retryTransport) try(req *http.Request) (*http.Response, error) {
	resp, err := t.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if err := t.read(req, resp); err != nil {
			return nil, err
		}
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		defer resp.Body.Close()
		err := transport.CheckError(resp)
		terr, ok := errors.AsType[*transport.Error](err)
		if !ok { // the error's body could not be read: what matters is the status
			terr = &transport.Error{StatusCode: resp.StatusCode, Request: req}
		}
		return nil, &statusError{err: terr, after: retryAfter(resp.Header)}
	}
	return resp, nil
}

// read puts the body of a GET into memory. Manifests and tag lists must not be larger than the limit; whatever else is
// (layers, from the registry or where it redirects to) is left to be read as it comes.
func (t *retryTransport) read(req *http.Request, resp *http.Response) error {
	if req.Method != http.MethodGet {
		return nil
	}
	limit := t.limit
	switch path := req.URL.Path; {
	case strings.Contains(path, "/manifests/"):
	case strings.HasSuffix(path, "/tags/list"):
		limit = max(limit, maxTagsBytes)
	case resp.ContentLength < 0 || resp.ContentLength > limit:
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > limit {
		return &tooLargeError{limit: limit}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// tooLargeError is an answer that is larger than a client accepts.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string { return fmt.Sprintf("larger than %d bytes", e.limit) }

// replayable says whether sending a request twice does no harm and its body can be had again. Starting an upload twice
// leaves a session that the registry drops by itself.
func replayable(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodPost:
		return req.Body == nil || req.Body == http.NoBody
	case http.MethodPut:
		return strings.Contains(req.URL.Path, "/manifests/") && req.GetBody != nil
	}
	return false
}

// temporary says whether an error may pass by itself. The caller has seen to it that its context has not ended.
func temporary(err error) bool {
	var (
		attempts *attemptsError
		status   *statusError
		terr     *transport.Error
		dns      *net.DNSError
		timeout  net.Error
	)
	switch {
	case errors.As(err, &attempts):
		return false
	case errors.As(err, &status), errors.Is(err, errStalled):
		return true
	case errors.As(err, &terr):
		return lostUpload(terr)
	case errors.As(err, &dns):
		return !dns.IsNotFound
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return true
	case errors.As(err, &timeout) && timeout.Timeout():
		return true
	}
	// net/http has no type for a server that closed a connection while the request was under way.
	return strings.Contains(err.Error(), "server closed idle connection") || strings.Contains(err.Error(), "http2: ")
}

// lostUpload says whether a registry forgot an upload, as it does when it restarts. distribution 2.8 also loses sight of a
// blob for the moment in which another client uploads the same one: it reads the blob's link while it is written, and calls
// the digest in it invalid and the blob unknown.
func lostUpload(err *transport.Error) bool {
	codes := map[transport.ErrorCode]bool{}
	for _, d := range err.Errors {
		codes[d.Code] = true
	}
	return codes[transport.BlobUploadUnknownErrorCode] || codes[transport.BlobUploadInvalidErrorCode] ||
		codes[transport.DigestInvalidErrorCode] && codes[transport.ManifestBlobUnknownErrorCode]
}

// retryAfter reads the header's seconds, or its date as seen from the server's own clock.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if s, err := strconv.Atoi(value); err == nil && s > 0 {
		return time.Duration(min(s, 1<<20)) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, until.Sub(now))
}
