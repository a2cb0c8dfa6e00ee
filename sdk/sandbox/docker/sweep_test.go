package docker_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/sandboxtest"
)

const leaveBehind = "PLIMSOLL_TEST_LEAVE_BEHIND"

func TestWhatAKilledProcessLeftIsSweptByTheNext(t *testing.T) {
	rt := newRuntime(t)
	mine := start(t, rt, specOf(t))

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLeaveBehind$", "-test.v")
	cmd.Env = append(os.Environ(), leaveBehind+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "started") {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := len(leftBy(t, cmd.Process.Pid)); got != 5 { // container, volume, network, image, image with files
		t.Fatalf("the killed process left %d things, want 5: %v", got, leftBy(t, cmd.Process.Pid))
	}
	newRuntimeOf(t, docker.Options{})
	if left := leftBy(t, cmd.Process.Pid); len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
	if _, err := mine.Processes(t.Context()); err != nil {
		t.Errorf("what is in use was swept too: %v", err)
	}
}

// TestLeaveBehind is the process that is killed.
func TestLeaveBehind(t *testing.T) {
	if os.Getenv(leaveBehind) == "" {
		t.Skip("only as a child of another test")
	}
	rt, err := docker.New(t.Context(), docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rt.Start(t.Context(), specOf(t)); err != nil {
		t.Fatal(err)
	}
	fmt.Println("started")
	select {}
}

func specOf(t *testing.T) sandbox.Spec {
	t.Helper()
	return sandbox.Spec{
		Image: sandboxtest.Image(t, v1.Config{}), Platform: sandboxtest.Platform(), Args: []string{"sleep"}, Network: "left",
		Files: map[string][]byte{"/run/app/config": []byte("x")},
	}
}
