// Package distribution runs Debian's docker-registry (distribution 2.8) on loopback, for tests and measurements of what
// go-containerregistry's registry does not have: blobs that are really mounted, passwords, a paged catalog, no referrers
// API.
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
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/bcrypt"
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
	if _, err := exec.LookPath("docker-registry"); err != nil {
		return "docker-registry is not in the PATH (Debian: apt-get install docker-registry)"
	}
	return ""
}

// Options say what the registry is like. The zero value keeps blobs in the directory and needs no password.
type Options struct {
	// Users are names and passwords; anybody may read and write where there are none.
	Users map[string]string
	// Memory keeps everything in memory instead of the directory.
	Memory bool
}

// Start starts a registry that keeps its files in dir, and waits until it answers. It is killed when ctx ends.
func Start(ctx context.Context, dir string, opts Options) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{Host: fmt.Sprintf("127.0.0.1:%d", port), log: &bytes.Buffer{}}
	config := filepath.Join(dir, "registry.yml")
	text, err := configuration(dir, s.Host, opts)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, "docker-registry", "serve", config)
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

func configuration(dir, host string, opts Options) (string, error) {
	var b strings.Builder
	storage := "filesystem: {rootdirectory: " + filepath.Join(dir, "data") + "}"
	if opts.Memory {
		storage = "inmemory: {}"
	}
	fmt.Fprintf(&b, "version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\nstorage:\n  %s\n  delete: {enabled: true}\nhttp: {addr: %q}\n", storage, host)
	if len(opts.Users) == 0 {
		return b.String(), nil
	}
	var lines strings.Builder
	for user, password := range opts.Users {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&lines, "%s:%s\n", user, hash)
	}
	file := filepath.Join(dir, "htpasswd")
	fmt.Fprintf(&b, "auth: {htpasswd: {realm: test, path: %q}}\n", file)
	return b.String(), os.WriteFile(file, []byte(lines.String()), 0o600)
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
			return fmt.Errorf("docker-registry does not answer: %w\n%s", err, s.log)
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
