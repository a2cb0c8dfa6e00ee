package definition_test

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
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
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

	d, err := definition.Load(context.Background(), dir, commit, definition.LoadOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	base := d.File.Stages[0].Base
	fmt.Println(d.File.Place(base), base.Text)
	fmt.Println(d.Source.CommitTime.Format(time.DateOnly), d.Source.Dockerfile)
	files, err := fs.Glob(d.Context, "*")
	fmt.Println(files, err)

	_, err = definition.Load(context.Background(), dir, "no-such-branch", definition.LoadOptions{})
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

// Parse finds the words that matter and where they stand, however they are written.
func ExampleParse() {
	f, err := definition.Parse("Dockerfile", []byte("FROM golang:1.26 AS build\n"+
		"RUN --mount=type=bind,from=tools,target=/t \\\n"+
		"    make\n"+
		"FR\\\n"+
		"OM scratch\n"+
		"COPY --from=build /app /\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, in := range f.Instructions {
		for _, flag := range in.Flags {
			for _, field := range flag.Fields() {
				if field.Name == "from" {
					fmt.Println(f.Place(field.Value), in.Name, field.Value.Text)
				}
			}
			if flag.Name == "from" {
				fmt.Println(f.Place(flag.Value), in.Name, flag.Value.Text)
			}
		}
	}
	for _, s := range f.Stages {
		fmt.Println(f.Place(s.Base), s.From.Keyword.Text, s.Base.Text)
	}

	_, err = definition.Parse("Dockerfile", []byte("FROM alpine\nCOPY --form=build /app /\n"))
	fmt.Println(err)
	// Output:
	// Dockerfile:2:28 run tools
	// Dockerfile:6:13 copy build
	// Dockerfile:1:6 FROM golang:1.26
	// Dockerfile:5:4 FROM scratch
	// Dockerfile:2:6: unknown flag: --form (did you mean from?)
}

// Apply changes only what it must, and Diff prints the change as git takes it.
func ExampleApply() {
	f, err := definition.Parse("Dockerfile", []byte("FROM alpine:3.20 \t# odd, but an argument\n"))
	fmt.Println(f == nil, err)

	f, err = definition.Parse("Dockerfile", []byte("from   alpine:3.20 \t\r\nRUN true"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fixed, err := definition.Apply(f.Src, []finding.Edit{f.Replace(f.Stages[0].Base, "alpine:3.21")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", fixed)
	// Output:
	// true Dockerfile:1:1: FROM requires either one or three arguments
	// "from   alpine:3.21 \t\r\nRUN true"
}

// LoadFS reads a definition that comes as files, such as in a test. It is marked as dirty.
func ExampleLoadFS() {
	files := fstest.MapFS{
		"app/Dockerfile":    {Data: []byte("FROM alpine:3.20\n")},
		"app/main.go":       {Data: []byte("package main\n")},
		"app/README.md":     {Data: []byte("# App\n")},
		"app/.dockerignore": {Data: []byte("*.md\n.dockerignore\n")},
	}
	d, err := definition.LoadFS(context.Background(), files, definition.Source{Repository: "example"}, definition.LoadOptions{Dir: "app"})
	if err != nil {
		fmt.Println(err)
		return
	}
	names, err := fs.Glob(d.Context, "*")
	fmt.Println(names, d.Source.Dirty, err)
	// Output:
	// [Dockerfile main.go] true <nil>
}
