//go:build linux

package namespaces_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/namespaces"
)

func Example() { //nolint:testableexamples // it needs root and Docker
	enter, err := namespaces.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	place, err := docker.Open(docker.Options{Enter: enter.Run})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer place.Close()
	fmt.Println(place.Name())
}

const image = "plimsoll-namespaces-test:1"

func load(t testing.TB, api *client.Client) {
	t.Helper()
	img, err := baseimage.Userland(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(image)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tarball.Write(tag, img, &b); err != nil {
		t.Fatal(err)
	}
	answer, err := api.ImageLoad(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	if _, err := io.Copy(io.Discard, answer); err != nil {
		t.Fatal(err)
	}
}

// probe builds the program that looks at its own confinement.
func probe(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func world(t testing.TB) (*client.Client, *docker.Place) {
	t.Helper()
	testenv.NeedsDocker(t)
	testenv.NeedsRoot(t)
	api, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	load(t, api)
	enter, err := namespaces.New()
	if err != nil {
		t.Fatal(err)
	}
	place, err := docker.Open(docker.Options{Enter: enter.Run})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = place.Close() })
	return api, place
}

func start(t testing.TB, api *client.Client, place *docker.Place, program string, change func(*container.Config, *container.HostConfig)) fleet.Instance {
	t.Helper()
	config := &container.Config{Image: image, Cmd: []string{"sleep", "600"}, Env: []string{"A=1"}}
	host := &container.HostConfig{NetworkMode: "none"}
	if change != nil {
		change(config, host)
	}
	made, err := api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: config, HostConfig: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = api.ContainerRemove(context.WithoutCancel(t.Context()), made.ID, client.ContainerRemoveOptions{Force: true})
	})
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "probe", Mode: 0o755, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := api.CopyToContainer(t.Context(), made.ID, client.CopyToContainerOptions{DestinationPath: "/", Content: &b}); err != nil && !host.ReadonlyRootfs {
		t.Fatal(err)
	}
	if _, err := api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	i, err := place.Check(t.Context(), fleet.Instance{Place: place.Name(), ID: made.ID})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func run(t testing.TB, place *docker.Place, i fleet.Instance, s fleet.Strategy, c fleet.Command) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c.Limit = 1 << 20
	out, err := place.Do(ctx, i, fleet.Action{Strategy: s, Command: c})
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return fmt.Sprintf("exit code %d\n%s%s", out.Exit, out.Stdout, out.Stderr)
}

// What enters by the namespaces is confined exactly as what the runtime's own exec starts: the same ids, capabilities,
// no_new_privs, filters, limits, control groups, namespaces and mounts, and the kernel's same answer to what is forbidden.
func TestNoLessConfinedThanExec(t *testing.T) {
	api, place := world(t)
	program := probe(t)
	pids := int64(50)
	for name, change := range map[string]func(c *container.Config, h *container.HostConfig){
		"as it comes":       nil,
		"another user":      func(c *container.Config, _ *container.HostConfig) { c.User = "65534:65534" },
		"no capabilities":   func(_ *container.Config, h *container.HostConfig) { h.CapDrop = []string{"ALL"} },
		"more capabilities": func(_ *container.Config, h *container.HostConfig) { h.CapAdd = []string{"NET_ADMIN", "SYS_TIME"} },
		"no new privileges": func(_ *container.Config, h *container.HostConfig) { h.SecurityOpt = []string{"no-new-privileges"} },
		"no filter":         func(_ *container.Config, h *container.HostConfig) { h.SecurityOpt = []string{"seccomp=unconfined"} },
		"a filter of its own": func(_ *container.Config, h *container.HostConfig) {
			h.SecurityOpt = []string{`seccomp={"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["chown","unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":42}]}`}
		},
		"limits": func(_ *container.Config, h *container.HostConfig) {
			h.Memory, h.PidsLimit = 64<<20, &pids
			h.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 100, Hard: 200}}
			h.OomScoreAdj = 500
		},
		"another directory":  func(c *container.Config, _ *container.HostConfig) { c.WorkingDir = "/tmp" },
		"the host's network": func(_ *container.Config, h *container.HostConfig) { h.NetworkMode = "host" },
	} {
		t.Run(name, func(t *testing.T) {
			i := start(t, api, place, program, change)
			for _, c := range []fleet.Command{
				{Args: []string{"/probe"}},
				{Args: []string{"/probe"}, User: "nobody", Env: []string{"A=2", "B=3"}, Dir: "/etc"},
				{Args: []string{"/probe"}, User: "0"},
			} {
				want := run(t, place, i, fleet.Exec, c)
				got := run(t, place, i, fleet.Namespaces, c)
				if !strings.Contains(want, "setuid 0") || !strings.HasPrefix(want, "exit code 0") {
					t.Fatal(want)
				}
				if diff := cmp.Diff(settled(want), settled(got)); diff != "" {
					t.Errorf("as %q: exec (-), namespaces (+):\n%s", c.User, diff)
				}
			}
		})
	}
}

var openFiles = regexp.MustCompile(`(Max open files +)\d+`)

// settled leaves out the soft limit of open files: Go programs (runc, the probe) raise their own at their start, and runc's
// exec passes on either value.
func settled(text string) string { return openFiles.ReplaceAllString(text, "${1}soft") }

// Where the confinement can't be taken on in full, nothing is done.
func TestWhatIsNotEntered(t *testing.T) {
	api, place := world(t)
	program := probe(t)
	for name, tt := range map[string]struct {
		change func(c *container.Config, h *container.HostConfig)
		spoil  func(i *fleet.Instance)
		want   string
	}{
		"it may look into the helper": {change: func(_ *container.Config, h *container.HostConfig) { h.CapAdd = []string{"SYS_PTRACE"} }, want: "CAP_SYS_PTRACE"},
		"another process":             {spoil: func(i *fleet.Instance) { i.PID = os.Getpid() }, want: "control group"},
		"no configuration":            {spoil: func(i *fleet.Instance) { i.ID = strings.Repeat("0", 64) }, want: "this machine has no configuration"},
		"a path for an id":            {spoil: func(i *fleet.Instance) { i.ID = "../../etc" }, want: "is no full container id"},
	} {
		t.Run(name, func(t *testing.T) {
			i := start(t, api, place, program, tt.change)
			if tt.spoil != nil {
				tt.spoil(&i)
			}
			_, err := place.Do(t.Context(), i, fleet.Action{Strategy: fleet.Namespaces, Command: fleet.Command{Args: []string{"/probe"}, Limit: 1}})
			if !errors.Is(err, fleet.ErrUnsupported) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	api, place := world(t)
	program := probe(t)
	i := start(t, api, place, program, nil)
	if got := run(t, place, i, fleet.Namespaces, fleet.Command{Args: []string{"sh", "-c", "cat; echo err >&2; exit 7"}, Stdin: []byte("in\n")}); got != "exit code 7\nin\nerr\n" {
		t.Errorf("%q", got)
	}
	if got := run(t, place, i, fleet.Namespaces, fleet.Command{Args: []string{"brought", "along"}, Program: program}); !strings.Contains(got, "setuid 0") {
		t.Errorf("%q", got)
	}
	_, err := place.Do(t.Context(), i, fleet.Action{Strategy: fleet.Namespaces, Command: fleet.Command{Args: []string{"no-such-program"}, Limit: 1}})
	if !errors.Is(err, fleet.ErrUnsupported) {
		t.Error(err)
	}
	late := errors.New("too late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
	defer cancel()
	_, err = place.Do(ctx, i, fleet.Action{Strategy: fleet.Namespaces, Command: fleet.Command{Args: []string{"sleep", "77777"}, Limit: 1}})
	if !errors.Is(err, late) || !strings.Contains(err.Error(), "was killed") {
		t.Error(err)
	}
	top, err := api.ContainerTop(t.Context(), i.ID, client.ContainerTopOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprint(top.Processes), "77777") {
		t.Errorf("it still runs: %v", top.Processes)
	}
}

func BenchmarkRun(b *testing.B) {
	api, place := world(b)
	i := start(b, api, place, probe(b), nil)
	for _, s := range []fleet.Strategy{fleet.Exec, fleet.Namespaces} {
		b.Run(string(s), func(b *testing.B) {
			for b.Loop() {
				run(b, place, i, s, fleet.Command{Args: []string{"true"}})
			}
		})
	}
}
