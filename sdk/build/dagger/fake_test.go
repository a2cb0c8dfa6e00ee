package dagger_test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// engine is an engine's API as far as the builder uses it: it keeps what it was asked, and answers each build with an image
// that was made before.
type engine struct {
	version string
	image   v1.Image
	err     error

	mu         sync.Mutex
	dockerfile string
	ignore     string
	builds     int
}

func (e *engine) query(_ context.Context, query string, variables map[string]any, data any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case query == "{version}":
		return answer(data, map[string]any{"version": e.version})
	case query == "{defaultPlatform}":
		return answer(data, map[string]any{"defaultPlatform": "linux/amd64"})
	case strings.Contains(query, "setSecret"):
		return answer(data, map[string]any{"setSecret": map[string]any{"id": "secret-" + variables["name"].(string)}})
	case strings.Contains(query, "host {directory"):
		dir := variables["path"].(string)
		for name, to := range map[string]*string{"Dockerfile": &e.dockerfile, "Dockerfile.dockerignore": &e.ignore} {
			text, err := os.ReadFile(filepath.Join(dir, ".plimsoll", name))
			if err != nil {
				return err
			}
			*to = string(text)
		}
		return answer(data, map[string]any{"host": map[string]any{"directory": map[string]any{"id": dir}}})
	case strings.Contains(query, "dockerBuild"):
		e.builds++
		if e.err != nil {
			return e.err
		}
		return e.export(variables["path"].(string))
	}
	return errors.New("the fake does not know " + query)
}

// answer decodes an answer as a client would.
func answer(data, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, data)
}

// export writes the image as an engine does: an OCI layout in a tar file.
func (e *engine) export(path string) error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: e.image})); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := tar.NewWriter(file)
	return errors.Join(w.AddFS(os.DirFS(dir)), w.Close(), file.Close())
}

// content reads a file of an image's upper layers.
func content(t *testing.T, img v1.Image, name string) string {
	t.Helper()
	rc := mutate.Extract(img)
	defer rc.Close()
	for r := tar.NewReader(rc); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Trim(h.Name, "/") == name {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
}
