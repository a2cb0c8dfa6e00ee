package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// ChannelStatus is what became of a channel's messages.
type ChannelStatus struct {
	Channel string `json:"channel"`
	Waiting int    `json:"waiting"`
	Sent    int    `json:"sent"`
	Dead    int    `json:"dead"`
	// Oldest is since when the oldest of those that wait does.
	Oldest time.Time `json:"oldest,omitzero"`
	// Error is what the last failed attempt said of those that wait or are dead.
	Error string `json:"error,omitempty"`
}

// Status counts messages by channel, in the order of their names, also those that the configuration has no more.
func (o *Outbox) Status(ctx context.Context) ([]ChannelStatus, error) {
	rows, err := o.db.QueryContext(ctx, `SELECT channel, sum(state = 'waiting'), sum(state = 'sent'), sum(state = 'dead'),
		min(CASE WHEN state = 'waiting' THEN since END),
		coalesce((SELECT error FROM deliveries l WHERE l.channel = d.channel AND l.error <> '' ORDER BY l.changed DESC, l.seq DESC LIMIT 1), '')
		FROM deliveries d GROUP BY channel ORDER BY channel`)
	if err != nil {
		return nil, fmt.Errorf("the outbox %s: %w", o.path, err)
	}
	defer rows.Close()
	var out []ChannelStatus
	for rows.Next() {
		var s ChannelStatus
		var oldest sql.NullInt64
		if err := rows.Scan(&s.Channel, &s.Waiting, &s.Sent, &s.Dead, &oldest, &s.Error); err != nil {
			return nil, err
		}
		if oldest.Valid {
			s.Oldest = time.UnixMilli(oldest.Int64).UTC()
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// DeadLetter is a message that was given up.
type DeadLetter struct {
	Event    string    `json:"event"`
	Title    string    `json:"title"`
	Team     string    `json:"team,omitempty"`
	Channel  string    `json:"channel"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error"`
}

// DeadLetters lists what was given up, the oldest first.
func (o *Outbox) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	rows, err := o.db.QueryContext(ctx, `SELECT d.event, json_extract(e.body, '$.title'), d.team, d.channel, d.since, d.attempts, d.error
		FROM deliveries d JOIN events e ON e.id = d.event WHERE d.state = 'dead' ORDER BY d.seq`)
	if err != nil {
		return nil, fmt.Errorf("the outbox %s: %w", o.path, err)
	}
	defer rows.Close()
	var out []DeadLetter
	for rows.Next() {
		var l DeadLetter
		var since int64
		if err := rows.Scan(&l.Event, &l.Title, &l.Team, &l.Channel, &since, &l.Attempts, &l.Error); err != nil {
			return nil, err
		}
		l.Since = time.UnixMilli(since).UTC()
		out = append(out, l)
	}
	return out, rows.Err()
}

// Revive has the dead letters of a channel wait again, as if they were new, and returns how many there were. "" revives
// those of all channels.
func (o *Outbox) Revive(ctx context.Context, channel string) (int, error) {
	now := o.opts.Now().UnixMilli()
	result, err := o.db.ExecContext(ctx, `UPDATE deliveries SET state = 'waiting', since = ?, due = ?, changed = ?, attempts = 0
		WHERE state = 'dead' AND (? = '' OR channel = ?)`, now, now, now, channel, channel)
	if err != nil {
		return 0, fmt.Errorf("the outbox %s: %w", o.path, err)
	}
	for name, w := range o.workers {
		if channel == "" || channel == name {
			w.mu.Lock()
			w.rest, w.failures = time.Time{}, 0
			w.mu.Unlock()
			w.wakeUp()
		}
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// forget removes, once an hour, what was sent so long ago that it need not be remembered.
func (o *Outbox) forget(ctx context.Context) {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		if err := o.clean(ctx); err != nil && ctx.Err() == nil {
			o.opts.Log.Error("the outbox can't be cleaned", "path", o.path, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (o *Outbox) clean(ctx context.Context) error {
	old := o.opts.Now().Add(-o.opts.Keep).UnixMilli()
	return o.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM deliveries WHERE state = 'sent' AND changed < ?", old); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM events WHERE taken < ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.id)", old)
		return err
	})
}
