// Package scan fills a lineage graph from registries: images that nobody here built, and all others again when the graph
// is lost.
//
//	client := registry.New(registry.Options{Transport: scan.Polite(transport)})
//	scanner := scan.Scanner{Registry: client, Store: store}
//	result, err := scanner.Scan(ctx, scan.What{Repositories: []string{"registry.example/team/app"}})
//
// A scan reads manifests and configs, two requests an image, and what was attested where Options ask for it. It reads
// layers only where Options.Packages does. What is known is not read again: a later scan asks each repository for its
// tags, and what the tags that float point to; see Options.Recheck. One that was stopped goes on where it was.
//
// Whatever can be told from what is read gets its edge with an honest grade; what can't be read is a [Problem] and does
// not stop the scan.
package scan

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Registry is what a scan needs of registries; *registry.Client is one.
type Registry interface {
	Repositories(ctx context.Context, registry string, page func([]string) error) error
	Tags(ctx context.Context, repository string) ([]string, error)
	Head(ctx context.Context, ref string) (v1.Descriptor, error)
	Manifest(ctx context.Context, ref string) (*registry.Manifest, error)
	Blob(ctx context.Context, repository string, desc v1.Descriptor) ([]byte, error)
}

// Scanner scans. Registry and Store are required. It keeps no state of its own: what is known is in the store.
type Scanner struct {
	Registry Registry
	Store    lineage.Store
	Options  Options
}

// Options of a scan. The zero value is useful.
type Options struct {
	// Connections is how many requests are under way at a time. 0 means 8.
	Connections int
	// PerSecond limits the requests. 0 means as many as the registry answers.
	PerSecond float64
	// Recheck is how long a tag that names one version ("1.4.8", "1.4.8-alpine", a commit) is believed to point where it
	// did. Tags that float ("12", "latest", "main") are asked about in every scan. 0 means 24 hours, negative never believes.
	Recheck time.Duration
	// Evidence is where signed statements are, usually an *attest.Store; it costs at least a request for each image. Nil
	// reads only what BuildKit keeps in the index itself, which nobody signed.
	Evidence attest.Source
	// Trust says whose signatures count. What others signed, and everything if it is nil, counts as unsigned.
	Trust attest.Verifier
	// Owner says who answers for the images of a repository that do not say so themselves. Nil says nobody.
	Owner func(repository string) string
	// Packages lists what is installed in an image for which nothing is attested, as package blackbox/packages/installed reads
	// it from the layers. Nil reads none.
	Packages func(ctx context.Context, ref string) (lineage.Inventory, error)
	// Progress is told how far the scan is, often, from many goroutines. Nil tells nobody.
	Progress func(Progress)
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// What is to be scanned.
type What struct {
	// Registries are hosts ("registry.example:5000") whose repositories are listed by the registry. Many list none, or not
	// to everybody: name the Repositories then.
	Registries []string
	// Repositories are named in full: "registry.example/team/app".
	Repositories []string
}

// Progress is how far a scan is.
type Progress struct {
	Repositories int64 `json:"repositories"` // looked at
	Tags         int64 `json:"tags"`         // seen in them
	Images       int64 `json:"images"`       // manifests read; those that were known are not
	Requests     int64 `json:"requests"`     // sent, those that were sent again not counted
}

// Result is what a scan did.
type Result struct {
	Progress

	// Failed is how many things could not be read; Problems are the first hundred of them.
	Failed   int64     `json:"failed"`
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is something that could not be read. What stands on it, or what it stands on, may be missing from the graph.
type Problem struct {
	// Ref is a repository, or an image in one.
	Ref   string `json:"ref"`
	Error string `json:"error"`
}

// Scan scans. The error says that it could not go on: the context ended, or the store takes nothing more. All that was
// read until then is kept.
func (s *Scanner) Scan(ctx context.Context, what What) (Result, error) {
	if s.Registry == nil || s.Store == nil {
		return Result{}, errors.New("a scan needs a registry and a store")
	}
	run, err := s.start(ctx)
	if err != nil {
		return Result{}, err
	}
	err = run.all(ctx, what)
	err = errors.Join(err, run.writer.close(ctx))
	return run.result(), err
}

// all scans all repositories, several at a time.
func (r *run) all(ctx context.Context, what What) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(r.opts.Connections)
	seen := map[string]bool{}
	add := func(repositories []string) error {
		for _, repository := range repositories {
			if repository = canonical(repository); repository == "" || seen[repository] {
				continue
			}
			seen[repository] = true
			group.Go(func() error { return r.repository(inner, repository) })
		}
		return inner.Err()
	}
	for _, repository := range what.Repositories {
		if canonical(repository) == "" {
			r.problem(repository, fmt.Errorf("%q is not a repository (registry/path, without tag)", repository))
		}
	}
	err := add(what.Repositories)
	for _, host := range what.Registries {
		if err == nil {
			r.progress.requests.Add(1)
			if listed := r.Registry.Repositories(inner, host, add); listed != nil {
				r.problem(host, listed)
			}
		}
	}
	if e := group.Wait(); e != nil {
		return e
	}
	return errors.Join(err, context.Cause(ctx))
}

// counters are Progress while it is counted.
type counters struct{ repositories, tags, images, requests atomic.Int64 }

func (c *counters) now() Progress {
	return Progress{Repositories: c.repositories.Load(), Tags: c.tags.Load(), Images: c.images.Load(), Requests: c.requests.Load()}
}
