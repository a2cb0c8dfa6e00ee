package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
)

// Containerd is a containerd of a test's own, with the CRI that the kubelet speaks.
type Containerd struct {
	// NRI is the socket for plugins.
	NRI string

	t       testing.TB
	bin     string
	dir     string
	pause   string
	cmd     *exec.Cmd
	log     bytes.Buffer
	runtime cri.RuntimeServiceClient
	images  cri.ImageServiceClient
}

// StartContainerd starts one with what is put into the section of NRI in its configuration, and into that of verifiers.
// pause is the image of sandboxes. It needs root, and a containerd with NRI: see [testenv.NeedsContainerd].
func StartContainerd(t testing.TB, pause, nri, verifiers string) *Containerd {
	t.Helper()
	bin := testenv.NeedsContainerd(t)
	testenv.NeedsRoot(t)
	testenv.NeedsRunc(t)
	dir, err := os.MkdirTemp("", "ctrd") //nolint:usetesting // sockets need a short path
	if err != nil {
		t.Fatal(err)
	}
	c := &Containerd{NRI: dir + "/nri.sock", t: t, bin: bin, dir: dir, pause: pause}
	t.Cleanup(func() {
		c.sweep()
		c.Stop()
		if t.Failed() {
			t.Logf("containerd:\n%s", tail(c.log.String(), 6000))
		}
		_ = exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", "for m in $(grep -o '"+dir+"[^ ]*' /proc/mounts | sort -r); do umount -l $m; done").Run()
		if err := os.RemoveAll(dir); err != nil {
			t.Log(err)
		}
	})
	c.Start(nri, verifiers)
	return c
}

const containerdConfig = `version = 3
root = "%[1]s/root"
state = "%[1]s/state"
[grpc]
  address = "%[1]s/containerd.sock"
[ttrpc]
  address = "%[1]s/containerd.ttrpc.sock"
[plugins."io.containerd.cri.v1.images"]
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "%[2]s"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.nri.v1.nri"]
  disable = false
  socket_path = "%[1]s/nri.sock"
  plugin_path = "%[1]s/nri-plugins"
  plugin_config_path = "%[1]s/nri-conf"
%[3]s
[plugins."io.containerd.image-verifier.v1.bindir"]
%[4]s
`

// Start starts it, again after [Containerd.Stop] on the same state.
func (c *Containerd) Start(nri, verifiers string) {
	c.t.Helper()
	config := filepath.Join(c.dir, "config.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, containerdConfig, c.dir, c.pause, nri, verifiers), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.cmd = exec.CommandContext(context.Background(), filepath.Join(c.bin, "containerd"), "--config", config, "--log-level", "info")
	c.cmd.Env = append(os.Environ(), "PATH="+c.bin+":"+os.Getenv("PATH"))
	c.cmd.Stdout, c.cmd.Stderr = &c.log, &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix://"+c.dir+"/containerd.sock", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	c.runtime, c.images = cri.NewRuntimeServiceClient(conn), cri.NewImageServiceClient(conn)
	Eventually(c.t, "containerd answers", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := c.runtime.Version(ctx, &cri.VersionRequest{})
		return err == nil
	})
}

// Stop ends it and leaves what runs.
func (c *Containerd) Stop() {
	if c.cmd == nil {
		return
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	_ = c.cmd.Wait()
	c.cmd = nil
}

// sweep ends all sandboxes.
func (c *Containerd) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	list, err := c.runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
	if err != nil {
		return
	}
	for _, s := range list.Items {
		_, _ = c.runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: s.Id})
		_, _ = c.runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: s.Id})
	}
}

// Pull pulls an image and returns its id.
func (c *Containerd) Pull(ref string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := c.images.PullImage(ctx, &cri.PullImageRequest{Image: &cri.ImageSpec{Image: ref}})
	return r.GetImageRef(), err
}

// Import loads an archive as "ctr images import" does, for the kubelet's namespace.
func (c *Containerd) Import(archive []byte) error {
	cmd := exec.CommandContext(context.Background(), filepath.Join(c.bin, "ctr"), "--address", c.dir+"/containerd.sock", "--namespace", "k8s.io", "images", "import", "-")
	cmd.Stdin = bytes.NewReader(archive)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr images import: %w: %s", err, out)
	}
	return nil
}

// Pod makes a sandbox on the node's network.
func (c *Containerd) Pod(name string) (*Pod, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Namespace: "shop", Uid: name},
		LogDirectory: c.dir,
		Linux: &cri.LinuxPodSandboxConfig{
			SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_NODE}},
		},
	}
	r, err := c.runtime.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: config})
	return &Pod{engine: c, id: r.GetPodSandboxId(), config: config}, err
}

// Pod is a sandbox.
type Pod struct {
	engine *Containerd
	id     string
	config *cri.PodSandboxConfig
}

// Run creates and starts a container of an image that is there.
func (p *Pod) Run(name, ref string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := p.engine.runtime.CreateContainer(ctx, &cri.CreateContainerRequest{
		PodSandboxId: p.id, SandboxConfig: p.config,
		Config: &cri.ContainerConfig{Metadata: &cri.ContainerMetadata{Name: name}, Image: &cri.ImageSpec{Image: ref}, LogPath: name + ".log"},
	})
	if err != nil {
		return err
	}
	_, err = p.engine.runtime.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: r.ContainerId})
	return err
}
