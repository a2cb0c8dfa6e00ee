package catalogs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/artifact"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// PullOptions say what is accepted. For a tag Trust, At and Seen are required. A reference by digest is pinned by whoever
// wrote it: without Trust its signature is not looked at, and Seen counts only with it.
type PullOptions struct {
	Trust attest.Verifier
	At    time.Time
	// Seen remembers the newest version that was accepted: an older one is refused.
	Seen Seen
	// Name is the one that it was pushed with. Default: the repository's path.
	Name string
	// Loader loads it; Fetch is not needed.
	Loader catalog.Loader
}

// Seen remembers the newest catalog of each name that was accepted. [Dir] is one. Implementations are safe for concurrent
// use.
type Seen interface {
	// Newest is the newest that was accepted, zero if none was.
	Newest(name string) (artifact.Seen, error)
	// Accept remembers one that was accepted now. An older one than the newest changes nothing.
	Accept(name string, seen artifact.Seen) error
}

// Pulled is a catalog with the files that it was loaded from.
type Pulled struct {
	Catalog *catalog.Catalog
	// Files are those of the archive; what was included from elsewhere is below ".include".
	Files fs.FS
}

// Pull reads the catalog that a reference names, by tag or by digest, without "oci://". The catalog knows where it is from
// ([catalog.Catalog.Origin]). Errors wrap [ErrUnpinned], artifact's ErrRollback, ErrExpired and ErrKind, attest's
// ErrUntrusted and ErrMalformed, or are a registry's, or a [*catalog.LoadError].
func Pull(ctx context.Context, from artifact.Puller, ref string, opts PullOptions) (*Pulled, error) {
	kind, err := kind(opts.Name, ref)
	if err != nil {
		return nil, err
	}
	var opened *artifact.Opened
	switch {
	case opts.Trust != nil:
		opened, err = opts.verified(ctx, from, ref, kind)
	case pinned(ref):
		opened, err = byDigest(ctx, from, ref)
	default:
		err = fmt.Errorf("%s: %w: give the keys that are trusted, or name it by its digest", ref, ErrUnpinned)
	}
	if err != nil {
		return nil, err
	}
	loader := opts.Loader
	loader.Origin = catalog.Origin{Reference: ref, Version: opened.Version, SignedBy: opened.By.String()}
	if opened.Manifest != (v1.Hash{}) {
		loader.Origin.Digest = opened.Manifest.String()
	}
	cat, err := Open(ctx, opened.Data, loader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	if opts.Seen != nil && opts.Trust != nil { // only what could be loaded keeps older ones out
		if err := opts.Seen.Accept(kind.Name, opened.Seen()); err != nil {
			return nil, fmt.Errorf("remembering the newest catalog: %w", err)
		}
	}
	files, err := Unpack(opened.Data)
	if err != nil {
		return nil, err
	}
	return &Pulled{Catalog: cat, Files: files}, nil
}

func (o PullOptions) verified(ctx context.Context, from artifact.Puller, ref string, kind artifact.Kind) (*artifact.Opened, error) {
	want := artifact.Want{Kind: kind, Trust: o.Trust, At: o.At, MaxBytes: maxPacked}
	switch {
	case o.Seen != nil:
		var err error
		if want.Seen, err = o.Seen.Newest(kind.Name); err != nil {
			return nil, fmt.Errorf("the newest catalog that was seen: %w", err)
		}
	case !pinned(ref):
		return nil, fmt.Errorf("%s: %w: say where the newest version is remembered, so that an older one can be refused", ref, ErrUnpinned)
	}
	return artifact.Pull(ctx, from, ref, want)
}

// byDigest reads a catalog whose digest was given: that is what its content is checked with.
func byDigest(ctx context.Context, from artifact.Puller, ref string) (*artifact.Opened, error) {
	a, err := from.Artifact(ctx, ref, maxPacked)
	if err != nil {
		return nil, err
	}
	if a.Type != MediaType || len(a.Blobs) == 0 {
		return nil, fmt.Errorf("%s: %w: it is a %q, not a catalog", ref, artifact.ErrKind, a.Type)
	}
	opened := &artifact.Opened{Manifest: a.Descriptor.Digest}
	opened.Data = a.Blobs[0].Data
	_, err = fmt.Sscan(a.Annotations["org.opencontainers.image.version"], &opened.Version)
	if err != nil {
		opened.Version = 0 // nobody vouches for it
	}
	return opened, nil
}

// Git brings the files of a repository at a commit; source.Files of package definition/source does.
type Git func(ctx context.Context, repository, commit string) (fs.FS, error)

// Fetcher brings the parts of a catalog that are kept elsewhere: in registries, by digest, and in git. git may be nil,
// which refuses such parts.
func Fetcher(from artifact.Puller, git Git) catalog.Fetcher {
	return func(ctx context.Context, i catalog.Include) (fs.FS, error) {
		switch {
		case i.OCI != "":
			opened, err := byDigest(ctx, from, i.OCI)
			if err != nil {
				return nil, err
			}
			return Unpack(opened.Data)
		case git == nil:
			return nil, errors.New("parts in git are not fetched here")
		}
		return git(ctx, i.Git, i.Commit)
	}
}
