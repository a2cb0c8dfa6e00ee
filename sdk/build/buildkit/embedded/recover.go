//go:build linux

package embedded

import (
	"context"
	"fmt"
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
	bundles, err := filepath.Glob(filepath.Join(p.dir, "executor", "*", "config.json"))
	if err != nil {
		return err
	}
	for _, config := range bundles {
		if runc == "" {
			break // a step of our own executor dies with its parent
		}
		id := filepath.Base(filepath.Dir(config))
		// The container may be gone already; what matters is that nothing is mounted below.
		_ = exec.CommandContext(ctx, runc, "delete", "--force", id).Run()
	}
	if err := p.unmount(); err != nil {
		return err
	}
	for _, dir := range []string{"executor", "content/ingest", "cachemounts"} {
		if err := os.RemoveAll(filepath.Join(p.dir, dir)); err != nil {
			return err
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
