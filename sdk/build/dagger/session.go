package dagger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// session is a dagger command that holds a connection to an engine. It lasts until its standard input is closed, which
// also happens when this process dies.
type session struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	http   http.Client
	url    string
	token  string
	stderr *tail
}

// parameters are what the command prints when it is connected.
type parameters struct {
	Port  int    `json:"port"`
	Token string `json:"session_token"`
}

// patience is how long a command may take to print nothing more after its input was closed.
const patience = 30 * time.Second

func start(ctx context.Context, opts Options) (*session, error) {
	name := opts.CLI
	if name == "" {
		name = "dagger"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("dagger: the command %s was not found: install the dagger CLI %s or later, or name it: %w", name, Version, err)
	}
	if err := listens(ctx, opts.Engine); err != nil {
		return nil, unreachable(ctx, opts, err)
	}
	s := &session{stderr: &tail{to: opts.Log}}
	// The session outlives ctx, which is that of connecting; close ends it.
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), path, "session", "--label", "dagger.io/sdk.name:plimsoll", "--label", "dagger.io/sdk.version:"+strings.TrimPrefix(Version, "v"))
	s.cmd.Env = append(s.cmd.Environ(), "DAGGER_NO_NAG=1", "DO_NOT_TRACK=1")
	if opts.Engine != "" {
		s.cmd.Env = append(s.cmd.Env, "_EXPERIMENTAL_DAGGER_RUNNER_HOST="+opts.Engine)
	}
	s.cmd.Stderr = s.stderr
	s.cmd.WaitDelay = patience
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("dagger: %w", err)
	}
	if err := s.connect(ctx, out); err != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait() // says that it was killed
		return nil, unreachable(ctx, opts, errors.New(s.stderr.reason(err)))
	}
	return s, nil
}

// listens dials an address, since the command would try it for minutes. What is no address of a socket it knows itself.
func listens(ctx context.Context, engine string) error {
	network, address, _ := strings.Cut(engine, "://")
	if network != "tcp" && network != "unix" {
		return nil
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// connect waits for the line that says where the command listens, and reads on so that the command never blocks.
func (s *session) connect(ctx context.Context, out io.Reader) error {
	var p parameters
	read := make(chan error, 1)
	go func() {
		r := bufio.NewReader(out)
		line, err := r.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &p)
		}
		read <- err
		_, _ = io.Copy(io.Discard, r)
	}()
	select {
	case err := <-read:
		s.url, s.token = fmt.Sprintf("http://127.0.0.1:%d/query", p.Port), p.Token
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends the command and waits until it is gone.
func (s *session) close() error {
	s.http.CloseIdleConnections()
	err := s.stdin.Close()
	timer := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	_ = s.cmd.Wait() // a closed session is no success in its eyes
	return err
}

// maxAnswer limits what an engine answers, in bytes: IDs and the end of a step's output.
const maxAnswer = 64 << 20

// query is a [Query].
func (s *session) query(ctx context.Context, query string, variables map[string]any, data any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(s.token, "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Data   any `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}{Data: data}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("the engine answered %s and no JSON", resp.Status)
	}
	if len(answer.Errors) > 0 {
		return errors.New(answer.Errors[0].Message)
	}
	return nil
}

// tail keeps the end of a command's output.
type tail struct {
	to   io.Writer
	mu   sync.Mutex
	kept []byte
}

// Write keeps the last 4 KiB.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - 4096; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	if t.to != nil {
		return t.to.Write(p)
	}
	return len(p), nil
}

// reason is the last thing that the command complained of, or the error itself.
func (t *tail) reason(err error) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); line != "" && line != "!" {
			return strings.TrimPrefix(strings.TrimPrefix(line, "Error: "), "! ")
		}
	}
	return err.Error()
}
