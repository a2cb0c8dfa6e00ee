// Package store keeps the builds, their logs and what the workers know of each other, in SQLite or PostgreSQL. It is the
// truth about a build: the queue (package queue) only brings work to workers, and can be made anew from here.
//
// All times are the database's, so that hosts whose clocks differ agree. A Store is safe for concurrent use.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Store is an open database. One of Pool (PostgreSQL) and SQLite is set: package queue puts its tables there too.
type Store struct {
	Pool   *pgxpool.Pool
	SQLite *sql.DB // one connection, for the queue alone

	db       *sql.DB // writes
	reads    *sql.DB
	postgres bool
}

// ErrNotFound says that there is no such build.
var ErrNotFound = errors.New("no such build")

// OpenSQLite opens or makes the database in a file. Only one process may have it open; the caller sees to that.
func OpenSQLite(ctx context.Context, path string) (*Store, error) {
	// Whoever was told that a build is accepted can rely on it: synchronous=FULL flushes each commit.
	dsn := "file:" + url.PathEscape(path) + "?" + url.Values{
		"_pragma": {"busy_timeout(20000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock": {"immediate"},
	}.Encode()
	s := &Store{}
	for _, db := range []struct {
		to    **sql.DB
		conns int
	}{{&s.db, 1}, {&s.SQLite, 1}, {&s.reads, 4}} {
		var err error
		if *db.to, err = sql.Open("sqlite", dsn); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		(*db.to).SetMaxOpenConns(db.conns)
		(*db.to).SetMaxIdleConns(db.conns)
	}
	return s.ready(ctx)
}

// OpenPostgres connects to the database at a URL such as postgres://user:password@host/name.
func OpenPostgres(ctx context.Context, dsn string) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("the database's address: %w", hidePassword(err, dsn))
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, hidePassword(err, dsn)
	}
	s := &Store{Pool: pool, db: stdlib.OpenDBFromPool(pool), postgres: true}
	s.reads = s.db
	return s.ready(ctx)
}

// hidePassword keeps a password out of an error's text.
func hidePassword(err error, dsn string) error {
	u, parsed := url.Parse(dsn)
	if parsed != nil {
		return errors.New("it can't be read; write postgres://user:password@host/name")
	}
	if password, set := u.User.Password(); set && strings.Contains(err.Error(), password) {
		return errors.New(strings.ReplaceAll(err.Error(), password, "xxxxx"))
	}
	return err
}

func (s *Store) ready(ctx context.Context) (*Store, error) {
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the database: %w", err), s.Close())
	}
	return s, nil
}

// Close closes all connections.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reads, s.SQLite} {
		if db != nil && db != s.db {
			errs = append(errs, db.Close())
		}
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.Pool != nil {
		s.Pool.Close()
	}
	return errors.Join(errs...)
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.reads.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// sql makes the statement for this database: ? are its arguments, {now} is its clock in milliseconds.
func (s *Store) sql(text string) string {
	if !s.postgres {
		return strings.ReplaceAll(text, "{now}", "CAST((julianday('now')-2440587.5)*86400000 AS INTEGER)")
	}
	text = strings.ReplaceAll(text, "{now}", "CAST(extract(epoch FROM clock_timestamp())*1000 AS BIGINT)")
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		text = after
	}
}

// exec changes rows and returns how many.
func (s *Store) exec(ctx context.Context, on execer, text string, args ...any) (int64, error) {
	result, err := on.ExecContext(ctx, s.sql(text), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// transaction runs f in one transaction.
func (s *Store) transaction(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms sql.NullInt64) *time.Time {
	if !ms.Valid || ms.Int64 == 0 {
		return nil
	}
	t := time.UnixMilli(ms.Int64).UTC()
	return &t
}
