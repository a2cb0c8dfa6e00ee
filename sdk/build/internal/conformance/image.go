package conformance

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// noFiles is an empty build context.
var noFiles = fstest.MapFS{}

// service is a context with files, a directory, a link and modes as git knows them.
func service() fstest.MapFS {
	return fstest.MapFS{
		".dockerignore": {Data: []byte("*.tmp\n"), Mode: 0o644, ModTime: created},
		"junk.tmp":      {Data: []byte("junk"), Mode: 0o644, ModTime: created},
		"bin":           {Mode: fs.ModeDir | 0o755, ModTime: created},
		"bin/run":       {Data: []byte("#!/bin/sh\necho run\n"), Mode: 0o755, ModTime: created},
		"conf":          {Mode: fs.ModeDir | 0o755, ModTime: created},
		"conf/a.txt":    {Data: []byte("a\n"), Mode: 0o644, ModTime: created},
		"link":          {Data: []byte("conf/a.txt"), Mode: fs.ModeSymlink | 0o777, ModTime: created},
	}
}

// delivery is a definition with most of what real ones have.
func (s suite) delivery() build.Request {
	return build.Request{
		Context: service(),
		Args:    map[string]string{"VERSION": "7"},
		Secrets: map[string][]byte{"token": []byte("s3cret-token")},
		Dockerfile: fmt.Appendf(nil, `ARG VERSION=0
FROM %[1]s AS build
ARG VERSION
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/cache \
    --mount=type=secret,id=token \
    test "$(cat /run/secrets/token)" = s3cret-token && \
    cat conf/a.txt > /out && echo "version $VERSION" >> /out && touch /cache/seen

FROM %[1]s
COPY --from=build /out /app/out
COPY --from=build /src /app/src
RUN mkdir /data && %[2]s /data
ENV MODE=production
USER nobody
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["/app/src/bin/run"]
`, s.base.Ref, s.chown()),
	}
}

func (s suite) chown() string {
	if s.lacks.Owners {
		return "test -d"
	}
	return "chown 65534:65534"
}

func (s suite) image(t *testing.T) {
	result := s.build(t, s.delivery())
	img := image(t, result.Index)
	data := "drwxr-xr-x 65534:65534 "
	if s.lacks.Owners {
		data = "drwxr-xr-x 0:0 "
	}
	want := map[string]string{
		"app":                   "drwxr-xr-x 0:0 ",
		"app/out":               "-rw-r--r-- 0:0 a\nversion 7\n",
		"app/src":               "drwxr-xr-x 0:0 ",
		"app/src/.dockerignore": "-rw-r--r-- 0:0 *.tmp\n",
		"app/src/bin":           "drwxr-xr-x 0:0 ",
		"app/src/bin/run":       "-rwxr-xr-x 0:0 #!/bin/sh\necho run\n",
		"app/src/conf":          "drwxr-xr-x 0:0 ",
		"app/src/conf/a.txt":    "-rw-r--r-- 0:0 a\n",
		"app/src/link":          "Lrwxrwxrwx 0:0 conf/a.txt",
		"data":                  data,
	}
	if diff := cmp.Diff(want, files(t, img, "app", "data", "cache", "out", "run")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	got := v1.Config{
		User: config.Config.User, Env: config.Config.Env, WorkingDir: config.Config.WorkingDir,
		Entrypoint: config.Config.Entrypoint, Cmd: config.Config.Cmd, ExposedPorts: config.Config.ExposedPorts,
	}
	if diff := cmp.Diff(v1.Config{
		User: "nobody", Env: []string{"PATH=/usr/local/bin:/bin", "MODE=production"}, WorkingDir: "/data",
		Entrypoint: []string{"/app/src/bin/run"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}},
	}, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if !config.Created.Equal(created) {
		t.Errorf("created %s, want %s", config.Created, created)
	}
	s.standsOnBase(t, img)
}

// standsOnBase checks that the base's layers were not touched: what an image stands on is told by them.
func (s suite) standsOnBase(t *testing.T, img v1.Image) {
	t.Helper()
	base, err := pull(t, s.base).Layers()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range base {
		want, _ := b.DiffID()
		if got, _ := layers[i].DiffID(); got != want {
			t.Errorf("layer %d is %s, the base's is %s", i, got, want)
		}
	}
}

func (s suite) reproducible(t *testing.T) {
	first := s.build(t, s.delivery())
	again := s.delivery()
	again.NoCache = true
	second := s.build(t, again)
	if first.Digest != second.Digest {
		t.Errorf("the same request gave %s and, without the cache, %s", first.Digest, second.Digest)
	}
}

// owners checks that an image keeps its base's owners, also where no step could make such files.
func (s suite) owners(t *testing.T) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "shadow", Mode: 0o640, Uid: 0, Gid: 42, Format: tar.FormatPAX}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	owned, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(layer.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(pull(t, s.base), owned)
	if err != nil {
		t.Fatal(err)
	}
	base := Push(t, Registry(t)+"/base/owned:1", img)
	result := s.build(t, build.Request{
		Dockerfile: fmt.Appendf(nil, "FROM %s\nRUN cat /shadow > /copy\n", base.Ref),
		Sources:    []build.Source{base},
	})
	want := map[string]string{"shadow": "-rw-r----- 0:42 ", "copy": "-rw-r--r-- 0:0 "}
	if diff := cmp.Diff(want, files(t, image(t, result.Index), "shadow", "copy")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
