package docker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// verify compares what the daemon made with what was asked for: one that overlooks an option must not pass for a sandbox.
// What it says itself that it cannot hold is a weakness of the runtime.
func (r *Runtime) verify(want *container.HostConfig, made container.InspectResponse) error {
	got := made.HostConfig
	if got == nil || made.NetworkSettings == nil || made.Config == nil {
		return fmt.Errorf("%w: the daemon does not tell how it confines the instance", sandbox.ErrUnsupported)
	}
	var open []string
	for _, part := range []struct {
		locked bool
		text   string
	}{
		{got.ReadonlyRootfs || !want.ReadonlyRootfs, "the root is writable"},
		{got.NetworkMode == want.NetworkMode, "its network is another"},
		{!got.Privileged, "it is privileged"},
		{dropsAll(got.CapDrop, want.CapAdd), "capabilities are kept"},
		{len(got.CapAdd) <= len(want.CapAdd), "capabilities are added"},
		{slices.ContainsFunc(got.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "no-new-privileges") }), "it can gain privileges"},
		{!slices.ContainsFunc(got.SecurityOpt, func(o string) bool { return strings.HasSuffix(o, "unconfined") }), "it is unconfined"},
		{got.Memory == want.Memory || !r.info.MemoryLimit, "memory is not limited"},
		{got.PidsLimit != nil && *got.PidsLimit == *want.PidsLimit || !r.info.PidsLimit, "processes are not limited"},
		{len(got.Devices)+len(got.PortBindings) == 0, "it has devices or ports of the host"},
		{!slices.ContainsFunc(got.Binds, func(b string) bool { return strings.HasPrefix(b, "/") }), "it has directories of the host"}, // others are volumes
		{!slices.ContainsFunc(made.Mounts, func(m container.MountPoint) bool { return m.Type == mount.TypeBind }), "it has directories of the host"},
	} {
		if !part.locked {
			open = append(open, part.text)
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%w: the daemon does not confine the instance as it was told: %s", sandbox.ErrUnsupported, strings.Join(open, ", "))
	}
	return nil
}

// dropsAll says whether all capabilities but some are dropped. Docker repeats what it was told; Podman names each of those
// that containers have by default.
func dropsAll(dropped, kept []string) bool {
	has := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(c string) bool { return strings.EqualFold(strings.TrimPrefix(c, "CAP_"), name) })
	}
	if has(dropped, "ALL") {
		return true
	}
	for _, name := range []string{
		"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
	} {
		if !has(dropped, name) && !has(kept, name) {
			return false
		}
	}
	return true
}
