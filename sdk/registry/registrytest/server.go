// Package registrytest is a registry on loopback, for tests, examples and demonstrations: go-containerregistry's
// registry behind a recorder of requests and a place to inject faults, and helpers that make small images.
//
//	srv, err := registrytest.Start(registrytest.Options{})
//	defer srv.Close()
//	img, err := registrytest.Image(map[string]string{"etc/os-release": "ID=demo\n"}, registrytest.ImageOptions{})
//	digest, err := srv.Push(ctx, "base/demo:1.0", img)
//
// It is not for production: manifests are lost when it ends, and everybody may write unless Options.Users is set.
package registrytest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Options say what the registry is like. The zero value keeps everything in memory and needs no credentials.
type Options struct {
	// Addr is where it listens, "127.0.0.1:0" by default. Only loopback addresses are accepted.
	Addr string
	// Dir keeps blobs on disk, in an existing directory of the caller's, rather than in memory.
	Dir string
	// Users are user names and passwords. Nil needs none. With some, every request needs one of them (HTTP basic).
	Users map[string]string
	// Log receives one line for each request, at level Debug. Nil discards.
	Log *slog.Logger
}

// Server is a running registry. It is safe for concurrent use.
type Server struct {
	// Host is where it listens, "127.0.0.1:40123": the registry part of a reference.
	Host string

	opts     Options
	registry http.Handler
	http     http.Server
	closing  context.CancelFunc

	mu       sync.Mutex
	requests []Request
	rules    []*Rule
}

// Request is one request that the registry got.
type Request struct {
	Method string
	Path   string
	Status int // what was answered; 0 if the connection was cut instead
}

// String returns "GET /v2/base/demo/manifests/1.0".
func (r Request) String() string { return r.Method + " " + r.Path }

// Start starts a registry. The caller closes it.
func Start(opts Options) (*Server, error) {
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	host, _, err := net.SplitHostPort(opts.Addr)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%q is not a loopback address with a port: use 127.0.0.1:0", opts.Addr)
	}
	blobs := ggcr.NewInMemoryBlobHandler()
	if opts.Dir != "" {
		if info, err := os.Stat(opts.Dir); err != nil {
			return nil, err
		} else if !info.IsDir() {
			return nil, fmt.Errorf("%s is not a directory", opts.Dir)
		}
		blobs = ggcr.NewDiskBlobHandler(opts.Dir)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", opts.Addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		Host:     listener.Addr().String(),
		opts:     opts,
		registry: ggcr.New(ggcr.WithBlobHandler(blobs), ggcr.WithReferrersSupport(true), ggcr.Logger(discard())),
		closing:  cancel,
	}
	s.http = http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          discard(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	go s.http.Serve(listener)
	return s, nil
}

func discard() *log.Logger { return slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) }

// Close stops the registry and cuts all connections.
func (s *Server) Close() error {
	s.closing()
	return s.http.Close()
}

// Ref returns the full reference of "repository:tag" or "repository@digest" in this registry.
func (s *Server) Ref(ref string) string { return s.Host + "/" + ref }

// Pushable is an image or an image index.
type Pushable interface {
	remote.Taggable
	partial.Describable
}

// Push uploads an image or an index as "repository:tag" and returns its digest. It goes through the front door: the
// requests are recorded, and faults apply.
func (s *Server) Push(ctx context.Context, ref string, what Pushable) (digest string, err error) {
	tag, err := name.NewTag(s.Ref(ref))
	if err != nil {
		return "", err
	}
	auth := authn.Anonymous
	for user, password := range s.opts.Users {
		auth = &authn.Basic{Username: user, Password: password}
		break
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	err = remote.Push(tag, what, remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(transport))
	if err != nil {
		return "", err
	}
	hash, err := what.Digest()
	return hash.String(), err
}

// Requests returns what was asked since the start or the last [Server.Reset], in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Reset forgets the requests and all faults.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.rules = nil, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	i := len(s.requests)
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path})
	fault := s.fault(r)
	s.mu.Unlock()

	rec := &recorder{ResponseWriter: w}
	defer func() {
		s.opts.Log.Debug("registry", "method", r.Method, "path", r.URL.Path, "status", rec.status)
		s.mu.Lock()
		defer s.mu.Unlock()
		if i < len(s.requests) && s.requests[i].Path == r.URL.Path { // not after a Reset
			s.requests[i].Status = rec.status
		}
	}()
	switch {
	case fault != nil:
		fault(rec, r, http.HandlerFunc(s.serve))
	default:
		s.serve(rec, r)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if len(s.opts.Users) > 0 {
		user, password, _ := r.BasicAuth()
		if want, ok := s.opts.Users[user]; !ok || want != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registrytest"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
	}
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
		// go-containerregistry's registry would keep a manifest whose upload broke off, under the whole one's digest.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	s.registry.ServeHTTP(w, r)
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Manifests returns the references ("base/demo:1.0") of the manifests that were read by tag, each once, in order.
func Manifests(requests []Request) []string {
	var refs []string
	for _, r := range requests {
		repo, id, ok := strings.Cut(strings.TrimPrefix(r.Path, "/v2/"), "/manifests/")
		if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead || strings.HasPrefix(id, "sha256:") {
			continue
		}
		if ref := repo + ":" + id; !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}
