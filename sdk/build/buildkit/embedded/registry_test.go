//go:build linux

package embedded_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

// keychain has one name and password for every registry.
type keychain authn.AuthConfig

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig(k)), nil
}

// guard wraps a registry's handler.
type guard func(registry http.Handler) http.Handler

// basic asks for name and password with every request.
func basic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "ops" || password != "pass-word" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bearer asks for a token, which it gives for name and password.
func bearer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			basic(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = json.NewEncoder(w).Encode(map[string]string{"token": "let-me-in"})
			})).ServeHTTP(w, r)
		case r.Header.Get("Authorization") == "Bearer let-me-in":
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test",scope="repository:base:pull"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

// status answers everything with one status.
func status(code int) guard {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
}

func TestRegistries(t *testing.T) {
	t.Parallel()
	testenv.NeedsRoot(t)
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	layer, err := random.Layer(1000, types.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		t.Fatal(err)
	}
	good := keychain{Username: "ops", Password: "pass-word"}
	tests := []struct {
		name     string
		guard    guard
		keychain authn.Keychain
		want     string
	}{
		{"basic", basic, good, ""},
		{"bearer", bearer, good, ""},
		{"basic, anonymous", basic, nil, "401"},
		{"basic, wrong password", basic, keychain{Username: "ops", Password: "wrong-word"}, "401"},
		{"bearer, wrong password", bearer, keychain{Username: "ops", Password: "wrong-word"}, "401"},
		{"server error", status(http.StatusInternalServerError), nil, "500"},
		{"too many requests", status(http.StatusTooManyRequests), nil, "429"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
			source := push(t, inner, img)
			server := httptest.NewServer(tt.guard(inner))
			t.Cleanup(server.Close)
			source.Ref = strings.Replace(source.Ref, "HOST", strings.TrimPrefix(server.URL, "http://"), 1)
			b := start(t, embedded.Options{State: t.TempDir(), Keychain: tt.keychain})
			_, err := b.Build(t.Context(), build.Request{
				Dockerfile: fmt.Appendf(nil, "FROM %s\nLABEL a=b\n", source.Ref),
				Context:    noFiles,
				Sources:    []build.Source{source},
				Layout:     t.TempDir(),
			})
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			t.Log(err)
			var failed *build.Error
			if !errors.As(err, &failed) || failed.Place.String() != "Dockerfile:1:1" {
				t.Errorf("the error does not say where: %v", err)
			}
			for _, want := range []string{tt.want, source.Ref} {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if strings.Contains(fmt.Sprint(err), "-word") {
				t.Errorf("the error tells a password: %v", err)
			}
		})
	}
}

// push puts an image in a registry behind its guard. The host in the source is HOST.
func push(t *testing.T, inner http.Handler, img v1.Image) build.Source {
	t.Helper()
	open := httptest.NewServer(inner)
	defer open.Close()
	host := strings.TrimPrefix(open.URL, "http://")
	source := conformance.Push(t, host+"/base:1", img)
	source.Ref = strings.Replace(source.Ref, host, "HOST", 1)
	return source
}
