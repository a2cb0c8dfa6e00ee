package buildservice

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
)

// Server returns a server for an address with the time limits that slow clients meet: 5 s for the head of a request, 15 s
// for all of it. Answers have no limit of their own, since logs are followed for hours; the handler sets one for all else.
func Server(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: handler,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

// Handler serves the API at /v1, its description at /openapi.json, /healthz and /readyz, and the pages. It is safe for
// concurrent use.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	s.routes(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.readyz)
	s.pages(mux)
	g := &guard{
		service: s, next: mux,
		slots: make(chan struct{}, s.opts.Limits.Concurrent), followers: make(chan struct{}, s.opts.Limits.Followers),
		known: newBuckets(s.opts.Limits.Rate, s.opts.Limits.Burst), unknown: newBuckets(s.opts.Limits.Unknown, s.opts.Limits.Burst),
	}
	// A browser must not be made to act for its user by another site (Origin, Sec-Fetch-Site).
	return http.NewCrossOriginProtection().Handler(g)
}

func (s *Service) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	switch err := s.store.Ping(ctx); {
	case err != nil:
		s.log.WarnContext(ctx, "not ready", "error", err)
		writeText(w, http.StatusServiceUnavailable, "the database does not answer\n")
	case !ready:
		writeText(w, http.StatusServiceUnavailable, "starting or stopping\n")
	default:
		writeText(w, http.StatusOK, "ready\n")
	}
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // nobody is left to tell
}

// guard stands before everything: limits, headers, and who calls.
type guard struct {
	service          *Service
	next             http.Handler
	slots, followers chan struct{}
	known, unknown   *buckets
}

// ServeHTTP implements [http.Handler].
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	slots := g.slots
	following := strings.HasSuffix(r.URL.Path, "/logs") || strings.HasSuffix(r.URL.Path, "/events")
	if following {
		slots = g.followers
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	default:
		g.service.metrics.denied.WithLabelValues("busy").Inc()
		h.Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "too many requests at once: try again in a moment")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, g.service.opts.Limits.Body)
	began := time.Now() //nolint:forbidigo // how long, not when
	if !following {
		_ = http.NewResponseController(w).SetWriteDeadline(began.Add(writeLimit)) // every connection of net/http can
	}
	recorded := &recorder{ResponseWriter: w, status: http.StatusOK}
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		if r = g.authenticate(recorded, r); r != nil {
			g.next.ServeHTTP(recorded, r)
		}
	} else {
		g.next.ServeHTTP(recorded, r)
	}
	if r != nil && !following {
		g.service.metrics.requests.WithLabelValues(r.Pattern, strconv.Itoa(recorded.status)).Observe(time.Since(began).Seconds())
	}
}

// authenticate says who calls, or answers that nobody does and returns nil.
func (g *guard) authenticate(w http.ResponseWriter, r *http.Request) *http.Request {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		if c := g.service.session(r); c != nil {
			return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
		}
	}
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	if !g.unknown.room(address) {
		g.busy(w)
		return nil
	}
	if !ok {
		g.service.deny(r, "nobody", "a request without a token")
		w.Header().Set("WWW-Authenticate", `Bearer realm="plimsoll"`)
		problem(w, http.StatusUnauthorized, "say who you are: Authorization: Bearer <a token that this service knows>")
		return nil
	}
	caller, err := g.service.opts.Callers.Authenticate(r.Context(), token)
	if err != nil {
		g.service.deny(r, "nobody", err.Error())
		if !errors.Is(err, callers.ErrDenied) {
			problem(w, http.StatusServiceUnavailable, "the token can't be checked now: its issuer does not answer")
			return nil
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="plimsoll", error="invalid_token"`)
		problem(w, http.StatusUnauthorized, "the token is not accepted; the service's audit log says why")
		return nil
	}
	g.unknown.back(address)
	if !g.known.room(caller.Name) {
		g.busy(w)
		return nil
	}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, caller))
}

func (g *guard) busy(w http.ResponseWriter) {
	g.service.metrics.denied.WithLabelValues("rate").Inc()
	w.Header().Set("Retry-After", "1")
	problem(w, http.StatusTooManyRequests, "more requests than one caller may make: wait a second")
}

// deny writes a denial to the audit log.
func (s *Service) deny(r *http.Request, actor, reason string) {
	s.metrics.denied.WithLabelValues("access").Inc()
	s.audit(r.Context(), audit.Event{
		Actor: actor, Action: "request", Object: r.Method + " " + r.URL.Path, Outcome: audit.Denied,
		Detail: map[string]string{"reason": reason, "address": r.RemoteAddr},
	})
}

type callerKey struct{}

// callerOf is who calls; the guard has seen to it that somebody does.
func callerOf(ctx context.Context) *callers.Caller {
	c, _ := ctx.Value(callerKey{}).(*callers.Caller)
	if c == nil {
		return &callers.Caller{Name: "nobody"} // no grant fits it
	}
	return c
}

// problem answers in the form of RFC 9457.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush implements [http.Flusher].
func (r *recorder) Flush() {
	_ = http.NewResponseController(r.ResponseWriter).Flush() // every writer of net/http can
}

// buckets limit rates by name. The most recent are remembered; a name that was forgotten begins anew.
type buckets struct {
	rate  rate.Limit
	burst int

	mu       sync.Mutex
	now, old map[string]*rate.Limiter
}

// maxBuckets is how many names are remembered at least.
const maxBuckets = 10_000

func newBuckets(perSecond float64, burst int) *buckets {
	return &buckets{rate: rate.Limit(perSecond), burst: burst, now: map[string]*rate.Limiter{}}
}

func (b *buckets) of(name string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.now[name]
	if l == nil {
		if l = b.old[name]; l == nil {
			l = rate.NewLimiter(b.rate, b.burst)
		}
		if len(b.now) >= maxBuckets {
			b.old, b.now = b.now, map[string]*rate.Limiter{}
		}
		b.now[name] = l
	}
	return l
}

func (b *buckets) room(name string) bool { return b.of(name).Allow() }

// back gives back what a request took that proved who it is.
func (b *buckets) back(name string) {
	l := b.of(name)
	l.ReserveN(time.Now(), -1) //nolint:forbidigo // the limiter's own clock
}
