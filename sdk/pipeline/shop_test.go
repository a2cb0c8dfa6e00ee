package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox"
	"github.com/plimsoll-dev/plimsoll/sdk/sandbox/fake"
)

// shop is all that a delivery needs: a registry with bases, a repository with a definition, and a catalog.
type shop struct {
	dir, repository string
	server          *registrytest.Server
	client          *registry.Client
	catalog         []byte
	requests        []build.Request // what the builder got
}

const shopDockerfile = `FROM HOST/base/demo:1.4.8
COPY greeting /greeting
USER 65534
`

const shopFeature = `Feature: The image
  Scenario: It is nobody's
    Given the image under test
    Then the image runs as the user "65534"
`

const shopCatalog = `version: 1
owner: base-images@example.com
bases:
  - repository: HOST/base/demo
    versions: ">=1.4.9 <2"
substitutions:
  - from: {repository: HOST/base/demo, versions: "<1.4.9"}
    to: {version: 1.4.9}
    reason: 1.4.8 forgets to close its files
`

func newShop() (_ *shop, err error) {
	s := &shop{}
	if s.dir, err = os.MkdirTemp("", "shop-"); err != nil {
		return nil, err
	}
	if s.server, err = registrytest.Start(registrytest.Options{}); err != nil {
		return nil, err
	}
	s.client = registry.New(registry.Options{Retries: -1})
	s.catalog = []byte(s.at(shopCatalog))
	for _, version := range []string{"1.4.8", "1.4.9"} {
		if err := s.push("base/demo:"+version, version, "linux/amd64", "linux/arm64"); err != nil {
			return nil, err
		}
	}
	s.repository = filepath.Join(s.dir, "app")
	return s, s.commit(map[string]string{
		"Dockerfile": shopDockerfile, "greeting": "ahoy\n", "features/image.feature": shopFeature,
	})
}

func (s *shop) close() {
	s.client.Close()
	_ = s.server.Close()
	_ = os.RemoveAll(s.dir)
}

// at puts the registry's address into a text.
func (s *shop) at(text string) string { return strings.ReplaceAll(text, "HOST", s.server.Host) }

func (s *shop) push(ref, content string, platforms ...string) error {
	var images []v1.Image
	for _, p := range platforms {
		image, err := registrytest.Image(map[string]string{"version": content + p}, registrytest.ImageOptions{Platform: p})
		if err != nil {
			return err
		}
		images = append(images, image)
	}
	index, err := registrytest.Index(images...)
	if err != nil {
		return err
	}
	_, err = s.server.Push(context.Background(), ref, index)
	return err
}

// commit writes files to the repository, commits them and moves the tag v1.2.3 there.
func (s *shop) commit(files map[string]string) error {
	repo, err := git.PlainInit(s.repository, false)
	if errors.Is(err, git.ErrRepositoryAlreadyExists) {
		repo, err = git.PlainOpen(s.repository)
	}
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(s.repository, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(s.at(text)), 0o644)); err != nil {
			return err
		}
	}
	tree, err := repo.Worktree()
	if err != nil {
		return err
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return err
	}
	ada := &object.Signature{Name: "Ada", Email: "ada@example.com", When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	commit, err := tree.Commit("The app", &git.CommitOptions{Author: ada, Committer: ada})
	if err != nil {
		return err
	}
	_ = repo.DeleteTag("v1.2.3")
	_, err = repo.CreateTag("v1.2.3", commit, nil)
	return err
}

// builder stands for BuildKit: it "builds" an image of the context for each platform and remembers what it was asked.
func (s *shop) builder() build.Builder {
	return build.Func(func(_ context.Context, req build.Request) (*build.Result, error) {
		s.requests = append(s.requests, req)
		platforms := req.Platforms
		if len(platforms) == 0 {
			platforms = []string{"linux/amd64"}
		}
		var images []v1.Image
		for _, p := range platforms {
			image, err := registrytest.ImageFS(req.Context, registrytest.ImageOptions{
				Platform: p, Config: v1.Config{User: "65534"},
			})
			if err != nil {
				return nil, err
			}
			images = append(images, image)
		}
		index, err := registrytest.Index(images...)
		if err != nil {
			return nil, err
		}
		if err := registry.SaveLayout(req.Layout, index); err != nil {
			return nil, err
		}
		result := &build.Result{Layout: req.Layout, Home: build.Home{Name: "fake"}}
		if result.Index, err = registry.LoadLayout(req.Layout); err != nil {
			return nil, err
		}
		result.Digest, err = result.Index.Digest()
		return result, err
	})
}

func (s *shop) runtime() sandbox.Runtime {
	return &fake.Runtime{Main: func(ctx context.Context, _ *fake.Process) int { <-ctx.Done(); return 0 }}
}
