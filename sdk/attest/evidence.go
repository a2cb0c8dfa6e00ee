package attest

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Source is where evidence is kept; [Store] is a registry. Nothing that it says is believed without a signature, but for
// the digest that a tag means.
type Source interface {
	// Image returns what a reference names, with the manifests of its platforms.
	Image(ctx context.Context, ref string) (*Image, error)
	// Bundles returns the bundles about an image whose statements have one of the predicate types.
	Bundles(ctx context.Context, image *Image, predicateTypes []string) ([]*Bundle, error)
}

// Image is an image as it stands in a registry.
type Image struct {
	// Repository is where, "registry.example/team/app".
	Repository string
	// Digest is that of the index, or of the only manifest.
	Digest v1.Hash
	// Manifests are the platforms of an index: all that a machine could run. Nil for a single manifest.
	Manifests []Manifest
}

// Manifest is one platform's image.
type Manifest struct {
	Platform string  `json:"platform,omitempty"` // "linux/amd64"; "" when the index does not say
	Digest   v1.Hash `json:"digest"`
}

// Reference is the image by its digest.
func (i *Image) Reference() string { return i.Repository + "@" + i.Digest.String() }

// Digests are all digests that evidence has to be about: the image's own first, then those of its platforms.
func (i *Image) Digests() []v1.Hash {
	digests := []v1.Hash{i.Digest}
	for _, m := range i.Manifests {
		digests = append(digests, m.Digest)
	}
	return digests
}

// what names one of the image's digests in an error.
func (i *Image) what(digest v1.Hash) string {
	for _, m := range i.Manifests {
		if m.Digest == digest && m.Platform != "" {
			return m.Platform + " (" + digest.String() + ")"
		}
	}
	return digest.String()
}
