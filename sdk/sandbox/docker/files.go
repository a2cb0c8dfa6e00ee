package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// maxFiles bounds Spec.Files together, in bytes.
const maxFiles = 8 << 20

// withFiles makes an image of another one and some files, unless an earlier call has. The daemon does not copy into a
// container whose root is read-only, not even before it starts; so the files go into a container that never runs, and that
// one becomes the image.
func (r *Runtime) withFiles(ctx context.Context, image string, spec *sandbox.Spec) (string, error) {
	size := 0
	for name, data := range spec.Files {
		if !path.IsAbs(name) || strings.HasSuffix(name, "/") || path.Clean(name) == "/" {
			return "", fmt.Errorf("file %q: it must be an absolute path", name)
		}
		if size += len(data); size > maxFiles {
			return "", fmt.Errorf("the spec's files have more than %d bytes together", maxFiles)
		}
	}
	return r.images.once(ctx, filesKey(image, spec), func() (string, error) { return r.addFiles(ctx, image, spec) })
}

// filesKey is the same for the same image with the same files.
func filesKey(image string, spec *sandbox.Spec) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(spec.Files)) {
		_, _ = fmt.Fprintf(sum, "%q %x\n", name, sha256.Sum256(spec.Files[name]))
	}
	return fmt.Sprintf("%s %q %x", image, tmpfsOf(spec), sum.Sum(nil))
}

func (r *Runtime) addFiles(ctx context.Context, image string, spec *sandbox.Spec) (string, error) {
	base, err := r.client.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{
			Image: image, Cmd: []string{"/none"}, Entrypoint: []string{},
			Labels: map[string]string{ownerLabel: r.owner.mark(lease)},
		},
		HostConfig: &container.HostConfig{NetworkMode: "none", LogConfig: container.LogConfig{Type: "none"}},
	})
	if err != nil {
		return "", err
	}
	id, err := r.commit(ctx, base.ID, spec)
	_, rmErr := r.client.ContainerRemove(ctx, base.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	return id, errors.Join(err, rmErr)
}

func (r *Runtime) commit(ctx context.Context, id string, spec *sandbox.Spec) (string, error) {
	archive, err := r.archive(ctx, id, spec)
	if err != nil {
		return "", err
	}
	if _, err := r.client.CopyToContainer(ctx, id, client.CopyToContainerOptions{
		DestinationPath: "/", Content: archive, AllowOverwriteDirWithFile: false,
	}); err != nil {
		return "", fmt.Errorf("put the spec's files in: %w", err)
	}
	tag, err := r.images.newTag(strings.ToLower(rand.Text()[:12]))
	if err != nil {
		return "", err
	}
	image, err := r.client.ContainerCommit(ctx, id, client.ContainerCommitOptions{
		Reference: tag.String(), NoPause: true, Config: &container.Config{}, // Podman wants one
	})
	return image.ID, err
}

// archive has the files, and those of their directories that are not there: the daemon would make them for everybody to
// write, and change those that are there if the archive had them.
func (r *Runtime) archive(ctx context.Context, id string, spec *sandbox.Spec) (*bytes.Buffer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	known := map[string]bool{"/": true}
	var mkdir func(dir string) error
	mkdir = func(dir string) error {
		if known[dir] {
			return nil
		}
		known[dir] = true
		_, err := r.client.ContainerStatPath(ctx, id, client.ContainerStatPathOptions{Path: dir})
		switch {
		case err == nil:
			return nil
		case !errdefs.IsNotFound(err):
			return err
		}
		if err := mkdir(path.Dir(dir)); err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755})
	}
	for _, dir := range tmpfsOf(spec) {
		if !holdsFiles(spec, dir) {
			continue
		}
		if err := mkdir(path.Dir(dir)); err != nil {
			return nil, fmt.Errorf("tmpfs %s: %w", dir, err)
		}
		known[dir] = true
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o1777}); err != nil {
			return nil, fmt.Errorf("tmpfs %s: %w", dir, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Files)) {
		data := spec.Files[name]
		name = path.Clean(name)
		if err := mkdir(path.Dir(name)); err != nil {
			return nil, fmt.Errorf("file %s: %w", name, err)
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name[1:], Mode: 0o644, Size: int64(len(data))}); err != nil {
			return nil, fmt.Errorf("file %s: %w", name, err)
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	return &b, w.Close()
}
