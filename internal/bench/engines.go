package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
)

// engine is a started builder.
type engine struct {
	build.Builder

	// pid is the process that builds, "self" for this one.
	pid string
	// stop ends the engine.
	stop func() error
}

// start starts an engine on an empty directory.
type start func(ctx context.Context, state string) (*engine, error)

// inProcess starts engines in this process.
func inProcess(runc string) start {
	return func(ctx context.Context, state string) (*engine, error) {
		b, err := embedded.Start(ctx, embedded.Options{State: state, Runc: runc})
		if err != nil {
			return nil, err
		}
		return &engine{Builder: b, pid: "self", stop: b.Close}, nil
	}
}

// daemon starts buildkitd processes.
func daemon(path string) start {
	return func(ctx context.Context, state string) (*engine, error) {
		socket := filepath.Join(state, "buildkitd.sock")
		cmd := exec.CommandContext(ctx, path, "--root", filepath.Join(state, "root"), "--addr", "unix://"+socket, "--oci-worker-net=host")
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		stop := func() error {
			err := cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait() // says that it was a signal
			return err
		}
		if err := await(ctx, socket); err != nil {
			return nil, errors.Join(err, stop())
		}
		b, err := buildkit.Dial(ctx, "unix://"+socket, buildkit.Options{})
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		return &engine{Builder: b, pid: strconv.Itoa(cmd.Process.Pid), stop: func() error {
			return errors.Join(b.Close(), stop())
		}}, nil
	}
}

// await waits until something answers on a socket.
func await(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("buildkitd does not answer: %w", err)
		case <-time.After(time.Millisecond):
		}
	}
}

// resetPeak has peakMemory of this process start from what it has now.
func resetPeak() error {
	debug.FreeOSMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // 5 resets VmHWM, see proc(5)
}

// peakMemory is the most that a process had resident, in bytes.
func peakMemory(pid string) (int64, error) {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmHWM in /proc/" + pid + "/status")
}
