// Package store keeps the builds, their logs and what the workers know of each other, in SQLite or PostgreSQL. It is the
// truth about a build: the queue (package queue) only brings work to workers, and can be made anew from here.
//
// All times are the database's, so that hosts whose clocks differ agree. A Store is safe for concurrent use.
package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/database"
)

// Store is an open database; package queue puts its tables there too.
type Store struct{ *database.DB }

// ErrNotFound says that there is no such build.
var ErrNotFound = errors.New("no such build")

// OpenSQLite opens or makes the database in a file. Only one process may have it open; the caller sees to that.
func OpenSQLite(ctx context.Context, path string) (*Store, error) {
	db, err := database.OpenSQLite(ctx, path, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// OpenPostgres connects to the database at a URL such as postgres://user:password@host/name.
func OpenPostgres(ctx context.Context, dsn string) (*Store, error) {
	db, err := database.OpenPostgres(ctx, dsn, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms sql.NullInt64) *time.Time {
	if !ms.Valid || ms.Int64 == 0 {
		return nil
	}
	t := time.UnixMilli(ms.Int64).UTC()
	return &t
}
