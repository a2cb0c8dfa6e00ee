package registrytest_test

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

func Example() {
	srv, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()
	img, err := registrytest.Image(map[string]string{"bin/hello": "#!/bin/sh\necho hello\n"}, registrytest.ImageOptions{
		Config: v1.Config{User: "1000", Entrypoint: []string{"/bin/hello"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := srv.Push(context.Background(), "team/hello:1.0", img); err != nil {
		log.Fatal(err)
	}
	srv.Reset()

	srv.Inject(registrytest.Rule{Path: "/manifests/", Times: 1, Fault: registrytest.Status(http.StatusServiceUnavailable, nil)})
	for range 2 {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+srv.Host+"/v2/team/hello/manifests/1.0", http.NoBody)
		if err != nil {
			log.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, r := range srv.Requests() {
		fmt.Println(r, r.Status)
	}
	// Output:
	// GET /v2/team/hello/manifests/1.0 503
	// GET /v2/team/hello/manifests/1.0 200
}

func TestStartRefuses(t *testing.T) {
	for _, opts := range []registrytest.Options{
		{Addr: "0.0.0.0:0"},
		{Addr: "example.com:80"},
		{Addr: "127.0.0.1"},
		{Dir: "/does/not/exist"},
	} {
		if srv, err := registrytest.Start(opts); err == nil {
			srv.Close()
			t.Errorf("%+v was accepted", opts)
		}
	}
}

func TestBlobsOnDisk(t *testing.T) {
	dir := t.TempDir()
	srv, err := registrytest.Start(registrytest.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	img, err := registrytest.Image(map[string]string{"a": "b"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.Push(t.Context(), "a:1", img); err != nil {
		t.Fatal(err)
	}
	blobs, err := os.ReadDir(dir + "/sha256")
	if err != nil || len(blobs) != 2 {
		t.Errorf("want a layer and a config on disk, got %v, %v", blobs, err)
	}
}

func TestImageFiles(t *testing.T) {
	fsys := fstest.MapFS{
		"bin/sh":        {Data: []byte("binary"), Mode: 0o755},
		"bin/link":      {Data: []byte("sh"), Mode: 0o777 | os.ModeSymlink},
		"etc/deep/file": {Data: []byte("text"), Mode: 0o600},
	}
	img, err := registrytest.ImageFS(fsys, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	tr := tarOf(t, img)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %o %s", h.Name, h.Mode, h.Linkname))
	}
	want := []string{"bin 755 ", "bin/link 777 sh", "bin/sh 755 ", "etc 755 ", "etc/deep 755 ", "etc/deep/file 600 "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestImageIsReproducibleAndStacks(t *testing.T) {
	files := map[string]string{"a": "1", "b/c": "2"}
	one, err := registrytest.Image(files, registrytest.ImageOptions{Platform: "linux/arm/v7"})
	if err != nil {
		t.Fatal(err)
	}
	two, err := registrytest.Image(files, registrytest.ImageOptions{Platform: "linux/arm/v7"})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := one.Digest()
	b, _ := two.Digest()
	if a != b {
		t.Errorf("the same files gave %s and %s", a, b)
	}
	child, err := registrytest.Image(map[string]string{"d": "3"}, registrytest.ImageOptions{Base: one, Platform: "linux/arm/v7"})
	if err != nil {
		t.Fatal(err)
	}
	layers, _ := child.Layers()
	config, _ := child.ConfigFile()
	if len(layers) != 2 || config.Platform().String() != "linux/arm/v7" {
		t.Errorf("%d layers for %s", len(layers), config.Platform())
	}
	empty, err := registrytest.Image(nil, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if layers, _ := empty.Layers(); len(layers) != 0 {
		t.Errorf("an image without files has %d layers", len(layers))
	}
}

func TestManifests(t *testing.T) {
	requests := []registrytest.Request{
		{Method: "GET", Path: "/v2/"},
		{Method: "HEAD", Path: "/v2/base/a/manifests/1"},
		{Method: "GET", Path: "/v2/base/a/manifests/1"},
		{Method: "GET", Path: "/v2/base/a/manifests/sha256:12"},
		{Method: "PUT", Path: "/v2/base/b/manifests/1"},
		{Method: "GET", Path: "/v2/c/manifests/2"},
	}
	if diff := cmp.Diff([]string{"base/a:1", "c:2"}, registrytest.Manifests(requests)); diff != "" {
		t.Error(diff)
	}
}

func tarOf(t *testing.T, img v1.Image) *tar.Reader {
	t.Helper()
	rc := mutate.Extract(img)
	t.Cleanup(func() { rc.Close() })
	return tar.NewReader(rc)
}
