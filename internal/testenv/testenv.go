// Package testenv says what a test needs from the machine. A test that lacks it is skipped with the reason; with the
// need's name in PLIMSOLL_REQUIRE (a comma separated list such as "docker,root") it fails instead, so that a release
// can't skip by accident.
//
// All functions may be called from parallel tests.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// Needs skips the test unless missing is empty. Missing says why engine can't be used here; engine is the name that
// PLIMSOLL_REQUIRE lists to have a failure instead.
func Needs(t testing.TB, engine, missing string) {
	t.Helper()
	switch {
	case missing == "":
	case required(engine):
		t.Fatalf("needs %s, and PLIMSOLL_REQUIRE lists it: %s", engine, missing)
	default:
		t.Skipf("needs %s: %s", engine, missing)
	}
}

func required(engine string) bool {
	names := strings.FieldsFunc(os.Getenv("PLIMSOLL_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' })
	return slices.Contains(names, engine)
}

// NeedsDocker needs a Docker daemon that answers within two seconds where DOCKER_HOST or its default says.
//
// It also sets TESTCONTAINERS_RYUK_DISABLED, and for a local daemon TESTCONTAINERS_HOST_OVERRIDE, where the caller's
// environment does not: Ryuk's image can't be pulled everywhere, and inside a container testcontainers would look for
// the ports at the gateway's address. The values stay for the whole process, so tests that run in parallel see the
// same; testcontainers reads them once, therefore call NeedsDocker before anything of testcontainers.
func NeedsDocker(t testing.TB) {
	t.Helper()
	Needs(t, "docker", docker())
}

// docker asks the daemon once per process: an absent one would otherwise cost every test its time limit.
var docker = sync.OnceValue(func() string {
	setDefault("TESTCONTAINERS_RYUK_DISABLED", "true")
	c, err := client.New(client.FromEnv)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if strings.HasPrefix(c.DaemonHost(), "unix:") {
		setDefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := c.Ping(ctx, client.PingOptions{}); err != nil {
		return fmt.Sprintf("no answer from %s: %v", c.DaemonHost(), err)
	}
	return ""
})

func setDefault(name, value string) {
	if _, set := os.LookupEnv(name); !set {
		// An empty or malformed name is the only error there is.
		_ = os.Setenv(name, value)
	}
}

// NeedsRoot needs user id 0.
func NeedsRoot(t testing.TB) {
	t.Helper()
	missing := ""
	if uid := os.Geteuid(); uid != 0 {
		missing = fmt.Sprintf("the tests run as uid %d", uid)
	}
	Needs(t, "root", missing)
}

// NeedsRunc needs a runc that can be started.
func NeedsRunc(t testing.TB) {
	t.Helper()
	Needs(t, "runc", try("runc", "--version"))
}

// NeedsContainerd needs a containerd 2.2 or later with containerd-shim-runc-v2 and ctr beside it, in the directory that
// PLIMSOLL_CONTAINERD names or on the PATH, and returns the directory. Debian 12 has an older one; from its Go module it
// is built by
//
//	go build -o DIR github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
func NeedsContainerd(t testing.TB) (dir string) {
	t.Helper()
	path := filepath.Join(os.Getenv("PLIMSOLL_CONTAINERD"), "containerd")
	if os.Getenv("PLIMSOLL_CONTAINERD") == "" {
		var err error
		if path, err = exec.LookPath("containerd"); err != nil {
			Needs(t, "containerd", err.Error())
		}
	}
	out, err := exec.CommandContext(t.Context(), path, "--version").Output()
	if err != nil {
		Needs(t, "containerd", err.Error())
	}
	if old := regexp.MustCompile(`\sv?(0|1|2\.0|2\.1)\.`); old.Match(out) {
		Needs(t, "containerd", strings.TrimSpace(string(out))+" is older than 2.2; PLIMSOLL_CONTAINERD can name the directory of another")
	}
	return filepath.Dir(path)
}

// NeedsKubernetes needs kube-apiserver and etcd in the directory that PLIMSOLL_KUBERNETES names, or on the PATH, and
// kubectl; it returns the paths of the first two.
func NeedsKubernetes(t testing.TB) (apiserver, etcd string) {
	t.Helper()
	find := func(name string) string {
		if path := filepath.Join(os.Getenv("PLIMSOLL_KUBERNETES"), name); os.Getenv("PLIMSOLL_KUBERNETES") != "" {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
		path, err := exec.LookPath(name)
		if err != nil {
			Needs(t, "kubernetes", err.Error())
		}
		return path
	}
	find("kubectl")
	return find("kube-apiserver"), find("etcd")
}

// NeedsUserNamespaces needs a kernel (and a container around the tests, if there is one) that lets an ordinary user
// make a user namespace and mount in it. Root asks for uid 65534, since it may do so itself in any case.
func NeedsUserNamespaces(t testing.TB) {
	t.Helper()
	mount := []string{"unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp"}
	if os.Geteuid() == 0 {
		mount = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, mount...)
	}
	Needs(t, "userns", try(mount...))
}

// try runs a command and returns why it did not work, or "".
func try(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &exit):
		return fmt.Sprintf("%s: %v: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	default:
		return err.Error()
	}
}

// NeedsProgram needs a program in the PATH; its name is also the engine's.
func NeedsProgram(t testing.TB, name string) {
	t.Helper()
	missing := ""
	if _, err := exec.LookPath(name); err != nil {
		missing = err.Error()
	}
	Needs(t, name, missing)
}

// NeedsDagger needs an engine whose address is in _EXPERIMENTAL_DAGGER_RUNNER_HOST and the dagger command, which
// _EXPERIMENTAL_DAGGER_CLI_BIN names or the PATH has, and returns both.
func NeedsDagger(t testing.TB) (engine, cli string) {
	t.Helper()
	engine = os.Getenv("_EXPERIMENTAL_DAGGER_RUNNER_HOST")
	if engine == "" {
		Needs(t, "dagger", "_EXPERIMENTAL_DAGGER_RUNNER_HOST does not name an engine")
	}
	if cli = os.Getenv("_EXPERIMENTAL_DAGGER_CLI_BIN"); cli == "" {
		var err error
		if cli, err = exec.LookPath("dagger"); err != nil {
			Needs(t, "dagger", err.Error())
		}
	}
	Needs(t, "dagger", try(cli, "version"))
	return engine, cli
}
