package store

import (
	"context"
	"database/sql"
	"time"
)

// Limits are how many builds may be under way at once.
type Limits struct {
	Total int            // all hosts together
	Team  int            // of each team
	Teams map[string]int // of some teams instead
	// Backlog is how many may be released and not begun: few, so that what is urgent does not wait behind them.
	Backlog int
	// Crashes is after how many deaths of its worker a build is given up.
	Crashes int
	// Lost is how long a worker may be silent before it counts as dead.
	Lost time.Duration
}

// Released is a run to bring to a worker.
type Released struct {
	ID       string
	Run      int64
	Priority int
}

// Dispatch takes back the builds of dead workers and releases those that wait and may run now: by priority, then in the
// order in which they came, within the limits. A run that was released and not begun for a while is returned again.
func (s *Store) Dispatch(ctx context.Context, l Limits) (released []Released, err error) {
	err = s.Transaction(ctx, func(tx *sql.Tx) error {
		released = nil
		if err := s.Lock(ctx, tx, lockKey); err != nil {
			return err
		}
		if err := s.reap(ctx, tx, l); err != nil {
			return err
		}
		total, teams, err := s.underWay(ctx, tx)
		if err != nil {
			return err
		}
		var backlog int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM builds WHERE state = 'released'`).Scan(&backlog); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, s.SQL(`SELECT id, team, run, priority, state FROM builds
			WHERE state = 'queued' AND not_before <= {now} OR state = 'released' AND released < {now} - 3000 ORDER BY priority, id`))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r Released
			var team, state string
			if err := rows.Scan(&r.ID, &team, &r.Run, &r.Priority, &state); err != nil {
				return err
			}
			if state == "released" { // the process died before the queue had it
				released = append(released, r)
				continue
			}
			if backlog >= l.Backlog {
				continue
			}
			if limit := l.team(team); l.Total > 0 && total >= l.Total || limit > 0 && teams[team] >= limit {
				continue
			}
			backlog++
			total++
			teams[team]++
			r.Run++
			released = append(released, r)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, r := range released {
			if _, err := s.Exec(ctx, tx, `UPDATE builds SET state = 'released', run = ?, released = {now} WHERE id = ?`, r.Run, r.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return released, err
}

func (l Limits) team(name string) int {
	if n, ok := l.Teams[name]; ok {
		return n
	}
	return l.Team
}

func (s *Store) underWay(ctx context.Context, tx *sql.Tx) (total int, teams map[string]int, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT team, COUNT(*) FROM builds WHERE state IN ('released', 'running') GROUP BY team`)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	teams = map[string]int{}
	for rows.Next() {
		var team string
		var n int
		if err := rows.Scan(&team, &n); err != nil {
			return 0, nil, err
		}
		teams[team] = n
		total += n
	}
	return total, teams, rows.Err()
}

// reap takes back what dead workers were at.
func (s *Store) reap(ctx context.Context, tx *sql.Tx, l Limits) error {
	const dead = `state = 'running' AND worker NOT IN (SELECT id FROM workers WHERE seen > {now} - ?)`
	lost := l.Lost.Milliseconds()
	if _, err := s.Exec(ctx, tx, `UPDATE builds SET state = 'failed', ended = {now}, reason = 'its worker died too often while it was at it'
		WHERE `+dead+` AND crashes >= ?`, lost, l.Crashes); err != nil {
		return err
	}
	if _, err := s.Exec(ctx, tx, `UPDATE builds SET state = 'cancelled', ended = {now}, reason = cancel WHERE `+dead+` AND cancel <> ''`, lost); err != nil {
		return err
	}
	_, err := s.Exec(ctx, tx, `UPDATE builds SET state = 'queued', crashes = crashes + 1, worker = '', reason = 'its worker died; it is begun again'
		WHERE `+dead, lost)
	return err
}

// Beat says that a worker is alive, and returns the builds that it has and somebody wants cancelled.
func (s *Store) Beat(ctx context.Context, worker, host string) (cancelled map[string]string, err error) {
	if _, err := s.Exec(ctx, s.Writes, `INSERT INTO workers (id, host, seen) VALUES (?, ?, {now})
		ON CONFLICT (id) DO UPDATE SET seen = excluded.seen`, worker, host); err != nil {
		return nil, err
	}
	rows, err := s.Reads.QueryContext(ctx, s.SQL(`SELECT id, cancel FROM builds WHERE state = 'running' AND worker = ? AND cancel <> ''`), worker)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cancelled = map[string]string{}
	for rows.Next() {
		var id, by string
		if err := rows.Scan(&id, &by); err != nil {
			return nil, err
		}
		cancelled[id] = by
	}
	return cancelled, rows.Err()
}

// Gone says that workers will not come back: the one that stops, or with an empty id all (SQLite has one process, so at
// its start all others are dead).
func (s *Store) Gone(ctx context.Context, worker string) error {
	_, err := s.Exec(ctx, s.Writes, `DELETE FROM workers WHERE id = ? OR ? = ''`, worker, worker)
	return err
}

// Clear removes tokens that have expired and keys older than a week. Builds and logs stay.
func (s *Store) Clear(ctx context.Context) error {
	if _, err := s.Exec(ctx, s.Writes, `DELETE FROM tokens WHERE expires < {now}`); err != nil {
		return err
	}
	if _, err := s.Exec(ctx, s.Writes, `DELETE FROM workers WHERE seen < {now} - 86400000`); err != nil {
		return err
	}
	_, err := s.Exec(ctx, s.Writes, `DELETE FROM keys WHERE created < {now} - 604800000`)
	return err
}
