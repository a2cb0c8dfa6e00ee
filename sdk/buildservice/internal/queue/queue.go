// Package queue brings released runs of builds to workers with River, in the database of package store.
package queue

import (
	"context"
	"log/slog"

	"github.com/riverqueue/river"

	"github.com/plimsoll-dev/plimsoll/internal/riverqueue"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
)

// Work does a run. It records by itself what came of it: River never tries again.
type Work func(ctx context.Context, build string, run int64)

// args are a job: which run to do. Both are unique, so that inserting a run again is harmless.
type args struct {
	Build string `json:"build" river:"unique"`
	Run   int64  `json:"run" river:"unique"`
}

// Kind implements [river.JobArgs].
func (args) Kind() string { return "plimsoll.build" }

// Queue hands out runs. Insert may be called from anywhere, Start and Stop once.
type Queue struct{ riverqueue.Queue[args] }

// New makes the queue, and its tables where they are missing. Slots is how many runs this process does at once.
func New(ctx context.Context, s *store.Store, slots int, work Work, log *slog.Logger) (*Queue, error) {
	q, err := riverqueue.New(ctx, s.DB, riverqueue.Options{Name: river.QueueDefault, Slots: slots, Log: log},
		func(ctx context.Context, a args) { work(ctx, a.Build, a.Run) })
	if err != nil {
		return nil, err
	}
	return &Queue{q}, nil
}

// Insert adds a released run.
func (q *Queue) Insert(ctx context.Context, r store.Released) error {
	return q.Queue.Insert(ctx, args{r.ID, r.Run}, r.Priority)
}
