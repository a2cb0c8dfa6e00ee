package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/database"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
)

// ErrLost says that a run is not the build's last one any more, or the build is over: whoever has it stops.
var ErrLost = errors.New("the build was given to another worker, or is over")

// Run is a build in a worker's hands. Every change asks whether it still is.
type Run struct {
	*Build
	store  *Store
	worker string
}

// Begin gives a released run to a worker. [ErrLost] says that there is nothing to do.
func (s *Store) Begin(ctx context.Context, id string, run int64, worker string) (*Run, error) {
	n, err := s.Exec(ctx, s.Writes, `UPDATE builds SET state = 'running', worker = ?, started = {now}, stage = '', reason = ''
		WHERE id = ? AND run = ? AND state = 'released' AND cancel = ''`, worker, id, run)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, ErrLost
	}
	b, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Run{b, s, worker}, nil
}

// change updates the build if it is still in this worker's hands.
func (r *Run) change(ctx context.Context, on database.Execer, set string, args ...any) error {
	n, err := r.store.Exec(ctx, on, `UPDATE builds SET `+set+` WHERE id = ? AND run = ? AND worker = ? AND state = 'running'`,
		append(args, r.ID, r.Run, r.worker)...)
	if err == nil && n == 0 {
		return ErrLost
	}
	return err
}

// InStage says which stage runs.
func (r *Run) InStage(ctx context.Context, stage string) error {
	return r.change(ctx, r.store.Writes, `stage = ?`, stage)
}

// Publishing records, before anything is pushed, the digest that will be and the inputs that it was made of.
func (r *Run) Publishing(ctx context.Context, inputs, digest string) error {
	return r.change(ctx, r.store.Writes, `inputs = ?, digest = ?`, inputs, digest)
}

// Made returns the digests that builds of the same inputs have published or were about to: this one's own first.
func (r *Run) Made(ctx context.Context, inputs string) ([]string, error) {
	rows, err := r.store.Reads.QueryContext(ctx, r.store.SQL(`SELECT digest FROM builds WHERE inputs = ? AND digest <> '' AND project = ?
		AND (id = ? OR state = 'succeeded') ORDER BY CASE WHEN id = ? THEN 0 ELSE 1 END, id DESC LIMIT 3`), inputs, r.Project, r.ID, r.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var digests []string
	for rows.Next() {
		var d string
		if err := rows.Scan(&d); err != nil {
			return nil, err
		}
		digests = append(digests, d)
	}
	return digests, rows.Err()
}

// Ending is how a run ended.
type Ending struct {
	State                    api.State
	Stage, Reason, Reference string
	Result                   []byte // for [Store.Result]
}

// End ends the build.
func (r *Run) End(ctx context.Context, e Ending) error {
	return r.store.Transaction(ctx, func(tx *sql.Tx) error {
		if err := r.change(ctx, tx, `state = ?, stage = ?, reason = ?, reference = ?, ended = {now}`,
			string(e.State), e.Stage, e.Reason, e.Reference); err != nil {
			return err
		}
		return r.keep(ctx, tx, e.Result)
	})
}

// Again puts the build back into the queue, after a fault that may pass. It counts the faults; at the limit it ends the
// build as failed and says so.
func (r *Run) Again(ctx context.Context, e Ending, wait func(faults int) time.Duration, limit int) (ended bool, err error) {
	err = r.store.Transaction(ctx, func(tx *sql.Tx) error {
		var faults int
		if err := tx.QueryRowContext(ctx, r.store.SQL(`SELECT faults FROM builds WHERE id = ?`), r.ID).Scan(&faults); err != nil {
			return err
		}
		if faults+1 >= limit {
			ended = true
			if err := r.change(ctx, tx, `state = 'failed', faults = faults + 1, stage = ?, reason = ?, ended = {now}`, e.Stage, e.Reason); err != nil {
				return err
			}
			return r.keep(ctx, tx, e.Result)
		}
		return r.change(ctx, tx, `state = 'queued', worker = '', faults = faults + 1, not_before = {now} + ?, stage = ?, reason = ?`,
			wait(faults).Milliseconds(), e.Stage, e.Reason)
	})
	return ended, err
}

// Return puts the build back into the queue as if it had not been begun: the worker stops.
func (r *Run) Return(ctx context.Context) error {
	return r.change(ctx, r.store.Writes, `state = 'queued', worker = '', stage = '', reason = 'its worker was stopped; it is begun again'`)
}

func (r *Run) keep(ctx context.Context, tx *sql.Tx, result []byte) error {
	if result == nil {
		return nil
	}
	_, err := r.store.Exec(ctx, tx, `INSERT INTO results (build, result) VALUES (?, ?) ON CONFLICT (build) DO UPDATE SET result = excluded.result`,
		r.ID, string(result))
	return err
}

// Cancel ends a build that waits, and asks the worker of one that runs to stop it. It returns the build as it is then.
func (s *Store) Cancel(ctx context.Context, id, by string) (*Build, error) {
	reason := "cancelled by " + by
	if _, err := s.Exec(ctx, s.Writes, `UPDATE builds SET state = 'cancelled', cancel = ?, reason = ?, ended = {now}
		WHERE id = ? AND state IN ('queued', 'released')`, reason, reason, id); err != nil {
		return nil, err
	}
	if _, err := s.Exec(ctx, s.Writes, `UPDATE builds SET cancel = ? WHERE id = ? AND state = 'running' AND cancel = ''`, reason, id); err != nil {
		return nil, err
	}
	return s.Get(ctx, id)
}
