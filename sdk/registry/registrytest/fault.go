package registrytest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
)

// Rule says which requests meet a fault. The first rule that fits and is not used up applies.
type Rule struct {
	// Method is the request's; "" fits all.
	Method string
	// Path is a part of the request's path, such as "/manifests/"; "" fits all.
	Path string
	// Times is how often the rule applies; 0 means always.
	Times int
	// Fault is what happens instead.
	Fault Fault

	used int
}

// Fault answers a request in the registry's place; next is the registry.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Inject adds a rule. [Server.Reset] removes all.
func (s *Server) Inject(rule Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, &rule)
}

// fault returns what the rules have for a request, nil for nothing. The caller holds the lock.
func (s *Server) fault(r *http.Request) Fault {
	for _, rule := range s.rules {
		fits := (rule.Method == "" || rule.Method == r.Method) && strings.Contains(r.URL.Path, rule.Path)
		if fits && (rule.Times == 0 || rule.used < rule.Times) {
			rule.used++
			return rule.Fault
		}
	}
	return nil
}

// Status answers with a status and, if not nil, headers (Retry-After, WWW-Authenticate).
func Status(code int, header http.Header) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		// An unread body would cut the connection: another fault than was asked for.
		_, _ = io.Copy(io.Discard, r.Body)
		maps.Copy(w.Header(), header)
		http.Error(w, `{"errors":[{"code":"UNKNOWN","message":"injected fault"}]}`, code)
	}
}

// Answer answers 200 with another body than the registry's; the headers are the registry's but for the length.
func Answer(body []byte) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&replaced{ResponseWriter: w}, r)
		_, _ = w.Write(body)
	}
}

type replaced struct{ http.ResponseWriter }

func (r *replaced) WriteHeader(status int) {
	r.Header().Del("Content-Length")
	r.ResponseWriter.WriteHeader(status)
}

func (r *replaced) Write(p []byte) (int, error) { return len(p), nil }

// Hang never answers: it waits until the client gives up or the registry is closed.
func Hang() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// Wait answers when the channel is closed: it makes a moment that a test can act in.
func Wait(until <-chan struct{}) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-until:
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// CutRequest closes the connection when n bytes of the request's body have been read.
func CutRequest(n int64) Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.CopyN(io.Discard, r.Body, n)
		panic(http.ErrAbortHandler)
	}
}

// CutResponse closes the connection when n bytes of the answer's body have been sent.
func CutResponse(n int) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		buffer := &buffered{ResponseWriter: w}
		next.ServeHTTP(buffer, r)
		body := buffer.body.Bytes()
		_, _ = w.Write(body[:min(n, len(body))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

type buffered struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }
