package registry_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

// start runs a registry for the test.
func start(t testing.TB, opts registrytest.Options) *registrytest.Server {
	t.Helper()
	srv, err := registrytest.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

// fast is a client that does not keep a test waiting.
func fast(t testing.TB, opts registry.Options) *registry.Client {
	t.Helper()
	if opts.Backoff == 0 {
		opts.Backoff = time.Millisecond
	}
	c := registry.New(opts)
	t.Cleanup(c.Close)
	return c
}

func image(t testing.TB, content string, opts registrytest.ImageOptions) v1.Image {
	t.Helper()
	img, err := registrytest.Image(map[string]string{"etc/content": content}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// index is an index of one image for each platform.
func index(t testing.TB, platforms ...string) v1.ImageIndex {
	t.Helper()
	var images []v1.Image
	for _, p := range platforms {
		images = append(images, image(t, p, registrytest.ImageOptions{Platform: p}))
	}
	idx, err := registrytest.Index(images...)
	if err != nil {
		t.Fatal(err)
	}
	return idx
}

func seed(t testing.TB, srv *registrytest.Server, ref string, what registrytest.Pushable) string {
	t.Helper()
	digest, err := srv.Push(t.Context(), ref, what)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func requests(srv *registrytest.Server) []string {
	var all []string
	for _, r := range srv.Requests() {
		all = append(all, r.String())
	}
	return all
}

func TestResolve(t *testing.T) {
	srv := start(t, registrytest.Options{})
	digest := seed(t, srv, "base/demo:1.0", index(t, "linux/amd64", "linux/arm64"))
	c := fast(t, registry.Options{})
	for _, tc := range []struct{ name, ref string }{
		{"tag", "base/demo:1.0"},
		{"digest", "base/demo@" + digest},
		{"tag and digest", "base/demo:1.0@" + digest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := c.Resolve(t.Context(), srv.Ref(tc.ref))
			if err != nil || got != digest {
				t.Errorf("Resolve(%s) = %s, %v; want %s", tc.ref, got, err, digest)
			}
		})
	}
}

func TestSecondReferenceCostsOneRequest(t *testing.T) {
	srv := start(t, registrytest.Options{})
	for _, ref := range []string{"base/a:1", "base/b:1", "base/c:1"} {
		seed(t, srv, ref, image(t, ref, registrytest.ImageOptions{}))
	}
	srv.Reset()
	c := fast(t, registry.Options{})
	for _, ref := range []string{"base/a:1", "base/b:1", "base/c:1", "base/a:1"} {
		if _, err := c.Resolve(t.Context(), srv.Ref(ref)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"GET /v2/",
		"HEAD /v2/base/a/manifests/1",
		"HEAD /v2/base/b/manifests/1",
		"HEAD /v2/base/c/manifests/1",
		"HEAD /v2/base/a/manifests/1",
	}
	if diff := cmp.Diff(want, requests(srv)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestTags(t *testing.T) {
	srv := start(t, registrytest.Options{})
	img := image(t, "x", registrytest.ImageOptions{})
	for _, tag := range []string{"1.0", "1.1", "2.0-alpine"} {
		seed(t, srv, "base/demo:"+tag, img)
	}
	got, err := fast(t, registry.Options{}).Tags(t.Context(), srv.Ref("base/demo"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"1.0", "1.1", "2.0-alpine"}, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestConfigTakesThePlatformsManifest(t *testing.T) {
	srv := start(t, registrytest.Options{})
	indexDigest := seed(t, srv, "base/multi:1", index(t, "linux/386", "linux/arm/v6", "linux/arm/v7", "linux/arm64", "linux/amd64"))
	single := seed(t, srv, "base/single:1", image(t, "single", registrytest.ImageOptions{Platform: "linux/arm64"}))
	c := fast(t, registry.Options{})
	for _, tc := range []struct{ name, ref, platform, want, digest string }{
		{"exact", "base/multi:1", "linux/amd64", "linux/amd64", indexDigest},
		{"variant", "base/multi:1", "linux/arm/v7", "linux/arm/v7", indexDigest},
		{"older variant", "base/multi:1", "linux/arm/v8", "linux/arm/v7", indexDigest},
		{"oldest variant", "base/multi:1", "linux/arm/v6", "linux/arm/v6", indexDigest},
		{"normalised", "base/multi:1", "linux/aarch64", "linux/arm64", indexDigest},
		{"a single manifest is taken as it is", "base/single:1", "linux/amd64", "linux/arm64", single},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := c.Config(t.Context(), srv.Ref(tc.ref), tc.platform)
			if err != nil {
				t.Fatal(err)
			}
			if got.Platform != tc.want || got.Digest != tc.digest {
				t.Errorf("got %s of %s, want %s of %s", got.Platform, got.Digest, tc.want, tc.digest)
			}
			hash, _, err := v1.SHA256(strings.NewReader(string(got.Config)))
			if err != nil {
				t.Fatal(err)
			}
			img, err := c.Image(t.Context(), srv.Ref(tc.ref), tc.platform)
			if err != nil {
				t.Fatal(err)
			}
			manifest, _ := img.Digest()
			config, _ := img.ConfigName()
			if config != hash || manifest.String() != got.Manifest {
				t.Errorf("config %s of manifest %s, but Image has %s of %s", hash, got.Manifest, config, manifest)
			}
		})
	}
}

func TestConfigWithoutThePlatform(t *testing.T) {
	srv := start(t, registrytest.Options{})
	seed(t, srv, "base/demo:1", index(t, "linux/arm64", "linux/s390x"))
	_, err := fast(t, registry.Options{}).Config(t.Context(), srv.Ref("base/demo:1"), "linux/amd64")
	if !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("not ErrNotFound: %v", err)
	}
	want := srv.Ref("base/demo:1") + ": read: not found: the image index has no image for linux/amd64; it has linux/arm64, linux/s390x"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestBadReferences(t *testing.T) {
	c := fast(t, registry.Options{})
	for _, ref := range []string{"", "UPPER/case:1", "a b", "demo@sha256:123", "demo:ta g", "http://127.0.0.1/x", "demo:" + strings.Repeat("x", 200)} {
		if _, err := c.Resolve(t.Context(), ref); err == nil || !strings.Contains(err.Error(), "write it as") {
			t.Errorf("Resolve(%q): %v", ref, err)
		}
	}
	if _, err := c.Tags(t.Context(), "127.0.0.1:1/a:tag"); err == nil || !strings.Contains(err.Error(), "without tag") {
		t.Errorf("Tags with a tag: %v", err)
	}
	if _, err := c.Config(t.Context(), "127.0.0.1:1/a", "linux"); err == nil {
		t.Error("Config accepts half a platform")
	}
}

func TestIndexOfASingleManifest(t *testing.T) {
	srv := start(t, registrytest.Options{})
	seed(t, srv, "base/single:1", image(t, "x", registrytest.ImageOptions{}))
	_, err := fast(t, registry.Options{}).Index(t.Context(), srv.Ref("base/single:1"))
	if !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), "not an image index") {
		t.Error(err)
	}
}

// Many callers share a client, and one of them gives up: the others must not get its error.
func TestCancelledNeighbour(t *testing.T) {
	srv := start(t, registrytest.Options{})
	digest := seed(t, srv, "base/demo:1", image(t, "x", registrytest.ImageOptions{}))
	arrived, release := make(chan struct{}), make(chan struct{})
	srv.Inject(registrytest.Rule{Path: "/v2/", Times: 1, Fault: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		close(arrived)
		registrytest.Wait(release)(w, r, next)
	}})
	c := fast(t, registry.Options{})

	impatient, cancel := context.WithCancelCause(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := c.Resolve(impatient, srv.Ref("base/demo:1"))
		left <- err
	}()
	<-arrived
	type answer struct {
		digest string
		err    error
	}
	answers := make(chan answer, 8)
	for range cap(answers) {
		go func() {
			got, err := c.Resolve(t.Context(), srv.Ref("base/demo:1"))
			answers <- answer{got, err}
		}()
	}
	gone := errors.New("the caller hung up")
	cancel(gone)
	if err := <-left; !errors.Is(err, gone) {
		t.Errorf("the caller that gave up got %v", err)
	}
	close(release)
	for range cap(answers) {
		if a := <-answers; a.err != nil || a.digest != digest {
			t.Errorf("neighbour got %s, %v", a.digest, a.err)
		}
	}
}

// dialer connects to one address, whatever host is asked for.
func dialer(addr string) func(ctx context.Context, network, _ string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
}
