// Package bridge connects with BuildKit: its client with engines, and its logging with slog.
package bridge

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/log"
	"github.com/moby/buildkit/util/bklog"
	"github.com/sirupsen/logrus"
)

// Silence keeps BuildKit and containerd from writing to the program's standard error through logrus' global logger:
// what they say without a context (and so without saying for which engine) is dropped. It leaves logrus' own standard
// logger alone, which may be the program's.
var Silence = sync.OnceFunc(func() {
	bklog.L = Entry(slog.New(slog.DiscardHandler))
	log.L = bklog.L
})

// Entry is a logrus entry that writes to log.
func Entry(log *slog.Logger) *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetFormatter(noFormat{})
	l.SetLevel(logrus.DebugLevel)
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		l.SetLevel(logrus.InfoLevel)
	}
	l.AddHook(hook{log})
	return logrus.NewEntry(l)
}

type noFormat struct{}

func (noFormat) Format(*logrus.Entry) ([]byte, error) { return nil, nil }

type hook struct{ log *slog.Logger }

func (hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire hands an entry on, one level lower than BuildKit thinks: a failed step is an error of the build, which its
// caller gets, not of the program.
func (h hook) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	if e.Level <= logrus.WarnLevel {
		level = slog.LevelInfo
	}
	ctx := e.Context
	if ctx == nil {
		ctx = context.Background()
	}
	attrs := make([]slog.Attr, 0, len(e.Data))
	for k, v := range e.Data {
		attrs = append(attrs, slog.Any(k, v))
	}
	slices.SortFunc(attrs, func(a, b slog.Attr) int { return strings.Compare(a.Key, b.Key) })
	h.log.LogAttrs(ctx, level, e.Message, attrs...)
	return nil
}
