package buildservice

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/callers"
)

// A session is a cookie that says who logged in, with a hash that only this process can make: after a restart people log
// in again.
const (
	sessionCookie = "plimsoll_session"
	sessionTime   = 8 * time.Hour
)

var sessionKey = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails (crypto/rand)
	return key
})

type sessionContent struct {
	Caller callers.Caller
	Until  time.Time
}

func seal(content string) string {
	mac := hmac.New(sha256.New, sessionKey())
	mac.Write([]byte(content))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// session is who has logged in with this browser, or nil.
func (s *Service) session(r *http.Request) *callers.Caller {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	content, sum, ok := strings.Cut(cookie.Value, ".")
	if !ok || !hmac.Equal([]byte(sum), []byte(seal(content))) {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(content)
	if err != nil {
		return nil
	}
	var session sessionContent
	if json.Unmarshal(text, &session) != nil || s.opts.Now().After(session.Until) {
		return nil
	}
	return &session.Caller
}

func (s *Service) login(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimSpace(r.FormValue("token"))
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	if !s.logins().room(address) {
		s.show(w, r, "login", view{Title: "Log in", Data: "Too many tries: wait a moment."}, http.StatusTooManyRequests)
		return
	}
	caller, err := s.opts.Callers.Authenticate(r.Context(), token)
	if err != nil {
		s.deny(r, "nobody", err.Error())
		s.show(w, r, "login", view{Title: "Log in", Data: "This token is not accepted."}, http.StatusUnauthorized)
		return
	}
	until := s.opts.Now().Add(sessionTime)
	if !caller.Expires.IsZero() && caller.Expires.Before(until) {
		until = caller.Expires // a session does not outlive what it was begun with
	}
	text, err := json.Marshal(sessionContent{*caller, until})
	if err != nil {
		s.show(w, r, "login", view{Title: "Log in", Data: "This token can't be used here."}, http.StatusInternalServerError)
		return
	}
	s.audit(r.Context(), audit.Event{Actor: caller.Name, Action: "session.begin", Outcome: audit.Allowed, Detail: map[string]string{"address": r.RemoteAddr}})
	content := base64.RawURLEncoding.EncodeToString(text)
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
		Name: sessionCookie, Value: content + "." + seal(content), Path: "/", Expires: until, HttpOnly: true,
		// Behind a proxy with TLS the cookie stays on TLS; on loopback there is none.
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https", SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Service) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode}) //nolint:gosec // it removes the cookie
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// logins limits how often an address may try to log in.
func (s *Service) logins() *buckets {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tries == nil {
		s.tries = newBuckets(1, 10)
	}
	return s.tries
}
