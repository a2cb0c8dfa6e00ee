// Package baseimage makes base images from nothing but the Go toolchain, for the quickstart and for tests, where no
// image can or should be pulled: a static userland with a shell, and the same with the Go toolchain in it.
package baseimage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const userlandPackage = "github.com/plimsoll-dev/plimsoll/internal/userland"

// Userland is an image with a shell and the core commands, users root and nobody, and an /etc/os-release of the given
// version. The same version gives the same digest with the same Go toolchain. It must run inside this module, as the
// go command builds the userland from source.
func Userland(ctx context.Context, version string) (v1.Image, error) {
	bin, commands, err := userlandBinary(ctx)
	if err != nil {
		return nil, err
	}
	programs := newTree()
	programs.file("bin/userland", 0o755, bin)
	for _, name := range commands {
		programs.link("bin/"+name, "userland")
	}
	etc := newTree()
	etc.file("etc/os-release", 0o644, fmt.Appendf(nil, "ID=userland\nNAME=Userland\nVERSION_ID=%s\nPRETTY_NAME=\"Userland %s\"\n", version, version))
	etc.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"))
	etc.file("etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	etc.dir("root", 0o700)
	etc.dir("tmp", 0o1777)

	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Env:    []string{"PATH=/usr/local/bin:/bin"},
			Cmd:    []string{"/bin/sh"},
			Labels: map[string]string{"org.opencontainers.image.version": version},
		},
	})
	if err != nil {
		return nil, err
	}
	return appendTrees(img, programs, etc)
}

// binary is the userland of this process: built once, as it never changes while a process runs.
var binary struct {
	sync.Mutex
	content  []byte
	commands []string
}

func userlandBinary(ctx context.Context) ([]byte, []string, error) {
	binary.Lock()
	defer binary.Unlock()
	if binary.content != nil {
		return binary.content, binary.commands, nil
	}
	dir, err := os.MkdirTemp("", "userland-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "userland")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", path, userlandPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("building the userland (needs the go command and this module's source): %w\n%s", err, out)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	list, err := exec.CommandContext(ctx, path, "--list").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("listing the userland's commands: %w", err)
	}
	binary.content, binary.commands = content, strings.Fields(string(list))
	return binary.content, binary.commands, nil
}
