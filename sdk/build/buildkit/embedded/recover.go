//go:build linux

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"
)

// recover removes what a process left that was killed while it built in this place: running containers, mounts,
// half-received blobs. BuildKit itself forgets its temporary leases when it starts.
func (p *place) recover(ctx context.Context, runc string) error {
	if runc != "" { // a step of our own executor died with its parent
		if err := p.deleteContainers(ctx, runc); err != nil {
			return err
		}
	}
	if err := p.unmount(); err != nil {
		return err
	}
	for _, snapshotter := range []string{Overlay, Native} {
		for _, name := range []string{"executor", "content/ingest", "cachemounts"} {
			if err := os.RemoveAll(filepath.Join(p.dir, snapshotter, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteContainers kills what runc still runs. Each container has a directory with its id.
func (p *place) deleteContainers(ctx context.Context, runc string) error {
	for _, snapshotter := range []string{Overlay, Native} {
		dir := filepath.Join(p.dir, snapshotter, "executor")
		containers, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, c := range containers {
			if _, err := os.Stat(filepath.Join(dir, c.Name(), "config.json")); err == nil {
				// It may be gone already; what matters is that nothing is mounted afterwards, which unmount sees to.
				_ = exec.CommandContext(ctx, runc, "delete", "--force", c.Name()).Run()
			}
		}
	}
	return nil
}

// unmount takes down every mount that lies in the place or shows something of it elsewhere.
func (p *place) unmount() error {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) { return !p.owns(m), false })
	if err != nil {
		return err
	}
	slices.Reverse(mounts) // later mounts may lie on earlier ones
	for _, m := range mounts {
		if err := syscall.Unmount(m.Mountpoint, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("%s: left mounted by a killed build, and can't be unmounted: %w", m.Mountpoint, err)
		}
		if !p.holds(m.Mountpoint) {
			_ = os.Remove(m.Mountpoint) // a directory of BuildKit's in the temporary directory
		}
	}
	return nil
}

func (p *place) owns(m *mountinfo.Info) bool {
	return p.holds(m.Mountpoint) || p.holds(m.Root) || strings.Contains(m.VFSOptions, "="+p.dir+"/")
}

func (p *place) holds(path string) bool { return strings.HasPrefix(path, p.dir+"/") }
