package blackbox_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/plimsoll-dev/plimsoll/internal/enginetest"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/native"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// hostile are scenarios about images that do harm, by name. What is wanted is in the failure of each; "" is no failure.
var hostile = []struct{ name, steps, want string }{
	{"it eats its memory", `
    Given the arguments "eat 4000000000"
    When an instance is started
    Then within 5 minutes the log contains "ate 4"`, "waiting longer changes nothing: the instance ended with"},
	{"it forks without end", `
    Given the arguments "bomb"
    When an instance is started
    Then within 2 seconds the log contains "all is well"`, `still so after 2s: the log: expected the text "all is well"`},
	{"it floods its log", `
    Given the arguments "flood"
    When an instance is started
    Then within 2 seconds the log contains "all is well"`, "still so after 2s: the log is longer than the sandbox keeps"},
	{"it ignores SIGTERM", `
    Given the arguments "stubborn"
    When an instance is started
    And within 1 minute the log contains "ready"
    Then the instance stops within 1 second on SIGTERM`, "expected to end within 1s of SIGTERM, found still running"},
	{"it is a bomb", `
    Given the image "bomb"
    Then the file "/etc/passwd" exists`, "decompressed bytes"},
	{"it is a bomb that is started", `
    Given the image "bomb"
    When an instance is started`, "larger than the limit"},
	{"a step panics", `
    When an instance is started
    Then a step panics`, "the step panicked: it is broken"},
	{"it does its work", `
    Given the arguments "serve 8080"
    When an instance is started
    Then within 1 minute port 8080 accepts connections`, ""},
}

// smallSandboxes take images of 32 MiB.
var smallSandboxes = map[string]func(t *testing.T) (sandbox.Runtime, error){
	"docker": func(t *testing.T) (sandbox.Runtime, error) {
		t.Helper()
		testenv.NeedsDocker(t)
		return docker.New(t.Context(), docker.Options{MaxBytes: 32 << 20})
	},
	"embedded": func(t *testing.T) (sandbox.Runtime, error) {
		t.Helper()
		testenv.NeedsRoot(t)
		return native.New(t.Context(), native.Options{Dir: t.TempDir(), MaxBytes: 32 << 20})
	},
}

// bomb is an image with a layer of some kilobytes that unpacks to twice of that.
func bomb(t *testing.T) v1.Image {
	t.Helper()
	const size = 64 << 20
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(sandboxtest.Image(t, v1.Config{}), layer)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestHostileImages runs images that do harm in the real sandboxes: each fails its own scenario, and nothing is left.
func TestHostileImages(t *testing.T) {
	var feature strings.Builder
	feature.WriteString("Feature: F\n")
	for _, h := range hostile {
		fmt.Fprintf(&feature, "  Scenario: %s%s\n", h.name, h.steps)
	}
	dangerous := bomb(t)
	for name, start := range smallSandboxes {
		t.Run(name, func(t *testing.T) {
			runtime, err := start(t)
			if err != nil {
				t.Fatal(err)
			}
			s := blackbox.Suite{
				Features: fstest.MapFS{"hostile.feature": {Data: []byte(feature.String())}},
				Image:    sandboxtest.Image(t, v1.Config{}), Runtime: runtime,
			}
			s.Options.Layers.Bytes = 32 << 20
			s.Options.Limits.Memory = 128 << 20
			s.Options.Images = func(context.Context, string, string) (v1.Image, error) { return dangerous, nil }
			s.Options.Steps = []blackbox.Step{{
				Group: "Own", Kind: blackbox.KindImage, Expression: "a step panics", Doc: "Panics.", Example: "Then a step panics",
				Func: func(context.Context, *blackbox.Scenario, blackbox.Args) error { panic("it is broken") },
			}}
			v := run(t, s)
			for i, got := range v.Platforms[0].Scenarios {
				var text string
				for _, step := range got.Steps {
					text += step.Error
				}
				if want := hostile[i].want; (got.Status == blackbox.Passed) != (want == "") || !strings.Contains(text, want) {
					t.Errorf("%s: %s: %s, want %q", got.Name, got.Status, text, want)
				}
			}
			if err := runtime.(io.Closer).Close(); err != nil {
				t.Error(err)
			}
			if left := containersOf(t, ""); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// containersOf lists what this process has in a daemon.
func containersOf(t *testing.T, host string) string {
	t.Helper()
	args := []string{"ps", "--all", "--filter", "label=dev.plimsoll.sandbox.owner", "--format", `{{.ID}} {{.Label "dev.plimsoll.sandbox.owner"}}`}
	if host != "" {
		args = append([]string{"--host", host}, args...)
	}
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", args...).Output()
	if err != nil {
		t.Log(err)
	}
	var left []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, fmt.Sprintf("-%d-", os.Getpid())) {
			left = append(left, line)
		}
	}
	return strings.Join(left, "")
}

// TestADaemonThatStopsInTheMiddle: what needs it fails and says why, the rest goes on, and nothing stays when it is back.
func TestADaemonThatStopsInTheMiddle(t *testing.T) {
	d := enginetest.StartDockerd(t)
	rt, err := docker.New(t.Context(), docker.Options{Host: d.Host})
	if err != nil {
		t.Fatal(err)
	}
	s := blackbox.Suite{Image: sandboxtest.Image(t, v1.Config{}), Runtime: rt, Features: fstest.MapFS{"f.feature": {Data: []byte(`Feature: F
  Scenario: before
    Given the arguments "sleep"
    When an instance is started
    Then the instance is running
  Scenario: in the middle
    Given the arguments "sleep"
    When an instance is started
    And the daemon stops
    Then within 10 minutes the log contains "never"
  Scenario: after
    Given the arguments "sleep"
    When an instance "other" is started
    Then the instance is running
  Scenario: without an instance
    Then the file "/probe" exists
`)}}}
	s.Options.Concurrency = 1
	s.Options.Steps = []blackbox.Step{{
		Group: "Own", Kind: blackbox.KindInstance, Alone: true, Expression: "the daemon stops", Doc: "Stops it.", Example: "Then the daemon stops",
		Func: func(context.Context, *blackbox.Scenario, blackbox.Args) error { d.Stop(); return nil },
	}}
	v, err := s.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not answer any more") {
		t.Errorf("instances that cannot be removed: %v", err)
	}
	for i, want := range []struct {
		status blackbox.Status
		text   string
	}{{blackbox.Passed, ""}, {blackbox.Failed, "waiting longer changes nothing"}, {blackbox.Failed, "no daemon answers at " + d.Host}, {blackbox.Passed, ""}} {
		got := v.Platforms[0].Scenarios[i]
		var text string
		for _, step := range got.Steps {
			text += step.Error
		}
		if got.Status != want.status || !strings.Contains(text, want.text) {
			t.Errorf("%s: %s: %s, want %s: %q", got.Name, got.Status, text, want.status, want.text)
		}
	}
	if err := rt.Close(); err == nil || !strings.Contains(err.Error(), "does not answer any more") {
		t.Errorf("close without the daemon: %v", err)
	}
	d.Start()
	if err := rt.Close(); err != nil {
		t.Errorf("close when the daemon is back: %v", err)
	}
	if left := containersOf(t, d.Host); left != "" {
		t.Errorf("left behind: %s", left)
	}
}
