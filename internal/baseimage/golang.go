package baseimage

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Golang is base with the Go toolchain of this machine in /usr/local/go and what it needs to compile programs that
// import the given packages of the standard library, without network. Everything else is left out, to keep it small.
func Golang(ctx context.Context, base v1.Image, imports ...string) (v1.Image, error) {
	root, err := goCommand(ctx, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	t := newTree()
	for _, name := range []string{"VERSION", "go.env", "bin/go", "src/go.mod", "src/go.sum", "src/vendor/modules.txt"} {
		if err := t.copy(root, name); err != nil {
			return nil, err
		}
	}
	tools := filepath.Join("pkg", "tool", "linux_"+runtime.GOARCH)
	for _, name := range []string{"asm", "compile", "link"} {
		if err := t.copy(root, filepath.Join(tools, name)); err != nil {
			return nil, err
		}
	}
	if err := t.copyDir(root, filepath.Join("pkg", "include")); err != nil {
		return nil, err
	}
	dirs, err := goCommand(ctx, append([]string{"list", "-deps", "-f", "{{if .Standard}}{{.Dir}}{{end}}"}, imports...)...)
	if err != nil {
		return nil, err
	}
	for dir := range strings.FieldsSeq(dirs) {
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return nil, err
		}
		if err := t.copyDir(root, rel); err != nil {
			return nil, err
		}
	}
	img, err := appendTrees(base, t)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Config.Env = append(slices.DeleteFunc(config.Config.Env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }),
		"PATH=/usr/local/go/bin:/usr/local/bin:/bin", "GOTOOLCHAIN=local", "GOPROXY=off", "CGO_ENABLED=0", "HOME=/root")
	return mutate.ConfigFile(img, config)
}

func goCommand(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// copy puts one file of the toolchain into the tree.
func (t *tree) copy(root, name string) error {
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info, err := os.Stat(filepath.Join(root, name)); err == nil && info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	t.file("usr/local/go/"+filepath.ToSlash(name), mode, content)
	return nil
}

// copyDir puts a package's directory into the tree, with the files it embeds and without its tests.
func (t *tree) copyDir(root, dir string) error {
	return filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return filepath.SkipDir
		case d.IsDir() || strings.HasSuffix(path, "_test.go"):
			return nil
		case isPackage(filepath.Dir(path)) && filepath.Dir(path) != filepath.Join(root, dir) && filepath.Ext(path) != ".h":
			return nil // a package of its own, listed if it is needed; assembly includes headers across packages
		}
		return t.copy(root, rel)
	})
}

// isPackage says whether a directory has Go files of its own.
func isPackage(dir string) bool {
	matches, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	return len(matches) > 0
}
