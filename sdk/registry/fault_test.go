package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// A registry that is down, slow, refuses or breaks off: which error comes, what it says, how often it was tried.
func TestFaults(t *testing.T) {
	const ref = "base/demo:1"
	retryAfter := http.Header{"Retry-After": {"120"}}
	for _, tc := range []struct {
		name     string
		rule     registrytest.Rule
		want     error
		says     []string
		requests int // of manifests
	}{
		{
			"500 for ever",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Status(500, nil)},
			registry.ErrUnavailable,
			[]string{"500 internal server error", "tried 4 times", "the fault is in 127.0.0.1"},
			4,
		},
		{"503 twice", registrytest.Rule{Path: "/manifests/", Times: 2, Fault: registrytest.Status(503, nil)}, nil, nil, 5},
		{
			"429 for ever",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Status(429, nil)},
			registry.ErrUnavailable,
			[]string{"429 too many requests", "limits its callers"},
			4,
		},
		{
			"429 with a long wait",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Status(429, retryAfter)},
			registry.ErrUnavailable,
			[]string{"the registry asks to wait 2m0s"},
			1,
		},
		{
			"404",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Status(404, nil)},
			registry.ErrNotFound,
			[]string{"404 not found", "check the spelling"},
			1,
		},
		{
			"401",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Status(401, nil)},
			registry.ErrUnauthorized,
			[]string{"401 unauthorized", "no user name and password (anonymous) was tried"},
			1,
		},
		{
			"403",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Status(403, nil)},
			registry.ErrUnauthorized,
			[]string{"403 forbidden"},
			1,
		},
		{
			"400",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Status(400, nil)},
			registry.ErrInvalid,
			[]string{"400 bad request"},
			1,
		},
		{
			"ping answers 500",
			registrytest.Rule{Path: "/v2/", Fault: registrytest.Status(500, nil)},
			registry.ErrUnavailable,
			[]string{"500 internal server error"},
			0,
		},
		{"manifest cut once", registrytest.Rule{Path: "/manifests/", Times: 1, Fault: registrytest.CutResponse(20)}, nil, nil, 4},
		{
			"manifest always cut",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.CutResponse(20)},
			registry.ErrUnavailable,
			[]string{"unexpected EOF", "tried 4 times", "the connection was lost"},
			4,
		},
		{"config cut once", registrytest.Rule{Path: "/blobs/", Times: 1, Fault: registrytest.CutResponse(20)}, nil, nil, 2},
		{
			"no answer",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Hang()},
			registry.ErrUnavailable,
			[]string{"the connection stood still", "answers too slowly"},
			4,
		},
		{"no answer once", registrytest.Rule{Path: "/manifests/", Times: 1, Fault: registrytest.Hang()}, nil, nil, 3},
		{
			"manifest is not JSON",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Answer([]byte("<html>hello"))},
			registry.ErrInvalid,
			nil, 1,
		},
		{
			"manifest is huge",
			registrytest.Rule{Path: "/manifests/", Fault: registrytest.Answer(bytes.Repeat([]byte(" "), 5<<20))},
			registry.ErrInvalid,
			[]string{"larger than 4194304 bytes", "MaxManifestBytes"},
			1,
		},
		{
			"manifest is another",
			registrytest.Rule{Path: "/manifests/sha256:", Fault: registrytest.Answer([]byte(`{"schemaVersion":2}`))},
			registry.ErrInvalid,
			[]string{"does not match requested digest"},
			2,
		},
		{
			"config is another",
			registrytest.Rule{Path: "/blobs/", Fault: registrytest.Answer([]byte(`{}`))},
			registry.ErrInvalid,
			nil, 2,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := start(t, registrytest.Options{})
			seed(t, srv, ref, index(t, "linux/amd64"))
			srv.Reset()
			srv.Inject(tc.rule)
			c := fast(t, registry.Options{Stall: 100 * time.Millisecond})
			_, err := c.Config(t.Context(), srv.Ref(ref), "linux/amd64")
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			for _, want := range tc.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			n := 0
			for _, r := range srv.Requests() {
				if strings.Contains(r.Path, "/manifests/") {
					n++
				}
			}
			if tc.want != nil && !strings.HasPrefix(err.Error(), srv.Ref(ref)+": read: ") {
				t.Errorf("%q does not begin with the reference", err)
			}
			if want := tc.requests; n > want || tc.want != nil && n != want {
				t.Errorf("%d requests for manifests, want %d", n, want)
			}
		})
	}
}

func TestRegistryIsDown(t *testing.T) {
	srv := start(t, registrytest.Options{})
	srv.Close()
	c := fast(t, registry.Options{})
	_, err := c.Resolve(t.Context(), srv.Ref("base/demo:1"))
	if !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "nothing listens at "+srv.Host+": is the registry running?") {
		t.Error(err)
	}
	if _, err := c.Push(t.Context(), srv.Ref("team/app"), index(t, "linux/amd64"), registry.PushOptions{}); !errors.Is(err, registry.ErrUnavailable) {
		t.Error(err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	srv := start(t, registrytest.Options{})
	seed(t, srv, "base/demo:1", index(t, "linux/amd64"))
	srv.Inject(registrytest.Rule{Path: "/manifests/", Times: 1, Fault: registrytest.Status(429, http.Header{"Retry-After": {"1"}})})
	began := time.Now()
	if _, err := fast(t, registry.Options{}).Resolve(t.Context(), srv.Ref("base/demo:1")); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < time.Second {
		t.Errorf("asked again after %s, though told to wait 1 s", d)
	}
}

func TestContextEndsEverything(t *testing.T) {
	srv := start(t, registrytest.Options{})
	seed(t, srv, "base/demo:1", index(t, "linux/amd64"))
	for _, tc := range []struct {
		name  string
		fault registrytest.Fault
	}{
		{"while waiting for an answer", registrytest.Hang()},
		{"while waiting to try again", registrytest.Status(503, http.Header{"Retry-After": {"50"}})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			arrived := make(chan struct{}, 16)
			srv.Inject(registrytest.Rule{Path: "/manifests/", Fault: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				arrived <- struct{}{}
				tc.fault(w, r, next)
			}})
			defer srv.Reset()
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := fast(t, registry.Options{}).Resolve(ctx, srv.Ref("base/demo:1"))
				done <- err
			}()
			<-arrived
			stop := errors.New("the user pressed ^C")
			cancel(stop)
			if err := <-done; !errors.Is(err, stop) || errors.Is(err, registry.ErrUnavailable) {
				t.Errorf("got %v, want the context's cause", err)
			}
		})
	}
}

// secret must not appear in an error or a log.
const secret = "hunter2-very-secret"

func TestCredentials(t *testing.T) {
	srv := start(t, registrytest.Options{Users: map[string]string{"ada": secret}})
	seed(t, srv, "base/demo:1", index(t, "linux/amd64"))
	for _, tc := range []struct {
		name     string
		keychain authn.Keychain
		want     error
		says     string
	}{
		{"right", keychain{Username: "ada", Password: secret}, nil, ""},
		{"none", nil, registry.ErrUnauthorized, "no user name and password (anonymous) was tried"},
		{"wrong password", keychain{Username: "ada", Password: secret + "x"}, registry.ErrUnauthorized, "a user name and password was tried"},
		{"token", keychain{RegistryToken: secret}, registry.ErrUnauthorized, "a registry token was tried"},
		{"identity token", keychain{IdentityToken: secret}, registry.ErrUnauthorized, "an identity token was tried"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var logged bytes.Buffer
			c := fast(t, registry.Options{Keychain: tc.keychain, Log: slog.New(slog.NewTextHandler(&logged, nil))})
			_, err := c.Resolve(t.Context(), srv.Ref("base/demo:1"))
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if said := fmt.Sprint(err, logged.String()); !strings.Contains(said, tc.says) || strings.Contains(said, secret) {
				t.Errorf("%s: want %q and no secret", said, tc.says)
			}
		})
	}
}

// A service outlives the credentials that it began with.
func TestCredentialsAreAskedForAgain(t *testing.T) {
	srv := start(t, registrytest.Options{Users: map[string]string{"ada": secret}})
	seed(t, srv, "base/demo:1", index(t, "linux/amd64"))
	changing := &rotating{keys: []keychain{{Username: "ada", Password: "of yesterday"}, {Username: "ada", Password: secret}}}
	c := fast(t, registry.Options{Keychain: changing})
	for range 2 {
		if _, err := c.Resolve(t.Context(), srv.Ref("base/demo:1")); err != nil {
			t.Fatal(err)
		}
	}
	if changing.asked != 2 {
		t.Errorf("the keychain was asked %d times, want 2", changing.asked)
	}
}

type keychain authn.AuthConfig

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig(k)), nil
}

type rotating struct {
	keys  []keychain
	asked int
}

func (r *rotating) Resolve(target authn.Resource) (authn.Authenticator, error) {
	k := r.keys[min(r.asked, len(r.keys)-1)]
	r.asked++
	return k.Resolve(target)
}

func TestPlainHTTP(t *testing.T) {
	srv := start(t, registrytest.Options{})
	digest := seed(t, srv, "base/demo:1", index(t, "linux/amd64"))
	// Two names that are not loopback lead to the test's registry: one like that of a public host, one private address.
	dial := &http.Transport{DialContext: dialer(srv.Host)}
	t.Cleanup(dial.CloseIdleConnections)
	for _, host := range []string{"registry.test:5000", "10.1.2.3:5000"} {
		t.Run(host, func(t *testing.T) {
			_, err := fast(t, registry.Options{Transport: dial}).Resolve(t.Context(), host+"/base/demo:1")
			if !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "let Options.Insecure allow") {
				t.Errorf("not allowed: %v", err)
			}
			allowed := func(h string) bool { return h == host }
			got, err := fast(t, registry.Options{Transport: dial, Insecure: allowed}).Resolve(t.Context(), host+"/base/demo:1")
			if err != nil || got != digest {
				t.Errorf("allowed: %s, %v", got, err)
			}
		})
	}
}

func TestUntrustedCertificate(t *testing.T) {
	srv := start(t, registrytest.Options{})
	digest := seed(t, srv, "base/demo:1", index(t, "linux/amd64"))
	tls := httptest.NewUnstartedServer(srv)
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	defer tls.Close()
	host := strings.TrimPrefix(tls.URL, "https://")
	_, err := fast(t, registry.Options{}).Resolve(t.Context(), host+"/base/demo:1")
	if !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "trusts the registry's certificate authority") {
		t.Errorf("untrusted: %v", err)
	}
	got, err := fast(t, registry.Options{Transport: tls.Client().Transport}).Resolve(t.Context(), host+"/base/demo:1")
	if err != nil || got != digest {
		t.Errorf("trusted: %s, %v", got, err)
	}
}

// Registries that answer HEAD without the digest header, or not at all, are asked with GET.
func TestPoorHead(t *testing.T) {
	srv := start(t, registrytest.Options{})
	digest := seed(t, srv, "base/demo:1", index(t, "linux/amd64"))
	for name, fault := range map[string]registrytest.Fault{
		"no digest header": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		},
		"method not allowed": registrytest.Status(http.StatusMethodNotAllowed, nil),
	} {
		t.Run(name, func(t *testing.T) {
			srv.Inject(registrytest.Rule{Method: http.MethodHead, Fault: fault})
			defer srv.Reset()
			got, err := fast(t, registry.Options{}).Resolve(t.Context(), srv.Ref("base/demo:1"))
			if err != nil || got != digest {
				t.Errorf("%s, %v; want %s", got, err, digest)
			}
		})
	}
}

// Layers are not held in memory and not sent again; a layer that is not what its digest says is an error of its reader.
func TestLayersAreChecked(t *testing.T) {
	srv := start(t, registrytest.Options{})
	img := image(t, strings.Repeat("layer", 1000), registrytest.ImageOptions{})
	seed(t, srv, "base/demo:1", img)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	remote, err := fast(t, registry.Options{}).Image(t.Context(), srv.Ref("base/demo:1"), "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	layer, err := remote.LayerByDigest(digest)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, layer); got != nil {
		t.Errorf("a good layer: %v", got)
	}
	srv.Inject(registrytest.Rule{Path: "/blobs/", Fault: registrytest.Answer([]byte("something else"))})
	if got := readAll(t, layer); got == nil {
		t.Error("a layer with other content was read without an error")
	}
}

func readAll(t *testing.T, layer v1.Layer) error {
	t.Helper()
	body, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = new(bytes.Buffer).ReadFrom(body)
	return err
}
