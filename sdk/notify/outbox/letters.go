package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

// letter is a delivery that this process is busy with.
type letter struct {
	seq      int64
	team     string
	since    time.Time
	attempts int
	event    notify.Event
}

// maxBatch is how many events one message may have.
const maxBatch = 500

// claim takes the message that has waited longest, so that no other process does. Its key is the same every time.
func (w *worker) claim(ctx context.Context) (letters []letter, key string, err error) {
	now := w.outbox.opts.Now()
	var some int
	err = w.outbox.db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM deliveries
		WHERE state = 'waiting' AND channel = ? AND due <= ? AND lease <= ? LIMIT 1)`, w.name, now.UnixMilli(), now.UnixMilli()).Scan(&some)
	if err != nil || some == 0 {
		return nil, "", err // without the write lock, which is wanted on the way of builds
	}
	err = w.outbox.tx(ctx, func(tx *sql.Tx) error {
		letters, key = nil, ""
		var seq int64
		var team, batch string
		err := tx.QueryRowContext(ctx, `SELECT seq, team, batch FROM deliveries
			WHERE state = 'waiting' AND channel = ? AND due <= ? AND lease <= ? ORDER BY due, seq LIMIT 1`,
			w.name, now.UnixMilli(), now.UnixMilli()).Scan(&seq, &team, &batch)
		if err == sql.ErrNoRows { //nolint:errorlint // database/sql returns it as it is
			return nil
		}
		if err != nil {
			return err
		}
		if batch == "" {
			batch = fmt.Sprintf("%s-%d", w.name, seq)
			if err := w.assign(ctx, tx, batch, seq, team, now); err != nil {
				return err
			}
		}
		key = batch
		until := now.Add(w.timeout + grace + 10*time.Second).UnixMilli()
		if _, err := tx.ExecContext(ctx, "UPDATE deliveries SET lease = ?, attempts = attempts + 1 WHERE state = 'waiting' AND batch = ?", until, batch); err != nil {
			return err
		}
		letters, err = read(ctx, tx, batch)
		return err
	})
	if len(letters) == 1 {
		key = notify.ID(letters[0].event.Kind, letters[0].event.ID, letters[0].team, w.name)
	}
	return letters, key, err
}

// assign says which deliveries make a message: one, or all that are due for the team where it gets a digest or where too
// many wait.
func (w *worker) assign(ctx context.Context, tx *sql.Tx, batch string, seq int64, team string, now time.Time) error {
	together := w.digest
	if !together && !w.machine {
		var waiting int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM deliveries
			WHERE state = 'waiting' AND channel = ? AND team = ? AND batch = '' AND due <= ? LIMIT ?)`,
			w.name, team, now.UnixMilli(), w.outbox.opts.Summarise+1).Scan(&waiting)
		if err != nil {
			return err
		}
		together = waiting > w.outbox.opts.Summarise
	}
	if !together || w.machine {
		_, err := tx.ExecContext(ctx, "UPDATE deliveries SET batch = ? WHERE seq = ?", batch, seq)
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE deliveries SET batch = ? WHERE seq IN (SELECT seq FROM deliveries
		WHERE state = 'waiting' AND channel = ? AND team = ? AND batch = '' AND due <= ? ORDER BY due, seq LIMIT ?)`,
		batch, w.name, team, now.UnixMilli(), maxBatch)
	return err
}

func read(ctx context.Context, tx *sql.Tx, batch string) ([]letter, error) {
	rows, err := tx.QueryContext(ctx, `SELECT d.seq, d.team, d.since, d.attempts, e.body FROM deliveries d JOIN events e ON e.id = d.event
		WHERE d.state = 'waiting' AND d.batch = ? ORDER BY d.seq`, batch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []letter
	for rows.Next() {
		var l letter
		var since int64
		var body []byte
		if err := rows.Scan(&l.seq, &l.team, &since, &l.attempts, &body); err != nil {
			return nil, err
		}
		l.since = time.UnixMilli(since)
		if err := json.Unmarshal(body, &l.event); err != nil {
			return nil, fmt.Errorf("delivery %d: the event is damaged: %w", l.seq, err)
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// update changes all letters in one transaction, and does more in it.
func (w *worker) update(ctx context.Context, letters []letter, set string, args []any, more func(*sql.Tx) error) error {
	return w.outbox.tx(ctx, func(tx *sql.Tx) error {
		for _, l := range letters {
			all := append(append([]any{}, args...), w.outbox.opts.Now().UnixMilli(), l.seq)
			if _, err := tx.ExecContext(ctx, "UPDATE deliveries SET lease = 0, "+set+", changed = ? WHERE seq = ?", all...); err != nil { //nolint:gosec // set is one of this file's own
				return err
			}
		}
		if more != nil {
			return more(tx)
		}
		return nil
	})
}

func (w *worker) sent(ctx context.Context, letters []letter) error {
	return w.update(ctx, letters, "state = 'sent', error = ''", nil, nil)
}

// release gives back letters whose attempt was broken off from here.
func (w *worker) release(ctx context.Context, letters []letter) error {
	return w.update(ctx, letters, "attempts = attempts - 1", nil, nil)
}

// postpone has letters wait, unless the channel has failed for so long that they and all others of their age are given up.
func (w *worker) postpone(ctx context.Context, letters []letter, pause time.Duration, failed error) error {
	now := w.outbox.opts.Now()
	old := now.Add(-w.outbox.opts.GiveUp)
	w.outbox.opts.Log.Warn("a channel failed", "channel", w.name, "again in", pause.Round(time.Millisecond), "error", failed)
	return w.update(ctx, letters, "due = ?, error = ?", []any{now.Add(pause).UnixMilli(), failed.Error()}, func(tx *sql.Tx) error {
		var first sql.NullInt64
		var n int
		err := tx.QueryRowContext(ctx, `SELECT min(seq), count(*) FROM deliveries WHERE state = 'waiting' AND channel = ? AND since <= ? AND lease <= ?`,
			w.name, old.UnixMilli(), now.UnixMilli()).Scan(&first, &n)
		if err != nil || n == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE deliveries SET state = 'dead', error = ?, changed = ?
			WHERE state = 'waiting' AND channel = ? AND since <= ? AND lease <= ?`, failed.Error(), now.UnixMilli(), w.name, old.UnixMilli(), now.UnixMilli())
		if err != nil {
			return err
		}
		return w.undelivered(ctx, tx, first.Int64, n, failed)
	})
}

// bury makes dead letters.
func (w *worker) bury(ctx context.Context, letters []letter, failed error) error {
	return w.update(ctx, letters, "state = 'dead', error = ?", []any{failed.Error()}, func(tx *sql.Tx) error {
		return w.undelivered(ctx, tx, letters[0].seq, len(letters), failed)
	})
}

// undelivered reports dead letters to Ops, in the transaction that makes them. A report that can't be delivered itself is
// only logged: it would never end.
func (w *worker) undelivered(ctx context.Context, tx *sql.Tx, first int64, n int, failed error) error {
	opts := w.outbox.opts
	opts.Log.Error("messages were given up", "channel", w.name, "messages", n, "error", failed)
	var team, title, kind string
	err := tx.QueryRowContext(ctx, `SELECT d.team, json_extract(e.body, '$.title'), json_extract(e.body, '$.kind')
		FROM deliveries d JOIN events e ON e.id = d.event WHERE d.seq = ?`, first).Scan(&team, &title, &kind)
	if err != nil || notify.Kind(kind) == notify.MessageUndelivered {
		return err
	}
	e := notify.Event{
		ID: notify.ID(notify.MessageUndelivered, w.name, fmt.Sprint(first)), Kind: notify.MessageUndelivered, Time: opts.Now().UTC(),
		Title: fmt.Sprintf("%d messages to channel %s were given up", n, w.name),
		Text:  "They are kept and can be sent again once the channel works.",
		Facts: []notify.Fact{{Name: "channel", Value: w.name}, {Name: "error", Value: failed.Error()}, {Name: "first", Value: title}},
	}
	if n == 1 {
		e.Title = fmt.Sprintf("a message to channel %s was given up", w.name)
		e.Text = strings.Replace(e.Text, "They are", "It is", 1)
	}
	if team != "" {
		e.Facts = append(e.Facts, notify.Fact{Name: "team", Value: team})
	}
	var to []notify.Destination
	for _, channel := range opts.Config.Ops {
		if channel != w.name {
			to = append(to, notify.Destination{Channel: channel})
		}
	}
	woken, err := w.outbox.put(ctx, tx, e, to)
	for _, channel := range woken {
		w.outbox.workers[channel].wakeUp()
	}
	return err
}
