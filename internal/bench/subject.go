package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
)

// subject is an image under test, as an OCI layout and in the Docker daemon, and the program that tests it.
type subject struct {
	dir, layout, program, tag string
	docker                    *client.Client
}

// newSubject makes an image with a shell, a command that sleeps, and files with the texts of assertions.
func newSubject(ctx context.Context, env compare.Env, files int) (*subject, error) {
	s := &subject{
		dir: env.Dir, layout: filepath.Join(env.Dir, "layout"), program: filepath.Join(env.Dir, "plimsoll"),
		tag: "localhost/plimsoll-bench:" + filepath.Base(env.Dir),
	}
	if _, err := s.run(ctx, nil, "go", "build", "-o", s.program, "./examples/plimsoll"); err != nil {
		return nil, err
	}
	image, err := subjectImage(ctx, files)
	if err != nil {
		return nil, err
	}
	store, err := layout.Write(s.layout, empty.Index)
	if err != nil {
		return nil, err
	}
	if err := store.AppendImage(image); err != nil {
		return nil, err
	}
	tag, err := name.NewTag(s.tag)
	if err != nil {
		return nil, err
	}
	archive := filepath.Join(env.Dir, "image.tar")
	if err := tarball.WriteToFile(archive, tag, image); err != nil {
		return nil, err
	}
	if s.docker, err = client.New(client.FromEnv); err != nil {
		return nil, err
	}
	_, err = s.run(ctx, nil, "docker", "load", "--quiet", "--input", archive)
	return s, err
}

func subjectImage(ctx context.Context, files int) (v1.Image, error) {
	base, err := baseimage.Userland(ctx, "1.0")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, a := range assertions(files, 0) {
		if err := w.WriteHeader(&tar.Header{Name: a.path[1:], Mode: 0o644, Size: int64(len(a.text))}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, a.text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(base, static.NewLayer(b.Bytes(), types.OCIUncompressedLayer))
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	changed := config.Config
	changed.Cmd, changed.User = []string{"/bin/sleep", "3600"}, "65534"
	return mutate.Config(image, changed)
}

// remove takes the image out of the daemon.
func (s *subject) remove() error {
	out, err := exec.CommandContext(context.Background(), "docker", "image", "rm", "--force", s.tag).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return errors.Join(err, s.docker.Close())
}

// bare does with Docker what the assertions cannot do without: a container like ours, and their commands in it.
func (s *subject) bare(list []assertion) func(context.Context, int) (compare.Work, error) {
	return func(ctx context.Context, _ int) (compare.Work, error) {
		return compare.Work{Done: holds(len(list))}, s.container(ctx, list)
	}
}

func (s *subject) container(ctx context.Context, list []assertion) (err error) {
	created, err := s.docker.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{Image: s.tag},
		HostConfig: &container.HostConfig{
			NetworkMode: "none", ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
			LogConfig: container.LogConfig{Type: "none"},
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		_, rmErr := s.docker.ContainerRemove(context.WithoutCancel(ctx), created.ID, client.ContainerRemoveOptions{Force: true})
		err = errors.Join(err, rmErr)
	}()
	if _, err := s.docker.ContainerStart(ctx, created.ID, client.ContainerStartOptions{}); err != nil {
		return err
	}
	for _, a := range list {
		if !a.command {
			continue
		}
		run, err := s.docker.ExecCreate(ctx, created.ID, client.ExecCreateOptions{Cmd: []string{"/bin/cat", a.path}, AttachStdout: true})
		if err != nil {
			return err
		}
		attached, err := s.docker.ExecAttach(ctx, run.ID, client.ExecAttachOptions{})
		if err != nil {
			return err
		}
		text, err := io.ReadAll(attached.Reader)
		attached.Close()
		if err != nil || !bytes.Contains(text, []byte(a.text)) {
			return fmt.Errorf("%s: %q, %w", a.path, text, err)
		}
	}
	return nil
}
