// Package catalogs keeps catalogs in a registry, as signed documents (package attest/artifact) that everyone who decides
// by them gets from one place: whole, from Ops, and never an older one than was seen before.
//
//	pushed, err := catalogs.Push(ctx, client, "registry.example/ops/catalog", os.DirFS("catalog"), ".", catalogs.PushOptions{
//		Signer: key, At: time.Now(), Tags: []string{"current"},
//	})
//	...
//	pulled, err := catalogs.Pull(ctx, client, "registry.example/ops/catalog:current", catalogs.PullOptions{
//		Trust: trusted, At: time.Now(), Seen: catalogs.Dir("/var/lib/plimsoll/catalogs"),
//	})
//
// What is pushed is complete: the parts that a catalog includes from git and other registries are in it, so whoever pulls
// it needs no other server.
package catalogs

import (
	"errors"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/attest/artifact"
)

// MediaType is the type of a catalog in a registry: a zip archive of its YAML files.
const MediaType = "application/vnd.plimsoll.catalog.v1+zip"

// What callers branch on, beside artifact's ErrRollback and ErrExpired and attest's ErrUntrusted.
var (
	// ErrUnpinned: the reference is a tag, and it was not said who is trusted and where is remembered what was seen.
	ErrUnpinned = errors.New("not pinned by digest")
	// ErrBanGone: a ban that was in force is no longer there. Bans are lifted, not deleted.
	ErrBanGone = errors.New("a ban is gone that was not lifted")
	// ErrSuperseded: the registry has a newer catalog than the one to be pushed.
	ErrSuperseded = errors.New("the registry has a newer version")
)

// kind is what is signed about the document's kind. The name is the repository's path, without the registry, so that a
// mirror's catalog is accepted as the same and another catalog by the same key is not.
func kind(called, ref string) (artifact.Kind, error) {
	if called != "" {
		return artifact.Kind{Name: called, MediaType: MediaType}, nil
	}
	r, err := name.ParseReference(ref)
	if err != nil {
		return artifact.Kind{}, err
	}
	return artifact.Kind{Name: r.Context().RepositoryStr(), MediaType: MediaType}, nil
}

// pinned says whether a reference names a digest.
func pinned(ref string) bool { return strings.Contains(ref, "@") }
