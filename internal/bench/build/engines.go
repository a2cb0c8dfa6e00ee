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

	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit"
	"github.com/plimsoll-dev/plimsoll/sdk/build/buildkit/embedded"
)

// inProcess starts engines in this process, which holds nothing else of size.
func inProcess(runc string) func(context.Context, string) (*running, error) {
	return func(ctx context.Context, state string) (*running, error) {
		debug.FreeOSMemory()
		// 5 resets the peak that VmHWM shows.
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			return nil, err
		}
		b, err := embedded.Start(ctx, embedded.Options{State: state, Runc: runc})
		if err != nil {
			return nil, err
		}
		return &running{Builder: b, stop: func() (int64, error) {
			peak, err := peakMemory("self")
			return peak, errors.Join(err, b.Close())
		}}, nil
	}
}

// daemon starts buildkitd processes.
func daemon(path string) func(context.Context, string) (*running, error) {
	return func(ctx context.Context, state string) (*running, error) {
		socket := filepath.Join(state, "buildkitd.sock")
		cmd := exec.CommandContext(ctx, path, "--root", filepath.Join(state, "root"), "--addr", "unix://"+socket, "--oci-worker-net=host")
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		stop := func() (int64, error) {
			peak, err := peakMemory(strconv.Itoa(cmd.Process.Pid))
			err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM))
			_ = cmd.Wait() // says that it was a signal
			return peak, err
		}
		if err := await(ctx, socket); err != nil {
			_, _ = stop()
			return nil, err
		}
		b, err := buildkit.Dial(ctx, "unix://"+socket, buildkit.Options{})
		if err != nil {
			_, _ = stop()
			return nil, err
		}
		return &running{Builder: b, stop: func() (int64, error) {
			err := b.Close()
			peak, stopErr := stop()
			return peak, errors.Join(err, stopErr)
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
