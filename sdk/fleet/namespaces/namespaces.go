//go:build linux

// Package namespaces takes strategy namespaces of a remedy: it enters a container of this machine from outside, where an
// image has no shell or tool, and for speed.
//
//	enter, err := namespaces.New()
//	place, err := docker.Open(docker.Options{Enter: enter.Run})
//
// The process is confined as one that the runtime's own exec starts: it is in the container's namespaces and control groups,
// and has its user, groups, capabilities, no_new_privs, seccomp filter, resource limits and security label, as the
// container's OCI configuration has them where the runtime keeps it. What can't be taken on in full is not done: a
// container with a user namespace of its own, with CAP_SYS_PTRACE (its processes could look into the helper), with a
// seccomp rule that is not known here, or whose configuration is not found.
//
// It needs root on the container's host, and the host's PID namespace.
package namespaces

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/plimsoll-dev/plimsoll/internal/container"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
)

// bundles are where runtimes keep the configuration of a container that runs; %s is its id.
var bundles = []string{
	"/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/%s/config.json",
	"/run/containerd/io.containerd.runtime.v2.task/moby/%s/config.json",
	"/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json",
	"/run/containers/storage/overlay-containers/%s/userdata/config.json",
	"/var/run/containers/storage/overlay-containers/%s/userdata/config.json",
}

// Enterer enters containers. It is safe for concurrent use.
type Enterer struct {
	mu      sync.Mutex
	filters map[[sha256.Size]byte][]byte // by the profile's text: most containers have the same
}

// New returns an error where this user can't enter containers.
func New() (*Enterer, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("entering containers needs root on their host")
	}
	return &Enterer{filters: map[[sha256.Size]byte][]byte{}}, nil
}

// config is what is read of a container's OCI configuration.
type config struct {
	Process *specs.Process `json:"process"`
	Linux   *struct {
		Seccomp    json.RawMessage        `json:"seccomp"`
		Namespaces []specs.LinuxNamespace `json:"namespaces"`
	} `json:"linux"`
}

func read(id string) (config, error) {
	var c config
	if len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return c, fmt.Errorf("%w: %q is no full container id", fleet.ErrUnsupported, id)
	}
	for _, pattern := range bundles {
		text, err := os.ReadFile(filepath.Clean(fmt.Sprintf(pattern, id)))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(text, &c)
		}
		if err == nil && (c.Process == nil || c.Linux == nil) {
			err = errors.New("it has no process")
		}
		if err != nil {
			return c, fmt.Errorf("%w: the container's configuration: %w", fleet.ErrUnsupported, err)
		}
		return c, nil
	}
	return c, fmt.Errorf("%w: this machine has no configuration of the container, so how it is confined is not known", fleet.ErrUnsupported)
}

// Run runs a command in a container, by its full id and the number of its first process.
func (e *Enterer) Run(ctx context.Context, id string, pid int, c fleet.Command) (fleet.Output, error) {
	if c.TTY {
		return fleet.Output{}, fmt.Errorf("%w: no terminal by namespaces", fleet.ErrUnsupported)
	}
	conf, err := read(id)
	if err != nil {
		return fleet.Output{}, err
	}
	j := container.Visit{PID: pid, ID: id}
	if err := e.process(&j, conf, c); err != nil {
		return fleet.Output{}, err
	}
	if c.Program != "" {
		if j.Program, err = os.Open(c.Program); err != nil {
			return fleet.Output{}, fmt.Errorf("%w: the program to bring along: %w", fleet.ErrUnsupported, err)
		}
		defer j.Program.Close()
	}
	keep := &kept{left: c.Limit}
	var stdin io.Reader
	if c.Stdin != nil {
		stdin = bytes.NewReader(c.Stdin)
	}
	exit, started, err := j.Run(ctx, stdin, stream{keep, &keep.stdout}, stream{keep, &keep.stderr})
	out := fleet.Output{Exit: exit, Stdout: keep.stdout.Bytes(), Stderr: keep.stderr.Bytes(), Truncated: keep.truncated}
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return out, fmt.Errorf("%w, and was killed", err)
	case errors.Is(err, os.ErrNotExist) && !started && !container.IsExec(err):
		return out, fmt.Errorf("%w: %w", fleet.ErrGone, err)
	case !started:
		return out, fmt.Errorf("%w: %w", fleet.ErrUnsupported, err)
	default:
		return out, fmt.Errorf("%w: %w", fleet.ErrUnclear, err)
	}
}

// process makes the process that the runtime's exec would make.
func (e *Enterer) process(j *container.Visit, conf config, c fleet.Command) error {
	unsupported := func(err error) error { return fmt.Errorf("%w: %w", fleet.ErrUnsupported, err) }
	own := conf.Process
	if slices.ContainsFunc(conf.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace }) {
		return unsupported(container.ErrOtherUsers)
	}
	var bounding []string
	if own.Capabilities != nil {
		bounding = own.Capabilities.Bounding
	}
	set, err := container.Capabilities(bounding...)
	if err != nil {
		return unsupported(err)
	}
	if ptrace, _ := container.Capabilities("SYS_PTRACE"); set&ptrace != 0 {
		return unsupported(errors.New("the container has CAP_SYS_PTRACE: its processes could look into the helper"))
	}
	p := container.Process{
		Args: c.Args, Env: override(own.Env, c.Env), Dir: own.Cwd, Capabilities: set, NewPrivileges: !own.NoNewPrivileges,
		UID: int(own.User.UID), GID: int(own.User.GID),
	}
	for _, g := range own.User.AdditionalGids {
		p.Groups = append(p.Groups, int(g))
	}
	for _, l := range own.Rlimits {
		number, err := container.LimitNumber(l.Type)
		if err != nil {
			return unsupported(err)
		}
		p.Rlimits = append(p.Rlimits, container.Rlimit{Resource: number, Soft: l.Soft, Hard: l.Hard})
	}
	if c.Dir != "" {
		p.Dir = c.Dir
	}
	user := c.User
	if user == "" {
		user = fmt.Sprintf("%d:%d", p.UID, p.GID)
	}
	who, err := container.ResolveUser(fmt.Sprintf("/proc/%d/root", j.PID), user)
	if err != nil {
		return unsupported(err)
	}
	if c.User != "" {
		p.UID, p.GID, p.Groups = who.UID, who.GID, who.Groups
	}
	if !slices.Contains(p.Groups, p.GID) { // as the runtimes do, so that what is denied to the group is (CVE-2022-36109)
		p.Groups = append([]int{p.GID}, p.Groups...)
	}
	p.Env = container.WithHome(p.Env, who.Home)
	if p.Seccomp, err = e.filter(conf.Linux.Seccomp); err != nil {
		return unsupported(fmt.Errorf("its seccomp profile: %w", err))
	}
	if own.OOMScoreAdj != nil {
		j.OOMScore = *own.OOMScoreAdj
	}
	switch {
	case own.ApparmorProfile != "" && enabled("/sys/module/apparmor/parameters/enabled"):
		j.Label, j.LabelFile = "exec "+own.ApparmorProfile, "attr/exec"
	case own.SelinuxLabel != "":
		j.Label, j.LabelFile = own.SelinuxLabel, "attr/exec"
	}
	j.Process = p
	return nil
}

// override puts variables in place of those of the same name.
func override(env, with []string) []string {
	all := slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.ContainsFunc(with, func(w string) bool { return strings.HasPrefix(w, name+"=") })
	})
	return append(all, with...)
}

func enabled(path string) bool {
	text, err := os.ReadFile(path)
	return err == nil && strings.HasPrefix(string(text), "Y")
}

// filter assembles a seccomp profile. A container without one has none.
func (e *Enterer) filter(profile json.RawMessage) ([]byte, error) {
	if len(profile) == 0 || string(profile) == "null" {
		return nil, nil
	}
	key := sha256.Sum256(profile)
	e.mu.Lock()
	defer e.mu.Unlock()
	if f, ok := e.filters[key]; ok {
		return f, nil
	}
	var s specs.LinuxSeccomp
	if err := json.Unmarshal(profile, &s); err != nil {
		return nil, err
	}
	f, err := container.Filter(&s)
	if err == nil {
		e.filters[key] = f
	}
	return f, err
}

// kept is what is kept of both streams.
type kept struct {
	mu             sync.Mutex
	stdout, stderr bytes.Buffer
	left           int64
	truncated      bool
}

type stream struct {
	k *kept
	b *bytes.Buffer
}

func (s stream) Write(p []byte) (int, error) {
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	keep := p
	if int64(len(keep)) > s.k.left {
		keep, s.k.truncated = keep[:s.k.left], true
	}
	s.k.left -= int64(len(keep))
	s.b.Write(keep)
	return len(p), nil
}
