package dockerauthz_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/enginetest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/admissiontest"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/dockerauthz"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
)

// host is a daemon with the plugin in front of it.
type host struct {
	*enginetest.Dockerd
	deny   *admissiontest.Deny
	gate   *admission.Gate
	engine *docker.Engine
	plugin func() (stop func())
	stop   func() // ends the plugin that runs
}

// newHost starts a daemon with the plugin and two images: good:1, which is known, and bad:1, which stands on a banned base.
func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{deny: admissiontest.New("test")}
	h.gate = admission.NewGate(admission.Options{Bundles: h.deny})
	name := fmt.Sprintf("plimsoll-test-%d", os.Getpid())
	socket := filepath.Join("/run/docker/plugins", name+".sock")
	t.Cleanup(func() { _ = os.Remove(socket) })
	h.plugin = func() func() {
		listener, err := dockerauthz.Listen(socket)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		done := make(chan error)
		go func() { done <- dockerauthz.New(h.gate, h.engine, dockerauthz.Options{}).Serve(ctx, listener) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	base := enginetest.Base(t, "debian:12.8")
	bad, good := enginetest.Image(t, "bad", base), enginetest.Image(t, "good", enginetest.Base(t, "debian:12.9"))
	_, badID, _ := enginetest.Digests(t, bad)
	_, goodID, _ := enginetest.Digests(t, good)
	_, _, baseLayers := enginetest.Digests(t, base)
	h.deny.Ban("BAN-7", "build on base/debian:12.9", badID)
	h.deny.Ban("BAN-7-layers", "build on base/debian:12.9", baseLayers[0]) // the ChainID of one layer is its diff ID
	h.deny.Know(goodID)

	h.Dockerd = enginetest.StartDockerd(t, "--authorization-plugin", name)
	var err error
	if h.engine, err = docker.Dial(h.Host); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.engine.Close() })
	h.stop = h.plugin()
	t.Cleanup(func() { h.stop() })
	h.Load(enginetest.Archive(t, "registry.example/bad:1", bad))
	h.Load(enginetest.Archive(t, "registry.example/good:1", good))
	return h
}

func TestAttacksOnADaemon(t *testing.T) {
	h := newHost(t)
	refused := func(what string, out string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(out, "BAN-7") && !strings.Contains(out, admission.RuleUnknown) {
			t.Errorf("%s: not refused: %v: %s", what, err, out)
		}
	}
	run := func(what string, args ...string) {
		t.Helper()
		out, err := h.Run(args...)
		refused(what, out, err)
	}
	h.Must("run", "--rm", "--network=none", "registry.example/good:1", "hello")

	id := strings.TrimPrefix(h.Must("image", "inspect", "-f", "{{.Id}}", "registry.example/bad:1"), "sha256:")
	run("by name", "run", "--rm", "registry.example/bad:1")
	run("create", "create", "registry.example/bad:1")
	run("by id", "run", "--rm", "sha256:"+id)
	run("by a short id", "run", "--rm", id[:12])
	h.Must("tag", "registry.example/bad:1", "innocent:1")
	run("retagged copy", "run", "--rm", "innocent:1")
	h.Must("tag", "registry.example/bad:1", "other.example/mirror/good:1")
	run("name of another registry", "run", "--rm", "other.example/mirror/good:1")

	// A tag that is moved after the create was judged: the container is of the image that was judged.
	h.Must("tag", "registry.example/good:1", "moving:1")
	h.Must("create", "--name", "moved", "moving:1")
	h.Must("tag", "registry.example/bad:1", "moving:1")
	h.Must("start", "moved")
	h.Must("rm", "-f", "moved")

	// What was created before its base was banned, and its image has lost its name since.
	late := enginetest.Image(t, "late", nil)
	_, lateID, _ := enginetest.Digests(t, late)
	h.deny.Know(lateID)
	h.Load(enginetest.Archive(t, "registry.example/late:1", late))
	h.Must("create", "--name", "old", "registry.example/late:1")
	h.Must("run", "-d", "--name", "running", "registry.example/late:1")
	h.Must("run", "-d", "--name", "paused", "registry.example/late:1")
	h.Must("pause", "paused")
	h.deny.Ban("BAN-7-late", "rebuild it", lateID)
	run("start of an old container", "start", "old")
	run("restart", "restart", "running")
	run("unpause", "unpause", "paused")
	h.Must("rmi", "-f", "registry.example/late:1")
	run("start after the image lost its name", "start", "old")

	// Images that nobody recorded, recognised by their layers.
	h.Must("commit", "running", "committed:1")
	run("docker commit", "run", "--rm", "committed:1", "hello")
	h.Import("imported:1", "running")
	run("docker import", "run", "--rm", "imported:1", "/idle", "hello")
	onBase := enginetest.Image(t, "loaded, never published", enginetest.Base(t, "debian:12.8"))
	h.Load(enginetest.Archive(t, "loaded:1", onBase))
	run("docker load of an unrecorded image on the banned base", "run", "--rm", "loaded:1")

	// Calls as no client of Docker makes them.
	raw := func(what, method, path, contentType string, body []byte, length int64) {
		t.Helper()
		status, text := call(t, h.Host, method, path, contentType, body, length)
		if status < 400 || status == http.StatusNotFound {
			t.Errorf("%s: answered %d %s", what, status, text)
		}
	}
	bad := []byte(`{"Image":"registry.example/bad:1","HostConfig":{"NetworkMode":"none"}}`)
	raw("plain", "POST", "/v1.41/containers/create", "application/json", bad, -1)
	raw("no version", "POST", "/containers/create", "application/json", bad, -1)
	raw("encoded path", "POST", "/v1.41/%63ontainers/create", "application/json", bad, -1)
	raw("empty body (CVE-2024-41110)", "POST", "/v1.41/containers/create", "application/json", bad, 0)
	raw("body above 1 MiB (CVE-2026-34040)", "POST", "/v1.41/containers/create", "application/json",
		append([]byte(`{"Labels":{"x":"`+strings.Repeat("x", 2<<20)+`"},`), bad[1:]...), -1)
	raw("another content type", "POST", "/v1.41/containers/create", "text/plain", bad, -1)
	raw("key in another case", "POST", "/v1.41/containers/create", "application/json",
		[]byte(`{"Image":"registry.example/good:1","iMAGE":"registry.example/bad:1"}`), -1)
	raw("two documents", "POST", "/v1.41/containers/create", "application/json", append(bytes.Clone(bad), bad...), -1)
	raw("plugin", "POST", "/v1.41/plugins/pull?remote=evil", "application/json", []byte(`[]`), -1)

	// Gate without a bundle, and a plugin that is dead.
	h.deny.Fail(fmt.Errorf("none"))
	if out, err := h.Run("run", "--rm", "registry.example/good:1"); err == nil || !strings.Contains(out, "AD1006") {
		t.Errorf("without a bundle: %v: %s", err, out)
	}
	h.deny.Fail(nil)

	// The sweep finds what runs already.
	report, err := sweep.Sweep(t.Context(), h.gate, h.engine)
	if err != nil || report.Denied != 2 || report.Instances[0].Instance.Name == "" {
		t.Errorf("sweep: %+v, %v", report, err)
	}

	// The watcher ends what slips through: what runs, and what the daemon itself starts again.
	ended := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	w := &dockerauthz.Watcher{Gate: h.gate, Daemon: h.engine, Running: true, Stopped: func(i admission.Instance, _ admission.Decision, err error) {
		if err == nil {
			ended <- i.Name
		}
	}}
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Logf("it ended with: %v", err)
		}
	}()
	names := <-ended + " " + <-ended
	if names != "running paused" && names != "paused running" {
		t.Errorf("ended %s", names)
	}

	// With a dead plugin nothing starts: the daemon asks for it, in vain, until the client has had enough.
	h.stop()
	h.stop = func() {}
	short, enough := context.WithTimeout(t.Context(), 2*time.Second)
	defer enough()
	out, err := exec.CommandContext(short, "docker", "--host", h.Host, "run", "--rm", "registry.example/good:1", "hello").CombinedOutput()
	if err == nil || strings.Contains(string(out), "hello") {
		t.Errorf("started with a dead plugin: %s", out)
	}
	h.stop = h.plugin()
	h.Must("run", "--rm", "registry.example/good:1", "hello")
}

// call makes an API call with any length that it says it has; -1 is the true one.
func call(t *testing.T, host, method, path, contentType string, body []byte, length int64) (int, string) {
	t.Helper()
	if length < 0 {
		length = int64(len(body))
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "unix", strings.TrimPrefix(host, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: docker\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", method, path, contentType, length)
	_, _ = conn.Write(body)
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(conn)
	var status int
	_, _ = fmt.Sscanf(answer.String(), "HTTP/1.1 %d", &status)
	_, text, _ := strings.Cut(answer.String(), "\r\n\r\n")
	return status, text
}
