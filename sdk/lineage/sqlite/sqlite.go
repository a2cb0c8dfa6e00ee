// Package sqlite keeps a lineage graph in one SQLite file: nothing to install, no cgo, good for millions of images on one
// machine.
//
//	store, err := sqlite.Open(ctx, "lineage.db", sqlite.Options{})
//	defer store.Close()
//
// Any number of programs may read the file while one writes; writers wait for each other up to a minute. It is kept
// beside the file's name with -wal and -shm added, and must be on a local disk. The file can be made anew from the
// registry at any time, so a backup is a convenience.
package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the driver

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/internal/sqlstore"
)

// Options of a store. The zero value is useful.
type Options struct {
	// CacheMiB is how much memory the writing connection uses to hold pages, in MiB. 0 means 64. It matters when a million
	// images are written at once.
	CacheMiB int
	// Readers is how many questions are answered at a time. 0 means 4. Each has a cache of 16 MiB at most.
	Readers int
}

//go:embed schema1.sql
var schema1 string

// Open opens the store in a file, which is made if it does not exist (its directory is not). A file of an older version
// is brought up to date; one of a newer version is an error, and so is a file that is something else. The caller closes
// the store.
func Open(ctx context.Context, path string, opts Options) (lineage.Store, error) {
	if opts.CacheMiB <= 0 {
		opts.CacheMiB = 64
	}
	if opts.Readers <= 0 {
		opts.Readers = 4
	}
	write, err := open(path, opts.CacheMiB, "&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := open(path, 16, "")
	if err != nil {
		_ = write.Close()
		return nil, err
	}
	read.SetMaxOpenConns(opts.Readers)
	read.SetMaxIdleConns(opts.Readers)
	store, err := sqlstore.Open(ctx, write, read, sqlstore.Dialect{
		Name:       path,
		Rows:       16,
		Mark:       func(int) string { return "?" },
		Blobs:      "SELECT unhex(value) FROM json_each($1)",
		Ints:       "SELECT value FROM json_each($1)",
		Texts:      "SELECT value FROM json_each($1)",
		Pairs:      "SELECT value->>0, value->>1 FROM json_each($1)",
		Prepare:    true,
		Migrations: []string{schema1},
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// open opens the file with what every connection needs: readers that do not hold up the writer, and waiting for locks.
func open(path string, cacheMiB int, more string) (*sql.DB, error) {
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String()
	return sql.Open("sqlite", fmt.Sprintf("%s?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-%d)%s",
		name, cacheMiB<<10, more))
}
