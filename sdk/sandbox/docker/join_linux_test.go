package docker

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// confined is what the kernel says of a command about what it may do, and where it is.
func confined(t *testing.T, out sandbox.Output, err error) map[string]string {
	t.Helper()
	if err != nil || out.Exit.Code != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out.Logs.Stdout)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case strings.HasPrefix(name, "Cap"), slices.Contains([]string{"Uid", "Gid", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Umask", "NStgid"}, name):
			if name == "NStgid" {
				value = fmt.Sprint(len(strings.Fields(value))) // how deep its PID namespace is
			}
			found[name] = value
		case strings.HasPrefix(name, "Max "), strings.Count(line, ":") >= 2:
			found[strings.TrimSpace(line)] = ""
		}
	}
	return found
}

// TestCommandsAreConfinedAsTheDaemonsAre compares what this process starts in an instance with what the daemon does.
func TestCommandsAreConfinedAsTheDaemonsAre(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: for others the daemon starts all commands")
	}
	testenv.NeedsDocker(t)
	rt, err := New(t.Context(), Options{Host: os.Getenv("DOCKER_HOST")})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	for _, test := range []struct {
		name string
		spec sandbox.Spec
		user string
	}{
		{"the image's user", sandbox.Spec{}, ""},
		{"another user", sandbox.Spec{User: "1234:77"}, ""},
		{"a user of the command", sandbox.Spec{}, "4321"},
		{"root", sandbox.Spec{User: "0"}, ""},
		{"root with a capability", sandbox.Spec{User: "0", Capabilities: []string{"NET_BIND_SERVICE"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := test.spec
			spec.Image, spec.Platform = sandboxtest.Image(t, v1.Config{Env: []string{"OF=the image"}, WorkingDir: "/tmp"}), sandboxtest.Platform()
			spec.Args = []string{"sleep"}
			started, err := rt.Start(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			i := started.(*Instance)
			defer i.Close(context.WithoutCancel(t.Context()))
			status := sandbox.Command{Args: []string{"/probe", "cat", "/proc/self/status", "/proc/self/cgroup", "/proc/self/limits"}, User: test.user}
			out, err := i.execHere(t.Context(), status)
			here := confined(t, out, err)
			out, err = i.execByDaemon(t.Context(), "test", status)
			daemon := confined(t, out, err)
			if len(daemon) < 20 || daemon["CapBnd"] == "" {
				t.Fatalf("too little is seen: %v", daemon)
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(daemon)), slices.Sorted(maps.Keys(here))); diff != "" {
				t.Errorf("control groups, limits (-the daemon's +this process's)\n%s", diff)
			}
			if diff := cmp.Diff(daemon, here); diff != "" {
				t.Errorf("(-the daemon's +this process's)\n%s", diff)
			}
			for _, args := range [][]string{{"/probe", "env"}, {"/probe", "attack"}} {
				cmd := sandbox.Command{Args: args, User: test.user, Env: []string{"OF=the command", "MORE=1"}}
				mine, err1 := i.execHere(t.Context(), cmd)
				theirs, err2 := i.execByDaemon(t.Context(), "test", cmd)
				if err1 != nil || err2 != nil {
					t.Fatal(err1, err2)
				}
				lines := func(o sandbox.Output) []string {
					list := strings.Split(string(o.Logs.Stdout), "\n")
					slices.Sort(list)
					return list
				}
				if diff := cmp.Diff(lines(theirs), lines(mine)); diff != "" {
					t.Errorf("%v (-the daemon's +this process's)\n%s", args, diff)
				}
			}
			if err := i.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if left, _ := filepath.Glob("/sys/fs/cgroup/*/docker/" + i.container.ID); len(left) > 0 {
				t.Errorf("control groups are left: %v", left)
			}
		})
	}
}
