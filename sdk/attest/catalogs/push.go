package catalogs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/artifact"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Registry is what is needed of a registry to push; *registry.Client is one. To pull, an artifact.Puller is enough.
type Registry interface {
	artifact.Pusher
	artifact.Puller
}

// PushOptions say how a catalog is pushed. Signer, Trust and At are required.
type PushOptions struct {
	Signer attest.Signer
	// Trust says whose catalog in the registry counts as the one before: it gives the version to go on from, and its bans
	// must still be there or be lifted.
	Trust attest.Verifier
	At    time.Time
	// Name keeps catalogs apart that the same key signs. Default: the repository's path, "ops/catalog".
	Name string
	// Version is the new one's. Default: one more than that of the first of Tags in the registry.
	Version uint64
	// Expires is when it is no longer accepted. Default: never.
	Expires time.Time
	// Tags are set to it. Default: "current".
	Tags []string
	// Loader loads the catalog before it is pushed; one that can't be loaded is not pushed.
	Loader catalog.Loader
	// DryRun says what would be pushed and pushes nothing.
	DryRun bool
}

// Pushed is what a push did.
type Pushed struct {
	// Reference is where it is, "registry.example/ops/catalog@sha256:..."; empty after a dry run.
	Reference string `json:"reference,omitempty"`
	Version   uint64 `json:"version"`
	// Catalog is the digest of what the catalog says ([catalog.Catalog.Digest]).
	Catalog string `json:"catalog"`
	// Before is the version that the registry had; 0 for none.
	Before uint64 `json:"before,omitempty"`
	// Changes are what is different from that one.
	Changes []catalog.Change `json:"changes,omitempty"`
}

// Push loads a catalog from root in fsys, signs it and pushes it to a repository ("registry.example/ops/catalog"). The
// version grows with each push; a smaller one than the registry's is an error that wraps [ErrSuperseded]. A ban that the
// registry's catalog has and this one has not, though it was not lifted, is one that wraps [ErrBanGone].
func Push(ctx context.Context, to Registry, repository string, fsys fs.FS, root string, opts PushOptions) (*Pushed, error) {
	if opts.Signer == nil || opts.Trust == nil || opts.At.IsZero() {
		return nil, errors.New("a catalog is pushed with a key (Signer), the keys that are trusted (Trust) and the time (At)")
	}
	if len(opts.Tags) == 0 {
		opts.Tags = []string{"current"}
	}
	archive, cat, err := Pack(ctx, fsys, root, opts.Loader)
	if err != nil {
		return nil, err
	}
	packed, err := Open(ctx, archive, opts.Loader)
	if err != nil {
		return nil, err
	}
	if packed.Digest() != cat.Digest() {
		return nil, fmt.Errorf("the catalog says something else when it was packed (%s, %s): did its files change?", packed.Digest(), cat.Digest())
	}
	content := artifact.Content{Version: opts.Version, Created: opts.At.UTC(), Expires: opts.Expires.UTC(), Data: archive}
	if content.Kind, err = kind(opts.Name, repository); err != nil {
		return nil, err
	}
	out := &Pushed{Catalog: cat.Digest()}
	if err := out.compare(ctx, to, repository+":"+opts.Tags[0], &content, cat, opts); err != nil {
		return nil, err
	}
	out.Version = content.Version
	signed, err := artifact.Sign(ctx, opts.Signer, content)
	if err != nil {
		return nil, err
	}
	if _, err := signed.Open(ctx, artifact.Want{Kind: content.Kind, Trust: opts.Trust, At: opts.At}); err != nil {
		return nil, fmt.Errorf("nobody would accept what is pushed: %w", err)
	}
	if opts.DryRun {
		return out, nil
	}
	ref, err := artifact.Push(ctx, to, repository, signed, registry.PushOptions{Tags: opts.Tags})
	if err != nil {
		return nil, err
	}
	out.Reference = ref.Name()
	return out, nil
}

// compare goes on from the catalog that the registry has, if it has one.
func (p *Pushed) compare(ctx context.Context, from artifact.Puller, ref string, content *artifact.Content, cat *catalog.Catalog, opts PushOptions) error {
	last, err := artifact.Pull(ctx, from, ref, artifact.Want{Kind: content.Kind, Trust: opts.Trust, At: opts.At, MaxBytes: maxPacked})
	if errors.Is(err, artifact.ErrExpired) { // which is why a new one is pushed
		last, err = artifact.Pull(ctx, from, ref, artifact.Want{Kind: content.Kind, Trust: opts.Trust, At: time.Unix(1, 0), MaxBytes: maxPacked})
	}
	switch {
	case errors.Is(err, registry.ErrNotFound):
		content.Version = max(content.Version, 1)
		return nil
	case err != nil:
		return fmt.Errorf("the catalog that is there: %w", err)
	}
	p.Before = last.Version
	if content.Version == 0 {
		content.Version = last.Version + 1
	}
	if content.Version <= last.Version {
		return fmt.Errorf("%s: %w: %d, and this one is %d", ref, ErrSuperseded, last.Version, content.Version)
	}
	before, err := Open(ctx, last.Data, opts.Loader)
	if err != nil {
		return fmt.Errorf("the catalog that is there, version %d: %w", last.Version, err)
	}
	p.Changes = catalog.Changes(before, cat)
	return bansKept(before, cat)
}

// bansKept looks for bans that were deleted.
func bansKept(before, after *catalog.Catalog) error {
	kept := map[string]bool{}
	for _, b := range after.Bans() {
		kept[b.ID] = true
	}
	var gone []string
	for _, b := range before.Bans() {
		if !kept[b.ID] && b.Lifted == nil {
			gone = append(gone, b.ID)
		}
	}
	if len(gone) > 0 {
		return fmt.Errorf("%w: %s; keep it and write lifted: {at, by, reason}", ErrBanGone, strings.Join(gone, ", "))
	}
	return nil
}
