// Package distribution runs the distribution project's registry on loopback, for measurements and, by way of package testenv,
// for tests of what go-containerregistry's registry does not have: blobs that are really mounted, passwords, a paged
// catalog, no referrers API (2.8).
package distribution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Server is a running registry. Stop it.
type Server struct {
	// Host is "127.0.0.1:port".
	Host string

	cmd *exec.Cmd
	log *bytes.Buffer
}

// Missing says why there is no docker-registry here, or "".
func Missing() string {
	if _, err := exec.LookPath(Debian); err != nil {
		return "docker-registry is not in the PATH (Debian: apt-get install docker-registry)"
	}
	return ""
}

// The programs that Start can start.
const (
	Debian   = "docker-registry" // distribution 2.8, as Debian has it
	Version3 = "registry"        // distribution 3
)

// Start starts a registry that keeps its files in dir, and waits until it answers. program is Debian or Version3; more is
// appended to its configuration (YAML). It is killed when ctx ends.
func Start(ctx context.Context, program, dir, more string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{Host: fmt.Sprintf("127.0.0.1:%d", port), log: &bytes.Buffer{}}
	config := filepath.Join(dir, "registry.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\nhttp: {addr: %q}\n%s",
		filepath.Join(dir, "data"), s.Host, more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, program, "serve", config)
	s.cmd.Env = []string{"OTEL_TRACES_EXPORTER=none"}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	// It must not outlive a test that is killed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func freePort() (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// await waits until the registry answers, with or without asking for a password.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Host+"/v2/", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w\n%s", s.cmd.Path, err, s.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Stop kills the registry and waits for its end.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = s.cmd.Wait() // says that it was killed
	return nil
}
