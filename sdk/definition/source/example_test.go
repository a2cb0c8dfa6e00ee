package source_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// Load what a repository holds at a commit: the parsed Dockerfile and the build context.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	commit := commitExample(dir)

	d, err := source.Load(context.Background(), dir, commit, source.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	base := d.File.Stages[0].Base
	fmt.Println(d.File.Place(base), base.Text)
	fmt.Println(d.Source.CommitTime.Format(time.DateOnly), d.Source.Dockerfile)
	files, err := fs.Glob(d.Context, "*")
	fmt.Println(files, err)

	_, err = source.Load(context.Background(), dir, "no-such-branch", source.Options{})
	fmt.Println(err != nil)
	// Output:
	// Dockerfile:1:6 alpine:3.20
	// 2026-03-04 Dockerfile
	// [Dockerfile main.go] <nil>
	// true
}

func commitExample(dir string) string {
	repository, err := git.PlainInit(dir, false)
	if err != nil {
		return err.Error()
	}
	for name, content := range map[string]string{"Dockerfile": "FROM alpine:3.20\nCOPY . /\n", "main.go": "package main\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err.Error()
		}
	}
	tree, err := repository.Worktree()
	if err != nil {
		return err.Error()
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return err.Error()
	}
	author := &object.Signature{Name: "Dev", Email: "dev@example.com", When: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	id, err := tree.Commit("first", &git.CommitOptions{Author: author})
	if err != nil {
		return err.Error()
	}
	return id.String()
}

// LoadFS reads a definition that comes as files, such as in a test. It is marked as dirty.
func ExampleLoadFS() {
	files := fstest.MapFS{
		"app/Dockerfile":    {Data: []byte("FROM alpine:3.20\n")},
		"app/main.go":       {Data: []byte("package main\n")},
		"app/README.md":     {Data: []byte("# App\n")},
		"app/.dockerignore": {Data: []byte("*.md\n.dockerignore\n")},
	}
	d, err := source.LoadFS(context.Background(), files, definition.Source{Repository: "example"}, source.Options{Dir: "app"})
	if err != nil {
		fmt.Println(err)
		return
	}
	names, err := fs.Glob(d.Context, "*")
	fmt.Println(names, d.Source.Dirty, err)
	// Output:
	// [Dockerfile main.go] true <nil>
}
