package docker_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/internal/enginetest"
	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

// Another OCI runtime is used by the name that the daemon has for it. This one is runc once more.
func TestAnotherRuntimeByName(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		testenv.Needs(t, "docker", err.Error())
	}
	d := enginetest.StartDockerd(t, "--add-runtime", "another="+runc)
	rt := newRuntimeOf(t, docker.Options{Host: d.Host, Runtime: "another"})
	i := start(t, rt, sandbox.Spec{Args: []string{"sleep"}})
	if got := d.Must("inspect", "--format", "{{.HostConfig.Runtime}}", i.ID()); got != "another" {
		t.Errorf("it runs in %q", got)
	}
	if out, err := i.Exec(t.Context(), sandbox.Command{Args: []string{"/probe", "exit", "3"}}); err != nil || out.Exit.Code != 3 {
		t.Errorf("a command: %+v, %v", out, err)
	}
	attack := start(t, rt, sandbox.Spec{Args: []string{"attack"}})
	if _, err := attack.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	logs, err := attack.Logs(t.Context())
	if err != nil || strings.Contains(string(logs.Stdout), "WORKED") || strings.Count(string(logs.Stdout), "\n") < 20 {
		t.Errorf("%v\n%s", err, logs.Stdout)
	}
	if list, err := i.Processes(t.Context()); err != nil || len(list) != 1 || !list[0].NoNewPrivs || !list[0].Seccomp {
		t.Errorf("%+v, %v", list, err)
	}
	if err := i.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	unknown := newRuntimeOf(t, docker.Options{Host: d.Host, Runtime: "runsc"})
	_, err = unknown.Start(t.Context(), sandbox.Spec{Image: sandboxtest.Image(t, v1.Config{}), Platform: sandboxtest.Platform()})
	if err == nil || !strings.Contains(err.Error(), "runsc") {
		t.Errorf("a runtime that the daemon does not have: %v", err)
	}
}
