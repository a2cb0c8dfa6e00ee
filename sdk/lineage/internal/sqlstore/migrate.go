package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// migrate brings the schema to the newest version, one migration a transaction: who is stopped between two goes on with
// the next. A schema that is newer than this program is left alone.
func (s *Store) migrate(ctx context.Context) error {
	for {
		done, err := s.migrateOnce(ctx)
		if done || err != nil {
			return err
		}
	}
}

func (s *Store) migrateOnce(ctx context.Context) (done bool, err error) {
	err = s.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS lineage_schema (version INTEGER NOT NULL)"); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM lineage_schema").Scan(&version); err != nil {
			return err
		}
		newest := len(s.dialect.Migrations)
		switch {
		case version > newest:
			return fmt.Errorf("its schema has version %d, this program knows up to %d: use a newer program, or another database", version, newest)
		case version == newest:
			done = true
			return nil
		}
		if _, err := tx.ExecContext(ctx, s.dialect.Migrations[version]); err != nil {
			return fmt.Errorf("schema version %d: %w", version+1, err)
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO lineage_schema (version) VALUES (%d)", version+1))
		return err
	})
	return done, err
}

// transaction runs f alone among all that write, and undoes what it did if it fails.
func (s *Store) transaction(ctx context.Context, f func(*sql.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if s.dialect.Lock != "" {
		if _, err := tx.ExecContext(ctx, s.dialect.Lock); err != nil {
			return err
		}
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
