package packages

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// python reads the metadata of installed distributions (PEP 376 and 566).
type python struct{}

func (python) Type() string { return "pypi" }

func (python) Read(ctx context.Context, files *imagefs.FS) ([]Package, error) {
	return each(ctx, files, func(name string) bool {
		dir, file := path.Split(name)
		return file == "METADATA" && strings.HasSuffix(dir, ".dist-info/") ||
			file == "PKG-INFO" && strings.HasSuffix(dir, ".egg-info/")
	}, func(name string, data []byte) (Package, error) {
		head, _, _ := strings.Cut(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n\n")
		p := Package{Type: "pypi", Path: name}
		err := paragraphs([]byte(head), name, ":", func(fields map[string]string) {
			if fields["Name"] != "" {
				p.Name, p.Version = fields["Name"], fields["Version"]
			}
		})
		return p, err
	})
}

// npm reads the package.json of every package in a node_modules folder.
type npm struct{}

func (npm) Type() string { return "npm" }

func (npm) Read(ctx context.Context, files *imagefs.FS) ([]Package, error) {
	return each(ctx, files, func(name string) bool {
		dirs := strings.Split(path.Dir(name), "/")
		n := len(dirs)
		return path.Base(name) == "package.json" && (n >= 2 && dirs[n-2] == "node_modules" ||
			n >= 3 && dirs[n-3] == "node_modules" && strings.HasPrefix(dirs[n-2], "@"))
	}, func(name string, data []byte) (Package, error) {
		var manifest struct{ Name, Version string }
		if err := json.Unmarshal(data, &manifest); err != nil {
			return Package{}, fmt.Errorf("%s: %w", name, err)
		}
		return Package{Name: manifest.Name, Version: manifest.Version, Type: "npm", Path: name}, nil
	})
}

// gem reads the names of gem specifications: "rack-3.1.8.gemspec".
type gem struct{}

func (gem) Type() string { return "gem" }

var gemspec = regexp.MustCompile(`/specifications/(?:default/)?([^/]+?)-(\d[^/]*)\.gemspec$`)

func (gem) Read(_ context.Context, files *imagefs.FS) ([]Package, error) {
	var found []Package
	for e := range files.All() {
		if m := gemspec.FindStringSubmatch(e.Path); m != nil && e.Mode.IsRegular() {
			found = append(found, Package{Name: m[1], Version: m[2], Type: "gem", Path: e.Path})
		}
	}
	return found, nil
}

// each reads a package from every file that is wanted, and leaves out those without a name.
func each(ctx context.Context, files *imagefs.FS, want func(name string) bool, read func(name string, data []byte) (Package, error)) ([]Package, error) {
	var found []Package
	for e := range files.All() {
		if !e.Mode.IsRegular() || !want(e.Path) {
			continue
		}
		data, err := files.ReadFile(ctx, e.Path)
		if err != nil {
			return nil, err
		}
		p, err := read(e.Path, data)
		if err != nil {
			return nil, err
		}
		if p.Name != "" {
			found = append(found, p)
		}
	}
	return found, nil
}
