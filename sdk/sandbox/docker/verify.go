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
	if got == nil || made.NetworkSettings == nil {
		return fmt.Errorf("%w: the daemon does not tell how it confines the instance", sandbox.ErrUnsupported)
	}
	var open []string
	for _, part := range []struct {
		locked bool
		text   string
	}{
		{got.ReadonlyRootfs || !want.ReadonlyRootfs, "the root is writable"},
		{!got.Privileged, "it is privileged"},
		{dropsAll(got.CapDrop), "capabilities are kept"},
		{len(got.CapAdd) <= len(want.CapAdd), "capabilities are added"},
		{slices.ContainsFunc(got.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "no-new-privileges") }), "it can gain privileges"},
		{!slices.ContainsFunc(got.SecurityOpt, func(o string) bool { return strings.HasSuffix(o, "unconfined") }), "it is unconfined"},
		{got.Memory == want.Memory || !r.info.MemoryLimit, "memory is not limited"},
		{got.PidsLimit != nil && *got.PidsLimit == *want.PidsLimit || !r.info.PidsLimit, "processes are not limited"},
		{len(got.Binds)+len(got.Devices)+len(got.PortBindings) == 0, "it has directories, devices or ports of the host"},
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

func dropsAll(list []string) bool {
	return slices.ContainsFunc(list, func(c string) bool { return strings.EqualFold(c, "ALL") })
}
