package main

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// service is the greeter's source as it lies beside this program.
//
//go:embed service
var service embed.FS

// goMod is the service's own; beside this program it belongs to Plimsoll's module instead.
const goMod = "module example.com/greeter\n\ngo 1.26\n"

// commitService makes a git repository of the service in dir, as its developers would have it, with the addresses of
// the local registry. It returns the commit's id.
func commitService(dir, registry string) (string, error) {
	files, err := fs.Sub(service, "service")
	if err != nil {
		return "", err
	}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(content), "localhost:5000", registry)
		return write(filepath.Join(dir, name), text)
	})
	if err != nil {
		return "", err
	}
	if err := write(filepath.Join(dir, "go.mod"), goMod); err != nil {
		return "", err
	}
	return commitAll(dir, "The greeter")
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func commitAll(dir, message string) (string, error) {
	repo, err := git.PlainInit(dir, false)
	if err != nil {
		return "", fmt.Errorf("%s: making the service's repository: %w", dir, err)
	}
	tree, err := repo.Worktree()
	if err != nil {
		return "", err
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return "", err
	}
	// A fixed author and time: the same source, with the same address of the registry, is the same commit every time.
	author := &object.Signature{Name: "Ada", Email: "ada@example.com", When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	commit, err := tree.Commit(message, &git.CommitOptions{Author: author, Committer: author})
	if err != nil {
		return "", err
	}
	return commit.String(), nil
}
