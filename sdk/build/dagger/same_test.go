package dagger_test

import (
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/conformance"
)

// What the engine builds is what the other builders make of the same request: the same layers, uncompressed, and the same
// config. How layers are compressed, and the words of the history, are each builder's own.
func TestSameAsEmbedded(t *testing.T) {
	testenv.NeedsRoot(t)
	onEngine := connect(t)
	runc, _ := exec.LookPath("runc")
	inProcess, err := embedded.Start(t.Context(), embedded.Options{State: t.TempDir(), Runc: runc})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inProcess.Close() })
	base := conformance.Userland(t, "1.4.8")
	image := func(b build.Builder) *v1.ConfigFile {
		t.Helper()
		result, err := b.Build(t.Context(), build.Request{
			Dockerfile: fmt.Appendf(nil, `FROM %[1]s AS build
WORKDIR /src
COPY . .
RUN cat conf/a.txt > /out
FROM %[1]s
LABEL a=b
ENV MODE=production
COPY --from=build /out /app/out
COPY conf /app/conf
RUN mkdir /data && echo data > /data/file
USER nobody
WORKDIR /data
EXPOSE 8080
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD ["/bin/true"]
ONBUILD COPY x /x
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["/app/out"]
CMD ["serve"]
`, base.Ref),
			Sources: []build.Source{base}, Created: created, Labels: map[string]string{"team": "pay"}, Layout: filepath.Join(t.TempDir(), "layout"),
			Context: fstest.MapFS{
				"conf": {Mode: fs.ModeDir | 0o755, ModTime: created}, "conf/a.txt": {Data: []byte("a\n"), Mode: 0o644, ModTime: created},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := result.Index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		img, err := result.Index.Image(manifest.Manifests[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	want := image(inProcess)
	got := image(onEngine)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(v1.ConfigFile{}, "History")); diff != "" {
		t.Errorf("the engine's image differs (-embedded +dagger):\n%s", diff)
	}
}
