// Package artifact keeps small signed documents in a registry: the catalog, a list of what may not start, a checkpoint of
// a log. Whoever reads one gets it whole, from the one who may write it, of the kind that was asked for, and never an older
// one than was seen before.
//
//	signed, err := artifact.Sign(ctx, key, artifact.Content{Kind: kind, Version: 7, Data: data})
//	digest, err := artifact.Push(ctx, client, "registry.example/ops/catalog", signed, registry.PushOptions{Tags: []string{"current"}})
//	...
//	got, err := artifact.Pull(ctx, client, "registry.example/ops/catalog:current", artifact.Want{
//		Kind: kind, Trust: trusted, At: time.Now(), Seen: last,
//	})
//	last = got.Seen()
//
// In the registry it is an OCI artifact with two blobs, the document and the signature (a sigstore bundle about the
// document's digest), both also embedded in the manifest while they are small, so that reading it is one request. Any
// tool that pulls OCI artifacts can read the document. The same thing without a registry is [Signed], which can be kept in
// a file and opened offline.
package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

// PredicateType is the type of the statement that is signed: its subject is the document, its predicate is what [Content]
// says of it.
const PredicateType = "https://plimsoll.dev/attestation/artifact/v1"

// Kind says which document it is. Both parts are signed, so a document of another kind is refused however well it is
// signed.
type Kind struct {
	// Name keeps documents of the same type apart: "production". Versions are counted within a name.
	Name string `json:"name"`
	// MediaType is the document's type and the artifact's.
	MediaType string `json:"mediaType"`
}

// Content is a document and what is signed about it.
type Content struct {
	Kind
	// Version grows with each new document of this name.
	Version uint64 `json:"version"`
	// Created is when it was made.
	Created time.Time `json:"created,omitzero"`
	// Expires is when it is no longer accepted; zero is never. It is what stops somebody who holds back newer ones.
	Expires time.Time `json:"expires,omitzero"`
	// Data is the document.
	Data []byte `json:"-"`
}

// Signed is a document with its signature. It marshals to JSON, for keeping it in a file.
type Signed struct {
	Data   []byte
	Bundle *attest.Bundle
}

// Sign signs a document.
func Sign(ctx context.Context, signer attest.Signer, c Content) (*Signed, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(c.Data))
	if err != nil {
		return nil, err
	}
	statement, err := attest.NewStatement(PredicateType, c, attest.NewSubject(c.Name, digest))
	if err != nil {
		return nil, err
	}
	bundle, err := statement.Sign(ctx, signer)
	if err != nil {
		return nil, err
	}
	return &Signed{Data: c.Data, Bundle: bundle}, nil
}

func (k Kind) check() error {
	if k.Name == "" || k.MediaType == "" {
		return errors.New("artifact: its kind needs a name and a media type")
	}
	return nil
}

// stored is the JSON of a Signed.
type stored struct {
	Bundle json.RawMessage `json:"bundle"`
	Data   []byte          `json:"data"`
}

// MarshalJSON writes what [ParseSigned] reads.
func (s *Signed) MarshalJSON() ([]byte, error) {
	return json.Marshal(stored{Bundle: s.Bundle.Bytes(), Data: s.Data})
}

// ParseSigned reads the JSON of a [Signed], such as a file that it was kept in. Nothing is verified yet.
func ParseSigned(raw []byte) (*Signed, error) {
	var s stored
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("artifact: %w: not a signed document", attest.ErrMalformed)
	}
	bundle, err := attest.ParseBundle(s.Bundle)
	if err != nil {
		return nil, fmt.Errorf("artifact: %w", err)
	}
	return &Signed{Data: s.Data, Bundle: bundle}, nil
}
