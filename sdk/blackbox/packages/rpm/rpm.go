// Package rpm reads the rpm database of an image, in all the formats that it has had: Berkeley DB, "NDB" and SQLite.
//
//	suite.Options.Packages = append(packages.All(), rpm.Database{})
//
// It is a package of its own for its weight, which is that of an SQL engine. The database is read by a second process
// of this same program, since one that was made to harm may crash what reads it.
package rpm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	rpmdb "github.com/knqyf263/go-rpmdb/pkg"
	_ "modernc.org/sqlite" // the driver that go-rpmdb asks for by its name

	"github.com/plimsoll-dev/plimsoll/internal/reexec"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/imagefs"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/packages"
)

const helper = "plimsoll-rpmdb"

func init() { reexec.Hook(helper, list) } //nolint:gochecknoinits // the exception: this program run again

// Database is the rpm database of an image. The zero value is ready and safe for concurrent use.
type Database struct{}

var _ packages.Database = Database{}

// Type is "rpm".
func (Database) Type() string { return "rpm" }

// Read returns the packages of the first rpm database that the image has. Versions are "version-release", with the epoch
// and a colon in front where there is one.
func (Database) Read(ctx context.Context, files *imagefs.FS) ([]packages.Package, error) {
	for _, name := range packages.RPMPaths() {
		data, err := files.ReadFile(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, err := read(ctx, path.Base(name), data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for i := range found {
			found[i].Path = name
		}
		return found, nil
	}
	return nil, nil
}

// read has the helper read a database, which it needs as a file.
func read(ctx context.Context, name string, data []byte) (_ []packages.Package, err error) {
	dir, err := os.MkdirTemp("", "plimsoll-rpm-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	cmd := reexec.Command(helper, file)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer stop()
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return nil, fmt.Errorf("not a database that can be read: %w: %s", err, first)
	}
	var found []packages.Package
	if err := json.Unmarshal(stdout.Bytes(), &found); err != nil {
		return nil, err
	}
	return found, nil
}

// list is the helper: it prints the packages of the database in the first argument.
func list() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // this is the main function of a process
		}
	}
	db, err := rpmdb.Open(os.Args[1])
	fail(err)
	all, err := db.ListPackages()
	fail(err)
	found := []packages.Package{}
	for _, p := range all {
		version := p.Version + "-" + p.Release
		if p.Epoch != nil && *p.Epoch != 0 {
			version = strconv.Itoa(*p.Epoch) + ":" + version
		}
		found = append(found, packages.Package{Name: p.Name, Version: version, Type: "rpm"})
	}
	fail(json.NewEncoder(os.Stdout).Encode(found))
}
