package reexec_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/plimsoll-dev/plimsoll/internal/reexec"
)

func init() { //nolint:gochecknoinits // what is tested
	reexec.Hook("plimsoll-test-helper", func() { fmt.Println("helper got", os.Args[1:]) })
	reexec.Hook("plimsoll-test-failing", func() { os.Exit(3) })
}

func Example() {
	out, err := reexec.Command("plimsoll-test-helper", "one", "two").Output()
	fmt.Print(string(out))
	fmt.Println(err)
	// Output:
	// helper got [one two]
	// <nil>
}

func TestExitCodeOfAHelperReachesTheCaller(t *testing.T) {
	err := reexec.Command("plimsoll-test-failing").Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 3 {
		t.Fatalf("got %v, want exit code 3", err)
	}
}
