package sbom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// ErrNone says that no list is attached.
var ErrNone = errors.New("no package list is attached")

// Attached reads the list that BuildKit's scanner put beside a platform's manifest in an index
// (https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md). BuildKit does not sign it: it is
// as good as the index that it is in. The error wraps [ErrNone] when there is none.
func Attached(index v1.ImageIndex, manifest v1.Hash) (predicateType string, predicate json.RawMessage, err error) {
	list, err := index.IndexManifest()
	if err != nil {
		return "", nil, err
	}
	for _, d := range list.Manifests {
		if d.Annotations["vnd.docker.reference.type"] != "attestation-manifest" || d.Annotations["vnd.docker.reference.digest"] != manifest.String() {
			continue
		}
		image, err := index.Image(d.Digest)
		if err != nil {
			return "", nil, err
		}
		predicateType, predicate, err = attached(image, manifest)
		if !errors.Is(err, ErrNone) {
			return predicateType, predicate, err
		}
	}
	return "", nil, fmt.Errorf("%s: %w", manifest, ErrNone)
}

func attached(image v1.Image, manifest v1.Hash) (string, json.RawMessage, error) {
	m, err := image.Manifest()
	if err != nil {
		return "", nil, err
	}
	for _, d := range m.Layers {
		if d.Annotations["in-toto.io/predicate-type"] != attest.SPDXType || d.Size > attest.MaxBundleBytes {
			continue
		}
		layer, err := image.LayerByDigest(d.Digest)
		if err != nil {
			return "", nil, err
		}
		body, err := layer.Compressed()
		if err != nil {
			return "", nil, err
		}
		raw, err := io.ReadAll(io.LimitReader(body, attest.MaxBundleBytes))
		if err = errors.Join(err, body.Close()); err != nil {
			return "", nil, err
		}
		statement, err := attest.ParseStatement(raw)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", d.Digest, err)
		}
		if !statement.About(manifest) {
			return "", nil, fmt.Errorf("%s: %w: it is about another image than %s", d.Digest, attest.ErrMalformed, manifest)
		}
		return statement.PredicateType, statement.Predicate, nil
	}
	return "", nil, ErrNone
}
