//go:build linux

package executor

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/buildkit/executor"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container"
)

// mounter turns BuildKit's mounts into those of a container. Binds and memory file systems are left to the container;
// the rest, overlays for the most part, is mounted in dir first and bound from there.
type mounter struct {
	dir  string
	undo *[]func() // in the order of mounting
	made []madeMount
}

type madeMount struct {
	what mount.Mount
	at   string
}

func (m *mounter) mountRoot(ctx context.Context, root executor.Mount) (string, error) {
	if root.Src == nil {
		return "", fmt.Errorf("the root of a step has no source")
	}
	mounts, err := m.mounts(ctx, root)
	if err != nil {
		return "", err
	}
	return m.mountAt(mounts, "rootfs")
}

// mounts asks a source for its mounts.
func (m *mounter) mounts(ctx context.Context, one executor.Mount) ([]mount.Mount, error) {
	// The root is always mounted writable, because mount points are made in it; the container makes it read-only.
	ref, err := one.Src.Mount(ctx, one.Readonly && one.Dest != "/")
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", one.Dest, err)
	}
	mounts, release, err := ref.Mount()
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", one.Dest, err)
	}
	if release != nil {
		*m.undo = append(*m.undo, func() { _ = release() })
	}
	return mounts, nil
}

func (m *mounter) mountAt(mounts []mount.Mount, name string) (string, error) {
	target := filepath.Join(m.dir, name)
	if err := os.Mkdir(target, 0o755); err != nil {
		return "", err
	}
	if err := mount.All(mounts, target); err != nil {
		return "", fmt.Errorf("mount %s: %w", target, err)
	}
	*m.undo = append(*m.undo, func() { _ = mount.UnmountAll(target, unix.MNT_DETACH) })
	return target, nil
}

func (m *mounter) mount(ctx context.Context, one executor.Mount) ([]container.Mount, error) {
	if one.Src == nil {
		return nil, fmt.Errorf("mount %s has no source", one.Dest)
	}
	mounts, err := m.mounts(ctx, one)
	if err != nil {
		return nil, err
	}
	target := path.Join("/", one.Dest)
	subpath := one.Selector
	if path.Join("/", subpath) == "/" {
		subpath = ""
	}
	var result []container.Mount
	for _, mt := range mounts {
		options := mt.Options
		if one.Readonly {
			options = append([]string{"ro"}, options...)
		}
		switch {
		case mt.Type == "bind" || mt.Type == "rbind":
			result = append(result, container.Mount{Type: "bind", Source: mt.Source, Subpath: subpath, Target: target, Options: options})
		case mt.Type == "tmpfs" && subpath == "":
			result = append(result, container.Mount{Type: "tmpfs", Target: target, Options: options})
		default:
			at, err := m.once(mt)
			if err != nil {
				return nil, err
			}
			options = []string{"rbind"}
			if one.Readonly {
				options = append(options, "ro")
			}
			result = append(result, container.Mount{Type: "bind", Source: at, Subpath: subpath, Target: target, Options: options})
		}
	}
	return result, nil
}

// once mounts the same thing for all mounts that show parts of it.
func (m *mounter) once(what mount.Mount) (string, error) {
	for _, made := range m.made {
		if reflect.DeepEqual(made.what, what) {
			return made.at, nil
		}
	}
	at, err := m.mountAt([]mount.Mount{what}, fmt.Sprintf("mount%d", len(m.made)))
	if err != nil {
		return "", err
	}
	m.made = append(m.made, madeMount{what, at})
	return at, nil
}
