package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
)

// Log appends lines to a build's log and numbers them; what the caller had in Seq does not count. One caller at a time
// for a build: its worker.
func (s *Store) Log(ctx context.Context, build string, lines []api.Line) error {
	return s.Transaction(ctx, func(tx *sql.Tx) error {
		var last int64
		if err := tx.QueryRowContext(ctx, s.SQL(`SELECT COALESCE(MAX(seq), 0) FROM lines WHERE build = ?`), build).Scan(&last); err != nil {
			return err
		}
		const rows = 100 // a statement; PostgreSQL takes 65,535 arguments
		for len(lines) > 0 {
			part := lines[:min(rows, len(lines))]
			lines = lines[len(part):]
			args := make([]any, 0, 5*len(part))
			for _, l := range part {
				last++
				args = append(args, build, last, millis(l.Time), l.Stage, l.Text)
			}
			if _, err := s.Exec(ctx, tx, `INSERT INTO lines (build, seq, at, stage, text) VALUES `+
				strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?), ", len(part)), ", "), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Lines returns at most limit lines of a build's log after a number.
func (s *Store) Lines(ctx context.Context, build string, after int64, limit int) ([]api.Line, error) {
	rows, err := s.Reads.QueryContext(ctx, s.SQL(`SELECT seq, at, stage, text FROM lines WHERE build = ? AND seq > ? ORDER BY seq LIMIT ?`), build, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []api.Line
	for rows.Next() {
		var l api.Line
		var at int64
		if err := rows.Scan(&l.Seq, &at, &l.Stage, &l.Text); err != nil {
			return nil, err
		}
		l.Time = time.UnixMilli(at).UTC()
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

// LastLine returns the number of a log's last line, 0 when it has none.
func (s *Store) LastLine(ctx context.Context, build string) (last int64, err error) {
	err = s.Reads.QueryRowContext(ctx, s.SQL(`SELECT COALESCE(MAX(seq), 0) FROM lines WHERE build = ?`), build).Scan(&last)
	return last, err
}
