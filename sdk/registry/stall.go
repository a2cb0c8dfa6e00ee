package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// errStalled says that nothing was sent or received for Options.Stall.
var errStalled = errors.New("the connection stood still")

// stallTransport gives up requests that stand still. A fixed time limit would cut large layers on slow lines.
type stallTransport struct {
	inner http.RoundTripper
	stall time.Duration
}

func (t *stallTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{stall: t.stall, ctx: ctx, cancel: cancel}
	w.timer = time.AfterFunc(t.stall, func() { cancel(errStalled) })
	resp, err := t.inner.RoundTrip(w.request(req))
	w.answered.Store(true)
	w.timer.Stop()
	if err != nil {
		err = w.cause(err)
		cancel(nil)
		return nil, err
	}
	resp.Request = req
	resp.Body = &receiving{ReadCloser: resp.Body, watch: w}
	return resp, nil
}

// watch is the clock of one request.
type watch struct {
	stall  time.Duration
	ctx    context.Context //nolint:containedctx // it is the request's, and ends with it
	cancel context.CancelCauseFunc
	timer  *time.Timer
	// answered says that the response has come: a body that is still being sent then no longer matters.
	answered atomic.Bool
}

// request returns a copy of req whose body is watched, also when the transport below starts it anew.
func (w *watch) request(req *http.Request) *http.Request {
	out := req.WithContext(w.ctx)
	if req.Body == nil || req.Body == http.NoBody {
		return out
	}
	out.Body = &sending{ReadCloser: req.Body, watch: w}
	if req.GetBody != nil {
		out.GetBody = func() (io.ReadCloser, error) {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			return &sending{ReadCloser: body, watch: w}, nil
		}
	}
	return out
}

func (w *watch) cause(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(w.ctx), errStalled) {
		return errStalled
	}
	return err
}

// sending is a request's body: the time from one read to the next is the time that sending took.
type sending struct {
	io.ReadCloser
	watch *watch
}

func (s *sending) Read(p []byte) (int, error) {
	if !s.watch.answered.Load() {
		s.watch.timer.Reset(s.watch.stall)
	}
	return s.ReadCloser.Read(p)
}

// receiving is a response's body: only the time inside Read counts, a slow reader is no fault of the line.
type receiving struct {
	io.ReadCloser
	watch *watch
}

func (r *receiving) Read(p []byte) (int, error) {
	r.watch.timer.Reset(r.watch.stall)
	n, err := r.ReadCloser.Read(p)
	r.watch.timer.Stop()
	return n, r.watch.cause(err)
}

func (r *receiving) Close() error {
	err := r.ReadCloser.Close()
	r.watch.cancel(nil)
	return err
}
