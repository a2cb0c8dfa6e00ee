package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/baseimage"
	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/sqlite"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
	"github.com/plimsoll-dev/plimsoll/sdk/registry/registrytest"
)

const (
	ban     = "BAN-2026-17"
	builder = "https://builds.example/rehearsal"
	// every so many images have a RUN instruction, whose result a rebase can't vouch for: they are built again.
	runs = 5
)

// owners share the images.
var owners = []string{"payments", "shop", "search", "logistics"}

// world is a registry, a repository with definitions, and what builds them.
type world struct {
	dir      *homes.RunDir
	registry *registrytest.Server
	client   *registry.Client
	builder  homes.Builder
	sandbox  homes.Sandbox
	lineage  lineage.Store
	key      *attest.Key
	evidence *attest.Store
	repo     string
	banned   bool
}

func newWorld(ctx context.Context, state string) (w *world, err error) {
	w = &world{client: registry.New(registry.Options{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.dir, err = homes.NewRunDir(state); err != nil {
		return w, err
	}
	blobs := filepath.Join(w.dir.Path, "blobs")
	if err := os.Mkdir(blobs, 0o755); err != nil {
		return w, err
	}
	if w.registry, err = registrytest.Start(registrytest.Options{Dir: blobs}); err != nil {
		return w, err
	}
	if w.builder, err = homes.NewBuilder(ctx, "embedded", state); err != nil {
		return w, err
	}
	if w.sandbox, err = homes.NewSandbox(ctx, "auto", state); err != nil {
		return w, err
	}
	if w.lineage, err = sqlite.Open(ctx, filepath.Join(w.dir.Path, "lineage.db"), sqlite.Options{}); err != nil {
		return w, err
	}
	if w.key, err = attest.GenerateKey(attest.ECDSA); err != nil {
		return w, err
	}
	w.evidence = attest.NewStore(w.client, attest.StoreOptions{})
	for _, version := range []string{"12.8", "12.9"} {
		if err := w.base(ctx, version); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w *world) close() error {
	var errs []error
	if w.lineage != nil {
		errs = append(errs, w.lineage.Close())
	}
	if w.sandbox != nil {
		errs = append(errs, w.sandbox.Close())
	}
	if w.builder != nil {
		errs = append(errs, w.builder.Close())
	}
	if w.registry != nil {
		errs = append(errs, w.registry.Close())
	}
	if w.dir != nil {
		errs = append(errs, w.dir.Close())
	}
	w.client.Close()
	return errors.Join(errs...)
}

// base makes and publishes a base.
func (w *world) base(ctx context.Context, version string) error {
	image, err := baseimage.Userland(ctx, version)
	if err != nil {
		return err
	}
	index, err := registrytest.Index(image)
	if err != nil {
		return err
	}
	ref, err := w.client.Push(ctx, w.registry.Host+"/base/userland", index, registry.PushOptions{Tags: []string{version}})
	if err != nil {
		return err
	}
	batch, err := scan.Index(index)
	if err != nil {
		return err
	}
	batch.Tags = append(batch.Tags, lineage.Tag{Repository: w.registry.Host + "/base/userland", Name: version, Digest: ref.DigestStr(), Since: time.Now()})
	if err := w.lineage.Put(ctx, batch); err != nil {
		return err
	}
	return w.owned(ctx, ref.String(), "platform")
}

// catalog is what Ops says: one base, and in the end that its old version is banned.
func (w *world) catalog(context.Context) (*catalog.Catalog, error) {
	text := fmt.Sprintf(`version: 1
owner: platform
bases:
  - repository: %[1]s/base/userland
    tags: ["*"]
`, w.registry.Host)
	if w.banned {
		text += fmt.Sprintf(`bans:
  - id: %[2]s
    repository: %[1]s/base/userland
    tags: ["12.8"]
    reason: a hole in the userland's shell
    advisory: CVE-2026-12345
    severity: critical
    denyFrom: %[3]s
    replacement: {tag: "12.9"}
    author: ana@example.com
    approver: bo@example.com
`, w.registry.Host, ban, time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly))
	}
	return catalog.Load("catalog.yaml", []byte(text))
}

func name(i int) string { return fmt.Sprintf("app%02d", i) }

func owner(i int) string { return owners[i%len(owners)] }

// feature is what every image is tested for.
const feature = `Feature: The service's image
  Scenario: It is nobody's, and greets
    Given the image under test
    Then the image runs as the user "65534:65534"
    And the file "/srv/greeting" contains "hello"
`

// define commits a definition for each image.
func (w *world) define(images int) error {
	w.repo = filepath.Join(w.dir.Path, "definitions")
	repo, err := git.PlainInit(w.repo, false)
	if err != nil {
		return err
	}
	for i := range images {
		lines := []string{
			"FROM " + w.registry.Host + "/base/userland:12.8",
			fmt.Sprintf("LABEL org.opencontainers.image.title=%q", name(i)),
			"COPY --chown=65534:65534 greeting /srv/greeting",
		}
		if i%runs == runs-1 {
			lines = append(lines, "RUN touch /srv/built")
		}
		lines = append(lines, "USER 65534:65534", `CMD ["sleep", "1h"]`, "")
		for file, text := range map[string]string{
			"Dockerfile": strings.Join(lines, "\n"), "greeting": "hello from " + name(i) + "\n", "features/image.feature": feature,
		} {
			path := filepath.Join(w.repo, name(i), file)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
				return err
			}
		}
	}
	tree, err := repo.Worktree()
	if err != nil {
		return err
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return err
	}
	ada := &object.Signature{Name: "Ada", Email: "ada@example.com", When: time.Now()}
	_, err = tree.Commit("The services", &git.CommitOptions{Author: ada, Committer: ada})
	return err
}

// deliver builds one image and publishes it with its evidence. Without tags it is there by its digest only.
func (w *world) deliver(ctx context.Context, i int, commit string, tags ...string) (*pipeline.Delivered, error) {
	cat, err := w.catalog(ctx)
	if err != nil {
		return nil, err
	}
	layout, err := os.MkdirTemp(w.dir.Path, "layout-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(layout)
	delivery := pipeline.Delivery{
		Catalog: cat, Registry: w.client, Builder: w.builder, Sandbox: w.sandbox, Rules: rules.All(), Lineage: w.lineage,
		Evidence: &pipeline.Evidence{Signer: w.key, Store: w.evidence, Builder: builder},
	}
	return delivery.Run(ctx, pipeline.NewRun(pipeline.Options{}), pipeline.Order{
		Repository: w.repo, Ref: commit, Load: source.Options{Dir: name(i)}, Layout: filepath.Join(layout, "oci"),
		Publish: w.registry.Host + "/team/" + name(i), Tags: tags,
	})
}

// deliverAll builds all images, some at a time.
func (w *world) deliverAll(ctx context.Context, images int, done func()) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range images {
		group.Go(func() error {
			d, err := w.deliver(ctx, i, "", "1.0")
			if err != nil {
				return fmt.Errorf("%s: %w", name(i), err)
			}
			done()
			return w.owned(ctx, d.Reference, owner(i))
		})
	}
	return group.Wait()
}

// owned says who answers for an image: an organisation knows it from its own records.
func (w *world) owned(ctx context.Context, reference, owner string) error {
	_, digest, _ := strings.Cut(reference, "@")
	var batch lineage.Batch
	for img, err := range w.lineage.Images(ctx, []string{digest}) {
		if err != nil {
			return err
		}
		batch.Images = append(batch.Images, lineage.Image{Digest: img.Digest, Kind: img.Kind, Owner: owner})
		for _, child := range img.Manifests {
			batch.Images = append(batch.Images, lineage.Image{Digest: child.Digest, Kind: lineage.KindManifest, Owner: owner})
		}
	}
	return w.lineage.Put(ctx, batch)
}
