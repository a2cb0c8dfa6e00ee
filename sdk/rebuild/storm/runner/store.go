package runner

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/database"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
)

// store is the truth about storms; the queue only brings work to workers. All times are the database's.
type store struct{ *database.DB }

// openStore opens what an address names: a PostgreSQL URL, or else an SQLite file.
func openStore(ctx context.Context, address string) (*store, error) {
	open := database.OpenSQLite
	if scheme, _, ok := strings.Cut(address, "://"); ok && strings.HasPrefix(scheme, "postgres") {
		open = database.OpenPostgres
	}
	db, err := open(ctx, address, migrations)
	if err != nil {
		return nil, err
	}
	return &store{db}, nil
}

// The states of an item. Those of [final] are over.
const (
	waiting    = "waiting"
	released   = "released"
	running    = "running"
	done       = "done"
	failed     = "failed"
	left       = "left"       // nothing can be done, and why is in its reason
	superseded = "superseded" // another campaign does it
	cancelled  = "cancelled"
)

const unfinished = `('waiting', 'released', 'running')`

// errLost says that a run is not the item's last one any more, or the item is over: whoever has it stops.
var errLost = errors.New("the image was given to another worker, or is over")

// run is an item in a worker's hands. Every change asks whether it still is.
type run struct {
	storm.Item

	store    *store
	campaign string
	because  string
	number   int64
	worker   string
	verb     rebuild.Verb
	engine   string
	making   string // what an earlier attempt was about to tag
	faults   int
}

const columns = `i.campaign, c.because, i.run, i.verb, i.engine, i.making, i.faults, i.plan`

func (s *store) scanRun(row *sql.Row, worker string) (*run, error) {
	r := &run{store: s, worker: worker}
	var plan string
	err := row.Scan(&r.campaign, &r.because, &r.number, &r.verb, &r.engine, &r.making, &r.faults, &plan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errLost
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal([]byte(plan), &r.Item)
}

// begin gives a released run to a worker. [errLost] says that there is nothing to do.
func (s *store) begin(ctx context.Context, a args, worker string) (*run, error) {
	n, err := s.Exec(ctx, s.Writes, `UPDATE storm_items SET state = 'running', worker = ?, started = {now}, reason = ''
		WHERE campaign = ? AND id = ? AND run = ? AND state = 'released'`, worker, a.Campaign, a.Item, a.Run)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errLost
	}
	return s.scanRun(s.Reads.QueryRowContext(ctx, s.SQL(`SELECT `+columns+` FROM storm_items i JOIN storm_campaigns c ON c.id = i.campaign
		WHERE i.campaign = ? AND i.id = ?`), a.Campaign, a.Item), worker)
}

// next returns a run that was released and that nobody has begun.
func (s *store) next(ctx context.Context) (a args, err error) {
	err = s.Reads.QueryRowContext(ctx, `SELECT campaign, id, run FROM storm_items WHERE state = 'released' ORDER BY released, rank LIMIT 1`).
		Scan(&a.Campaign, &a.Item, &a.Run)
	if errors.Is(err, sql.ErrNoRows) {
		return a, errLost
	}
	return a, err
}

// change updates the item if it is still in this worker's hands.
func (r *run) change(ctx context.Context, on database.Execer, set string, args ...any) error {
	n, err := r.store.Exec(ctx, on, `UPDATE storm_items SET `+set+` WHERE campaign = ? AND id = ? AND run = ? AND worker = ? AND state = 'running'`,
		append(args, r.campaign, r.ID, r.number, r.worker)...)
	if err == nil && n == 0 {
		return errLost
	}
	return err
}

// publishing records, before it is there, what is about to be published, and what it was made of.
func (r *run) publishing(ctx context.Context, inputs, reference string) error {
	r.making = reference
	return r.change(ctx, r.store.Writes, `inputs = ?, making = ?`, inputs, reference)
}

// holds records what was published, and that the item is still in this worker's hands.
func (r *run) holds(ctx context.Context, reference string) error {
	r.making = reference
	return r.change(ctx, r.store.Writes, `making = ?`, reference)
}

// made returns what was published of the same inputs, by this item first, and whether another one builds them just now.
func (r *run) made(ctx context.Context, inputs string) (references []string, busy bool, err error) {
	err = r.store.Transaction(ctx, func(tx *sql.Tx) error {
		references, busy = nil, false
		if err := r.store.Lock(ctx, tx, lockKey); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, r.store.SQL(`SELECT campaign, id, state, making, result FROM storm_items WHERE inputs = ?
			AND (state IN ('running', 'done') OR campaign = ? AND id = ?) ORDER BY ended DESC`), inputs, r.campaign, r.ID)
		if err != nil {
			return err
		}
		defer rows.Close()
		var others []string
		for rows.Next() {
			var campaign, id, state, making, result string
			if err := rows.Scan(&campaign, &id, &state, &making, &result); err != nil {
				return err
			}
			switch own := campaign == r.campaign && id == r.ID; {
			case own && making != "":
				references = append(references, making)
			case !own && state == done:
				others = append(others, result)
			case !own && making == "":
				busy = true
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if references = append(references, others...); len(references) > 0 || busy {
			return nil
		}
		return r.change(ctx, tx, `inputs = ?, making = ''`, inputs)
	})
	return references, busy, err
}

// end records how an item ended, frees or leaves what waits for it, and stops the campaign where too much fails.
func (r *run) end(ctx context.Context, e ending, b Breaker) error {
	return r.store.Transaction(ctx, func(tx *sql.Tx) error {
		if err := r.store.Lock(ctx, tx, lockKey); err != nil {
			return err
		}
		moved, err := json.Marshal(e.moved)
		if err != nil {
			return err
		}
		if err := r.change(ctx, tx, `state = ?, verb = ?, result = ?, moved = ?, target = ?, reason = ?, ended = {now}`,
			e.state, string(e.verb), e.result, string(moved), e.target, e.reason); err != nil {
			return err
		}
		if e.state == done {
			_, err := r.store.Exec(ctx, tx, `UPDATE storm_items SET pending = pending - 1 WHERE campaign = ? AND id IN
				(SELECT item FROM storm_after WHERE campaign = ? AND after = ?)`, r.campaign, r.campaign, r.ID)
			return err
		}
		if err := r.store.leave(ctx, tx, r.campaign, r.ID, "its base "+r.Reference()+" was not replaced: "+e.reason); err != nil {
			return err
		}
		if e.state != failed {
			return nil
		}
		return r.store.breaker(ctx, tx, r.campaign, b)
	})
}

// leave gives up all that waits for an item, directly or not.
func (s *store) leave(ctx context.Context, tx *sql.Tx, campaign, id, reason string) error {
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		rows, err := tx.QueryContext(ctx, s.SQL(`SELECT item FROM storm_after WHERE campaign = ? AND after = ?`), campaign, todo[0])
		if err != nil {
			return err
		}
		var above []string
		for rows.Next() {
			var item string
			if err := rows.Scan(&item); err != nil {
				return errors.Join(err, rows.Close())
			}
			above = append(above, item)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, item := range above {
			n, err := s.Exec(ctx, tx, `UPDATE storm_items SET state = 'left', reason = ?, ended = {now} WHERE campaign = ? AND id = ? AND state = 'waiting'`,
				reason, campaign, item)
			if err != nil {
				return err
			}
			if n > 0 {
				todo = append(todo, item)
			}
		}
	}
	return nil
}

// breaker pauses a campaign in which too much fails. What had failed when somebody resumed it does not count again.
func (s *store) breaker(ctx context.Context, tx *sql.Tx, campaign string, b Breaker) error {
	var over, wrong, canaries, forgiven, forgivenOf int
	err := tx.QueryRowContext(ctx, s.SQL(`SELECT
		COUNT(CASE WHEN state IN ('done', 'failed') THEN 1 END), COUNT(CASE WHEN state = 'failed' THEN 1 END),
		COUNT(CASE WHEN state = 'failed' AND canary = 1 THEN 1 END) FROM storm_items WHERE campaign = ?`), campaign).Scan(&over, &wrong, &canaries)
	if err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, s.SQL(`SELECT forgiven, forgiven_of FROM storm_campaigns WHERE id = ?`), campaign).Scan(&forgiven, &forgivenOf); err != nil {
		return err
	}
	over, wrong = over-forgivenOf, wrong-forgiven
	reason := ""
	switch {
	case canaries > 0 && forgivenOf == 0:
		reason = "one of the first images failed: look at it, then resume or cancel"
	case over >= b.After && float64(wrong) > b.Rate*float64(over):
		reason = fmt.Sprintf("%d of %d images failed: look at them, then resume or cancel", wrong, over)
	default:
		return nil
	}
	_, err = s.Exec(ctx, tx, `UPDATE storm_campaigns SET state = 'paused', reason = ? WHERE id = ? AND state = 'running'`, reason, campaign)
	return err
}

// again puts the item back after a fault that may pass. It counts the faults; at the limit ended is true, and nothing was
// changed.
func (r *run) again(ctx context.Context, reason string, wait time.Duration, limit int) (ended bool, err error) {
	if r.faults+1 >= limit {
		return true, nil
	}
	return false, r.change(ctx, r.store.Writes, `state = 'waiting', worker = '', engine = '', faults = faults + 1, not_before = {now} + ?, reason = ?`, wait.Milliseconds(), reason)
}

// back puts the item back as if it had not been begun, perhaps with another verb.
func (r *run) back(ctx context.Context, verb rebuild.Verb, reason string, wait time.Duration) error {
	return r.change(ctx, r.store.Writes, `state = 'waiting', worker = '', engine = '', verb = ?, reason = ?, not_before = {now} + ?`, string(verb), reason, wait.Milliseconds())
}

// replan keeps what became known of an item.
func (r *run) replan(ctx context.Context) error {
	plan, err := json.Marshal(r.Item)
	if err != nil {
		return err
	}
	return r.change(ctx, r.store.Writes, `plan = ?`, string(plan))
}

// result returns what became of another item of the campaign.
func (r *run) result(ctx context.Context, id string) (reference string, item storm.Item, err error) {
	var plan string
	err = r.store.Reads.QueryRowContext(ctx, r.store.SQL(`SELECT result, plan FROM storm_items WHERE campaign = ? AND id = ? AND state = 'done'`), r.campaign, id).
		Scan(&reference, &plan)
	if err != nil {
		return "", item, fmt.Errorf("what became of its base: %w", err)
	}
	return reference, item, json.Unmarshal([]byte(plan), &item)
}

// Get implements [rebuild.Cache].
func (s *store) Get(ctx context.Context, name string) ([]byte, bool, error) {
	var value string
	err := s.Reads.QueryRowContext(ctx, s.SQL(`SELECT value FROM storm_cache WHERE name = ?`), name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return []byte(value), err == nil, err
}

// Put implements [rebuild.Cache].
func (s *store) Put(ctx context.Context, name string, value []byte) error {
	_, err := s.Exec(ctx, s.Writes, `INSERT INTO storm_cache (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, name, string(value))
	return err
}
