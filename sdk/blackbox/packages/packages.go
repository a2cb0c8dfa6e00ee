// Package packages lists the software packages of an image from the databases in its files: dpkg (also as distroless
// images keep it), apk, Python distributions, npm packages and Ruby gems; package rpm beside it reads rpm's. [Go] reads
// the modules of one Go program.
//
//	all, err := packages.Read(ctx, files, packages.All()...)
//
// A database that is there and can't be read is an error: a list with holes would pass tests that it should fail.
// Everything is safe for concurrent use. The API follows the module's version.
package packages

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
)

// Package is one installed package.
type Package struct {
	Name    string
	Version string // as its database writes it
	Type    string // "deb", "apk", "rpm", "pypi", "npm", "gem": the type of its package URL
	Path    string // of the file that lists it
}

// Database finds the packages of one kind.
type Database interface {
	// Type is the type of its packages.
	Type() string
	// Read returns the packages, none when the image has no such database.
	Read(ctx context.Context, files *imagefs.FS) ([]Package, error)
}

// All returns the databases of this package.
func All() []Database {
	return []Database{dpkg{}, apk{}, python{}, npm{}, gem{}}
}

// ErrNoReader is in the error of an image that has a database which no reader was given for.
var ErrNoReader = errors.New("no reader for it was given")

// RPMPaths are where rpm keeps its database, in one of three formats.
func RPMPaths() []string {
	dirs := []string{"/var/lib/rpm/", "/usr/lib/sysimage/rpm/"}
	var paths []string
	for _, dir := range dirs {
		paths = append(paths, dir+"rpmdb.sqlite", dir+"Packages.db", dir+"Packages")
	}
	return paths
}

// Read returns the packages of all the databases, ordered by name, version and type.
func Read(ctx context.Context, files *imagefs.FS, databases ...Database) ([]Package, error) {
	if !slices.ContainsFunc(databases, func(d Database) bool { return d.Type() == "rpm" }) {
		for _, path := range RPMPaths() {
			if _, err := files.Lookup(path); err == nil {
				return nil, fmt.Errorf("the rpm database %s: %w: add rpm.Database to the packages of the suite", path, ErrNoReader)
			}
		}
	}
	var all []Package
	for _, d := range databases {
		found, err := d.Read(ctx, files)
		if err != nil {
			return nil, fmt.Errorf("%s packages: %w", d.Type(), err)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Path, b.Path))
	})
	return all, nil
}

// readIfThere returns nil for a file that does not exist.
func readIfThere(ctx context.Context, files *imagefs.FS, path string) ([]byte, error) {
	data, err := files.ReadFile(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
