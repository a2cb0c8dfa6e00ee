package nri_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/enginetest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/nri"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const required = `
  [plugins."io.containerd.nri.v1.nri".default_validator]
    enable = true
    required_plugins = ["plimsoll"]
    tolerate_missing_plugins_annotation = ""
`

// With a real containerd, as the kubelet speaks to it.
func TestAttacksOnANode(t *testing.T) {
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	push := func(ref string, what registrytest.Pushable) string {
		t.Helper()
		if _, err := server.Push(t.Context(), ref, what); err != nil {
			t.Fatal(err)
		}
		return server.Ref(ref)
	}
	base := enginetest.Base(t, "debian:12.8")
	badImage, goodImage, loaded := enginetest.Image(t, "bad", base), enginetest.Image(t, "good", nil), enginetest.Image(t, "loaded", base)
	badManifest, badConfig, _ := enginetest.Digests(t, badImage)
	_, goodConfig, _ := enginetest.Digests(t, goodImage)
	index, err := registrytest.Index(badImage)
	if err != nil {
		t.Fatal(err)
	}
	pause := push("pause:1", enginetest.Image(t, "pause", nil))
	goodRef, badRef, badIndex := push("good:1", goodImage), push("bad:1", badImage), push("badindex:1", index)

	deny := admissiontest.New("node")
	deny.Know(goodConfig)
	deny.Ban("BAN-7", "build on base/debian:12.9", badConfig, badManifest)
	gate := admission.NewGate(admission.Options{Bundles: deny})
	node := enginetest.StartContainerd(t, pause, required, `bin_dir = "/nonexistent"`)
	var running []string
	start := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		done := make(chan error, 1)
		go func() {
			done <- nri.New(gate, nri.Options{Socket: node.NRI, Running: func(i admission.Instance, _ admission.Decision) { running = append(running, i.Name) }}).Run(ctx)
		}()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Logf("it ended with: %v", err)
			}
		}
	}

	for _, ref := range []string{goodRef, badRef, badIndex} {
		if _, err := node.Pull(ref); err != nil {
			t.Fatal(err)
		}
	}
	pod, err := node.Pod("pay")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	try := func(what, ref, want string) {
		t.Helper()
		n++
		err := pod.Run(fmt.Sprint("c", n), ref)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", what, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	try("no plugin, and it is required", goodRef, "plimsoll")
	stop := start()
	enginetest.Eventually(t, "the plugin is connected", func() bool { n++; return pod.Run(fmt.Sprint("c", n), goodRef) == nil })
	try("good", goodRef, "")
	try("banned manifest", badRef, "BAN-7")
	try("banned platform of an index", badIndex, "BAN-7")
	try("banned by digest", server.Ref("bad")+"@"+badManifest, "BAN-7")
	try("banned by image id", badConfig, "BAN-7")
	if err := node.Import(enginetest.Archive(t, "registry.example/loaded:1", loaded)); err != nil {
		t.Fatal(err)
	}
	try("imported, not known", "registry.example/loaded:1", "AD1003")
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	try("good, cached, registry down", goodRef, "")
	try("banned, cached, registry down", badRef, "BAN-7")
	deny.Fail(fmt.Errorf("none"))
	try("no bundle", goodRef, "AD1006")
	deny.Fail(nil)
	stop()
	// The first container after its death may be one that containerd counts as asked about: see the package's comment.
	enginetest.Eventually(t, "a dead plugin denies", func() bool { n++; return pod.Run(fmt.Sprint("c", n), goodRef) != nil })
	try("dead plugin", goodRef, "plimsoll")

	// What runs is told when the plugin comes back after a ban.
	deny.Ban("BAN-8", "", goodConfig)
	stop = start()
	enginetest.Eventually(t, "running containers are told", func() bool { return len(running) >= 2 })
	try("banned while it ran", goodRef, "BAN-8")
	stop()

	// Without required_plugins a dead plugin decides nothing: this is why the configuration has it.
	node.Stop()
	node.Start("", `bin_dir = "/nonexistent"`)
	try("dead plugin that is not required", badRef, "")
}

// The verifier keeps denied images from being pulled.
func TestVerifierOfContainerd(t *testing.T) {
	server, err := registrytest.Start(registrytest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	image := enginetest.Image(t, "x", nil)
	digest, err := server.Push(t.Context(), "x:1", image)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// containerd runs any program: this one denies one digest, and shows which arguments there are.
	script := "#!/bin/sh\necho \"$@\" >> " + dir + "/args\ncase \"$*\" in *" + digest + "*) echo 'BAN-7'; exit 1;; esac\n"
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "plimsoll"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	node := enginetest.StartContainerd(t, server.Ref("pause:1"), "", fmt.Sprintf("bin_dir = %q\nmax_verifiers = 10\nper_verifier_timeout = \"10s\"", filepath.Join(dir, "bin")))
	if _, err := node.Pull(server.Ref("x:1")); err == nil || !strings.Contains(err.Error(), "BAN-7") {
		t.Errorf("pulled: %v", err)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil || !strings.Contains(string(args), "-name "+server.Ref("x:1")+" -digest "+digest+" -stdin-media-type") {
		t.Errorf("arguments %q, %v", args, err)
	}
}
