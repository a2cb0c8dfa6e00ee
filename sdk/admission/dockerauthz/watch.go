package dockerauthz

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/docker"
)

// Daemon is what a watcher needs of an engine. [*docker.Engine] is one.
type Daemon interface {
	Container(ctx context.Context, id string) (admission.Instance, error)
	Instances(ctx context.Context) ([]admission.Instance, error)
	Starts(ctx context.Context, ready func(), started func(id string)) error
	Kill(ctx context.Context, id string) error
}

// Watcher ends containers that started although the gate denies them: restarted by the daemon after a reboot, started by
// a way around the plugin or while it was not there. What it does is after the fact: the container ran for a moment.
type Watcher struct {
	Gate   *admission.Gate
	Daemon Daemon
	// Running has what runs already ended too, at the beginning; otherwise it is only reported to Stopped and Log.
	Running bool
	// Stopped is told of each container that was denied, and what came of ending it. Nil tells nobody.
	Stopped func(admission.Instance, admission.Decision, error)
	// Log receives denials and failures. Nil discards.
	Log *slog.Logger
}

// retry is how long the watcher waits for a daemon that went away.
const retry = time.Second

// Run watches until the context ends, and then returns nil. When the daemon goes away it waits for it, and looks at all
// that runs when it is back.
func (w *Watcher) Run(ctx context.Context) error {
	log := w.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	kill := w.Running
	for {
		err := w.Daemon.Starts(ctx, func() {
			w.all(ctx, log, kill)
			kill = true // what is there after a pause may have come in it
		}, func(id string) { w.judge(ctx, log, id, true) })
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to stop
		}
		log.Warn("the daemon's events ended", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

func (w *Watcher) all(ctx context.Context, log *slog.Logger, kill bool) {
	instances, err := w.Daemon.Instances(ctx)
	if err != nil {
		log.Warn("what runs can't be listed", "error", err)
		return
	}
	for _, i := range instances {
		w.decide(ctx, log, i, kill)
	}
}

func (w *Watcher) judge(ctx context.Context, log *slog.Logger, id string, kill bool) {
	i, err := w.Daemon.Container(ctx, id)
	switch {
	case errors.Is(err, docker.ErrNotFound):
		return // it has ended
	case err != nil: // what can't be judged is denied
		i.ID = id
		d := w.Gate.Refuse(ctx, id, admission.RuleUnidentified, "", err)
		w.end(ctx, log, i, d, kill)
		return
	}
	w.decide(ctx, log, i, kill)
}

func (w *Watcher) decide(ctx context.Context, log *slog.Logger, i admission.Instance, kill bool) {
	if d := w.Gate.Decide(ctx, i.Image); d.Err() != nil {
		w.end(ctx, log, i, d, kill)
	}
}

func (w *Watcher) end(ctx context.Context, log *slog.Logger, i admission.Instance, d admission.Decision, kill bool) {
	var err error
	if kill {
		err = w.Daemon.Kill(ctx, i.ID)
	}
	log.Warn("a container that is denied runs", "id", i.ID, "name", i.Name, "killed", kill && err == nil, "reason", d.Err(), "error", err)
	if w.Stopped != nil {
		w.Stopped(i, d, err)
	}
}
