// Package sqlstore keeps a lineage graph in an SQL database: what lineage/sqlite and lineage/postgres have in common.
//
// Digests and texts that come again and again are numbered; everything else refers to the numbers. Layers are kept as
// the first half of their ChainIDs: only the image's own and those between it and the nearest known image below, so that
// a chain of layers costs what is new of it (see layers.go).
package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
)

// Dialect is what databases do differently.
type Dialect struct {
	// Name is for errors.
	Name string
	// Rows is how many rows one statement inserts.
	Rows int
	// Mark is the n-th parameter of an insert.
	Mark func(n int) string
	// Blobs, Ints and Pairs are subqueries that make rows of a JSON array in parameter $1: of hex strings, of numbers, of
	// [number, text].
	Blobs, Ints, Texts, Pairs string
	// Prepare says that statements are to be prepared: the driver does not remember them by itself.
	Prepare bool
	// Lock is run first in each transaction that writes: there is one writer at a time. May be empty.
	Lock string
	// Migrations are scripts, each of which brings the schema from the version of its index to the next.
	Migrations []string
}

// Store is a lineage.Store in a database.
type Store struct {
	write, read *sql.DB
	dialect     Dialect

	writing sync.Mutex
	texts   map[string]int64 // some of the texts that are numbered

	statements sync.Map // SQL -> *sql.Stmt of read
}

var _ lineage.Store = (*Store)(nil)

// Open brings the schema up to date and returns the store. It closes both databases when it fails, and when it is closed;
// they may be the same one.
func Open(ctx context.Context, write, read *sql.DB, dialect Dialect) (*Store, error) {
	s := &Store{write: write, read: read, dialect: dialect, texts: map[string]int64{}}
	if err := s.migrate(ctx); err != nil {
		_ = s.Close() // the first error is the one to tell
		return nil, fmt.Errorf("lineage in %s: %w", dialect.Name, err)
	}
	return s, nil
}

// Close closes the databases.
func (s *Store) Close() error {
	s.statements.Range(func(_, stmt any) bool {
		_ = stmt.(*sql.Stmt).Close() //nolint:forcetypeassert // nothing else is put in
		return true
	})
	err := s.write.Close()
	if s.read != s.write {
		if e := s.read.Close(); err == nil {
			err = e
		}
	}
	return err
}

// prepared returns a statement of the readers, which is prepared once.
func (s *Store) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.statements.Load(query); ok {
		return stmt.(*sql.Stmt), nil //nolint:forcetypeassert // nothing else is put in
	}
	stmt, err := s.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%w in %.60q", err, query)
	}
	if other, loaded := s.statements.LoadOrStore(query, stmt); loaded {
		_ = stmt.Close()
		return other.(*sql.Stmt), nil //nolint:forcetypeassert // nothing else is put in
	}
	return stmt, nil
}

// rows runs a query of the readers and calls scan for each row, until it says stop.
func (s *Store) rows(ctx context.Context, scan func(*sql.Rows) (more bool, err error), query string, args ...any) (more bool, err error) {
	found, err := s.query(ctx, query, args...)
	if err != nil {
		return false, err
	}
	return each(found, scan)
}

func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if !s.dialect.Prepare {
		return s.read.QueryContext(ctx, query, args...)
	}
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

func each(found *sql.Rows, scan func(*sql.Rows) (bool, error)) (more bool, err error) {
	defer found.Close()
	for found.Next() {
		if more, err := scan(found); err != nil || !more {
			return false, err
		}
	}
	return true, found.Err()
}

// list is a parameter for Blobs, Ints, Texts and Pairs.
func list[T any](values []T) string {
	if len(values) == 0 {
		return "[]"
	}
	raw, err := json.Marshal(values)
	if err != nil {
		panic(err) // numbers, strings and pairs of them can be marshalled
	}
	return string(raw)
}

func (s *Store) fail(err error) error {
	return fmt.Errorf("lineage in %s: %w", s.dialect.Name, err)
}
