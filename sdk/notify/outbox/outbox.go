// Package outbox is the [notify.Notifier] that loses nothing: it writes an event and whom to tell of it to an SQLite file
// before anything is sent, and sends it from there.
//
// Each team is told of an event once per channel, however often the event comes and whatever restarts in between. Sending
// is at least once: when a process dies between sending and writing that down, the message goes out again under the same
// key. Channels do not wait for each other. One that fails is left alone for a while, longer each time; a message that can't
// be delivered at all is kept as a dead letter, logged, and told to the channels that Ops named for that.
//
// Several processes may use one file. Only [Outbox.Notify] is on the way of a build: it costs one small transaction.
package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

// Options of an [Outbox]. Config is required.
type Options struct {
	// Config says who is told.
	Config *notify.Config
	// Channels are those of the configuration, by name. One that is missing gets nothing from this process: its messages
	// wait for one that has it.
	Channels map[string]notify.Channel
	// Backoff is how long a channel is left alone after it failed, doubled each time up to MaxBackoff; both vary by half, so
	// that many processes do not come back at once. Defaults: 10s and 30m.
	Backoff, MaxBackoff time.Duration
	// GiveUp is the age from which a message that fails is a dead letter. Default: 72h.
	GiveUp time.Duration
	// Summarise is how many messages may wait for one team in one channel for people before they are sent as one.
	// Default: 10.
	Summarise int
	// Keep is how long it is remembered what was sent; after that the same event would be told again. Default: a year.
	Keep time.Duration
	// Poll is how often to look for messages that other processes left. Default: 2s.
	Poll time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Log hears of failures, without secrets. Default: nobody.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Backoff, 10 * time.Second}, {&o.MaxBackoff, 30 * time.Minute}, {&o.GiveUp, 72 * time.Hour}, {&o.Keep, 365 * 24 * time.Hour}, {&o.Poll, 2 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Summarise == 0 {
		o.Summarise = 10
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of a clock that can be given
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Outbox is an open file. It is safe for concurrent use.
type Outbox struct {
	path     string
	db       *sql.DB
	opts     Options
	renderer *notify.Renderer
	workers  map[string]*worker
}

// format is the version of the file's tables.
const format = 1

const tables = `
CREATE TABLE events (
	id    TEXT PRIMARY KEY,
	body  BLOB NOT NULL, -- the event as JSON
	taken INTEGER NOT NULL -- all times are milliseconds since 1970
) WITHOUT ROWID;
CREATE TABLE deliveries (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	event    TEXT NOT NULL,
	team     TEXT NOT NULL,
	channel  TEXT NOT NULL,
	state    TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
	since    INTEGER NOT NULL,
	due      INTEGER NOT NULL,
	lease    INTEGER NOT NULL DEFAULT 0, -- until when a process is busy with it
	batch    TEXT NOT NULL DEFAULT '', -- the message that it is part of, once one was tried
	attempts INTEGER NOT NULL DEFAULT 0,
	error    TEXT NOT NULL DEFAULT '',
	changed  INTEGER NOT NULL,
	UNIQUE (event, team, channel)
);
CREATE INDEX waiting ON deliveries (channel, due, seq) WHERE state = 'waiting';
CREATE INDEX settled ON deliveries (state, changed);
`

// Open opens or makes the file. Close it; it may be opened by other processes at the same time.
func Open(ctx context.Context, path string, opts Options) (*Outbox, error) {
	if opts.Config == nil {
		return nil, errors.New("an outbox needs a configuration")
	}
	renderer, err := notify.NewRenderer(opts.Config.Templates)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // what SQLite would make, others could read
	if err != nil {
		return nil, fmt.Errorf("the outbox: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	o := &Outbox{path: path, db: db, opts: opts.withDefaults(), renderer: renderer, workers: map[string]*worker{}}
	if err := o.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the outbox %s: %w", path, err), db.Close())
	}
	for name, channel := range opts.Channels {
		if channel != nil {
			o.workers[name] = newWorker(o, name, channel, opts.Config.Channels[name])
		}
	}
	return o, nil
}

func (o *Outbox) prepare(ctx context.Context) error {
	return o.tx(ctx, func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		switch {
		case version > format:
			return fmt.Errorf("it has format %d and this program knows %d: use a newer one", version, format)
		case version == format:
			return nil
		}
		if _, err := tx.ExecContext(ctx, tables); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", format))
		return err
	})
}

// Close closes the file. End [Outbox.Run] first.
func (o *Outbox) Close() error { return o.db.Close() }

// Notify writes the event down for everybody who is to be told. The error says why it is not safe there.
func (o *Outbox) Notify(ctx context.Context, e notify.Event) error {
	if err := e.Check(); err != nil {
		return err
	}
	if e.Time.IsZero() {
		e.Time = o.opts.Now().UTC()
	}
	var woken []string
	err := o.tx(ctx, func(tx *sql.Tx) (err error) {
		woken, err = o.put(ctx, tx, e, o.opts.Config.Route(e))
		return err
	})
	if err != nil {
		return fmt.Errorf("the outbox %s: event %s: %w", o.path, e.ID, err)
	}
	for _, channel := range woken {
		o.workers[channel].wakeUp()
	}
	return nil
}

// put stores an event for those destinations that have not been told, and names the channels with a worker here.
func (o *Outbox) put(ctx context.Context, tx *sql.Tx, e notify.Event, to []notify.Destination) ([]string, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	now := o.opts.Now()
	// What was told first stays what is told: teams that have not heard yet should not hear something else.
	if _, err := tx.ExecContext(ctx, "INSERT INTO events (id, body, taken) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", e.ID, body, now.UnixMilli()); err != nil {
		return nil, err
	}
	var woken []string
	for _, d := range to {
		due, err := o.due(ctx, tx, d, now)
		if err != nil {
			return nil, err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO deliveries (event, team, channel, state, since, due, changed)
			VALUES (?, ?, ?, 'waiting', ?, ?, ?) ON CONFLICT DO NOTHING`, e.ID, d.Team, d.Channel, now.UnixMilli(), due.UnixMilli(), now.UnixMilli())
		if err != nil {
			return nil, err
		}
		if o.workers[d.Channel] != nil {
			woken = append(woken, d.Channel)
		}
	}
	return woken, nil
}

// due is when a message may go out: with the digest that already waits for the team, if there is one.
func (o *Outbox) due(ctx context.Context, tx *sql.Tx, d notify.Destination, now time.Time) (time.Time, error) {
	digest := time.Duration(o.opts.Config.Channels[d.Channel].Digest)
	if digest == 0 {
		return now, nil
	}
	var first sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT min(due) FROM deliveries
		WHERE state = 'waiting' AND channel = ? AND team = ? AND batch = '' AND due > ?`, d.Channel, d.Team, now.UnixMilli()).Scan(&first)
	if err != nil || !first.Valid {
		return now.Add(digest), err
	}
	return time.UnixMilli(first.Int64), nil
}

// tx runs f in one transaction that takes the write lock at its start.
func (o *Outbox) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, rollback(tx))
	}
	return tx.Commit()
}

func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}
