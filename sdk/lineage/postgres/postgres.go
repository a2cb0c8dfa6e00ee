// Package postgres keeps a lineage graph in PostgreSQL, for services that run on many machines.
//
//	store, err := postgres.Open(ctx, "postgres://plimsoll@db.example/plimsoll", postgres.Options{})
//	defer store.Close()
//
// Its tables are made in the first schema of the connection's search_path; give it a schema or a database of its own. It
// needs PostgreSQL 13 or newer and the right to make tables. One writes at a time, held by an advisory lock for the length
// of a transaction; readers are not held up. The tables can be made anew from the registry at any time.
package postgres

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/internal/sqlstore"
)

// Options of a store. The zero value is useful.
type Options struct {
	// Connections is how many there may be at a time. 0 means 8.
	Connections int
}

//go:embed schema1.sql
var schema1 string

// lock is the number of the advisory lock that writers hold.
const lock = "SELECT pg_advisory_xact_lock(812670114)"

// Open opens the store at an address, a URL or "host=... user=..." as libpq has it; what it leaves out comes from the
// PG... variables of the environment. Tables that are missing are made, those of an older version brought up to date; a
// newer version is an error. No error has the password. The caller closes the store.
func Open(ctx context.Context, address string, opts Options) (lineage.Store, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("address of the database: %w", err) // pgx leaves the password out
	}
	if opts.Connections <= 0 {
		opts.Connections = 8
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(opts.Connections)
	db.SetMaxIdleConns(opts.Connections)
	store, err := sqlstore.Open(ctx, db, db, sqlstore.Dialect{
		Name:       fmt.Sprintf("PostgreSQL database %s at %s", config.Database, config.Host),
		Rows:       1024,
		Mark:       func(n int) string { return "$" + strconv.Itoa(n) },
		Blobs:      "SELECT decode(value, 'hex') FROM json_array_elements_text($1::json)",
		Ints:       "SELECT value::bigint FROM json_array_elements_text($1::json)",
		Texts:      "SELECT value FROM json_array_elements_text($1::json)",
		Pairs:      "SELECT (value->>0)::bigint, value->>1 FROM json_array_elements($1::json)",
		Lock:       lock,
		Migrations: []string{schema1},
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}
