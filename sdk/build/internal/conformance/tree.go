package conformance

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// request completes a request that the suite makes: the layout is new and the base is among the sources.
func (s suite) request(t testing.TB, req build.Request) build.Request {
	t.Helper()
	if req.Context == nil {
		req.Context = noFiles
	}
	req.Created = created
	req.Sources = append(req.Sources, s.base)
	req.Layout = filepath.Join(t.TempDir(), "layout")
	return req
}

// build builds and checks what holds for every result.
func (s suite) build(t testing.TB, req build.Request) *build.Result {
	t.Helper()
	req = s.request(t, req)
	result, err := s.builder.Build(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(result.Index); err != nil {
		t.Error(err)
	}
	if digest, err := result.Index.Digest(); err != nil || digest != result.Digest {
		t.Errorf("index digest: %s, %v; the result says %s", digest, err, result.Digest)
	}
	assertFiles(t, filepath.Dir(req.Layout), "layout")
	return result
}

// images are the images of an index.
func images(t testing.TB, index v1.ImageIndex) []v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var all []v1.Image
	for _, m := range manifest.Manifests {
		img, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, img)
	}
	return all
}

// image is the only image of an index.
func image(t testing.TB, index v1.ImageIndex) v1.Image {
	t.Helper()
	all := images(t, index)
	if len(all) != 1 {
		t.Fatalf("the index has %d manifests, want 1", len(all))
	}
	return all[0]
}

// files lists an image's files below the prefixes: mode, owner and content or target by name.
func files(t testing.TB, img v1.Image, prefixes ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	rc := mutate.Extract(img)
	defer rc.Close()
	for r := tar.NewReader(rc); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(h.Name, "/")
		if !hasPrefix(name, prefixes) {
			continue
		}
		if h.ModTime.After(created) {
			t.Errorf("%s: modified %s, after the image's time %s", name, h.ModTime, created)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		found[name] = fmt.Sprintf("%s %d:%d %s%s", h.FileInfo().Mode(), h.Uid, h.Gid, content, h.Linkname)
	}
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if name == p || strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}
