package buildkit

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/mask"
)

// logTail is how many lines of a step's output an error shows.
const logTail = 20

// steps follows a running build: it hands events on, one at a time, and keeps what errors and results tell.
type steps struct {
	status   chan *client.SolveStatus
	done     chan struct{}
	progress func(build.Event)
	request  *request
	mask     *strings.Replacer

	// What follows belongs to the goroutine until done is closed.
	byDigest map[digest.Digest]*step
	order    []*step // by their start
}

// step is one vertex of BuildKit's graph.
type step struct {
	name               string
	started, completed bool
	cached             bool
	failed             string
	duration           time.Duration
	partial            []byte
	tail               []string
}

// watch starts to follow. Whoever sends on status closes it.
func watch(r *request) *steps {
	s := &steps{
		status:   make(chan *client.SolveStatus),
		done:     make(chan struct{}),
		progress: r.Progress,
		request:  r,
		mask:     mask.Secrets(r.Secrets),
		byDigest: map[digest.Digest]*step{},
	}
	if s.progress == nil {
		s.progress = func(build.Event) {}
	}
	go func() {
		defer close(s.done)
		for status := range s.status {
			for _, v := range status.Vertexes {
				s.vertex(v)
			}
			for _, l := range status.Logs {
				s.log(l)
			}
		}
	}()
	return s
}

// wait returns when everything was handed on.
func (s *steps) wait() { <-s.done }

func (s *steps) vertex(v *client.Vertex) {
	st := s.byDigest[v.Digest]
	if st == nil {
		st = &step{name: s.displayName(v.Name)}
		s.byDigest[v.Digest] = st
	}
	if v.Started != nil && !st.started {
		st.started = true
		s.order = append(s.order, st)
		s.progress(build.Event{Step: st.name, State: "start"})
	}
	if v.Completed == nil || st.completed {
		return
	}
	st.completed, st.cached, st.failed = true, v.Cached, v.Error
	if v.Started != nil {
		st.duration = v.Completed.Sub(*v.Started)
	}
	s.flush(st)
	state := "done"
	switch {
	case v.Error != "":
		state = "error"
	case v.Cached:
		state = "cached"
	}
	s.progress(build.Event{Step: st.name, State: state, Duration: st.duration})
}

// log hands on whole lines and keeps the rest for later.
func (s *steps) log(l *client.VertexLog) {
	st := s.byDigest[l.Vertex]
	if st == nil {
		return
	}
	st.partial = append(st.partial, l.Data...)
	end := bytes.LastIndexByte(st.partial, '\n') + 1
	if end == 0 {
		return
	}
	whole := slices.Clone(st.partial[:end])
	st.partial = append(st.partial[:0], st.partial[end:]...)
	s.emit(st, whole)
}

func (s *steps) flush(st *step) {
	if len(st.partial) > 0 {
		s.emit(st, slices.Clone(st.partial))
		st.partial = nil
	}
}

func (s *steps) emit(st *step, log []byte) {
	log = []byte(s.mask.Replace(string(log)))
	for line := range strings.Lines(string(log)) {
		st.tail = append(st.tail, strings.TrimRight(line, "\r\n"))
	}
	if extra := len(st.tail) - logTail; extra > 0 {
		st.tail = slices.Delete(st.tail, 0, extra)
	}
	s.progress(build.Event{Step: st.name, State: "log", Log: log})
}

// platform matches the platform in "[linux/amd64 build 2/4] RUN go build" and "[linux/amd64 internal] load metadata".
var platform = regexp.MustCompile(`^\[[a-z0-9]+/[^\s\]]+ `)

// displayName leaves out the platform where there is only one.
func (s *steps) displayName(name string) string {
	if len(s.request.Platforms) > 1 {
		return name
	}
	return platform.ReplaceAllString(name, "[")
}

// aside matches the names of steps that do nothing for the image.
var aside = regexp.MustCompile(`^\[([a-z0-9]+/[^\s\]]+ )?(internal|auth)\] `)

// list is the steps that did something for the image, in the order in which they started.
func (s *steps) list() []build.Step {
	var list []build.Step
	for _, st := range s.order {
		if st.completed && !aside.MatchString(st.name) {
			list = append(list, build.Step{Name: st.name, Line: s.request.lines.Place(st.name).Start.Line, Cached: st.cached, Duration: st.duration})
		}
	}
	return list
}
