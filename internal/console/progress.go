// Package console shows people what a pipeline does: spinners on a terminal, plain lines elsewhere, nothing when quiet.
package console

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// Progress shows the events of pipelines. It is safe for concurrent use. Close it before printing anything else.
type Progress struct {
	out   io.Writer
	style Style
	bars  *mpb.Progress // nil unless spinning

	mu      sync.Mutex
	running map[string]*spinner
}

type spinner struct {
	bar  *mpb.Bar
	mu   sync.Mutex
	text string
}

// NewProgress shows events on out. Spinners are used when out is a terminal; quiet shows nothing.
func NewProgress(out io.Writer, quiet bool) *Progress {
	p := &Progress{out: out, style: StyleFor(out), running: map[string]*spinner{}}
	switch {
	case quiet:
		p.out = io.Discard
	case IsTerminal(out):
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh(), mpb.WithRefreshRate(100*time.Millisecond))
		p.out = p.bars
	}
	return p
}

// Event shows one event. It fits pipeline.Options.Events.
func (p *Progress) Event(e pipeline.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.State {
	case pipeline.Started:
		p.start(e.Stage)
	case pipeline.Progressed:
		p.progress(e)
	case pipeline.Done, pipeline.Failed:
		p.stop(e.Stage)
		mark := p.style.Good("done")
		if e.State == pipeline.Failed {
			mark = p.style.Bad("FAILED")
		}
		fmt.Fprintf(p.out, "%-10s %s %s\n", e.Stage, mark, p.style.Dim("in "+Duration(e.Duration)))
	}
}

// Close ends all spinners. It may be called more than once.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for stage := range p.running {
		p.stop(stage)
	}
	if p.bars != nil {
		p.bars.Wait()
		p.bars, p.out = nil, io.Discard
	}
}

func (p *Progress) start(stage string) {
	if p.bars == nil {
		return
	}
	s := &spinner{}
	s.bar = p.bars.New(1, mpb.SpinnerStyle().PositionLeft(), mpb.BarWidth(2), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-10s", stage))),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO), decor.Any(func(decor.Statistics) string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return " " + s.text
		})))
	p.running[stage] = s
}

func (p *Progress) progress(e pipeline.Event) {
	text := Clean(strings.TrimSpace(e.Message))
	if s := p.running[e.Stage]; s != nil {
		s.mu.Lock()
		s.text = text
		s.mu.Unlock()
		return
	}
	fmt.Fprintf(p.out, "%-10s %s\n", e.Stage, text)
}

func (p *Progress) stop(stage string) {
	if s := p.running[stage]; s != nil {
		s.bar.Abort(true)
		s.bar.Wait()
		delete(p.running, stage)
	}
}

// Duration is d as people read it: 12ms, 1.4s, 2m3s.
func Duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// IsTerminal says whether w is a terminal that a person looks at.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}
