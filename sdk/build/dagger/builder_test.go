package dagger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

var created = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// world is a registry with a base, and an engine that answers with an image on it.
type world struct {
	engine  *engine
	server  *registrytest.Server
	base    build.Source
	builder *dagger.Builder
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	w := &world{server: server}
	base, err := registrytest.Image(map[string]string{"etc/os-release": "ID=demo\n"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.base = w.push(t, "base/demo:1", base)
	above, err := registrytest.Image(map[string]string{"app": "hello\n"}, registrytest.ImageOptions{Base: base, Created: created.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	made, err := above.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	made = made.DeepCopy()
	made.History = nil // an engine keeps none
	if above, err = mutate.ConfigFile(above, made); err != nil {
		t.Fatal(err)
	}
	w.engine = &engine{version: dagger.Version, image: above}
	client := registry.New(registry.Options{})
	t.Cleanup(client.Close)
	if w.builder, err = dagger.New(t.Context(), w.engine.query, dagger.Options{Registry: client}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) push(t *testing.T, ref string, img v1.Image) build.Source {
	t.Helper()
	index, err := registrytest.Index(img)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := w.server.Push(t.Context(), ref, index)
	if err != nil {
		t.Fatal(err)
	}
	return build.Source{Kind: "image", Ref: w.server.Ref(ref) + "@" + digest}
}

func (w *world) request(t *testing.T, dockerfile string) build.Request {
	t.Helper()
	return build.Request{
		Dockerfile: []byte(strings.ReplaceAll(dockerfile, "BASE", w.base.Ref)), Sources: []build.Source{w.base}, Created: created,
		Context: fstest.MapFS{"app": {Data: []byte("hello\n"), Mode: 0o644, ModTime: created}}, Layout: filepath.Join(t.TempDir(), "layout"),
	}
}

func TestBuild(t *testing.T) {
	w := newWorld(t)
	req := w.request(t, "FROM BASE\nCOPY app /app\nRUN true\nRUN [\"/bin/true\"]\n")
	req.Labels = map[string]string{"team": "pay"}
	result, err := w.builder.Build(t.Context(), req)
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
	layers := 0
	for _, h := range config.History {
		if !h.EmptyLayer {
			layers++
		}
	}
	if layers != len(config.RootFS.DiffIDs) {
		t.Errorf("the history has %d layers, the image %d", layers, len(config.RootFS.DiffIDs))
	}
	if !config.Created.Equal(created) || config.Config.Labels["team"] != "pay" || content(t, img, "app") != "hello\n" {
		t.Errorf("created %s, labels %v", config.Created, config.Config.Labels)
	}
	if want := "RUN --network=none true\nRUN --network=none [\"/bin/true\"]\n"; !strings.HasSuffix(w.engine.dockerfile, want) {
		t.Errorf("the engine got\n%s\nwant it to end with\n%s", w.engine.dockerfile, want)
	}
	if w.engine.ignore != "\n/.plimsoll\n" {
		t.Errorf("ignored: %q", w.engine.ignore)
	}
	if result.Home.Name != "dagger" || result.Home.Enforces || len(result.Home.Weaknesses) == 0 {
		t.Errorf("home %+v", result.Home)
	}
}

// What an engine could not refuse is refused before it is asked.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	trigger, err := registrytest.Image(map[string]string{"etc/x": "x"}, registrytest.ImageOptions{Config: v1.Config{OnBuild: []string{"RUN fetch"}}})
	if err != nil {
		t.Fatal(err)
	}
	evil := w.push(t, "evil:1", trigger)
	tests := []struct {
		name, dockerfile string
		change           func(*build.Request)
		unlisted         bool
		want             string
	}{
		{"from", "FROM " + evil.Ref + "\n", nil, true, "Dockerfile:1:6: "},
		{"copy from", "FROM BASE\nCOPY --from=" + evil.Ref + " /etc/x /x\n", nil, true, "Dockerfile:2:13: "},
		{"mount", "FROM BASE\nRUN --mount=from=" + evil.Ref + ",target=/m true\n", nil, true, "Dockerfile:2:"},
		{"web", "FROM BASE\nADD https://example.com/x /x\n", nil, true, "https://example.com/x"},
		{"trigger with the network", "FROM " + evil.Ref + "\n", func(r *build.Request) { r.Sources = append(r.Sources, evil) }, false, "a trigger of this base runs a command"},
		{"network", "FROM BASE\nRUN --network=host true\n", nil, false, "Dockerfile:2:1: RUN --network=host: "},
		{"named context", "FROM BASE\n", func(r *build.Request) {
			r.Contexts = map[string]build.NamedContext{"x": {Image: evil.Ref}}
		}, false, "named contexts"},
		{"syntax", "FROM BASE\nCPOY a b\n", nil, false, "Dockerfile:2:1: unknown instruction: CPOY"},
		{"tag", "FROM BASE\n", func(r *build.Request) { r.Sources[0].Ref = "debian:12" }, false, "is pinned by digest"},
		{"syntax line", "# syntax=x\nFROM BASE\n", nil, false, "Dockerfile:1: the syntax line"},
		{"layout", "FROM BASE\n", func(r *build.Request) { r.Layout = "" }, false, "no directory for the layout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := w.request(t, tt.dockerfile)
			if tt.change != nil {
				tt.change(&req)
			}
			_, err := w.builder.Build(t.Context(), req)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, build.ErrUnlisted) != tt.unlisted {
				t.Errorf("got %v, want an error that says %q", err, tt.want)
			}
		})
	}
	if w.engine.builds > 0 {
		t.Errorf("the engine was asked for %d builds", w.engine.builds)
	}
}

// An engine that built on something else than was planned is found out.
func TestAnotherBase(t *testing.T) {
	w := newWorld(t)
	other, err := registrytest.Image(map[string]string{"etc/os-release": "ID=other\n"}, registrytest.ImageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.engine.image = other
	_, err = w.builder.Build(t.Context(), w.request(t, "FROM BASE\n"))
	if err == nil || !strings.Contains(err.Error(), "the engine built on ") {
		t.Errorf("got %v", err)
	}
}

// The engine's errors, as v0.20.0 has them.
func TestFailedSteps(t *testing.T) {
	tests := []struct{ name, engine, want string }{
		{
			"command", `process "/bin/sh -c echo s3cret-token &&     exit 3" did not complete successfully: exit code: 3 [traceparent:9b62b4a84aac0724112dd19d6eb94888-59f7deb4c2e0cdbe]`,
			"Dockerfile:3:1: [linux/amd64] Dockerfile: RUN echo *** &&     exit 3: exit code: 3",
		},
		{
			"file", `failed to compute cache key: failed to calculate checksum of ref abc::def: "/nothing": not found [traceparent:9b62b4a84aac0724112dd19d6eb94888-59f7deb4c2e0cdbe]`,
			"Dockerfile:2:1: [linux/amd64] Dockerfile: COPY nothing /: \"/nothing\": not found",
		},
		{"unknown", "no space left on device", "[linux/amd64] Dockerfile: no space left on device"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.engine.err = errors.New(tt.engine)
			req := w.request(t, "FROM BASE\nCOPY nothing /\nRUN echo s3cret-token && \\\n    exit 3\n")
			req.Secrets = map[string][]byte{"token": []byte("s3cret-token")}
			_, err := w.builder.Build(t.Context(), req)
			var step *build.Error
			if !errors.As(err, &step) || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if entries, _ := os.ReadDir(filepath.Dir(req.Layout)); len(entries) > 0 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for version, fine := range map[string]bool{
		"v0.19.11": false, "v0.20.0": true, "v0.21.4": true, "v1.0.0-beta.5": true, "v0.9.9": false, "devel": true,
	} {
		e := &engine{version: version}
		_, err := dagger.New(t.Context(), e.query, dagger.Options{Registry: registry.New(registry.Options{})})
		if fine != (err == nil) || err != nil && !strings.Contains(err.Error(), "older than v0.20.0") {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// The messages of what is missing are our own.
func TestConnectWithoutCommand(t *testing.T) {
	_, err := dagger.Connect(t.Context(), dagger.Options{CLI: filepath.Join(t.TempDir(), "dagger")})
	if err == nil || !strings.Contains(err.Error(), "install the dagger CLI v0.20.0") {
		t.Errorf("got %v", err)
	}
	script := filepath.Join(t.TempDir(), "dagger")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho 'Error: connect: no engine here' >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = dagger.Connect(t.Context(), dagger.Options{CLI: script, Registry: registry.New(registry.Options{})})
	if want := "dagger: no answer from the engine that the dagger command provisions: connect: no engine here; name a running engine, or start one"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = dagger.Connect(t.Context(), dagger.Options{CLI: script, Engine: "unix:///nonexistent/engine.sock"})
	if want := "dagger: no answer from unix:///nonexistent/engine.sock: "; !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Errorf("got %v, want %s...", err, want)
	}
}
