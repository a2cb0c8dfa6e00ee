package testenv

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Postgres starts a PostgreSQL server for the test ("postgres" in PLIMSOLL_REQUIRE) and returns the URL of its database
// "postgres", whose user may do everything. It listens on a unix socket only, and is gone after the test. The programs are
// Debian's (package postgresql), in the PATH or where that package puts them.
func Postgres(t testing.TB) string {
	t.Helper()
	programs, missing := postgresPrograms()
	Needs(t, "postgres", missing)
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(programs, name), args...)
		if os.Geteuid() == 0 { // PostgreSQL refuses to be root
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		cmd.Dir = dir
		return cmd
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := run("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "max_connections=100")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT) // at once: nothing of it is kept
		_ = server.Wait()
	})
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if run("pg_isready", "-q", "-h", dir).Run() == nil {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatal("PostgreSQL does not answer after a minute")
		}
	}
	return fmt.Sprintf("postgres:///postgres?host=%s&user=postgres", url.QueryEscape(dir))
}

// postgresPrograms finds the directory of PostgreSQL's programs, or says why there is none.
func postgresPrograms() (dir, missing string) {
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := exec.CommandContext(ctx, "initdb", "--version").Run(); err != nil {
		return "", err.Error()
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", err.Error()
	}
	return filepath.Dir(path), ""
}
