package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker/internal/probe"
)

// helper is this program in a container beside the daemon, for daemons whose processes this process cannot enter: on
// another machine, in a virtual machine, or because it is not root. It sees the daemon's processes and may enter their
// namespaces; instances do not see it. It is started when it is first needed, and ends with the connection to it.
type helper struct {
	runtime *Runtime

	mu  sync.Mutex
	id  string
	end func()
}

// start returns the helper's container, which it starts unless it runs.
func (h *helper) start(ctx context.Context) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.id != "" {
		return h.id, nil
	}
	files, err := h.program()
	if err != nil {
		return "", err
	}
	image, err := helperImage(files, h.runtime.info.Architecture)
	if err != nil {
		return "", err
	}
	loaded, _, err := h.runtime.images.load(ctx, image)
	if err != nil {
		return "", fmt.Errorf("the helper: %w", err)
	}
	ctx, cancel := outlast(ctx, 10*time.Second)
	defer cancel()
	c := h.runtime.client
	created, err := c.ContainerCreate(ctx, h.options(loaded))
	if err != nil {
		return "", fmt.Errorf("the helper: %w", err)
	}
	h.id = created.ID
	attached, err := c.ContainerAttach(ctx, created.ID, client.ContainerAttachOptions{Stream: true, Stdin: true})
	if err == nil {
		h.end = attached.Close
		_, err = c.ContainerStart(ctx, created.ID, client.ContainerStartOptions{})
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("the helper: %w", err), h.remove(ctx))
	}
	return h.id, nil
}

// lost forgets a container that is no more, so that the next one who needs the helper starts it again.
func (h *helper) lost(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.id == id {
		h.end() // it was set when the container started
		h.id, h.end = "", nil
	}
}

// program returns the helper's files by path.
func (h *helper) program() (map[string][]byte, error) {
	if given := h.runtime.options.Helper; given != nil {
		return map[string][]byte{probe.Path: given}, nil
	}
	if h.runtime.info.OSType != "linux" || goArch(h.runtime.info.Architecture) != runtime.GOARCH {
		return nil, fmt.Errorf("%w: the daemon at %s is for %s/%s, this program for %s/%s: give one for it as Options.Helper, or run the test where the daemon is, as root",
			sandbox.ErrUnsupported, h.runtime.options.Host, h.runtime.info.OSType, h.runtime.info.Architecture, runtime.GOOS, runtime.GOARCH)
	}
	return probe.ThisProgram()
}

// options gives the helper what it needs to enter the namespaces of instances and to read the files of their users.
func (h *helper) options(image string) client.ContainerCreateOptions {
	pids := int64(256)
	host := &container.HostConfig{
		NetworkMode: "none", PidMode: "host", UsernsMode: "host", IpcMode: container.IPCModePrivate,
		ReadonlyRootfs: true, AutoRemove: true,
		CapDrop: []string{"ALL"}, CapAdd: []string{"SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "KILL"},
		SecurityOpt: []string{"no-new-privileges"},
		LogConfig:   container.LogConfig{Type: "none"},
		Resources:   container.Resources{Memory: 512 << 20, MemorySwap: 512 << 20, PidsLimit: &pids},
	}
	if h.runtime.seccomp != "" {
		host.SecurityOpt = append(host.SecurityOpt, h.runtime.seccomp)
	}
	return client.ContainerCreateOptions{
		Config: &container.Config{
			Image: image, Entrypoint: []string{probe.Path, "hold"}, User: "0:0", OpenStdin: true, StdinOnce: true, AttachStdin: true,
			Labels: map[string]string{ownerLabel: h.runtime.owner.mark(lease)},
		},
		HostConfig: host,
	}
}

// close ends the helper, if it runs.
func (h *helper) close(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.remove(ctx)
}

func (h *helper) remove(ctx context.Context) error {
	if h.id == "" {
		return nil
	}
	if h.end != nil {
		h.end()
	}
	_, err := h.runtime.client.ContainerRemove(ctx, h.id, client.ContainerRemoveOptions{Force: true})
	if errdefs.IsConflict(err) { // it ended and is being removed by itself: not gone yet
		err = h.gone(ctx)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("docker sandbox: remove the helper: %w", err)
	}
	h.id, h.end = "", nil
	return nil
}

// gone waits until the daemon has removed the helper.
func (h *helper) gone(ctx context.Context) error {
	wait := h.runtime.client.ContainerWait(ctx, h.id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	select {
	case <-wait.Result:
		return nil
	case err := <-wait.Error:
		return err
	}
}

// helperImage has these files and no more.
func helperImage(files map[string][]byte, arch string) (v1.Image, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name[1:], Mode: 0o755, Size: int64(len(files[name]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer(b.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", goArch(arch)
	return mutate.ConfigFile(image, config)
}

// goArch is Go's name of an architecture that the daemon calls as the kernel does.
func goArch(arch string) string {
	if name, ok := map[string]string{"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}[arch]; ok {
		return name
	}
	return arch
}
