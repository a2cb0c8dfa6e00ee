package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/plimsoll-dev/plimsoll/features/image"
	"github.com/plimsoll-dev/plimsoll/modules/plimsoll/internal/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/results"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/client"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Lint a definition by the rules
func (m *Plimsoll) Lint(
	ctx context.Context,
	// Source with the definition
	// +ignore=[".git", "**/node_modules", "**/.venv"]
	src *dagger.Directory,
	// Directory of the definition in the source
	// +default="."
	dir string,
	// The definition's file
	// +default="Dockerfile"
	file string,
	// Severity from which on a finding fails assert: info, warning or error
	// +default="error"
	gate string,
) (*Report, error) {
	var at finding.Severity
	if err := at.UnmarshalText([]byte(gate)); err != nil {
		return nil, err
	}
	path, err := unpack(ctx, src, "src")
	if err != nil {
		return nil, err
	}
	def, err := source.LoadFS(ctx, os.DirFS(path), definition.Source{}, source.Options{Dir: dir, Dockerfile: file})
	if err != nil {
		return nil, err
	}
	found, err := lint.Run(def.File, rules.All(), lint.Config{At: now()})
	if err != nil {
		return nil, err
	}
	return newReport(found, def.Files, "", finding.Gate(found, at))
}

// Build a definition on approved bases, for looking at the image and testing it elsewhere; nothing is published
func (m *Plimsoll) Build(
	ctx context.Context,
	// Source with the definition, with its .git: an image names the commit that it was made from
	// +optional
	// +ignore=["**/node_modules", "**/.venv"]
	src *dagger.Directory,
	// URL of a git repository to build from, instead of --src
	// +optional
	repo string,
	// Commit, branch or tag in the repository
	// +optional
	ref string,
	// Directory of the definition in the source
	// +default="."
	dir string,
	// The definition's file (default: Dockerfile)
	// +optional
	file string,
	// Stage to build (default: the last one)
	// +optional
	target string,
	// Platforms to build for, such as linux/arm64 (default: the engine's)
	// +optional
	platform []string,
	// Build arguments, NAME=VALUE
	// +optional
	buildArg []string,
	// Let RUN steps use the network
	// +optional
	network bool,
	// Take a source that differs from its commit; such an image is never published
	// +optional
	allowDirty bool,
) (*Delivery, error) {
	return m.deliver(ctx, order{
		src: src, repo: repo, ref: ref, load: source.Options{Dir: dir, Dockerfile: file}, target: target, platforms: platform,
		args: buildArg, network: network, dirty: allowDirty, noTest: true,
	})
}

// Deliver a definition: check, lint, build, test and, with --publish, publish it by digest
func (m *Plimsoll) Pipeline(
	ctx context.Context,
	// Source with the definition, with its .git: an image names the commit that it was made from
	// +optional
	// +ignore=["**/node_modules", "**/.venv"]
	src *dagger.Directory,
	// URL of a git repository to build from, instead of --src
	// +optional
	repo string,
	// Commit, branch or tag in the repository
	// +optional
	ref string,
	// Directory of the definition in the source
	// +default="."
	dir string,
	// The definition's file (default: Dockerfile)
	// +optional
	file string,
	// Stage to build (default: the last one)
	// +optional
	target string,
	// Platforms to build for, such as linux/arm64 (default: the engine's)
	// +optional
	platform []string,
	// Build arguments, NAME=VALUE
	// +optional
	buildArg []string,
	// Let RUN steps use the network
	// +optional
	network bool,
	// Repository to publish to, such as registry.example/team/app (default: it is not published)
	// +optional
	publish string,
	// Tags for the published image
	// +optional
	tag []string,
	// Private key that signs the evidence, in PEM (default: the image is published unsigned, and the record says so)
	// +optional
	key *dagger.Secret,
	// Passphrase of the private key
	// +optional
	passphrase *dagger.Secret,
	// URI that provenance names as builder
	// +optional
	builderId string,
) (*Delivery, error) {
	return m.deliver(ctx, order{
		src: src, repo: repo, ref: ref, load: source.Options{Dir: dir, Dockerfile: file}, target: target, platforms: platform,
		args: buildArg, network: network, publish: publish, tags: tag, key: key, passphrase: passphrase, builderID: builderId,
	})
}

// Publish a definition's image by digest when it passes its checks and tests, and answer with its reference
func (m *Plimsoll) Publish(
	ctx context.Context,
	// Source with the definition, with its .git: an image names the commit that it was made from
	// +ignore=["**/node_modules", "**/.venv"]
	src *dagger.Directory,
	// Repository to publish to, such as registry.example/team/app
	repository string,
	// Directory of the definition in the source
	// +default="."
	dir string,
	// Tags for the published image
	// +optional
	tag []string,
	// Private key that signs the evidence, in PEM (default: the image is published unsigned, and the record says so)
	// +optional
	key *dagger.Secret,
	// Passphrase of the private key
	// +optional
	passphrase *dagger.Secret,
	// URI that provenance names as builder
	// +optional
	builderId string,
) (string, error) {
	done, err := m.deliver(ctx, order{
		src: src, load: source.Options{Dir: dir}, publish: repository, tags: tag, key: key, passphrase: passphrase, builderID: builderId,
	})
	if err != nil {
		return "", err
	}
	return done.Reference, done.Report.Assert(ctx)
}

// Verdict is what tests said of an image.
type Verdict struct {
	Files   *dagger.Directory // +private
	Failure string            // +private
}

// Test an image with features in Gherkin that look at its files, packages and configuration
func (m *Plimsoll) Test(
	ctx context.Context,
	// Image under test as an OCI layout, such as that of build
	// +optional
	layout *dagger.Directory,
	// Image under test in a registry, instead of --layout
	// +optional
	image string,
	// Features to run
	// +optional
	features *dagger.Directory,
	// Ready-made suites: hardening, hygiene, minimal
	// +optional
	suite []string,
) (*Verdict, error) {
	s := blackbox.Suite{Reference: image, Options: blackbox.Options{Now: now}}
	if err := m.underTest(ctx, &s, layout, image); err != nil {
		return nil, err
	}
	folders, err := folders(ctx, features, suite)
	if err != nil {
		return nil, err
	}
	s.Features = folders
	verdict, err := s.Run(ctx)
	if err != nil {
		return nil, err
	}
	v := &Verdict{Files: dag.Directory()}
	for name, write := range results.Formats() {
		var text bytes.Buffer
		if err := write(&text, verdict); err != nil {
			return nil, err
		}
		v.Files = v.Files.WithNewFile(name, text.String())
	}
	if err := verdict.Err(); err != nil {
		v.Failure = err.Error()
	}
	return v, nil
}

// underTest finds the image.
func (m *Plimsoll) underTest(ctx context.Context, s *blackbox.Suite, layout *dagger.Directory, ref string) error {
	if (layout == nil) == (ref == "") {
		return errors.New("name the image to test: --layout DIRECTORY or --image REFERENCE")
	}
	if layout != nil {
		path, err := unpack(ctx, layout, "image")
		if err != nil {
			return err
		}
		s.Index, err = registry.LoadLayout(path)
		return err
	}
	c, err := m.client(ctx)
	if err != nil {
		return err
	}
	s.Index, err = c.Index(ctx, ref)
	return err
}

func folders(ctx context.Context, features *dagger.Directory, suites []string) (fs.FS, error) {
	all := blackbox.Folders{}
	if features != nil {
		path, err := unpack(ctx, features, "features")
		if err != nil {
			return nil, err
		}
		all["features"] = os.DirFS(path)
	}
	if len(suites) > 0 {
		ready, err := image.Select(suites...)
		if err != nil {
			return nil, err
		}
		all["suites"] = ready
	}
	if len(all) == 0 {
		return nil, errors.New("name features with --features DIRECTORY, or ready-made ones with --suite")
	}
	return all, nil
}

// What the tests said, as a file in a format: pretty, junit, html, cucumber or messages
func (v *Verdict) Report(
	// Format of the file
	// +default="pretty"
	format string,
) *dagger.File {
	return v.Files.File(format)
}

// Fail when a scenario failed, or could not be run
func (v *Verdict) Assert(ctx context.Context) (string, error) {
	if v.Failure != "" {
		return "", errors.New(v.Failure)
	}
	return v.Files.File("pretty").Contents(ctx)
}

// Verify the evidence of an image: who built it, from what, and that it passed; answer with its reference by digest
func (m *Plimsoll) Verify(
	ctx context.Context,
	// Image to verify
	image string,
	// Trusted keys: a public key in PEM, or a list in YAML
	keys *dagger.File,
	// Ids of the builders that count
	builder []string,
	// Repositories that the image may be built from, https://git.example/team/app or .../team/*
	source []string,
	// How old verdicts may be, such as 720h (default: any age)
	// +optional
	maxAge string,
) (string, error) {
	trusted, err := m.keys(ctx, keys)
	if err != nil {
		return "", err
	}
	policy := attest.Policy{Trust: trusted, At: now(), Builders: builder, Sources: source}
	if maxAge != "" {
		if policy.MaxAge, err = time.ParseDuration(maxAge); err != nil {
			return "", fmt.Errorf("--max-age: %w", err)
		}
	}
	c, err := m.client(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	verified, err := attest.Verify(ctx, attest.NewStore(c, attest.StoreOptions{}), image, policy)
	if err != nil {
		return "", err
	}
	return verified.Reference, nil
}

// Explain what the catalog decides about an image: the rule, the evidence, the exception that would help, whom to ask
func (m *Plimsoll) Explain(
	ctx context.Context,
	// Image, as a definition would name it
	image string,
	// Source repository on whose behalf is asked, for its exceptions
	// +optional
	project string,
) (string, error) {
	c, err := m.client(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	cat, err := m.loadCatalog(ctx, c)
	if err != nil {
		return "", err
	}
	input := catalog.Input{
		Kind: catalog.KindImage, Role: catalog.RoleBase, Runtime: true, Platform: "linux/amd64", Written: image, Ref: catalog.FullReference(image),
		Reachable: true, Place: finding.Place{File: "argument"},
	}
	if input.Digest, err = c.Resolve(ctx, input.Ref); err != nil && !errors.Is(err, registry.ErrNotFound) {
		return "", err
	}
	who := catalog.Project{Repository: project}
	plan, err := cat.Plan(ctx, catalog.Question{Project: who, Inputs: []catalog.Input{input}, At: now()}, catalog.FactSet{Facts: c})
	if err != nil {
		return "", err
	}
	return cat.Explain(who, plan.Decisions[0]).String(), nil
}

// Have Ops' build service build a commit, show its log, and answer with the published image by digest
func (m *Plimsoll) RequestBuild(
	ctx context.Context,
	// Address of the build service
	service string,
	// URL of the git repository, as the service's configuration has it
	repo string,
	// Whole id of the commit
	commit string,
	// Token of the caller
	token *dagger.Secret,
	// Directory of the definition in the repository
	// +optional
	dir string,
	// Tags that the project allows
	// +optional
	tag []string,
	// The same key for the same request gives the same build
	// +optional
	key string,
) (string, error) {
	secret, err := token.Plaintext(ctx)
	if err != nil {
		return "", err
	}
	c := client.New(service, client.Options{Token: client.StaticToken(secret)})
	asked, err := c.Request(ctx, api.Request{Repository: repo, Commit: commit, Directory: dir, Tags: tag}, key)
	if err != nil {
		return "", err
	}
	if _, err := c.Follow(ctx, asked.ID, 0, func(l api.Line) error {
		_, err := fmt.Printf("%-9s %s\n", l.Stage, l.Text)
		return err
	}); err != nil {
		return "", err
	}
	done, err := c.Get(ctx, asked.ID)
	if err != nil {
		return "", err
	}
	if done.State != api.Succeeded {
		return "", fmt.Errorf("the build %s: %s", done.State, done.Reason)
	}
	return done.Reference, nil
}
