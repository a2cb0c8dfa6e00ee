// Package shop is a small platform for tests and measurements of the build service: a registry on loopback with bases, a
// git repository with definitions, a catalog, and a builder that makes small images without an engine.
package shop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/fake"
)

// Shop is a platform. HOST in texts that it is given stands for its registry.
type Shop struct {
	Dir, Repository string
	Server          *registrytest.Server
	Client          *registry.Client
	Catalog         *catalog.Catalog

	// Hook, if set, is called in each build before it is made.
	Hook func(ctx context.Context, req build.Request) error

	mu     sync.Mutex
	builds int
}

const dockerfile = `FROM HOST/base/demo:1.4.9
COPY greeting /greeting
USER 65534
`

const feature = `Feature: The image
  Scenario: It is nobody's
    Given the image under test
    Then the image runs as the user "65534"
`

const allowed = `version: 1
owner: base-images@example.com
bases:
  - repository: HOST/base/demo
    versions: ">=1.4.9 <2"
`

// Open makes a shop in a directory, with its registry at a loopback address ("" is any).
func Open(dir, addr string) (_ *Shop, err error) {
	s := &Shop{Dir: dir, Repository: filepath.Join(dir, "repository")}
	if s.Server, err = registrytest.Start(registrytest.Options{Addr: addr}); err != nil {
		return nil, err
	}
	image, err := registrytest.Image(map[string]string{"version": "1.4.9"}, registrytest.ImageOptions{})
	if err != nil {
		return nil, err
	}
	index, err := registrytest.Index(image)
	if err != nil {
		return nil, err
	}
	if _, err := s.Server.Push(context.Background(), "base/demo:1.4.9", index); err != nil {
		return nil, err
	}
	return s, s.Connect(s.Server.Host)
}

// Connect makes what is needed to work with a registry that is there already.
func (s *Shop) Connect(host string) (err error) {
	s.Client = registry.New(registry.Options{Retries: -1})
	s.Catalog, err = catalog.Load("catalog.yaml", []byte(strings.ReplaceAll(allowed, "HOST", host)))
	return err
}

// Close ends the registry.
func (s *Shop) Close() {
	s.Client.Close()
	if s.Server != nil {
		_ = s.Server.Close()
	}
}

// Define commits definitions in directories of the repository, each with a greeting and a feature of its own, and returns
// the commit.
func (s *Shop) Define(dirs ...string) (string, error) {
	files := map[string]string{}
	for _, dir := range dirs {
		files[dir+"/Dockerfile"] = dockerfile
		files[dir+"/greeting"] = "ahoy from " + dir + "\n"
		files[dir+"/features/image.feature"] = feature
	}
	return s.Commit(files)
}

// Commit writes files to the repository and commits them.
func (s *Shop) Commit(files map[string]string) (string, error) {
	repo, err := git.PlainInit(s.Repository, false)
	if errors.Is(err, git.ErrRepositoryAlreadyExists) {
		repo, err = git.PlainOpen(s.Repository)
	}
	if err != nil {
		return "", err
	}
	for name, text := range files {
		path := filepath.Join(s.Repository, name)
		text = strings.ReplaceAll(text, "HOST", s.Server.Host)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return "", err
		}
	}
	tree, err := repo.Worktree()
	if err != nil {
		return "", err
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return "", err
	}
	ada := &object.Signature{Name: "Ada", Email: "ada@example.com", When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	commit, err := tree.Commit("The app", &git.CommitOptions{Author: ada, Committer: ada})
	return commit.String(), err
}

// Delivery is a pipeline with the shop's parts.
func (s *Shop) Delivery() pipeline.Delivery {
	return pipeline.Delivery{Catalog: s.Catalog, Registry: s.Client, Builder: s.Builder(), Sandbox: s.Sandbox(), Rules: rules.All()}
}

// Builds returns how often the builder built.
func (s *Shop) Builds() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.builds
}

// Builder makes an image of the context, and prints a few lines as a step would.
func (s *Shop) Builder() build.Builder {
	return build.Func(func(ctx context.Context, req build.Request) (*build.Result, error) {
		s.mu.Lock()
		s.builds++
		s.mu.Unlock()
		if s.Hook != nil {
			if err := s.Hook(ctx, req); err != nil {
				return nil, err
			}
		}
		if req.Progress != nil {
			req.Progress(build.Event{Step: "[1/1] COPY greeting", State: "start"})
			for n := range 3 {
				req.Progress(build.Event{Step: "[1/1] COPY greeting", State: "log", Log: fmt.Appendf(nil, "copied %d\n", n)})
			}
			req.Progress(build.Event{Step: "[1/1] COPY greeting", State: "done"})
		}
		image, err := registrytest.ImageFS(req.Context, registrytest.ImageOptions{Config: v1.Config{User: "65534"}})
		if err != nil {
			return nil, err
		}
		index, err := registrytest.Index(image)
		if err != nil {
			return nil, err
		}
		if err := registry.SaveLayout(req.Layout, index); err != nil {
			return nil, err
		}
		result := &build.Result{Layout: req.Layout, Home: build.Home{Name: "shop"}}
		if result.Index, err = registry.LoadLayout(req.Layout); err != nil {
			return nil, err
		}
		result.Digest, err = result.Index.Digest()
		return result, err
	})
}

// Sandbox runs nothing: the shop's features only read the image.
func (s *Shop) Sandbox() sandbox.Runtime {
	return &fake.Runtime{Main: func(ctx context.Context, _ *fake.Process) int { <-ctx.Done(); return 0 }}
}
