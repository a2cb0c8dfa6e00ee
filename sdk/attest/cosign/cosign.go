// Package cosign checks signatures of images as cosign makes them with a key, in both of its formats: the tag
// "sha256-<digest>.sig" beside the image, of cosign 1 and 2, and a bundle that refers to the image, of cosign 3.
//
//	signatures := cosign.New(client)
//	signed, err := signatures.Signed(ctx, "registry.example/base/debian@sha256:...", pem)
//
// [Signatures] is a [catalog.SignatureFacts]: what entries of a catalog with a signature need. The signature counts for the
// digest that it names, in whatever repository it is found; a signature of an index is not one of its manifests. Logs of
// transparency and certificates are not looked at: the key alone decides.
package cosign

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// Registry is what is needed of a registry; *registry.Client is one.
type Registry interface {
	attest.Registry
	// Image reads what a tag names.
	Image(ctx context.Context, ref, platform string) (v1.Image, error)
}

// Limits of what is read for one image.
const (
	maxSignatures = 100
	maxPayload    = 1 << 20
	maxRemembered = 10_000
)

// Signatures checks signatures and remembers those that hold: what a key has signed stays signed. What does not hold is
// looked at again each time, since the signature may come later. It is safe for concurrent use.
type Signatures struct {
	from  Registry
	store *attest.Store

	mu   sync.Mutex
	held map[string]bool
}

var _ catalog.SignatureFacts = (*Signatures)(nil)

// New returns a checker that reads from a registry.
func New(from Registry) *Signatures {
	return &Signatures{from: from, store: attest.NewStore(from, attest.StoreOptions{}), held: map[string]bool{}}
}

// Signed says whether an image ("repository@sha256:...") has a signature by a public key in PEM. An error means that it
// could not be found out: a registry that does not answer, or a signature that is none. A wrong signature beside a right
// one does no harm.
func (s *Signatures) Signed(ctx context.Context, ref, key string) (bool, error) {
	digest, err := name.NewDigest(ref)
	if err != nil {
		return false, err
	}
	public, err := attest.LoadPublicKey([]byte(key))
	if err != nil {
		return false, err
	}
	cell := public.ID() + " " + digest.DigestStr()
	if s.remembers(cell) {
		return true, nil
	}
	signed, err := s.bundles(ctx, digest, public)
	if !signed && ctx.Err() == nil {
		var byTag bool
		var tagErr error
		byTag, tagErr = s.tagged(ctx, digest, public)
		signed, err = byTag, errors.Join(err, tagErr)
	}
	if signed {
		s.remember(cell)
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("signatures of %s: %w", ref, err)
	}
	return false, nil
}

func (s *Signatures) remembers(cell string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[cell]
}

func (s *Signatures) remember(cell string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) >= maxRemembered {
		clear(s.held)
	}
	s.held[cell] = true
}

// bundlePredicate is what cosign 3 says with a signature of an image
// (https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md).
const bundlePredicate = "https://sigstore.dev/cosign/sign/v1"

// bundles looks for a bundle among what refers to the image.
func (s *Signatures) bundles(ctx context.Context, image name.Digest, key attest.PublicKey) (bool, error) {
	digest, err := v1.NewHash(image.DigestStr())
	if err != nil {
		return false, err
	}
	bundles, err := s.store.Bundles(ctx, &attest.Image{Repository: image.Context().Name(), Digest: digest}, []string{bundlePredicate})
	if err != nil {
		return false, err
	}
	trusted := attest.Keys{{Key: key}}
	for _, b := range bundles {
		if _, err := trusted.Verify(ctx, b, time.Unix(0, 0)); err != nil {
			continue // somebody else's
		}
		statement, err := b.UnverifiedStatement() // it was verified
		if err == nil && statement.PredicateType == bundlePredicate && statement.About(digest) {
			return true, nil
		}
	}
	return false, ctx.Err()
}
