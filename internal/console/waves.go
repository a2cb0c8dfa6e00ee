package console

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Wave is how far a part of something large is.
type Wave struct {
	Name                             string
	All, Done, Failed, Left, Running int
}

// Waves shows how far waves are: a bar for each on a terminal, elsewhere a line whenever something has changed. It is safe
// for concurrent use. Close it before printing anything else.
type Waves struct {
	out  io.Writer
	bars *mpb.Progress

	mu    sync.Mutex
	shown map[string]*bar
}

type bar struct {
	bar *mpb.Bar
	mu  sync.Mutex
	now Wave
}

// NewWaves shows waves on out; quiet shows nothing.
func NewWaves(out io.Writer, quiet bool) *Waves {
	w := &Waves{out: out, shown: map[string]*bar{}}
	switch {
	case quiet:
		w.out = io.Discard
	case IsTerminal(out):
		w.bars = mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh(), mpb.WithRefreshRate(100*time.Millisecond))
	}
	return w
}

// Show shows how far a wave is now.
func (w *Waves) Show(now Wave) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.shown[now.Name]
	if b == nil {
		b = &bar{}
		w.shown[now.Name] = b
		if w.bars != nil {
			b.bar = w.bars.AddBar(int64(now.All), mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-10s", now.Name))),
				mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
					b.mu.Lock()
					defer b.mu.Unlock()
					return b.now.text()
				})))
		}
	}
	b.mu.Lock()
	changed := b.now.done() != now.done() || b.now.Failed != now.Failed
	b.now = now
	b.mu.Unlock()
	switch {
	case w.bars != nil:
		b.bar.SetTotal(int64(now.All), false)
		b.bar.SetCurrent(int64(now.done()))
	case changed:
		fmt.Fprintf(w.out, "%-10s %s\n", now.Name, now.text())
	}
}

func (w Wave) done() int { return w.Done + w.Failed + w.Left }

func (w Wave) text() string {
	return fmt.Sprintf("%d of %d, %d failed, %d left, %d under way", w.done(), w.All, w.Failed, w.Left, w.Running)
}

// Close ends all bars where they are. It may be called more than once.
func (w *Waves) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bars == nil {
		return
	}
	for _, b := range w.shown {
		b.bar.Abort(false)
	}
	w.bars.Wait()
	w.bars, w.out = nil, io.Discard
}
