// Command userland is a small static userland in one binary, for the base images that the quickstart and the tests
// make themselves: a POSIX shell (mvdan.cc/sh) and the core commands (u-root) by the name they are called with.
//
// It is what "busybox" is to other projects, built with nothing but Go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"mvdan.cc/sh/v3/interp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, filepath.Base(os.Args[0]), os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes the command called name and returns its exit code: 127 when there is no such command.
func run(ctx context.Context, name string, args []string) int {
	if name == "userland" && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	err := dispatch(ctx, name, args)
	var status interp.ExitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, errNoCommand):
		fmt.Fprintln(os.Stderr, "userland: no command", name)
		return 127
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
}
