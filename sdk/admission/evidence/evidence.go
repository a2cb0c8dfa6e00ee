// Package evidence has a gate demand signed provenance and verdicts of an image, on top of what the deny bundle says.
//
//	demands := admission.Cached(evidence.Demand{Source: attest.NewStore(client, attest.StoreOptions{}), Policy: policy}, 0, time.Now)
//	gate := admission.NewGate(admission.Options{Bundles: held, Evidence: demands})
//
// Evidence is in the registry, beside the image, so this is the one part of a gate that needs a network: once per image,
// if it is wrapped in [admission.Cached], and never for an image that the bundle denies anyway.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// Demand is what an image must have. It is safe for concurrent use.
type Demand struct {
	Source attest.Source
	// Policy says what counts. Its At is set to the present time for each question.
	Policy attest.Policy
	// Now is the clock. Required.
	Now func() time.Time
}

var _ admission.Evidence = Demand{}

// Check implements [admission.Evidence]. The evidence is looked for in the repository that the image was asked for by,
// about one of its digests: an index or a manifest (the registry knows nothing of configs).
func (d Demand) Check(ctx context.Context, image admission.Image) error {
	ref, err := name.ParseReference(image.Ref)
	if err != nil {
		return fmt.Errorf("the image was not asked for by the name of a repository, so nobody knows where its evidence is: %w", err)
	}
	policy := d.Policy
	policy.At = d.Now()
	var errs []error
	for _, digest := range slices.Concat(image.Indexes, image.Digests) {
		_, err := attest.Verify(ctx, d.Source, ref.Context().Digest(digest).String(), policy)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
		if errors.Is(err, attest.ErrDenied) {
			break // it was found, and is not good enough
		}
	}
	if len(errs) == 0 {
		return errors.New("no digest of it is known")
	}
	return errors.Join(errs...)
}
