package buildkit

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// explain turns the engine's error into one that names the instruction, the step and the end of its output.
func explain(ctx context.Context, r *request, s *steps, err error) error {
	engine := &engineError{text: s.mask.Replace(plain(err.Error())), err: err}
	out := &build.Error{Err: engine}
	st := s.failed(err)
	if ended := ctx.Err(); ended != nil {
		out.Err = ended
		if cause := context.Cause(ctx); !errors.Is(cause, ended) {
			out.Err = fmt.Errorf("%w: %w", ended, cause)
		}
		st = s.running()
	}
	if st != nil {
		out.Log, out.Place = st.tail, r.lines.Place(st.name)
		engine.log = strings.Join(st.tail, "\n")
	}
	if st != nil && !aside.MatchString(st.name) {
		out.Step = st.name
	}
	if place := r.lines.At(source(err)); place.File != "" {
		out.Place = place
	}
	return out
}

// failed is the step that an error names, or the first that ended with one.
func (s *steps) failed(err error) *step {
	if vertex, ok := errors.AsType[*errdefs.VertexError](err); ok {
		if st := s.byDigest[digest.Digest(vertex.Digest)]; st != nil {
			return st
		}
	}
	for _, st := range s.order {
		if st.failed != "" && !strings.Contains(st.failed, context.Canceled.Error()) {
			return st
		}
	}
	return nil
}

// running is the step that was at work when the build was stopped.
func (s *steps) running() *step {
	for _, st := range s.order {
		if st.started && (!st.completed || st.failed != "") {
			return st
		}
	}
	return nil
}

// parseError is a Dockerfile's syntax error. Old engines tell the line in the text only.
var parseError = regexp.MustCompile(`dockerfile parse error (?:on )?line (\d+): `)

// source is the line of the Dockerfile that an error carries, or 0.
func source(err error) int {
	for _, s := range errdefs.Sources(err) {
		if len(s.Ranges) > 0 {
			return int(s.Ranges[0].GetStart().GetLine())
		}
	}
	if m := parseError.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		return line
	}
	return 0
}

// engineError is an engine's error in plain words. Over the wire the errors it wrapped were lost; those that callers
// branch on are found again by their text.
type engineError struct {
	text string
	log  string
	err  error
}

func (e *engineError) Error() string { return e.text }
func (e *engineError) Unwrap() error { return e.err }

func (e *engineError) Is(target error) bool {
	switch target {
	case syscall.ENOSPC:
		full := syscall.ENOSPC.Error()
		return strings.Contains(e.text, full) || strings.Contains(strings.ToLower(e.log), full)
	case build.ErrUnlisted:
		return denied(e.text)
	default:
		return false
	}
}

// noise is what BuildKit puts before its errors on their way.
var noise = regexp.MustCompile(strings.Join([]string{
	`failed to solve( with frontend \S+)?: `,
	`failed to (resolve source metadata|load cache key|compute cache key|calculate checksum of ref \S+|load LLB|create LLB definition)( for \S+)?: `,
	`failed to authorize: `,
	`failed to fetch \S+ token: `,
	`failed to call \w+: (\w+: )?`,
	`rpc error: code = \w+ desc = `,
	parseError.String(),
}, "|"))

// dialing matches gRPC's way to say that nobody answers.
var dialing = regexp.MustCompile(`connection error: desc = "transport: Error while dialing: ([^"]*)"`)

// plain leaves out the noise, and what is said twice in a row.
func plain(text string) string {
	text = dialing.ReplaceAllString(text, "$1")
	parts := strings.Split(noise.ReplaceAllString(text, ""), ": ")
	return strings.Join(slices.Compact(parts), ": ")
}
