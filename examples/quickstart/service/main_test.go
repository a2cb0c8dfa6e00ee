package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHandler(t *testing.T) {
	h := handler("Ahoy")
	for path, want := range map[string]string{
		"/health":     `{"status":"ok"}` + "\n",
		"/greet/Ada":  `{"message":"Ahoy, Ada!"}` + "\n",
		"/unheard-of": "404 page not found\n",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if got := w.Body.String(); got != want {
			t.Errorf("GET %s answers %q, want %q", path, got, want)
		}
	}
}
