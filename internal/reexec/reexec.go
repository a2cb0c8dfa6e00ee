// Package reexec lets a program run itself again as one of its own helpers, so that a single Go binary needs no second
// one beside it. A helper is a function that runs instead of main when argv[0] is its name:
//
//	func init() { reexec.Hook("plimsoll-helper", helper) }
//
//	cmd := reexec.Command("plimsoll-helper", "argument")
//
// This is the one use of init in the project. It must be an init: the helper of a library has to run before the main,
// the flags and the TestMain of whatever program the library is linked into. Packages with a Hook import little, because
// Go initialises a package as soon as its imports are: the less it needs, the less of a large program runs before it.
package reexec

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Hook runs the helper and exits if this process was started as it, and returns otherwise. Call it from init. The helper
// runs on the process's main thread, locked to it; when it returns, the process exits with 0.
func Hook(name string, helper func()) {
	if len(os.Args) == 0 || os.Args[0] != name {
		return
	}
	runtime.LockOSThread()
	helper()
	os.Exit(0)
}

// Command returns the command that runs this program again as the named helper. It works even if the program's file was
// replaced or removed since (on Linux).
func Command(name string, args ...string) *exec.Cmd {
	return &exec.Cmd{Path: self(), Args: append([]string{name}, args...), Env: []string{}}
}

func self() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	if err != nil {
		return filepath.Clean(os.Args[0])
	}
	return path
}
