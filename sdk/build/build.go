// Package build says what a builder is: a definition whose inputs are known and pinned goes in, an OCI layout with an
// index comes out. The implementations live beside it: build/buildkit (BuildKit in this process, Docker's, or a
// buildkitd address) and build/dagger.
//
// A builder does not decide anything: which sources may be read was decided before (package catalog) and is given to
// it as Request.Sources, which it enforces where its engine can and says so in Result.Home where it can't.
package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Builder builds one definition. Implementations are safe for concurrent use. When ctx ends, the running step is
// stopped and neither mounts, processes nor a half-written layout stay behind.
type Builder interface {
	Build(ctx context.Context, req Request) (*Result, error)
}

// Func adapts a function to a Builder.
type Func func(ctx context.Context, req Request) (*Result, error)

// Build calls f.
func (f Func) Build(ctx context.Context, req Request) (*Result, error) { return f(ctx, req) }

// Request is one build. Dockerfile and Context are required; the zero value of everything else is useful.
type Request struct {
	// Name is the Dockerfile's path as errors print it. Default "Dockerfile".
	Name string
	// Dockerfile is the text to build, every image in it already pinned as name:tag@sha256:... and without a syntax line
	// (the builder's own frontend is used).
	Dockerfile []byte
	// Context is the build context. It is read only; its modes and times are kept.
	Context fs.FS
	// Platforms are "os/arch[/variant]". Default: the builder's own platform, alone.
	Platforms []string
	// Target is the stage to build; default the last one.
	Target string
	// Args are build arguments. Reserved names (BUILDKIT_*) are refused.
	Args map[string]string
	// Labels are put on the image, over those of the Dockerfile.
	Labels map[string]string
	// Contexts are named contexts: they take the place of the stage or image of that name.
	Contexts map[string]NamedContext
	// Secrets are readable by RUN --mount=type=secret,id=... only; they never reach the result, a log or an error.
	Secrets map[string][]byte
	// Sources is all that the build may read from elsewhere. Anything else is denied by the engine's source policy where it
	// has one (see Home.Enforces). Nil denies every source.
	Sources []Source
	// Created is the time given to the image and to SOURCE_DATE_EPOCH; zero means the epoch. Use the commit's time.
	Created time.Time
	// NoCache runs every step anew.
	NoCache bool
	// CacheScope keeps cache mounts of different owners apart; builds with the same scope share them. Default "".
	CacheScope string
	// Network is what RUN steps may reach. Default NetworkNone.
	Network Network
	// Layout is the directory for the OCI layout. It must not exist or be empty; it is complete or absent afterwards.
	Layout string
	// Progress receives steps and log lines as they come, one call at a time. May be nil.
	Progress func(Event)
}

// NamedContext is a directory, or an image pinned as "name:tag@sha256:...". Exactly one is given.
type NamedContext struct {
	Dir   fs.FS
	Image string
}

// Network is what a RUN step may reach.
type Network string

// The networks. A definition may ask for less with RUN --network=none, never for more.
const (
	NetworkNone Network = ""     // loopback only: the default
	NetworkHost Network = "host" // what the builder's host reaches; for definitions that download packages
)

// Source is one thing that a build may read: an image by digest, or a URL.
type Source struct {
	// Ref is "registry/repo:tag@sha256:..." for an image and the URL for git and http.
	Ref string
	// Kind is "image", "git" or "http".
	Kind string
}

// Result is what a build left.
type Result struct {
	// Index is the image index in Layout, one manifest for each platform, an index even for one platform. The layout's
	// index.json names it and nothing else. Its layers are read from Layout when needed.
	Index v1.ImageIndex `json:"-"`
	// Digest is Index's digest.
	Digest v1.Hash `json:"digest"`
	// Layout is Request.Layout.
	Layout string `json:"layout,omitempty"`
	// Home says where it was built and how far that can be trusted; it ends up in the record.
	Home Home `json:"home"`
	// Steps are the executed and cached steps, in order.
	Steps []Step `json:"steps,omitempty"`
}

// Home describes where a build ran.
type Home struct {
	// Name is "embedded", "docker", "buildkitd" or "dagger".
	Name string `json:"name"`
	// Version is the engine's version where it tells.
	Version string `json:"version,omitempty"`
	// Executor is what ran the steps: "runc", "plimsoll" or what the engine says.
	Executor string `json:"executor,omitempty"`
	// Enforces says that the engine itself denies sources that were not listed.
	Enforces bool `json:"enforces"`
	// Weaknesses name in plain words what this home can't do, e.g. that Docker 20.10 ignores source policies.
	Weaknesses []string `json:"weaknesses,omitempty"`
}

// Step is one vertex of the build.
type Step struct {
	Name     string        `json:"name"`
	Line     int           `json:"line,omitempty"`
	Cached   bool          `json:"cached,omitempty"`
	Duration time.Duration `json:"duration"`
}

// Event is something that happened in a build: a step that started or ended (Log empty), or output of it.
type Event struct {
	// Step is the step's name as BuildKit prints it: "[build 2/4] RUN go build".
	Step string
	// State is "start", "done", "cached", "error" or "log".
	State string
	// Log is output of the step, whole lines where possible.
	Log []byte
	// Duration is set when the step ended.
	Duration time.Duration
}

// ErrUnlisted is wrapped by the error of a build that reads a source which is not in Request.Sources.
var ErrUnlisted = errors.New("source is not listed in the request")

// Error is a build that failed in one of its steps.
type Error struct {
	// Place is the instruction, so far as the engine tells.
	Place finding.Place
	// Step is the step's name.
	Step string
	// Log is the end of the step's output, at most 20 lines.
	Log []string
	// Err is the engine's error.
	Err error
}

// Error shows the place, the step, the engine's error and the log's last lines.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Place.File != "" {
		fmt.Fprintf(&b, "%s: ", e.Place)
	}
	if e.Step != "" {
		fmt.Fprintf(&b, "%s: ", e.Step)
	}
	fmt.Fprintf(&b, "%v", e.Err)
	for _, line := range e.Log {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
