package attest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// Attach stores bundles with the images that their statements are about: each is made a referrer of every subject that is
// one of the image's digests, so that whoever pulls the index or one platform alone finds it. It returns when the registry
// lists them all. A bundle about something else is an error, and nothing is stored then.
func (s *Store) Attach(ctx context.Context, image *Image, bundles ...*Bundle) error {
	about := map[v1.Hash][]*Bundle{}
	types := map[*Bundle]string{}
	for _, b := range bundles {
		statement, err := b.UnverifiedStatement()
		if err != nil {
			return fmt.Errorf("%s: %w", image.Reference(), err)
		}
		types[b] = statement.PredicateType
		some := false
		for _, digest := range image.Digests() {
			if statement.About(digest) {
				about[digest], some = append(about[digest], b), true
			}
		}
		if !some {
			return fmt.Errorf("%s: a statement of type %s is about %s and not about this image", image.Reference(), statement.PredicateType, subjects(statement))
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for digest, bundles := range about {
		group.Go(func() error { return s.attach(ctx, image, digest, bundles, types) })
	}
	return group.Wait()
}

func subjects(s *Statement) string {
	var all []string
	for _, subject := range s.Subject {
		for algorithm, value := range subject.Digest {
			all = append(all, algorithm+":"+value)
		}
	}
	slices.Sort(all)
	return clip(strings.Join(all, ", "))
}

// attach stores the bundles about one digest, one after the other: they share a list in registries without the API.
func (s *Store) attach(ctx context.Context, image *Image, digest v1.Hash, bundles []*Bundle, types map[*Bundle]string) error {
	m, err := s.registry.Manifest(ctx, image.Repository+"@"+digest.String())
	if err != nil {
		return err
	}
	for _, b := range bundles {
		_, err := s.registry.PushArtifact(ctx, image.Repository, registry.Artifact{
			Type:    BundleMediaType,
			Subject: &m.Descriptor,
			Blobs:   []registry.Blob{{MediaType: BundleMediaType, Data: b.Bytes(), Embed: true}},
			Annotations: map[string]string{
				annotationContent:   "dsse-envelope",
				annotationPredicate: types[b],
			},
		}, registry.PushOptions{})
		if err != nil {
			return fmt.Errorf("%s: attach the statement of type %s: %w", m.Descriptor.Digest, types[b], err)
		}
	}
	if s.opts.Tags {
		return s.tag(ctx, image, digest, bundles, types)
	}
	return nil
}

// envelopeMediaType is the type of an envelope under cosign's old tags
// (https://github.com/sigstore/cosign/blob/main/specs/ATTESTATION_SPEC.md).
const envelopeMediaType = "application/vnd.dsse.envelope.v1+json"

// tag adds the bundles' envelopes to what is kept under the old tag, and looks whether they are still there afterwards:
// another writer may have read it before and written it after.
func (s *Store) tag(ctx context.Context, image *Image, digest v1.Hash, bundles []*Bundle, types map[*Bundle]string) error {
	tag := strings.Replace(digest.String(), ":", "-", 1) + ".att"
	for range 5 {
		var envelopes []registry.Blob
		a, err := s.registry.Artifact(ctx, image.Repository+":"+tag, 4*MaxBundleBytes)
		switch {
		case errors.Is(err, registry.ErrNotFound):
		case err != nil:
			return err
		default:
			envelopes = a.Blobs
		}
		complete := true
		for _, b := range bundles {
			raw, err := json.Marshal(b.Envelope())
			if err != nil {
				return err
			}
			if slices.ContainsFunc(envelopes, func(e registry.Blob) bool { return string(e.Data) == string(raw) }) {
				continue
			}
			complete = false
			envelopes = append(envelopes, registry.Blob{MediaType: envelopeMediaType, Data: raw, Annotations: map[string]string{
				"predicateType": types[b], "dev.cosignproject.cosign/signature": "",
			}})
		}
		if complete {
			return nil
		}
		_, err = s.registry.PushArtifact(ctx, image.Repository, registry.Artifact{
			Type: envelopeMediaType, Blobs: envelopes,
		}, registry.PushOptions{Tags: []string{tag}})
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w: others keep writing the tag %s", image.Reference(), registry.ErrLost, tag)
}
