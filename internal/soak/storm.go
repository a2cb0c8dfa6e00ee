package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
	"github.com/plimsoll-dev/plimsoll/internal/soak/storms"
)

// soakStorm kills a storm, with as many faults of the registry as kills and a bad line.
func soakStorm(ctx context.Context, kills, images int, out io.Writer) error {
	dir, err := os.MkdirTemp("", "plimsoll-storms-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	t := &toxiproxy{dir: dir, out: out}
	defer t.stop()
	return storms.Run(ctx, storms.Options{
		Dir: dir, Kills: kills, Images: images, Faults: kills, Out: out, Proxy: t.start,
		Self: func(ctx context.Context, dir, host string) *exec.Cmd {
			return exec.CommandContext(ctx, self, "-storms", "-images", strconv.Itoa(images), "-serve", dir, "-registry", host)
		},
	})
}

// toxiproxy is Shopify's Toxiproxy, as its own program, between worker and registry.
type toxiproxy struct {
	dir string
	out io.Writer
	api string
	cmd *exec.Cmd
}

// toxics are what is wrong with the line, one after the other: see https://github.com/Shopify/toxiproxy#toxics.
var toxics = []map[string]any{
	{"type": "latency", "attributes": map[string]any{"latency": 40, "jitter": 20}},
	{"type": "reset_peer", "toxicity": 0.1, "attributes": map[string]any{"timeout": 5}},
	{"type": "limit_data", "toxicity": 0.2, "stream": "upstream", "attributes": map[string]any{"bytes": 1200}}, // cut in mid-upload
	{"type": "slicer", "attributes": map[string]any{"average_size": 100, "size_variation": 50, "delay": 500}},
	{"type": "limit_data", "toxicity": 0.2, "stream": "downstream", "attributes": map[string]any{"bytes": 600}},
}

func (t *toxiproxy) start(ctx context.Context, registry string) (string, func(int) error, error) {
	program, missing := compare.Tool(ctx, compare.Env{Dir: t.dir, Log: t.out}, "server")
	if missing != "" {
		return "", nil, fmt.Errorf("toxiproxy: %s", missing)
	}
	var ports [2]string
	for i := range ports {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		ports[i] = l.Addr().String()
		if err := l.Close(); err != nil {
			return "", nil, err
		}
	}
	_, port, _ := net.SplitHostPort(ports[0])
	t.api = "http://" + ports[0]
	t.cmd = exec.CommandContext(ctx, program, "-host", "127.0.0.1", "-port", port)
	log, err := os.Create(filepath.Join(t.dir, "toxiproxy.log"))
	if err != nil {
		return "", nil, err
	}
	defer log.Close()
	t.cmd.Stdout, t.cmd.Stderr = log, log
	if err := t.cmd.Start(); err != nil {
		return "", nil, err
	}
	proxy := map[string]any{"name": "registry", "listen": ports[1], "upstream": registry, "enabled": true}
	for try := 0; ; try++ {
		err := t.call(ctx, http.MethodPost, "/proxies", proxy)
		if err == nil {
			break
		}
		if try == 50 {
			return "", nil, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ports[1], func(n int) error { return t.worse(ctx, n) }, nil
}

// worse makes the line bad in the n-th way; below 0 it is good.
func (t *toxiproxy) worse(ctx context.Context, n int) error {
	if err := t.call(ctx, http.MethodPost, "/reset", nil); err != nil || n < 0 {
		return err
	}
	return t.call(ctx, http.MethodPost, "/proxies/registry/toxics", toxics[n%len(toxics)])
}

func (t *toxiproxy) call(ctx context.Context, method, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, t.api+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // for the error alone
		return fmt.Errorf("toxiproxy: %s %s: %s: %s", method, path, answer.Status, said)
	}
	return nil
}

func (t *toxiproxy) stop() {
	if t.cmd != nil && t.cmd.Process != nil {
		_ = t.cmd.Process.Kill()
		_ = t.cmd.Wait() // it was killed
	}
}
