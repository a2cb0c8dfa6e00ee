package conformance

import (
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

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
RUN mkdir /data && chown 65534:65534 /data
ENV MODE=production
USER nobody
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["/app/src/bin/run"]
`, s.base.Ref),
	}
}

func (s suite) image(t *testing.T) {
	result := s.build(t, s.delivery())
	img := image(t, result.Index)
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
		"data":                  "drwxr-xr-x 65534:65534 ",
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
	if !config.Created.Time.Equal(created) {
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
