package docker

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	apinetwork "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// containerOptions says in the daemon's words what a sandbox.Spec asks for: the lock.
func (r *Runtime) containerOptions(spec *sandbox.Spec, config *v1.Config, image string, n *network) (client.ContainerCreateOptions, error) {
	var none client.ContainerCreateOptions
	args := arguments(spec, config)
	if len(args) == 0 {
		return none, errors.New("neither the image nor the spec says what to run: both have no entrypoint and no command")
	}
	limits := spec.Limits
	off, pids, mark := false, int64(limits.PIDs), r.owner.mark(limits.Life+5*time.Minute)
	host := &container.HostConfig{
		NetworkMode:    "none",
		ReadonlyRootfs: !spec.WritableRoot,
		CapDrop:        []string{"ALL"},
		CapAdd:         spec.Capabilities,
		SecurityOpt:    []string{"no-new-privileges"},
		IpcMode:        container.IPCModePrivate,
		Init:           &off,
		Runtime:        r.options.Runtime,
		LogConfig:      container.LogConfig{Type: "none"}, // it is read as it comes
		Resources: container.Resources{
			Memory: limits.Memory, MemorySwap: limits.Memory, PidsLimit: &pids, NanoCPUs: int64(r.cpus(limits.CPUs) * 1e9),
			Ulimits: []*container.Ulimit{{Name: "core"}}, // the host would keep core dumps
		},
	}
	if err := writable(host, spec, mark); err != nil {
		return none, err
	}
	if r.seccomp != "" {
		host.SecurityOpt = append(host.SecurityOpt, r.seccomp)
	}
	if r.podman && r.sameMachine() { // it would raise them as far as no process can that lacks CAP_SYS_RESOURCE
		host.Ulimits = append(host.Ulimits, ulimits()...)
	}
	name := first(spec.Name, "instance")
	options := client.ContainerCreateOptions{
		Config: &container.Config{
			Image: image, Hostname: name, User: spec.User, WorkingDir: spec.Dir, Env: spec.Env,
			Entrypoint: args[:1], Cmd: args[1:],
			Labels: map[string]string{ownerLabel: mark},
		},
		HostConfig: host,
	}
	if n != nil {
		host.NetworkMode = container.NetworkMode(n.id)
		// The daemon would forward names that it does not know, itself if its own name server is on loopback. From inside
		// the network this address, which is kept for documentation, leads nowhere.
		host.DNS = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 1})}
		host.DNSOptions = []string{"timeout:1", "attempts:2"} // seconds; older daemons do not answer what they do not know
		options.NetworkingConfig = &apinetwork.NetworkingConfig{
			EndpointsConfig: map[string]*apinetwork.EndpointSettings{n.id: {Aliases: []string{name}}},
		}
	}
	return options, nil
}

// cpus is the limit, or what the machine has if that is less: the daemon refuses more.
func (r *Runtime) cpus(limit float64) float64 {
	if r.info.NCPU > 0 {
		return min(limit, float64(r.info.NCPU))
	}
	return limit
}

func arguments(spec *sandbox.Spec, config *v1.Config) []string {
	entrypoint, command := config.Entrypoint, config.Cmd
	if spec.Entrypoint != nil { // then the image's command is not meant for it
		entrypoint, command = spec.Entrypoint, nil
	}
	if spec.Args != nil {
		command = spec.Args
	}
	return slices.Concat(entrypoint, command)
}

// writable fills in the directories of Spec.Tmpfs. They are in memory and count for its limit; half of it, so that a full
// one does not end the instance. One that files are put into is a volume, because the daemon mounts a tmpfs over them.
func writable(host *container.HostConfig, spec *sandbox.Spec, mark string) error {
	host.Tmpfs = map[string]string{}
	for _, dir := range tmpfsOf(spec) {
		switch {
		case !path.IsAbs(dir) || dir == "/":
			return fmt.Errorf("tmpfs %q: it must be an absolute path below /", dir)
		case holdsFiles(spec, dir):
			labels := map[string]string{ownerLabel: mark}
			host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Target: dir, VolumeOptions: &mount.VolumeOptions{Labels: labels}})
		default:
			host.Tmpfs[dir] = fmt.Sprintf("rw,exec,nosuid,nodev,mode=1777,size=%d", spec.Limits.Memory/2)
		}
	}
	return nil
}

func tmpfsOf(spec *sandbox.Spec) []string {
	if spec.Tmpfs == nil {
		return []string{"/tmp", "/run"}
	}
	dirs := make([]string, len(spec.Tmpfs))
	for i, dir := range spec.Tmpfs {
		dirs[i] = path.Clean(dir)
	}
	return dirs
}

// holdsFiles says whether a file of the spec lies below the directory.
func holdsFiles(spec *sandbox.Spec, dir string) bool {
	for name := range spec.Files {
		if strings.HasPrefix(path.Clean(name), dir+"/") {
			return true
		}
	}
	return false
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
