package main

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/plimsoll-dev/plimsoll/modules/plimsoll/internal/dagger"
)

// now is when a question is asked.
func now() time.Time { return time.Now() }

// unpack writes a directory to the module's own working directory, where the SDK reads it.
func unpack(ctx context.Context, dir *dagger.Directory, name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	_, err = dir.Export(ctx, path)
	return path, err
}

// save reads a file and returns a directory that holds it, with its name.
func save(ctx context.Context, file *dagger.File) (fs.FS, string, error) {
	text, err := file.Contents(ctx)
	if err != nil {
		return nil, "", err
	}
	name, err := file.Name(ctx)
	return fstest.MapFS{name: {Data: []byte(text), Mode: 0o444}}, name, err
}

// pack puts a layout into one file, in the form that Container.import takes.
func pack(layout, name string) (*dagger.File, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(file)
	if err := errors.Join(w.AddFS(os.DirFS(layout)), w.Close(), file.Close()); err != nil {
		return nil, err
	}
	return dag.CurrentModule().WorkdirFile(name), nil
}
