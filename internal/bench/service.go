package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/internal/reexec"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

const registryName = "plimsoll-bench-registry"

func init() { reexec.Hook(registryName, serveRegistry) } //nolint:gochecknoinits // the exception: this program run again

// service is the quickstart's service as a request, with its bases in a registry that stop ends. It must be called in the
// root of the repository.
func service() (req build.Request, stop func(), err error) {
	// In a process of its own, so that its memory is not counted as the engine's.
	cmd := reexec.Command(registryName)
	cmd.Env, cmd.Stderr = nil, os.Stderr
	hold, err := cmd.StdinPipe()
	if err != nil {
		return build.Request{}, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return build.Request{}, nil, err
	}
	if err := cmd.Start(); err != nil {
		return build.Request{}, nil, err
	}
	stop = func() { _ = hold.Close(); _ = cmd.Wait() }
	var refs map[string]string
	if err := json.NewDecoder(out).Decode(&refs); err != nil {
		stop()
		return build.Request{}, nil, fmt.Errorf("the registry did not start: %w", err)
	}
	req, err = request(refs)
	if err != nil {
		stop()
		return build.Request{}, nil, err
	}
	return req, stop, nil
}

// request pins the service's Dockerfile to the bases.
func request(bases map[string]string) (build.Request, error) {
	const dir = "examples/quickstart/service"
	files := fstest.MapFS{"go.mod": {Data: []byte("module greeter\n\ngo 1.26\n"), Mode: 0o644}}
	for _, f := range []string{"Dockerfile", "main.go"} {
		content, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			return build.Request{}, err
		}
		files[f] = &fstest.MapFile{Data: content, Mode: 0o644}
	}
	var pinned strings.Builder
	var sources []build.Source
	for line := range strings.Lines(string(files["Dockerfile"].Data)) {
		for repository, ref := range bases {
			if words := strings.Fields(line); len(words) > 1 && words[0] == "FROM" && strings.Contains(words[1], repository) {
				line = strings.Replace(line, words[1], ref, 1)
			}
		}
		pinned.WriteString(line)
	}
	for _, ref := range bases {
		sources = append(sources, build.Source{Kind: "image", Ref: ref})
	}
	return build.Request{Dockerfile: []byte(pinned.String()), Context: files, Sources: sources}, nil
}

// serveRegistry serves the bases until its standard input ends.
func serveRegistry() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	userland, err := baseimage.Userland(ctx, "1.4.9")
	if err != nil {
		return err
	}
	golang, err := baseimage.Golang(ctx, userland, "net/http", "encoding/json", "log/slog", "os/signal")
	if err != nil {
		return err
	}
	bases := map[string]string{}
	for repository, img := range map[string]v1.Image{"base/userland": userland, "base/golang": golang} {
		tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/" + repository + ":1")
		if err != nil {
			return err
		}
		if err := remote.Write(tag, img, remote.WithContext(ctx)); err != nil {
			return err
		}
		digest, err := img.Digest()
		if err != nil {
			return err
		}
		bases[repository] = tag.Name() + "@" + digest.String()
	}
	if err := json.NewEncoder(os.Stdout).Encode(bases); err != nil {
		return err
	}
	_, err = bufio.NewReader(os.Stdin).ReadByte()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
