//go:build linux

package native

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
)

// maxFiles bounds Spec.Files together.
const maxFiles = 8 << 20

// containerSpec says in the engine's words what a sandbox.Spec asks for.
func (r *Runtime) containerSpec(id string, spec *sandbox.Spec, image *unpacked) (*container.Spec, error) {
	config := &image.config.Config
	args := arguments(spec, config)
	if len(args) == 0 {
		return nil, errors.New("neither the image nor the spec says what to run: both have no entrypoint and no command")
	}
	if name := first(spec.Name, "instance"); !hostname().MatchString(name) {
		return nil, fmt.Errorf("name %q: it must be a host name: up to 63 letters, digits and hyphens", name)
	}
	limits := spec.Limits.OrDefault()
	who, err := container.ResolveUser(image.root, first(spec.User, config.User))
	if err != nil {
		return nil, err
	}
	s := &container.Spec{
		ID: id, Root: image.root, Hostname: first(spec.Name, "instance"), Network: spec.Network,
		ReadonlyRoot: !spec.WritableRoot, Scratch: limits.Memory / 2,
		Resources: container.Resources{Memory: limits.Memory, PIDs: limits.PIDs, CPUs: limits.CPUs},
		Process: container.Process{
			Args: args, Dir: first(spec.Dir, config.WorkingDir, "/"),
			Rlimits: []container.Rlimit{{Resource: unix.RLIMIT_CORE}}, // the host would keep core dumps
		},
	}
	if s.Mounts, err = tmpfs(spec, limits); err != nil {
		return nil, err
	}
	if s.Files, err = files(spec, s.Hostname); err != nil {
		return nil, err
	}
	p := &s.Process
	p.Env = environment(config, spec, s.Hostname)
	if p.Capabilities, err = container.Capabilities(spec.Capabilities...); err != nil {
		return nil, err
	}
	if p.Capabilities == 0 {
		p.Seccomp, err = r.filter()
	} else {
		p.Seccomp, err = container.DefaultFilter(p.Capabilities)
	}
	if err != nil {
		return nil, err
	}
	r.become(p, who)
	return s, nil
}

func hostname() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
}

// become sets who a process is.
func (r *Runtime) become(p *container.Process, who container.Identity) {
	p.UID, p.GID, p.Groups = who.UID, who.GID, who.Groups
	if r.supervisor.SingleID() {
		p.Groups = nil // there are none to be in
	}
	p.Env = container.WithHome(p.Env, who.Home)
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

// environment is what Docker sets, then the image's, then the spec's. Of two values for a name the later one counts; it
// is then the only one.
func environment(config *v1.Config, spec *sandbox.Spec, host string) []string {
	var env []string
	place := map[string]int{}
	defaults := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=" + host}
	for _, v := range slices.Concat(defaults, config.Env, spec.Env) {
		name, _, _ := strings.Cut(v, "=")
		if i, ok := place[name]; ok {
			env[i] = v
			continue
		}
		place[name] = len(env)
		env = append(env, v)
	}
	return env
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func tmpfs(spec *sandbox.Spec, limits sandbox.Limits) ([]container.Mount, error) {
	dirs := spec.Tmpfs
	if dirs == nil {
		dirs = []string{"/tmp", "/run"}
	}
	var mounts []container.Mount
	for _, dir := range dirs {
		if !path.IsAbs(dir) || path.Clean(dir) == "/" {
			return nil, fmt.Errorf("tmpfs %q: it must be an absolute path below /", dir)
		}
		options := []string{"nosuid", "mode=1777", fmt.Sprintf("size=%d", limits.Memory/2)}
		mounts = append(mounts, container.Mount{Type: "tmpfs", Target: dir, Options: options})
	}
	return mounts, nil
}

// files are those of the spec and the ones that every instance has.
func files(spec *sandbox.Spec, host string) ([]container.File, error) {
	list := []container.File{
		{Path: "/etc/hostname", Mode: 0o644, Data: []byte(host + "\n")},
		{Path: "/etc/resolv.conf", Mode: 0o644, Data: []byte("# there is no name server in this network\n")},
	}
	if spec.Network == "" { // otherwise it is the network's
		list = append(list, container.File{
			Path: "/etc/hosts", Mode: 0o644,
			Data: []byte("127.0.0.1\tlocalhost " + host + "\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
		})
	}
	size := 0
	for name, data := range spec.Files {
		if !path.IsAbs(name) || strings.HasSuffix(name, "/") {
			return nil, fmt.Errorf("file %q: it must be an absolute path", name)
		}
		size += len(data)
		list = append(list, container.File{Path: name, Mode: 0o644, Data: data})
	}
	if size > maxFiles {
		return nil, fmt.Errorf("the spec's files have %d bytes together, the limit is %d", size, maxFiles)
	}
	return list, nil
}
