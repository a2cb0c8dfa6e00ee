package compare

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func newEnv(opts Options) (Env, func() error, error) {
	dir, err := os.MkdirTemp(opts.Dir, "bench-")
	if err != nil {
		return Env{}, nil, err
	}
	return Env{Dir: dir, Log: opts.Log}, func() error { return os.RemoveAll(dir) }, nil
}

// Program finds a peer that the user has: its path, or why it is missing.
func Program(name string) (path, missing string) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", name + " is not in the PATH"
	}
	return path, ""
}

// Tool builds a peer that internal/bench/peers/go.mod pins as a tool, once, and returns its path, or why it is missing.
// name is the last element of its package path: "crane". It must be called in the root of the repository.
func Tool(ctx context.Context, env Env, name string) (path, missing string) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = env.Dir
	}
	fmt.Fprintf(env.Log, "building %s\n", name)
	list := exec.CommandContext(ctx, "go", "list", "-modfile=internal/bench/peers/go.mod", "-f", "{{.ImportPath}}", "tool")
	packages, err := output(list)
	if err != nil {
		return "", err.Error()
	}
	for pkg := range strings.Lines(packages) {
		pkg = strings.TrimSpace(pkg)
		if filepath.Base(pkg) != name {
			continue
		}
		path := filepath.Join(cache, "plimsoll", "peers", name)
		build := exec.CommandContext(ctx, "go", "build", "-modfile=internal/bench/peers/go.mod", "-o", path, pkg)
		if _, err := output(build); err != nil {
			return "", err.Error()
		}
		return path, ""
	}
	return "", name + " is no tool of internal/bench/peers/go.mod"
}

// output runs a program; its error has what the program said.
func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// Machine describes the machine and the time of a run in one line: "2 cores (AMD EPYC), linux/amd64, go1.26.8, 2026-11-25".
func Machine(now time.Time) string {
	model := "unknown"
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores (%s), %s/%s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH,
		runtime.Version(), now.Format(time.DateOnly))
}
