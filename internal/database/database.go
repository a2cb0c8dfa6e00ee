// Package database opens the databases that durable work is kept in, SQLite in a file or PostgreSQL, as one: the same
// statements, the database's clock, migrations that are applied once. Package riverqueue puts its tables into the same one.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// DB is an open database. One of Pool (PostgreSQL) and SQLite is set. It is safe for concurrent use.
type DB struct {
	Pool   *pgxpool.Pool
	SQLite *sql.DB // one connection, for the queue alone
	Writes *sql.DB
	Reads  *sql.DB
}

// OpenSQLite opens or makes the database in a file.
func OpenSQLite(ctx context.Context, path string, m Migrations) (*DB, error) {
	// Whoever was told that work is accepted can rely on it: synchronous=FULL flushes each commit.
	dsn := "file:" + url.PathEscape(path) + "?" + url.Values{
		"_pragma": {"busy_timeout(20000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock": {"immediate"},
	}.Encode()
	d := &DB{}
	for _, db := range []struct {
		to    **sql.DB
		conns int
	}{{&d.Writes, 1}, {&d.SQLite, 1}, {&d.Reads, 4}} {
		var err error
		if *db.to, err = sql.Open("sqlite", dsn); err != nil {
			return nil, errors.Join(err, d.Close())
		}
		(*db.to).SetMaxOpenConns(db.conns)
		(*db.to).SetMaxIdleConns(db.conns)
	}
	return d.ready(ctx, m)
}

// OpenPostgres connects to the database at a URL such as postgres://user:password@host/name.
func OpenPostgres(ctx context.Context, dsn string, m Migrations) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("the database's address: %w", hidePassword(err, dsn))
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, hidePassword(err, dsn)
	}
	d := &DB{Pool: pool, Writes: stdlib.OpenDBFromPool(pool)}
	d.Reads = d.Writes
	return d.ready(ctx, m)
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

func (d *DB) ready(ctx context.Context, m Migrations) (*DB, error) {
	if err := d.migrate(ctx, m); err != nil {
		return nil, errors.Join(fmt.Errorf("the database: %w", err), d.Close())
	}
	return d, nil
}

// Close closes all connections.
func (d *DB) Close() error {
	var errs []error
	for _, db := range []*sql.DB{d.Reads, d.SQLite} {
		if db != nil && db != d.Writes {
			errs = append(errs, db.Close())
		}
	}
	if d.Writes != nil {
		errs = append(errs, d.Writes.Close())
	}
	if d.Pool != nil {
		d.Pool.Close()
	}
	return errors.Join(errs...)
}

// Ping says whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	var one int
	return d.Reads.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// SQL makes the statement for this database: ? are its arguments, {now} is its clock in milliseconds.
func (d *DB) SQL(text string) string {
	if d.Pool == nil {
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

// Execer is a database or a transaction.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Exec changes rows and returns how many.
func (d *DB) Exec(ctx context.Context, on Execer, text string, args ...any) (int64, error) {
	result, err := on.ExecContext(ctx, d.SQL(text), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Transaction runs f in one transaction.
func (d *DB) Transaction(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.Writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Migrations bring a database to the present form: they are applied in order, each once. What was released does not change.
type Migrations struct {
	// Table keeps the version; Key is the advisory lock that hosts take turns with.
	Table string
	Key   int64
	Steps [][]string
}

// Lock waits for the advisory lock of a key until the transaction ends. SQLite has one writer anyway.
func (d *DB) Lock(ctx context.Context, tx *sql.Tx, key int64) error {
	if d.Pool == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", key))
	return err
}

func (d *DB) migrate(ctx context.Context, m Migrations) error {
	return d.Transaction(ctx, func(tx *sql.Tx) error {
		if err := d.Lock(ctx, tx, m.Key); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS `+m.Table+` (version BIGINT NOT NULL)`); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM `+m.Table).Scan(&version); err != nil {
			return err
		}
		if version > len(m.Steps) {
			return fmt.Errorf("it has version %d, this program knows %d: run a newer one", version, len(m.Steps))
		}
		for n, statements := range m.Steps[version:] {
			for _, statement := range statements {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("migration %d: %w", version+n+1, err)
				}
			}
			if _, err := d.Exec(ctx, tx, `INSERT INTO `+m.Table+` (version) VALUES (?)`, version+n+1); err != nil {
				return err
			}
		}
		return nil
	})
}
